//! What can be wrong with a campaign's folder and its list.

use std::process::Command;

use crate::{edit, refused, run, spring};

const LIST: &str = "campaigns/spring/prospects.csv";
const MANIFEST: &str = "campaigns/spring/campaign.toml";

#[test]
fn a_manifest_that_makes_no_sense_is_told_with_its_line() {
    #[track_caller]
    fn check(old: &str, new: &str, words: &[&str]) {
        let scene = spring(1);
        edit(&scene, MANIFEST, old, new);
        refused(&scene, 1, words);
    }
    check("daily_target", "daily_goal", &["campaign.toml:2:", "daily_goal"]);
    check("0 0 0 * * *", "0 0 9 30 2 *", &["campaign.toml:6:", "0 0 9 30 2 *", "never"]);
    check("length = \"24h\"", "length = \"0h\"", &["campaign.toml:6:", "has no length"]);
    check("timezone = \"", "timezone = \"Europe/Nowhere", &["campaign.toml:5:", "no time zone"]);
    check("list_source", "# list_source", &["`list_source` is missing"]);
    check("1-intro.hbs", "1-outro.hbs", &["1-outro.hbs"]);
}

#[test]
fn a_list_that_is_no_text_is_refused_as_a_whole() {
    #[track_caller]
    fn check(list: &[u8], words: &[&str]) {
        let scene = spring(1);
        scene.installation.write(LIST, list);
        refused(&scene, 1, words);
        assert!(run(&scene, "campaign list --json").done().out.is_empty());
    }
    check(b"PK\x03\x04 and so on", &["prospects.csv", "Excel", "CSV UTF-8"]);
    check(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", &["prospects.csv", "Excel"]);
    check(b"e\0m\0a\0i\0l\0\n\0a\0@\0", &["prospects.csv:1:", "NUL", "utf-16le"]);
    check(b"email,first_name\n\"a@acme.example,A\n", &["prospects.csv:2:"]);
    check(b"name\nAnn\n", &["prospects.csv:1:", "email"]);
    check(b"", &["prospects.csv"]);
}

#[test]
fn one_stray_nul_costs_its_row_and_no_other() {
    let scene = spring(1);
    let list = "email,first_name\na@acme.example,A\nb@acme.example,B\0\nc\0@acme.example,C\n";
    scene.installation.write(LIST, list);
    let told = run(&scene, "campaign import campaigns/spring --json").done().json();
    assert_eq!((&told["accepted"], &told["outcome"]), (&1.into(), &"partial".into()));
    assert!(told["rejected"][0]["reason"].as_str().expect("a text").contains("NUL"), "{told}");
}

#[test]
fn rows_that_cannot_be_used_are_told_one_by_one_and_the_others_imported() {
    let scene = spring(1);
    let list = "email,first_name,timezone\na@acme.example,Ann,UTC\nnobody,Bob,UTC\n\
                c@acme.example,Cyd,Europe/Nowhere\nA@acme.example,Ann,UTC\n";
    scene.installation.write(LIST, list);
    let told = run(&scene, "campaign import campaigns/spring --json").done().json();
    let lines: Vec<_> = told["rejected"].as_array().expect("a list").iter().collect();
    assert_eq!(told["outcome"], "partial");
    assert_eq!(
        (&told["rows"], &told["accepted"], &told["duplicates"]),
        (&4.into(), &1.into(), &1.into())
    );
    assert_eq!(lines.iter().map(|row| &row["line"]).collect::<Vec<_>>(), [3, 4]);
    assert!(lines[1]["reason"].as_str().expect("a text").contains("Europe/Nowhere"), "{told}");
    let _ = run(&scene, "audit").done();
}

#[test]
fn an_update_says_what_it_took_over() {
    let scene = spring(1);
    let variants = ["campaigns/spring/steps/1-intro.a.hbs", "campaigns/spring/steps/1-intro.b.hbs"];
    let text = |word: &str| format!("Subject: A question, {{{{first_name}}}}\n\nHello {word}.\n");
    std::fs::remove_file(scene.installation.file("campaigns/spring/steps/1-intro.hbs"))
        .expect("a step");
    for variant in variants {
        scene.installation.write(variant, text("there"));
    }
    let first = run(&scene, "campaign import campaigns/spring --update").done();
    assert!(!first.out.contains("taken over"), "{}", first.out);

    scene.installation.write(variants[0], text("again"));
    std::fs::remove_file(scene.installation.file(variants[1])).expect("a variant");
    edit(&scene, LIST, ",Pat", ",Patricia");
    let kept = run(&scene, "campaign import campaigns/spring").done();
    assert!(kept.out.contains("were kept; `--update` takes them over"), "{}", kept.out);
    let rehearsed = run(&scene, "campaign import campaigns/spring --update --dry-run").done();
    let what = "taken over: 1 text changed, 1 withdrawn, 1 person with new values";
    assert!(rehearsed.out.contains(&format!("would be {what}")), "{}", rehearsed.out);
    let told = run(&scene, "campaign import campaigns/spring --update").done();
    assert!(told.out.contains(what), "{}", told.out);
    let again = run(&scene, "campaign import campaigns/spring --update --json").done().json();
    assert_eq!((&again["texts_changed"], &again["texts_withdrawn"]), (&0.into(), &0.into()));

    let manifest = std::fs::read_to_string(scene.installation.file(MANIFEST)).expect("a file");
    let follow_up = "\n[[step]]\ntemplate = \"steps/2-more.hbs\"\nwait = \"3d\"\n";
    scene.installation.write(MANIFEST, manifest.clone() + follow_up);
    scene.installation.write("campaigns/spring/steps/2-more.hbs", "Any thoughts?\n");
    let told = run(&scene, "campaign import campaigns/spring --update").done();
    assert!(told.out.contains("1 text changed, 0 withdrawn, 0 people"), "{}", told.out);
    scene.installation.write(MANIFEST, manifest);
    let told = run(&scene, "campaign import campaigns/spring --update").done();
    assert!(told.out.contains("0 texts changed, 1 withdrawn, 0 people"), "{}", told.out);
}

/// A line that never ends: only who gives up in good time, and keeps little of it, comes to an end.
#[test]
fn a_line_of_many_megabytes_is_refused_with_its_number() {
    let scene = spring(1);
    let long = "email,first_name\na@acme.example,".to_owned() + &"a".repeat(1 << 26);
    scene.installation.write(LIST, long);
    refused(&scene, 1, &["prospects.csv:2:", "64 KiB"]);
}

#[test]
fn a_line_of_a_gigabyte_is_refused_at_once() {
    let scene = spring(1);
    let file = std::fs::File::options().append(true).open(scene.installation.file(LIST));
    file.and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    refused(&scene, 1, &["prospects.csv:3:", "64 KiB"]);
}

#[test]
fn one_mistake_hides_no_other() {
    let scene = spring(1);
    edit(&scene, "warmfront.toml", "cap = ", "capp = ");
    edit(&scene, MANIFEST, "daily_target", "daily_goal");
    scene.installation.write(LIST, "email,first_name\nnobody,Ann\nbob@acme.example,\n");
    scene.installation.write("campaigns/spring/steps/2-nudge.hbs", "Hi {{frist_name}}\n");
    let more = "[[step]]\ntemplate = \"steps/2-nudge.hbs\"\nwait = \"3d\"\n";
    let manifest = scene.installation.file(MANIFEST);
    let text = std::fs::read_to_string(&manifest).expect("a text") + more;
    scene.installation.write(MANIFEST, text);
    let words = [
        "unknown key `capp`",
        "campaign.toml:2: unknown key `daily_goal`",
        "2-nudge.hbs:1: ",
        "prospects.csv:2: rejected",
        "prospects.csv:3: blocked",
    ];
    let _ = run(&scene, "check").said(1, &words);
    let told = run(&scene, "check --json").said(1, &[]).json();
    assert_eq!((&told["ok"], &told["exit"]), (&false.into(), &1.into()), "{told}");
    assert_eq!(told["rows"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(told["errors"].as_array().is_some_and(|errors| errors.len() >= 4), "{told}");
}

#[test]
fn a_folder_that_is_not_there_is_named_once() {
    let scene = spring(1);
    for line in ["check nope", "campaign import nope"] {
        let said = run(&scene, line).said(1, &["nope: no such folder"]);
        assert!(!said.err.contains("nope/nope"), "{said}");
    }
}

#[test]
fn a_list_of_suppressions_is_read_like_any_list_and_one_bad_line_loses_no_other() {
    #[track_caller]
    fn check(file: &[u8], options: &str, code: i32, added: u64, outcome: &str) {
        let scene = spring(1);
        scene.installation.write("s.csv", file);
        let told = run(&scene, &format!("suppress import s.csv --json{options}"));
        let told = told.said(code, &[]).json();
        assert_eq!((&told["added"], &told["outcome"]), (&added.into(), &outcome.into()), "{told}");
    }
    check(b"# gone\na@acme.example\n\nbrix.example\n", "", 0, 2, "accept");
    check(b"\xef\xbb\xbfname;email\nAnn;a@acme.example\nBob;b@acme.example\n", "", 0, 2, "accept");
    let text = "name\temail\nAnn\ta@acme.example\n";
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    check(&utf16, "", 0, 1, "accept");
    check(b"email,name\na@acme.example,Zo\xeb\n", " --encoding windows-1252", 0, 1, "accept");
    check(b"a@acme.example\nno one\nb@acme.example\n", "", 1, 2, "partial");
    check(b"no one\n", "", 1, 0, "reject");
    let scene = spring(1);
    scene.installation.write("s.csv", "a@acme.example\nno one\n");
    let said = run(&scene, "suppress import s.csv").said(1, &["s.csv:2: `no one`", "1 line not"]);
    assert!(said.out.contains("1 added"), "{said}");
    scene.installation.write("s.csv", b"PK\x03\x04 and so on");
    let _ = run(&scene, "suppress import s.csv").said(1, &["s.csv: this is an Excel file"]);
}

#[test]
fn a_mistyped_entry_keeps_nobody_else_off_the_list() {
    let scene = spring(1);
    let _ = run(&scene, "suppress add ann@acme.example nonsense brix.example")
        .said(2, &["2 added", "`nonsense`"]);
    let listed = run(&scene, "suppress list").done();
    assert!(listed.out.contains("ann@acme.example") && listed.out.contains("brix.example"));
}

#[test]
fn an_import_says_what_became_of_a_changed_manifest_and_what_to_do_with_rejected_rows() {
    let scene = spring(1);
    scene.installation.write(LIST, "email,first_name\nnobody,Ann\nbob@acme.example,Bob\n");
    let said = run(&scene, "campaign import campaigns/spring").done();
    let hint = "mend campaigns/spring/rejected.csv, move it over campaigns/spring/prospects.csv";
    assert!(said.out.contains(hint), "{said}");
    let _ = run(&scene, "campaign import campaigns/spring/rejected.csv")
        .said(1, &["rejected.csv: this is a file", "move their file over"]);
    scene.installation.write(LIST, "email,first_name\nbob@acme.example,Bob\n");
    edit(&scene, MANIFEST, "daily_target = 1", "daily_target = 7");
    edit(&scene, MANIFEST, "length = \"24h\"", "length = \"23h\"");
    let said = run(&scene, "campaign import campaigns/spring").done();
    assert!(said.out.contains("`daily_target`, `window` differ from the books"), "{said}");
    assert!(said.out.contains("rejected.csv is of an earlier import"), "{said}");
    let said = run(&scene, "campaign import campaigns/spring --update").done();
    assert!(said.out.contains("taken over: `daily_target`, `window`"), "{said}");
    let told = run(&scene, "campaign import campaigns/spring --update --json").done().json();
    assert_eq!(told["changed"], serde_json::json!([]), "{told}");
}

#[test]
fn a_list_that_is_a_pipe_is_refused_and_not_waited_for() {
    let scene = spring(1);
    let list = scene.installation.file(LIST);
    std::fs::remove_file(&list).expect("it was there");
    assert!(Command::new("mkfifo").arg(&list).status().expect("mkfifo runs").success());
    refused(&scene, 1, &["prospects.csv: this is no file"]);
}
