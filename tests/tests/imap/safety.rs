//! Where no password may go, what is said instead, and what a bad server cannot make us believe.

use std::time::Duration;

use warmfront_core::reading::Bookmarks;
use warmfront_mail::imap::{Account, Imap};
use warmfront_mail::inbox::{Inbox as _, Unreadable};
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::Folder;

use super::reader::{PASSWORD, Reader, dovecot, now, reply};
use super::script::{Answers, Script};

#[tokio::test]
async fn an_unsafe_connection_gets_no_password() {
    let cases: [(&str, Tls, Answers, &str); 4] = [
        (
            "* OK hello\r\n",
            Tls::Starttls,
            &[("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n")],
            "127.0.0.1 offers no STARTTLS",
        ),
        (
            "* OK hello\r\n",
            Tls::Starttls,
            &[
                ("CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\n{tag} OK\r\n"),
                ("STARTTLS", "{tag} OK\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"),
            ],
            "octets of plain text behind its answer to STARTTLS",
        ),
        ("* PREAUTH hello\r\n", Tls::Starttls, &[], "we are logged in before TLS has begun"),
        (
            "* OK hello\r\n",
            Tls::None,
            &[("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n")],
            "127.0.0.1 takes no password",
        ),
    ];
    for (greeting, tls, answers, want) in cases {
        let script = Script::play(greeting, answers).await;
        let read = script.inbox(tls).read(&Bookmarks::default(), now()).await;
        let Err(Unreadable::Unsafe(why)) = read else { panic!("{want}: {read:?}") };
        assert!(why.contains(want), "{why}");
        let said = script.said().await;
        assert!(
            said.iter().all(|line| ["CAPABILITY", "STARTTLS"].contains(&line.as_str())),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_who_it_says_is_not_spoken_to() {
    #[track_caller]
    fn check(read: Result<warmfront_core::reading::Reading, Unreadable>, want: &str) {
        let Err(Unreadable::Unsafe(why)) = read else { panic!("{want}: {read:?}") };
        assert!(why.contains(want), "{why}");
    }
    let dovecot = dovecot();
    for tls in [Tls::Implicit, Tls::Starttls] {
        let unknown = Account { roots: None, ..dovecot.account("nobody", PASSWORD, tls) };
        let read = Imap::new(unknown).read(&Bookmarks::default(), now()).await;
        check(read, "127.0.0.1 is not to be trusted: invalid peer certificate: UnknownIssuer");
    }
    let elsewhere = dovecot.account("nobody", PASSWORD, Tls::None);
    let elsewhere = Account { host: "imap.example.com".to_owned(), ..elsewhere };
    let read = Imap::new(elsewhere).read(&Bookmarks::default(), now()).await;
    check(read, "imap.example.com is not on this machine");
}

#[tokio::test]
async fn a_port_that_speaks_tls_otherwise_is_told_with_the_setting_it_wants() {
    let dovecot = dovecot();
    for (wrong, spoken, wanted) in
        [(Tls::Implicit, Tls::Starttls, "starttls"), (Tls::Starttls, Tls::Implicit, "implicit")]
    {
        let mut account = dovecot.account("nobody", PASSWORD, spoken);
        account.tls = wrong;
        account.deadlines.command = std::time::Duration::from_millis(200);
        let read = Imap::new(account).read(&Bookmarks::default(), now()).await;
        let Err(Unreadable::Unsafe(why)) = read else { panic!("{read:?}") };
        assert!(why.contains(&format!("write `tls = \"{wanted}\"`")), "{why}");
    }
}

#[tokio::test]
async fn a_refused_log_in_is_told_without_the_password() {
    let dovecot = dovecot();
    let mut inbox = Imap::new(dovecot.account("nobody@one.example", PASSWORD, Tls::Implicit));
    let refused = inbox.read(&Bookmarks::default(), now()).await.unwrap_err();
    assert!(refused.needs_an_operator(), "{refused}");
    assert!(refused.to_string().starts_with("the server refused the log-in: [AUTH"), "{refused}");

    let quoting = Script::play(
        "* OK hello\r\n",
        &[
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
            ("LOGIN", "{tag} NO not correct \"horse\" battery \\staple\r\n"),
        ],
    )
    .await;
    let refused = quoting.inbox(Tls::None).read(&Bookmarks::default(), now()).await.unwrap_err();
    assert_eq!(refused.to_string(), "the server refused the log-in: not [secret]");
    let said = quoting.said().await;
    assert_eq!(said[1], r#"LOGIN "ann@one.example" "correct \"horse\" battery \\staple""#);

    let crowded = Script::play(
        "* OK hello\r\n",
        &[
            ("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n"),
            ("AUTHENTICATE PLAIN", "+ \r\n"),
            ("", "W2 NO [UNAVAILABLE] later\r\n"),
        ],
    )
    .await;
    let refused = crowded.inbox(Tls::None).read(&Bookmarks::default(), now()).await.unwrap_err();
    assert!(!refused.needs_an_operator(), "{refused}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_and_one_that_refuses_a_folder_is_not() {
    let silent = Script::play("* OK hello\r\n", &[]).await;
    let mut reader = silent.inbox_within(Tls::None, Duration::from_secs(1));
    let lost = reader.read(&Bookmarks::default(), now()).await.unwrap_err();
    assert_eq!(lost, Unreadable::Lost("no answer within 1s".to_owned()));

    let strange = Script::play(
        "* OK hello\r\n",
        &[
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
            ("LOGIN", "{tag} OK\r\n"),
            ("LIST", "* LIST () \"/\" Spam\r\n* LIST (odd\r\n* LIST () \"/\" Sent\r\n{tag} OK\r\n"),
            ("EXAMINE \"INBOX\"", "* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 3] y\r\n{tag} OK\r\n"),
            ("EXAMINE \"Sent\"", "* OK [UIDVALIDITY 8] x\r\n{tag} OK\r\n"),
            ("EXAMINE \"Spam\"", "{tag} NO [NOPERM] not you\r\n"),
            ("UID SEARCH SINCE", "* SEARCH\r\n{tag} OK\r\n"),
            ("UID SEARCH UID *", "* SEARCH 41\r\n{tag} OK\r\n"),
        ],
    )
    .await;
    let reading = strange.inbox(Tls::None).read(&Bookmarks::default(), now()).await.unwrap();
    let marks: Vec<_> = reading.marks.iter().map(|m| (m.folder.as_str(), m.last_uid)).collect();
    assert_eq!(marks, [("Sent", 41), ("INBOX", 2)]);
    let trouble = "Spam: the server refused EXAMINE: [NOPERM] not you";
    assert_eq!((reading.is_whole, reading.trouble.as_deref()), (false, Some(trouble)));
}

/// A refused FETCH is no empty one: what was not seen is not passed.
#[tokio::test]
async fn what_was_not_shown_is_not_taken_for_read() {
    let script = Script::play(
        "* OK hello\r\n",
        &[
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
            ("LOGIN", "{tag} OK\r\n"),
            ("LIST", "{tag} OK\r\n"),
            ("EXAMINE", "* OK [UIDVALIDITY 7] x\r\n{tag} OK\r\n"),
            ("UID SEARCH", "* SEARCH 5 6\r\n{tag} OK\r\n"),
            ("UID FETCH", "{tag} NO not today\r\n"),
        ],
    )
    .await;
    let reading = script.inbox(Tls::None).read(&Bookmarks::default(), now()).await.unwrap();
    assert_eq!(reading.marks.iter().map(|mark| mark.last_uid).collect::<Vec<_>>(), [4]);
    assert!(!reading.is_whole && reading.passed.is_empty() && reading.trouble.is_some());
    let said = script.said().await;
    assert!(said.iter().all(|line| !line.contains("BODY[")), "only PEEK: {said:?}");
}

/// RFC 3501 lets a server answer OK and leave a message out, or say NIL where it has no octets.
#[tokio::test]
async fn what_an_ok_left_out_is_asked_for_again_unless_it_is_gone() {
    let script = Script::play(
        "* OK hello\r\n",
        &[
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
            ("LOGIN", "{tag} OK\r\n"),
            ("LIST", "{tag} OK\r\n"),
            ("EXAMINE", "* OK [UIDVALIDITY 7] x\r\n{tag} OK\r\n"),
            ("UID SEARCH SINCE", "* SEARCH 5 6 7 8\r\n{tag} OK\r\n"),
            ("UID SEARCH UID 6", "* SEARCH 6\r\n{tag} OK\r\n"),
            ("UID SEARCH UID 8", "* SEARCH\r\n{tag} OK\r\n"),
            (
                "UID FETCH 5,6,7,8",
                "* 1 FETCH (UID 5 BODY[] {2}\r\nhi)\r\n* 2 FETCH (UID 6 BODY[] NIL)\r\n\
                 * 3 FETCH (UID 7 BODY[] {2}\r\nho)\r\n{tag} OK\r\n",
            ),
            ("UID FETCH", "{tag} OK\r\n"),
        ],
    )
    .await;
    let reading = script.inbox(Tls::None).read(&Bookmarks::default(), now()).await.unwrap();
    let shown: Vec<_> =
        reading.arrivals.iter().filter_map(|one| Some(one.place.as_ref()?.uid)).collect();
    assert_eq!(shown, [5, 7]);
    assert_eq!(reading.marks.iter().map(|mark| mark.last_uid).collect::<Vec<_>>(), [5]);
    assert!(!reading.is_whole && reading.passed.is_empty());
    let trouble = "INBOX: message 6: the server refused UID FETCH: it shows nothing of a message \
                   that is there";
    assert_eq!(reading.trouble.as_deref(), Some(trouble));
}

#[tokio::test]
async fn a_password_changed_is_noticed_and_mended() {
    let mut reader = Reader::new(dovecot(), Tls::Implicit);
    let (dovecot, user) = (reader.dovecot.clone(), reader.user.clone());
    dovecot.deliver(&user, Folder::Inbox, &reply("a"));
    reader.whole().await;
    reader.inbox.close().await;
    dovecot.set_password(&user, "another one");
    let mut refused = false;
    for _ in 0..40 {
        refused = reader.part().await.is_err_and(|trouble| trouble.needs_an_operator());
        if refused {
            break;
        }
        reader.inbox.close().await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(refused);
}
