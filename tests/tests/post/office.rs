//! A Postfix and a Dovecot behind it, and the mail that people write there.

use std::sync::OnceLock;

use mail_parser::MessageParser;
use warmfront_tests::binary::wait_until;
use warmfront_tests::dovecot::{Dovecot, Folder};
use warmfront_tests::postfix::Postfix;

/// The mail world that the tests of this process share; each has domains of its own.
pub(crate) struct Office {
    pub(crate) dovecot: Dovecot,
    pub(crate) postfix: Postfix,
}

/// The one of this process.
pub(crate) fn office() -> &'static Office {
    static SHARED: OnceLock<Office> = OnceLock::new();
    SHARED.get_or_init(|| {
        let dovecot = Dovecot::start();
        let postfix = Postfix::before(&dovecot);
        Office { dovecot, postfix }
    })
}

impl Office {
    /// Gives people a mailbox.
    pub(crate) fn admit(&self, people: &[&str]) {
        for person in people {
            self.dovecot.admit(person, PASSWORD);
        }
    }

    /// What lies in the inbox of somebody.
    pub(crate) fn inbox(&self, person: &str) -> Vec<String> {
        self.dovecot.messages(person, Folder::Inbox)
    }

    /// The one message that somebody has, once it is there: what Postfix has taken is still on its way.
    #[track_caller]
    pub(crate) fn only(&self, person: &str) -> String {
        wait_until("mail has come", || self.dovecot.count(person, Folder::Inbox) > 0);
        let mut inbox = self.inbox(person);
        assert_eq!(inbox.len(), 1, "{person} has {inbox:?}");
        inbox.remove(0)
    }

    /// Has somebody answer a message as mail programs do: with their words on top, and what they
    /// answer quoted below.
    #[track_caller]
    pub(crate) fn answer(&self, person: &str, received: &str, words: &str) {
        let received = MessageParser::default().parse(received.as_bytes()).expect("a message");
        let id = received.message_id().expect("an id");
        let writer = received.from().and_then(|from| from.first()).expect("a writer");
        let writer = writer.address().expect("an address");
        let quoted: String = received
            .body_text(0)
            .expect("a text")
            .lines()
            .map(|line| format!("> {line}\n"))
            .collect();
        let reply = format!(
            "From: {person}\nTo: {writer}\nSubject: Re: {}\nDate: {}\n\
             Message-ID: <answer.{id}>\nIn-Reply-To: <{id}>\nReferences: <{id}>\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\
             {words}\n\nOn that day {writer} wrote:\n{quoted}",
            received.subject().expect("a subject"),
            received.date().expect("a date").to_rfc822(),
        );
        self.postfix.exchange().hand_in(person, writer, &reply);
    }
}

/// What everybody logs in with.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
