//! The answers by which the world says no, in the words of real servers: Google's
//! (support.google.com/a/answer/3726730) where no other is named.

use warmfront_core::answer::{Answer, Phase};

/// Why a server said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The server has no time.
    Busy,
    /// The mailbox holds more connections than its provider allows.
    Connections,
    /// The password is wrong.
    AuthRefused,
    /// Log-in does not work for the moment.
    AuthDeferred,
    /// The server ends the connection.
    Closing,
    /// Not now, to MAIL.
    MailDeferred,
    /// The recipient's server makes a stranger wait.
    Greylisted,
    /// No such person.
    Unknown,
    /// The recipient's mailbox is full.
    Full,
    /// What came is no message.
    Malformed,
    /// More letters in a minute than the provider allows.
    PerMinute,
    /// More letters in 24 hours than the provider allows.
    PerDay,
    /// The sender is refused.
    SenderRefused,
    /// The sender is taken for a spammer.
    BlockedAsSpam,
    /// Not now, to the dot.
    DeferredAfterDot,
}

impl Refusal {
    /// Each of them.
    pub const ALL: [Self; 15] = [
        Self::Busy,
        Self::Connections,
        Self::AuthRefused,
        Self::AuthDeferred,
        Self::Closing,
        Self::MailDeferred,
        Self::Greylisted,
        Self::Unknown,
        Self::Full,
        Self::Malformed,
        Self::PerMinute,
        Self::PerDay,
        Self::SenderRefused,
        Self::BlockedAsSpam,
        Self::DeferredAfterDot,
    ];

    /// The answer a client gets.
    #[must_use]
    pub fn answer(self) -> Answer {
        use Phase::{Auth, Connect, Eod, Mail, Rcpt};
        let (phase, code, text) = match self {
            Self::Busy => (Connect, 421, "4.3.2 Service not available, try again later"),
            // Postfix, smtpd_client_connection_count_limit.
            Self::Connections => (Connect, 421, "4.7.0 Error: too many connections"),
            Self::AuthRefused => (Auth, 535, "5.7.8 Username and Password not accepted"),
            // RFC 4954, section 6.
            Self::AuthDeferred => (Auth, 454, "4.7.0 Temporary authentication failure"),
            Self::Closing => (Mail, 421, "4.7.0 Try again later, closing connection. (MAIL)"),
            Self::MailDeferred => (Mail, 451, "4.3.0 Temporary System Problem. Try again later"),
            Self::Greylisted => (Rcpt, 451, "4.7.1 Greylisting in action, please come back later"),
            Self::Unknown => {
                (Rcpt, 550, "5.1.1 The email account that you tried to reach does not exist")
            }
            Self::Full => (Rcpt, 452, "4.2.2 The recipient's inbox is out of storage space"),
            Self::Malformed => (Eod, 554, "5.6.0 Mail message is malformed. Not accepted."),
            // Exchange Online, in its words for a mailbox that submits too fast.
            Self::PerMinute => {
                (Eod, 432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded")
            }
            Self::PerDay => (Eod, 550, "5.4.5 Daily user sending limit exceeded"),
            Self::SenderRefused => (Eod, 554, "5.7.1 Message rejected due to sender policy"),
            Self::BlockedAsSpam => (Eod, 550, "5.7.1 This message has been blocked as spam"),
            Self::DeferredAfterDot => (Eod, 451, "4.3.0 Mail server temporarily rejected message"),
        };
        Answer::new(phase, code, text)
    }
}
