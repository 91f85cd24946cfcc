//! Octets in, facts out; and whatever octets, no harm.

use super::*;

const ID: &str = "<1@sender.example>";

#[test]
fn nothing_at_all_is_an_arrival_too() {
    let arrival = read(b"", 7);
    assert_eq!((arrival.received_at, arrival.key.len(), arrival.failures.len()), (7, 64, 0));
}

#[test]
fn a_letter_is_read_whole() {
    let raw = "Return-Path: <bob@b.example>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\
               From: =?utf-8?q?Bj=C3=B6rn?= <Bob@B.example>\r\nTo: ann@a.example\r\n\
               Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nMessage-ID: <2@b.example>\r\n\
               In-Reply-To: <1@sender.example>\r\nReferences: <0@sender.example>\r\n\
               \t<1@sender.example>\r\nAuto-Submitted: No (it is me)\r\n\r\nHello\r\n> old\r\n";
    let arrival = read(raw.as_bytes(), 0);
    assert_eq!(arrival.from.unwrap().as_str(), "bob@b.example");
    assert_eq!(arrival.subject, "Grüße");
    assert_eq!(arrival.written_at, Some(1_795_168_800_000));
    assert_eq!(arrival.message_id.as_deref(), Some("<2@b.example>"));
    assert_eq!(arrival.refers_to, [ID, ID, "<0@sender.example>"]);
    assert_eq!(arrival.marks.auto_submitted.as_deref(), Some("no"));
    assert_eq!(arrival.text, "Hello");
}

#[test]
fn a_field_behind_a_strange_date_is_not_lost() {
    let arrival = read(b"Date: Sat, 22 Apr 2006 17:14:50 UT\nFrom: bob@b.example\n\nx", 0);
    assert_eq!(arrival.from.unwrap().as_str(), "bob@b.example");
}

#[test]
fn the_same_mail_has_the_same_key_in_every_folder_and_another_has_another() {
    let mail = |extra: &str, text: &str| {
        format!("{extra}From: b@b.example\nMessage-ID: <2@b.example>\nSubject: x\n\n{text}\n")
    };
    let key = |raw: String| read(raw.as_bytes(), 0).key;
    let first = key(mail("", "Hello"));
    assert_eq!(first, key(mail("X-Folder: Junk\n", "Hello")));
    assert_eq!(first, key(mail("", "Hello").replace('\n', "\r\n")));
    assert_ne!(first, key(mail("", "Hallo")), "an id that somebody used before hides nothing");
}

/// Reads something made to do harm. Time that grew with the square of it would be minutes here.
fn endures(raw: &[u8]) -> Arrival {
    let arrival = read(raw, 0);
    let _ = warmfront_core::inbound::classify(&arrival);
    arrival
}

#[test]
fn parts_within_parts_are_followed_only_so_far() {
    let mut raw = String::from("Content-Type: multipart/mixed; boundary=b0\n\n");
    for depth in 0..40_000 {
        let inner = depth + 1;
        raw.push_str(&format!("--b{depth}\nContent-Type: multipart/mixed; boundary=b{inner}\n\n"));
    }
    endures(raw.as_bytes());
    let enclosed = "Content-Type: message/rfc822\n\n".repeat(40_000);
    endures(enclosed.as_bytes());
    let mut digest = String::from("Content-Type: multipart/digest; boundary=b\n\n");
    digest.push_str(&"--b\n\n".repeat(200_000));
    endures(digest.as_bytes());
    let same = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(20_000);
    endures(same.as_bytes());
    let never = "--b\nContent-Type: multipart/mixed; boundary=never\n\n".repeat(20_000);
    endures(format!("{same}{never}").as_bytes());
}

#[test]
fn a_report_behind_a_thousand_parts_is_not_looked_for() {
    let mut raw = String::from("From: mailer-daemon@x.example\nSubject: Undelivered\n");
    raw.push_str("Content-Type: multipart/report; boundary=b\n\n");
    raw.push_str(&"--b\n\nx\n".repeat(1_000));
    raw.push_str(
        "--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; b@b.example\n",
    );
    raw.push_str("Action: failed\nStatus: 5.1.1\n--b--\n");
    let arrival = endures(raw.as_bytes());
    assert!(arrival.failures.iter().all(|failure| failure.status.is_none()));
}

#[test]
fn endless_headers_lines_and_names_are_cut() {
    let arrival = endures("A: b\n".repeat(1_000_000).as_bytes());
    assert!(arrival.text.is_empty());
    let ids: String = (0..50_000).map(|n| format!(" <{n}@x.example>\n")).collect();
    let arrival = endures(format!("References:{ids}\n\nx").as_bytes());
    assert!(arrival.refers_to.len() <= NAMES_MAX);
    let to: String = (0..50_000).map(|n| format!("a{n}@x.example,\n ")).collect();
    assert!(endures(format!("To: {to}\n\nx").as_bytes()).to.len() <= 64);
    let comment = format!("From: {}x{} <b@b.example>\n\nx", "(".repeat(60_000), ")".repeat(60_000));
    endures(comment.as_bytes());
    let words = format!("Subject: {}\n\nx", "=?utf-8?q?a?= ".repeat(9_000));
    endures(words.as_bytes());
    let attributes = format!("Content-Type: text/plain; {}\n\nx", "a*0*=b; ".repeat(15_000));
    endures(attributes.as_bytes());
}

#[test]
fn endless_prose_and_reports_are_cut() {
    let named: String =
        (0..60_000).map(|n| format!("<a{n}@x.example>: 550 5.1.1 gone\n")).collect();
    let head = "From: mailer-daemon@x.example\nSubject: failure notice\n\n";
    assert_eq!(endures(format!("{head}{named}").as_bytes()).failures.len(), 1);
    let blocks =
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\n".repeat(15_000);
    let head = "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n";
    let arrival = endures(format!("{head}{blocks}").as_bytes());
    assert_eq!(arrival.failures.len(), report::FAILURES_MAX);
    endures("x".repeat(1 << 20).as_bytes());
    let html = format!("Content-Type: text/html\n\n{}", "<div>&amp;".repeat(100_000));
    endures(html.as_bytes());
    endures(format!("\n{}", "On x\n".repeat(200_000)).as_bytes());
}

#[test]
fn what_stands_behind_the_first_mebibyte_is_not_read() {
    let mut raw = b"Subject: x\nMessage-ID: <2@b.example>\n\nHello\n".to_vec();
    raw.resize(300 * 1024 * 1024, b'x');
    let whole = endures(&raw);
    assert_eq!(whole.key, read(&raw[..OCTETS_MAX], 0).key);
}

#[test]
fn a_report_names_no_more_messages_than_are_looked_up() {
    let ids: String = (0..100).map(|n| format!(" <{n}@x.example>\n")).collect();
    let fields: String = OUR_IDS.iter().map(|name| format!("{name}:{ids}")).collect();
    let head = "References: <a@x.example> <b@x.example>\nContent-Type: message/rfc822\n\n";
    let arrival = endures(format!("{head}{fields}\nx").as_bytes());
    assert_eq!(arrival.returned.names.len(), NAMES_MAX);
    assert_eq!(arrival.names().len(), NAMES_MAX);
}

#[test]
fn no_field_holds_a_control_character() {
    let raw = b"Subject: =?utf-8?q?aaaaaaaa=00=1b=0A?=\nIn-Reply-To: <a\0@b>\nMessage-ID: c\0@d\n\
                Auto-Submitted: =?utf-8?q?auto=00?=\nFrom: mailer-daemon@x.example\n\
                Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: text/html\n\n\
                one&#0;&#27;\0two\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: x\0y\n\
                --b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; b@b.example\n\
                Action: failed\nDiagnostic-Code: smtp; 550\x01 no\0\n\
                X-Original-Message-ID: <e\x02@f>\n--b--\n";
    let arrival = read(raw, 0);
    assert_eq!(arrival.subject, "aaaaaaaa ");
    assert_eq!(arrival.refers_to, ["<a@b>", "<e@f>"]);
    assert_eq!(arrival.message_id.as_deref(), Some("<c@d>"));
    assert_eq!(arrival.marks.auto_submitted.as_deref(), Some("auto"));
    assert_eq!(arrival.text, "onetwo");
    assert_eq!(arrival.feedback.unwrap().kind, "xy");
    assert_eq!(arrival.failures[0].diagnostic, "smtp; 550 no");
}

#[test]
fn octets_of_every_sort_are_taken() {
    for octet in 0..=255_u8 {
        let _ = read(&[octet; 300], 0);
        let _ = read(&[b"Subject: x".as_slice(), &[octet; 9], b"\n\n", &[octet; 9]].concat(), 0);
    }
    for kind in ["text/html", "text/plain; charset=utf-7", "text/plain; charset=iso-2022-jp", "x"] {
        let body: Vec<u8> = (0..=255).cycle().take(3_000).collect();
        for encoding in ["base64", "quoted-printable", "8bit"] {
            let head = format!("Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n");
            let _ = read(&[head.as_bytes(), &body].concat(), 0);
        }
    }
}
