//! What a mail server's answer means: whom it concerns, and what to do.
//!
//! An answer goes down an ordered table, `rules.csv`, and the first rule that fits decides. Text
//! stands before enhanced code, and that before basic code: servers use the same code for
//! opposite things. Unknown answers fall to the safe side: nobody is suppressed for them, and they
//! are marked so that they can be counted. What follows is in `consequence`: how the message ends,
//! and what is held against the sender; what that does to a mailbox is in `health`. What somebody
//! has to mend is in `cure`.

mod consequence;
mod cure;
mod reading;
mod rulebook;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::consequence::{Consequence, Ending, consequence};
pub use self::cure::{Cure, cure};
pub use self::reading::Enhanced;
pub use self::rulebook::{Mark, Rule, is_provider, nearest_provider, rules};

/// Where in the dialogue an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// TCP connect and the greeting.
    Connect,
    /// EHLO.
    Ehlo,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before its body.
    Data,
    /// The answer to the final dot ("end of data").
    Eod,
    /// Quoted in a report of failure that came later (RFC 3464); what it answered is not known.
    Ndr,
}

impl Phase {
    /// Every phase, in the order of the dialogue.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Eod,
        Self::Ndr,
    ];

    /// The phase as it is written in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Eod => "eod",
            Self::Ndr => "ndr",
        }
    }

    /// The phase of that word, in any case; EHLO is called `helo` too.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase();
        let word = if word == "helo" { "ehlo" } else { word.as_str() };
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

/// One whole answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where in the dialogue.
    pub phase: Phase,
    /// The three-digit reply code; 0 where what came has none.
    pub code: u16,
    /// The enhanced code, where the server gave one.
    pub enhanced: Option<Enhanced>,
    /// The text of all lines, joined by a space. At most 32 KiB are kept.
    pub text: String,
}

impl Answer {
    /// An answer from its code and text; the enhanced code is read from the text.
    #[must_use]
    pub fn new(phase: Phase, code: u16, text: &str) -> Self {
        let kept: String = text.chars().take(TEXT_MAX).collect();
        Self { phase, code, enhanced: reading::enhanced(&kept), text: kept }
    }

    /// An answer as it stands in a log or in a report: with its code on every line, whether the
    /// lines are broken or the breaks are written as `\n`.
    #[must_use]
    pub fn parse(phase: Phase, written: &str) -> Self {
        let (code, text) = reading::lines(written);
        Self::new(phase, code, &text)
    }

    /// The first answer that a sentence of ours quotes, written as [`Answer`] displays itself.
    #[must_use]
    pub fn quoted_in(sentence: &str) -> Option<Self> {
        let (before, behind) = sentence.split_once(" (at ")?;
        let phase = Phase::from_word(behind.split_once(')')?.0)?;
        let code = |(at, _): &(usize, _)| reading::lines(&before[*at..]).0 > 0;
        let starts =
            before.char_indices().filter(|(at, _)| *at == 0 || before[..*at].ends_with(' '));
        let (start, _) = starts.into_iter().find(code)?;
        Some(Self::parse(phase, &before[start..]))
    }

    /// What answers of one kind have in common: their words, without addresses and without what
    /// changes from one to the next.
    #[must_use]
    pub fn shape(&self) -> String {
        reading::shape(self.code, &self.text).chars().take(SHAPE_MAX).collect()
    }

    /// What may be shown and kept of it for long: the beginning of its text, without addresses.
    #[must_use]
    pub fn example(&self) -> String {
        reading::without_addresses(&self.text).chars().take(EXAMPLE_MAX).collect()
    }
}

/// Exchange's diagnostics are long; what is shown and kept in the books is their beginning.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.text.chars().take(SHOWN_MAX).collect();
        write!(f, "{} {shown} (at {})", self.code, self.phase.as_str())
    }
}

/// Whom an answer concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The address written to, or its domain.
    Recipient,
    /// This message's content or size.
    Message,
    /// The sending mailbox.
    Mailbox,
    /// The sending domain: every mailbox of it.
    Domain,
    /// The tenant: every mailbox of the provider account.
    Tenant,
    /// The address the mail came from: whoever runs the server we hand it to.
    Ip,
    /// The server or the connection; nobody's fault.
    TransientServer,
}

impl Scope {
    /// The word for it, in tables and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Message => "message",
            Self::Mailbox => "mailbox",
            Self::Domain => "domain",
            Self::Tenant => "tenant",
            Self::Ip => "ip",
            Self::TransientServer => "transient-server",
        }
    }
}

/// What an answer asks us to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It was taken.
    Accept,
    /// The same message from the same mailbox, later.
    RetryLater,
    /// The same message at once, over a new connection.
    Reconnect,
    /// The mailbox goes on at half its rate, and the message later.
    SlowMailbox,
    /// The mailbox rests.
    PauseMailbox,
    /// Every mailbox of the sending domain rests.
    PauseDomain,
    /// Every mailbox of the tenant rests.
    PauseTenant,
    /// The token of the log-in is too old.
    RefreshToken,
    /// The log-in is wrong: stop until an operator mends it.
    FixCredentials,
    /// Something is set up wrongly: stop until an operator mends it.
    FixConfig,
    /// The address is dead: a hard bounce.
    SuppressRecipient,
    /// The address's whole domain takes no mail, or none of ours.
    SuppressRecipientDomain,
    /// The message is over, the address stays good.
    DropMessage,
    /// Fewer recipients at once; ours has one, so later.
    SplitRecipients,
    /// It may have been taken: in doubt.
    VerifyDelivery,
}

impl Action {
    /// The word for it, in tables and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::RetryLater => "retry_later",
            Self::Reconnect => "reconnect",
            Self::SlowMailbox => "slow_mailbox",
            Self::PauseMailbox => "pause_mailbox",
            Self::PauseDomain => "pause_domain",
            Self::PauseTenant => "pause_tenant",
            Self::RefreshToken => "refresh_token",
            Self::FixCredentials => "fix_credentials",
            Self::FixConfig => "fix_config",
            Self::SuppressRecipient => "suppress_recipient",
            Self::SuppressRecipientDomain => "suppress_recipient_domain",
            Self::DropMessage => "drop_message",
            Self::SplitRecipients => "split_recipients",
            Self::VerifyDelivery => "verify_delivery",
        }
    }
}

/// The meaning of one answer.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Whom it concerns.
    pub scope: Scope,
    /// What to do.
    pub action: Action,
    /// The rule that decided.
    pub rule: &'static Rule,
}

impl Verdict {
    /// Whether no rule knows this answer: what was done is the safe side, and no judgement.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.rule.mark == Some(Mark::Unknown)
    }
}

/// What an answer means, given whose server gave it. A provider that has no rules of its own, or
/// that nobody knows, is judged by the general ones.
#[must_use]
pub fn classify(answer: &Answer, provider: Option<&str>) -> Verdict {
    let rule = rulebook::first_that_fits(answer, provider);
    Verdict { scope: rule.scope, action: rule.action, rule }
}

/// The most of a server's text that is judged.
const TEXT_MAX: usize = 32 * 1024;

/// The most of it that is shown and kept.
const SHOWN_MAX: usize = 4096;

/// Longer than what most servers say; an index of PostgreSQL takes 2,700 octets.
const SHAPE_MAX: usize = 200;

/// Enough to write a rule by.
const EXAMPLE_MAX: usize = 500;
