//! What can be wrong in a step, and what a list may put into one.

use warmfront_tests::binary::Scene;

use crate::{refused, send, spring};

const STEP: &str = "campaigns/spring/steps/1-intro.hbs";

/// More people than any list here has.
const PEOPLE_MAX: usize = 20;

/// A campaign whose one step is `text`.
fn saying(text: &str) -> Scene {
    let scene = spring(PEOPLE_MAX);
    scene.installation.write(STEP, text);
    scene
}

#[test]
fn a_step_that_cannot_be_sent_is_told_with_its_line() {
    #[track_caller]
    fn check(text: &str, words: &[&str]) {
        refused(&saying(text), 1, words);
    }
    check("Subject: Hi\n\nHi {{frist_name}}", &["1-intro.hbs:3:", "did you mean `first_name`?"]);
    check("Subject: Hi {{topic}}\n\nHi", &["1-intro.hbs:1:", "`topic`"]);
    check("Subject: Hi\n\n{{> 1-intro}}", &["1-intro.hbs:3:", "a partial"]);
    check(
        "Subject: Hi\n\n{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}",
        &["1-intro.hbs:3:", "inline partials are refused"],
    );
    let deep = "{{#if first_name}}".repeat(2_000) + "x" + &"{{/if}}".repeat(2_000);
    check(&format!("Subject: Hi\n\n{deep}"), &["1-intro.hbs:3:", "deep"]);
    check(&format!("Subject: Hi\n\n{}", "many words ".repeat(100_000)), &["1-intro.hbs", "64 KiB"]);
    check("Subject: Re: Hi\n\nHi", &["1-intro.hbs:1:", "Re:"]);
}

#[test]
fn an_import_says_of_whom_the_texts_cannot_be_written_and_an_update_frees_them() {
    const LIST: &str = "campaigns/spring/prospects.csv";
    let scene = saying("Subject: Hi {{first_name}}\n\nAbout {{topic}}\n");
    let list = "email,first_name,topic\na@acme.example,Ann,\nb@brix.example,,roofs\n\
                c@cox.example,Cyd,roofs\n";
    scene.installation.write(LIST, list);
    let rehearsed = crate::run(&scene, "campaign import campaigns/spring --dry-run --json").done();
    assert_eq!(rehearsed.json()["blocked"], 2, "{rehearsed}");
    let told = crate::run(&scene, "campaign import campaigns/spring").done();
    for word in ["3 of 3 rows imported", "2 of them blocked", "prospects.csv:2:", "`topic`"] {
        assert!(told.out.contains(word), "{word}: {told}");
    }
    let _ = crate::run(&scene, "campaign start spring").done();
    assert_eq!(crate::run(&scene, "plan --json").done().json()["planned"], 1);
    let audit = crate::run(&scene, "audit").done();
    assert!(audit.out.contains("1 active + 2 blocked"), "{audit}");
    crate::edit(&scene, LIST, "Ann,", "Ann,doors");
    let told = crate::run(&scene, "campaign import campaigns/spring --update --json").done().json();
    assert_eq!((&told["updated"], &told["blocked"]), (&1.into(), &0.into()), "{told}");
    assert_eq!(crate::run(&scene, "plan --json").done().json()["planned"], 2);
    // A row added later is judged by the texts in the books, which are kept.
    scene.installation.write(STEP, "Subject: Hi\n\nHello\n");
    scene.installation.write(LIST, format!("{list}d@dan.example,Dan,\n"));
    let told = crate::run(&scene, "campaign import campaigns/spring --json").done().json();
    assert_eq!((&told["accepted"], &told["blocked"]), (&1.into(), &1.into()), "{told}");
}

#[test]
fn a_text_that_grows_without_measure_blocks_its_person_and_nobody_else() {
    let text = "Subject: Hi\n\n".to_owned() + &"{{story}}\n".repeat(100);
    let scene = saying(&text);
    let long = "long ".repeat(10_000);
    let list = format!("email,story\nann@acme.example,short\nbob@other.example,{long}\n");
    scene.installation.write("campaigns/spring/prospects.csv", list);
    let _ = crate::run(&scene, "check").said(1, &["prospects.csv:3:", "blocked"]);
    send(&scene);
    let to: Vec<String> = scene.sink.accepted().into_iter().map(|message| message.rcpt).collect();
    assert_eq!(to, ["ann@acme.example"]);
    let audit = crate::run(&scene, "audit").done();
    assert!(audit.out.contains("1 blocked"), "{audit}");
}

/// A value that would be a header, a second message or a command, if it were let.
#[test]
fn what_a_list_puts_into_a_message_stays_in_its_text() {
    let text = "Subject: For {{topic}}\n\nHi {{first_name}}.\n{{story}}\n";
    let scene = saying(text);
    let forged = "MAIL FROM:<eve@evil.example>\r\nRCPT TO:<all@evil.example>\r\nDATA\r\nx\r\n.\r\n";
    let mut list = "email,first_name,topic,story\n".to_owned();
    let ends = ["\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r"];
    for (nr, end) in ends.iter().enumerate() {
        list += &format!("p{nr}@acme{nr}.example,Pat,roofs,\"a{end}{forged}\"\n");
    }
    list += "h@head.example,Pat,\"roofs\r\nBcc: all@evil.example\",none\n";
    list += "n@name.example,\"Pat\r\nBcc: all@evil.example\",roofs,none\n";
    list += "\"a@b.example>\r\nRCPT TO:<all@evil.example\",Pat,roofs,none\n";
    scene.installation.write("campaigns/spring/prospects.csv", list);
    send(&scene);
    let held = scene.sink.accepted();
    assert!(held.len() >= ends.len(), "only {} came through", held.len());
    for message in &held {
        assert!(!message.rcpt.contains("evil"), "{}", message.rcpt);
        let bytes = String::from_utf8_lossy(&message.bytes);
        let (headers, _) = bytes.split_once("\r\n\r\n").expect("headers and a text");
        assert!(!headers.to_lowercase().contains("\nbcc:"), "{headers}");
    }
    for line in scene.sink.lines() {
        assert!(!line.text.contains("evil"), "{line:?}");
    }
    // Whoever is not written to is told with the line, and counted.
    let ledger = scene.installation.ledger();
    assert_eq!(ledger.iter().filter(|line| line.state == "accepted").count(), held.len());
    let _ = crate::run(&scene, "check").said(1, &["prospects.csv:"]);
    let _ = crate::run(&scene, "audit").done();
}
