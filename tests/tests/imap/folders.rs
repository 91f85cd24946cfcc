//! Which folders are read, from where, and that nothing in them changes.

use warmfront_core::reading::Role;
use warmfront_core::span::DAY;
use warmfront_mail::inbox::Inbox as _;
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::Folder;

use super::reader::{Reader, dovecot, names, now, reply};

#[tokio::test]
async fn folders_are_found_by_their_use_read_by_turns_and_left_as_they_were() {
    for tls in [Tls::Implicit, Tls::Starttls, Tls::None] {
        let mut reader = Reader::new(dovecot(), tls);
        let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
        dovecot.deliver(&user, Folder::Inbox, &reply("a"));
        dovecot.deliver(&user, Folder::Junk, &reply("b"));
        dovecot.deliver(&user, Folder::Decoy, &reply("none of our business"));
        dovecot.deliver(
            &user,
            Folder::Sent,
            "Message-ID: <s@ours.example>\r\nTo: p@x.example\r\n\r\n",
        );

        let reading = reader.whole().await;
        assert_eq!(names(&reading), ["a", "b"]);
        let roles: Vec<_> = reading.marks.iter().map(|m| (m.folder.as_str(), m.role)).collect();
        assert_eq!(
            roles,
            [("Envoy&AOk-s", Role::Sent), ("INBOX", Role::Inbox), ("Unerw&APw-nscht", Role::Junk)]
        );
        let [sent] = reading.sent.as_slice() else { panic!("{:?}", reading.sent) };
        assert_eq!(sent.ids, ["<s@ours.example>"]);
        assert!((now() - sent.sent_at).abs() < DAY, "{sent:?}");

        assert_eq!(names(&reader.whole().await), [""; 0], "nothing is new");
        dovecot.deliver(&user, Folder::Junk, &reply("c"));
        dovecot.deliver(&user, Folder::Inbox, &reply("d"));
        assert_eq!(names(&reader.whole().await), ["d", "c"]);
        reader.inbox.close().await;
        for folder in [Folder::Inbox, Folder::Junk, Folder::Sent, Folder::Decoy] {
            assert_eq!(dovecot.marked(&user, folder), [""; 0], "{folder:?}");
        }
        assert_eq!([Folder::Inbox, Folder::Junk].map(|f| dovecot.count(&user, f)), [2, 2]);
    }
}

#[tokio::test]
async fn much_is_read_in_parts_each_message_once() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let names_of = |folder: &'static str| (0..230).map(move |nr| format!("{folder}{nr}"));
    for (inbox, junk) in names_of("i").zip(names_of("j")) {
        reader.dovecot.deliver(&reader.user, Folder::Inbox, &reply(&inbox));
        reader.dovecot.deliver(&reader.user, Folder::Junk, &reply(&junk));
    }
    let first = reader.part().await.unwrap();
    assert_eq!((first.arrivals.len(), first.has_more, first.is_whole), (200, true, false));
    let mut read = names(&first);
    let rest = reader.whole().await;
    read.extend(names(&rest));
    let want: Vec<String> = names_of("i").chain(names_of("j")).collect();
    assert_eq!(read, want);
}

#[tokio::test]
async fn of_a_large_message_the_beginning_is_read() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let large = reply("large") + &"0123456789abcdef\r\n".repeat(2_000_000 / 18);
    reader.dovecot.deliver(&reader.user, Folder::Inbox, &large);
    reader.dovecot.deliver(&reader.user, Folder::Inbox, &reply("after"));
    assert_eq!(names(&reader.whole().await), ["large", "after"]);
}

#[tokio::test]
async fn news_is_told_at_once_and_none_after_a_while() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    reader.whole().await;
    let soon = std::time::Duration::from_millis(300);
    assert!(!reader.inbox.news(soon).await, "nothing came");
    assert!(reader.inbox.is_open());
    // Something came since the reading, and before anybody waited.
    reader.dovecot.deliver(&reader.user, Folder::Inbox, &reply("early"));
    let late = std::time::Duration::from_secs(60);
    assert!(reader.inbox.news(late).await);
    assert_eq!(names(&reader.whole().await), ["early"]);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    let delivering = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        dovecot.deliver(&user, Folder::Inbox, &reply("late"));
    });
    assert!(reader.inbox.news(late).await);
    delivering.await.unwrap();
    assert_eq!(names(&reader.whole().await), ["late"]);
    reader.dovecot.kick(&reader.user);
    assert!(!reader.inbox.news(late).await, "the connection is gone, and that is no news");
    assert_eq!(names(&reader.whole().await), [""; 0], "another one serves");
}
