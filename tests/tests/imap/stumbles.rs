//! Messages that break the reading of them, and numbers that are given anew.

use warmfront_core::span::HOUR;
use warmfront_mail::inbox::Inbox as _;
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::Folder;

use super::reader::{Reader, dovecot, names, now, reply};

#[tokio::test]
async fn a_message_that_the_server_cannot_show_is_passed_and_holds_up_no_other() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    dovecot.deliver(&user, Folder::Inbox, &reply("before"));
    dovecot.deliver_as(&user, Folder::Inbox, &reply("broken"), ".broken");
    dovecot.deliver(&user, Folder::Inbox, &reply("behind"));
    dovecot.deliver(&user, Folder::Junk, &reply("elsewhere"));
    dovecot.lock(&user, Folder::Inbox, ".broken", true);

    let (begun, mut read) = (now(), Vec::new());
    for _ in 0..12 {
        match reader.part_at(begun).await {
            Ok(part) => {
                read.extend(names(&part));
                assert!(!part.is_whole && part.trouble.is_some(), "{part:?}");
                assert_eq!(part.passed, []);
            }
            Err(trouble) => assert!(!trouble.needs_an_operator(), "{trouble}"),
        }
    }
    read.sort();
    read.dedup();
    assert_eq!(read, ["before", "behind", "elsewhere"]);
    // After an hour in which others were shown it is passed; nothing else is read again for it.
    let later = reader.part_at(begun + HOUR).await.expect("a reading");
    assert_eq!(later.passed.iter().map(|place| place.uid).collect::<Vec<_>>(), [2]);
    assert!(later.is_whole && later.trouble.is_none(), "{later:?}");
}

/// Behind a copy of ours that cannot be shown there may be hundreds of others, which are read again and
/// again until it is passed: the inbox is read beside them.
#[tokio::test]
async fn many_copies_behind_a_broken_one_keep_no_reply_waiting() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    dovecot.deliver_as(&user, Folder::Sent, &reply("broken"), ".broken");
    for nr in 0..230 {
        dovecot.deliver(&user, Folder::Sent, &reply(&format!("copy{nr}")));
    }
    dovecot.deliver(&user, Folder::Inbox, &reply("answer"));
    dovecot.lock(&user, Folder::Sent, ".broken", true);
    let mut read = Vec::new();
    // The first reading may break at it; the next ones know it.
    for _ in 0..3 {
        read.extend(reader.part().await.map(|part| names(&part)).unwrap_or_default());
    }
    assert_eq!(read, ["answer"]);
}

/// A reply to what outdated books lack would be one to nothing.
#[tokio::test]
async fn where_the_books_may_lack_copies_no_reply_is_read_before_them() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    for nr in 0..230 {
        dovecot.deliver(&user, Folder::Sent, &reply(&format!("copy{nr}")));
    }
    dovecot.deliver(&user, Folder::Inbox, &reply("answer"));
    reader.bookmarks.unknown_since = Some(now() - HOUR);
    let first = reader.part().await.expect("a reading");
    assert_eq!((first.sent.len(), names(&first)), (200, vec![]));
    let rest = reader.whole().await;
    assert_eq!((rest.sent.len(), names(&rest)), (30, vec!["answer".to_owned()]));
}

/// A storage that fails for hours shows nothing at all: nobody's reply is passed for that.
#[tokio::test]
async fn while_a_server_shows_nothing_no_message_is_passed_for_a_day() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    let begun = now();
    for name in [".one", ".two"] {
        dovecot.deliver_as(&user, Folder::Inbox, &reply(&name[1..]), name);
        dovecot.lock(&user, Folder::Inbox, name, true);
    }
    for hours in 0..23 {
        let read = reader.part_at(begun + hours * HOUR).await;
        assert!(read.is_err() || read.is_ok_and(|part| !part.is_whole && part.passed.is_empty()));
    }
    for name in [".one", ".two"] {
        dovecot.lock(&user, Folder::Inbox, name, false);
    }
    assert_eq!(names(&reader.whole().await), ["one", "two"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_for_a_while_is_not_lost() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    dovecot.deliver_as(&user, Folder::Inbox, &reply("shy"), ".shy");
    dovecot.lock(&user, Folder::Inbox, ".shy", true);
    for _ in 0..2 {
        let read = reader.part().await;
        assert!(read.is_err() || read.is_ok_and(|part| part.trouble.is_some()));
    }
    dovecot.lock(&user, Folder::Inbox, ".shy", false);
    assert_eq!(names(&reader.whole().await), ["shy"]);
}

/// A connection that breaks at a message may have broken for any reason: a few such chances are no
/// proof against the message, however far apart they lie.
#[tokio::test]
async fn a_message_that_a_few_readings_broke_at_is_not_passed() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    let begun = now();
    dovecot.deliver_as(&user, Folder::Inbox, &reply("shy"), ".shy");
    dovecot.lock(&user, Folder::Inbox, ".shy", true);
    for hours in 0..6 {
        dovecot.deliver(&user, Folder::Inbox, &reply(&format!("other{hours}")));
        let read = reader.part_at(begun + hours * HOUR).await;
        assert!(read.is_err() || read.is_ok_and(|part| part.passed.is_empty()));
    }
    dovecot.lock(&user, Folder::Inbox, ".shy", false);
    assert!(names(&reader.whole().await).contains(&"shy".to_owned()));
}

#[tokio::test]
async fn mail_with_new_numbers_is_read_again_under_the_same_keys() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    dovecot.deliver(&user, Folder::Inbox, &reply("a"));
    dovecot.deliver(&user, Folder::Junk, &reply("a"));
    let first = reader.whole().await;
    // Whoever is connected meanwhile is thrown out, sooner or later.
    reader.inbox.close().await;
    dovecot.renumber(&user, Folder::Inbox);
    dovecot.deliver(&user, Folder::Inbox, &reply("b"));
    let second = reader.whole().await;
    let keys = |reading: &warmfront_core::reading::Reading| {
        reading.arrivals.iter().map(|one| one.inbound.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&first), names(&second)),
        (vec!["a".to_owned(), "a".to_owned()], vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(keys(&first)[0], keys(&first)[1], "the same mail in two folders");
    assert_eq!(keys(&first)[0], keys(&second)[0]);
    let lives = |reading: &warmfront_core::reading::Reading| {
        let inbox = reading.marks.iter().find(|mark| mark.folder == "INBOX");
        inbox.expect("it was read").uidvalidity
    };
    assert_ne!(lives(&first), lives(&second));
}

/// A thousand parts, one in the other: Dovecot counts them too.
#[tokio::test]
async fn a_bomb_of_parts_holds_nobody_up() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    let mut bomb = reply("bomb").trim_end().replace(
        "Subject:",
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b0\"\r\nSubject:",
    );
    for level in 0..1_000 {
        bomb.push_str(&format!(
            "\r\n--b{level}\r\nContent-Type: multipart/mixed; boundary=\"b{}\"\r\n\r\n",
            level + 1
        ));
    }
    bomb.push_str(&"--b1000\r\n\r\n".repeat(5_000));
    dovecot.deliver(&user, Folder::Inbox, &bomb);
    dovecot.deliver(&user, Folder::Inbox, &reply("behind"));
    assert_eq!(names(&reader.whole().await), ["bomb", "behind"]);
}
