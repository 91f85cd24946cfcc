//! What a mail server's answer means: whom it concerns, and what to do.
//!
//! Coarse: phase, code and enhanced code decide, and a handful of phrases that no code tells
//! apart. Unknown answers fall to the safe side: nobody is suppressed for them.

use std::fmt;

/// Where in the dialogue an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
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
}

impl Phase {
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
        }
    }
}

/// An enhanced status code, RFC 3463: class.subject.detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    /// 2, 4 or 5.
    pub class: u16,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 media, 7 policy.
    pub subject: u16,
    /// The detail.
    pub detail: u16,
}

impl Enhanced {
    /// The code at the start of a reply's text, if there is one.
    #[must_use]
    pub fn leading(text: &str) -> Option<Self> {
        let mut parts = text.split_ascii_whitespace().next()?.split('.');
        let mut next = || parts.next()?.parse::<u16>().ok();
        let (class, subject, detail) = (next()?, next()?, next()?);
        (parts.next().is_none() && matches!(class, 2 | 4 | 5)).then_some(Self {
            class,
            subject,
            detail,
        })
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// One whole answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where in the dialogue.
    pub phase: Phase,
    /// The three-digit reply code.
    pub code: u16,
    /// The enhanced code, where the server gave one.
    pub enhanced: Option<Enhanced>,
    /// The text of all lines, joined by a space. At most 4 KiB are kept.
    pub text: String,
}

impl Answer {
    /// An answer from its code and text; the enhanced code is read from the text.
    #[must_use]
    pub fn new(phase: Phase, code: u16, text: &str) -> Self {
        let kept: String = text.chars().take(TEXT_MAX).collect();
        Self { phase, code, enhanced: Enhanced::leading(text), text: kept }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (at {})", self.code, self.text, self.phase.as_str())
    }
}

/// Whom an answer concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The address written to.
    Recipient,
    /// This message's content or size.
    Message,
    /// The sending mailbox.
    Mailbox,
    /// The sending domain: every mailbox of it.
    Domain,
    /// The tenant: every mailbox of the provider account.
    Tenant,
    /// The server or the connection; nobody's fault.
    Server,
}

/// What an answer asks us to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was taken.
    Accept,
    /// The same message from the same mailbox, later.
    Retry,
    /// The message is over, the address stays good.
    Drop,
    /// The message is over and the address is dead: a hard bounce.
    Suppress,
    /// The message is over; the sender was refused.
    Reject,
    /// The sender was refused as a spammer: stop at once.
    Pause,
    /// The provider's limit is reached: the mailbox or the tenant rests, the message waits.
    Rest,
    /// Log-in failed: stop until an operator mends it.
    FixCredentials,
}

/// The meaning of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whom it concerns.
    pub scope: Scope,
    /// What to do.
    pub action: Action,
}

/// What an answer means.
#[must_use]
pub fn classify(answer: &Answer) -> Verdict {
    let verdict = |scope, action| Verdict { scope, action };
    let text = answer.text.to_ascii_lowercase();
    // The first digit of the basic code decides whether to come back (mail-server practice where
    // code and enhanced class disagree: `421 5.7.32` is temporary, `550 4.4.7` is final).
    let permanent = match answer.code / 100 {
        2 | 3 => return verdict(Scope::Recipient, Action::Accept),
        5 => true,
        _ => false,
    };
    if let Some(scope) = quota(answer, &text) {
        return verdict(scope, Action::Rest);
    }
    match answer.phase {
        // Before MAIL nothing is about a message or a recipient.
        Phase::Auth if permanent => verdict(Scope::Mailbox, Action::FixCredentials),
        Phase::Connect | Phase::Ehlo | Phase::StartTls | Phase::Auth => {
            verdict(Scope::Server, Action::Retry)
        }
        Phase::Mail | Phase::Rcpt | Phase::Data | Phase::Eod if !permanent => {
            verdict(deferral_scope(answer, &text), Action::Retry)
        }
        Phase::Mail | Phase::Rcpt | Phase::Data | Phase::Eod => refusal(answer, &text),
    }
}

/// Sending quotas: a 5yz that is over once the day is (Gmail `550 5.4.5`, Microsoft
/// `554 5.2.0 … SubmissionQuotaExceeded`, `550 5.7.233` for the tenant).
fn quota(answer: &Answer, text: &str) -> Option<Scope> {
    let is = |subject, detail| {
        answer.enhanced.is_some_and(|e| (e.subject, e.detail) == (subject, detail))
    };
    if is(7, 232) || is(7, 233) {
        return Some(Scope::Tenant);
    }
    let words = ["submissionquotaexceeded", "daily user sending", "daily sending quota"];
    (is(4, 5) || words.iter().any(|word| text.contains(word))).then_some(Scope::Mailbox)
}

/// Whom a 4yz after MAIL concerns: X.1 and X.2 are the recipient's, and so is greylisting, which
/// his server does to every stranger (RFC 6647, section 2); the rest of X.7 speaks of us.
fn deferral_scope(answer: &Answer, text: &str) -> Scope {
    match (answer.phase, answer.enhanced.map(|e| e.subject)) {
        (_, Some(1 | 2)) => Scope::Recipient,
        (Phase::Rcpt, _) if text.contains("greylist") || text.contains("graylist") => {
            Scope::Recipient
        }
        (Phase::Mail | Phase::Data | Phase::Eod, Some(7)) => Scope::Mailbox,
        _ => Scope::Server,
    }
}

/// A 5yz after MAIL.
fn refusal(answer: &Answer, text: &str) -> Verdict {
    let verdict = |scope, action| Verdict { scope, action };
    if TENANT_WORDS.iter().any(|word| text.contains(word)) {
        return verdict(Scope::Tenant, Action::Pause);
    }
    if SPAM_WORDS.iter().any(|word| text.contains(word)) {
        return verdict(Scope::Mailbox, Action::Pause);
    }
    match answer.enhanced.map(|e| (e.subject, e.detail)) {
        // RFC 3463, section 3.2: bad destination mailbox, system, syntax, moved; 5.1.10 null MX
        // (RFC 7505, section 4.2); 5.2.1 mailbox disabled. Not 5.1.0, which is "sender rejected"
        // at several providers, nor 5.1.7 and 5.1.8, which are the *sender's* address.
        Some((1, 1 | 2 | 3 | 6 | 10) | (2, 1)) => verdict(Scope::Recipient, Action::Suppress),
        Some((1, 7 | 8)) => verdict(Scope::Mailbox, Action::Reject),
        Some((1 | 2, _)) => verdict(Scope::Recipient, Action::Drop),
        Some((3 | 6, _)) => verdict(Scope::Message, Action::Drop),
        // RFC 7372: SPF, DKIM and DMARC failures are the domain's; 5.7.515 is Microsoft's.
        Some((7, 20..=27 | 515)) => verdict(Scope::Domain, Action::Pause),
        Some((7, 57 | 60)) => verdict(Scope::Mailbox, Action::FixCredentials),
        Some((7, _)) => verdict(Scope::Mailbox, Action::Reject),
        _ => refusal_without_enhanced(answer, text),
    }
}

fn refusal_without_enhanced(answer: &Answer, text: &str) -> Verdict {
    let verdict = |scope, action| Verdict { scope, action };
    match (answer.phase, answer.code) {
        (Phase::Rcpt | Phase::Eod, 550 | 551 | 553)
            if UNKNOWN_USER_WORDS.iter().any(|word| text.contains(word)) =>
        {
            verdict(Scope::Recipient, Action::Suppress)
        }
        (_, 530 | 535) => verdict(Scope::Mailbox, Action::FixCredentials),
        (Phase::Rcpt, _) => verdict(Scope::Recipient, Action::Drop),
        (Phase::Eod | Phase::Data, 552) => verdict(Scope::Message, Action::Drop),
        _ => verdict(Scope::Mailbox, Action::Reject),
    }
}

/// The most of a server's text that is kept; Exchange writes more than 1 KiB.
const TEXT_MAX: usize = 4096;

/// Microsoft's and Google's words for a whole account stopped.
const TENANT_WORDS: [&str; 3] = ["tenant has exceeded", "5.7.705", "5.7.708"];

/// Words by which servers call a message spam. Not "spam" alone: "spamhaus" and "anti-spam policy"
/// stand in answers about addresses too.
const SPAM_WORDS: [&str; 8] = [
    "blocked as spam",
    "detected as spam",
    "considered spam",
    "rejected as spam",
    "likely unsolicited",
    "unsolicited mail",
    "outbound spam",
    "looks like spam",
];

/// Words for an address that does not exist, where the server gives no enhanced code.
const UNKNOWN_USER_WORDS: [&str; 7] = [
    "user unknown",
    "unknown user",
    "no such user",
    "does not exist",
    "unknown recipient",
    "invalid recipient",
    "mailbox unavailable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(phase: Phase, line: &str, want: (Scope, Action)) {
        let (code, text) = line.split_once(' ').unwrap();
        let got = classify(&Answer::new(phase, code.parse().unwrap(), text));
        assert_eq!((got.scope, got.action), want, "{line}");
    }

    #[test]
    fn answers() {
        use {Action::*, Phase::*, Scope::*};
        check(Eod, "250 2.0.0 OK", (Recipient, Accept));
        check(Rcpt, "550 5.1.1 no such user", (Recipient, Suppress));
        check(Rcpt, "550 No such user here", (Recipient, Suppress));
        check(Rcpt, "550 5.1.0 sender rejected", (Recipient, Drop));
        check(Rcpt, "550 5.1.8 bad sender", (Mailbox, Reject));
        check(Rcpt, "452 4.2.2 mailbox full", (Recipient, Retry));
        check(Rcpt, "451 4.7.1 greylisted, try again", (Recipient, Retry));
        check(Rcpt, "451 4.3.2 try again", (Server, Retry));
        check(Rcpt, "554 5.7.1 client host blocked", (Mailbox, Reject));
        check(Eod, "550 5.7.1 blocked as spam", (Mailbox, Pause));
        check(Eod, "554 5.7.1 content refused", (Mailbox, Reject));
        check(Eod, "550 5.7.26 unauthenticated", (Domain, Pause));
        check(Eod, "552 5.3.4 message too big", (Message, Drop));
        check(Eod, "451 4.3.0 try later", (Server, Retry));
        check(Eod, "550 5.4.5 Daily user sending limit exceeded", (Mailbox, Rest));
        check(Mail, "550 5.7.233 tenant external limit", (Tenant, Rest));
        check(Mail, "530 5.7.57 Client not authenticated", (Mailbox, FixCredentials));
        check(Auth, "535 5.7.8 bad credentials", (Mailbox, FixCredentials));
        check(Auth, "454 4.7.0 temporary failure", (Server, Retry));
        check(Connect, "554 5.7.1 go away", (Server, Retry));
        check(Connect, "421 4.7.0 too many connections", (Server, Retry));
        check(Rcpt, "541 what", (Recipient, Drop));
    }
}
