//! What can be wrong with a campaign's folder and its list.

use std::io::Write as _;
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
    check(
        b"email,first_name\na@acme.example,A\nb\0@acme.example,B\n",
        &["prospects.csv:3:", "NUL"],
    );
    check(b"email,first_name\n\"a@acme.example,A\n", &["prospects.csv:2:"]);
    check(b"name\nAnn\n", &["prospects.csv:1:", "email"]);
    check(b"", &["prospects.csv"]);
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
fn a_line_without_end_is_refused_at_once() {
    let scene = spring(1);
    let list = scene.installation.file(LIST);
    std::fs::remove_file(&list).expect("a file");
    let made = Command::new("mkfifo").arg(&list).status().expect("mkfifo");
    assert!(made.success());
    let feeding = list.clone();
    // The thread ends with the test.
    std::thread::spawn(move || {
        while let Ok(mut pipe) = std::fs::File::options().write(true).open(&feeding) {
            while pipe.write_all(&[b'a'; 1 << 16]).is_ok() {}
        }
    });
    refused(&scene, 1, &["prospects.csv:1:", "longer than 1 MiB"]);
}

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
    refused(&scene, 1, &["prospects.csv:3:", "NUL"]);
}
