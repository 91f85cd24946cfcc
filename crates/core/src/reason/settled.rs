//! What became of a message, and why: the reason of one that is settled.
//!
//! Goes by what the books keep of it and by nothing else: no reason is read out of a server's prose.

use std::fmt;

use super::hold::{of_enrolment, stands};
use super::{Clears, GAVE_UP};
use crate::span::Millis;

/// What the books keep of what became of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Its state.
    pub state: String,
    /// When it came into that state.
    pub changed_at: Millis,
    /// When it was settled, if it is: of one that bounced, before its report came in.
    pub settled_at: Option<Millis>,
    /// Attempts that a server answered, or may have.
    pub attempts: u32,
    /// Whom the last answer concerned.
    pub verdict: Option<String>,
    /// The last answer's code.
    pub code: Option<u32>,
    /// Its enhanced code.
    pub enhanced: Option<String>,
    /// The reason written beside it.
    pub why: Option<String>,
    /// What proves that its last attempt went out, where no answer did: the last that was found.
    pub evidence: Option<String>,
    /// Why its enrolment is over, where the state of that alone does not say.
    pub because: Option<String>,
}

/// Why a message that is settled stands as it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The server took it over.
    Accepted {
        /// When.
        at: Millis,
        /// At which attempt.
        attempt: u32,
        /// The answer's codes, as far as they are known.
        codes: String,
    },
    /// Its copy lies in the Sent folder.
    Copy(Millis),
    /// Somebody, or a machine, answered it.
    Answered(Millis),
    /// A report about it came in, so it went out.
    Reported(Millis),
    /// The operator said that it was sent.
    Operator(Millis),
    /// The server refused it for good.
    Refused {
        /// When.
        at: Millis,
        /// At which attempt.
        attempt: u32,
        /// For whose sake.
        whom: Whom,
        /// What the server said.
        said: String,
    },
    /// It was tried as often, or as long, as anything is.
    GaveUp {
        /// When.
        at: Millis,
        /// Attempts that a server answered, or may have.
        attempts: u32,
        /// How often or how long, and what was said last.
        said: String,
    },
    /// It had left, and a report says that its address takes no mail.
    Bounced {
        /// When that was known.
        at: Millis,
        /// At which attempt it left.
        attempt: u32,
    },
    /// Its enrolment was over before it left.
    Cancelled {
        /// When.
        at: Millis,
        /// The state in which the enrolment ended.
        state: String,
        /// Why, where the state alone does not say.
        because: Option<String>,
    },
    /// Its dot had left, and no answer is known.
    InDoubt {
        /// Since when.
        since: Millis,
        /// At which attempt.
        attempt: u32,
        /// How that came about.
        because: Option<String>,
    },
}

/// For whose sake a server refused a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The recipient's; the address stays good.
    Recipient,
    /// The recipient's, whose address takes no mail.
    DeadAddress,
    /// The message's own.
    Message,
    /// The sender's.
    Sender,
}

/// Why a message stands as it does. `None`: it is planned or on its way, and a
/// [`Hold`](super::Hold) says what it waits for.
#[must_use]
pub fn settled(past: &Past) -> Option<Settled> {
    let at = past.settled_at.unwrap_or(past.changed_at);
    Some(match past.state.as_str() {
        "accepted" => went_out(past, at),
        "rejected" => refused(past, at),
        "bounced" => Settled::Bounced { at: past.changed_at, attempt: past.attempts },
        "cancelled" => cancelled(past, at),
        "in_doubt" => {
            Settled::InDoubt { since: at, attempt: past.attempts, because: past.why.clone() }
        }
        _ => return None,
    })
}

fn went_out(past: &Past, at: Millis) -> Settled {
    match past.evidence.as_deref() {
        Some("sent_copy") => Settled::Copy(at),
        Some("reply") => Settled::Answered(at),
        Some("bounce") => Settled::Reported(at),
        Some("operator") => Settled::Operator(at),
        _ => Settled::Accepted { at, attempt: past.attempts, codes: codes(past) },
    }
}

fn codes(past: &Past) -> String {
    let code = past.code.map(|code| code.to_string());
    let codes: Vec<String> = code.into_iter().chain(past.enhanced.clone()).collect();
    codes.join(" ")
}

fn refused(past: &Past, at: Millis) -> Settled {
    let said = past.why.clone().unwrap_or_else(|| codes(past));
    let whom = match past.verdict.as_deref() {
        // Put off until it was given up: the verdict is that of the last answer.
        _ if said.starts_with(GAVE_UP) => None,
        Some("recipient") => Some(Whom::Recipient),
        Some("hard_bounce") => Some(Whom::DeadAddress),
        Some("message") => Some(Whom::Message),
        Some("sender") => Some(Whom::Sender),
        _ => None,
    };
    match whom {
        Some(whom) => Settled::Refused { at, attempt: past.attempts, whom, said },
        None => Settled::GaveUp { at, attempts: past.attempts, said },
    }
}

fn cancelled(past: &Past, at: Millis) -> Settled {
    let why = past.why.as_deref().unwrap_or_default();
    let state = why.strip_prefix("enrolment_").unwrap_or(why).to_owned();
    Settled::Cancelled { at, state, because: past.because.clone() }
}

impl Settled {
    /// The word for scripts.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Copy(_) => "copy_in_sent",
            Self::Answered(_) => "answered",
            Self::Reported(_) => "reported",
            Self::Operator(_) => "operator",
            Self::Refused { whom, .. } => whom.as_str(),
            Self::GaveUp { .. } => GAVE_UP,
            Self::Bounced { .. } => "bounced",
            Self::Cancelled { .. } => "enrolment_over",
            Self::InDoubt { .. } => "in_doubt",
        }
    }

    /// Since when.
    #[must_use]
    pub fn since(&self) -> Millis {
        match self {
            Self::Accepted { at, .. }
            | Self::Copy(at)
            | Self::Answered(at)
            | Self::Reported(at)
            | Self::Operator(at)
            | Self::Refused { at, .. }
            | Self::GaveUp { at, .. }
            | Self::Bounced { at, .. }
            | Self::Cancelled { at, .. }
            | Self::InDoubt { since: at, .. } => *at,
        }
    }

    /// What makes it go away: a doubt ends by evidence or by the operator's word, and nothing else
    /// ends.
    #[must_use]
    pub fn clears(&self) -> Clears {
        match self {
            Self::InDoubt { .. } => Clears::Operator,
            Self::Accepted { .. }
            | Self::Copy(_)
            | Self::Answered(_)
            | Self::Reported(_)
            | Self::Operator(_)
            | Self::Refused { .. }
            | Self::GaveUp { .. }
            | Self::Bounced { .. }
            | Self::Cancelled { .. } => Clears::Never,
        }
    }

    /// What an operator can do about it, where there is something.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        (self.clears() == Clears::Operator).then_some(
            "wait for a copy of it, a reply or a bounce; `warmfront reconcile` lists it, and \
             `reconcile --as` is your word",
        )
    }
}

impl Whom {
    fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient_refused",
            Self::DeadAddress => "address_dead",
            Self::Message => "message_refused",
            Self::Sender => "sender_refused",
        }
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { attempt, codes, .. } => {
                write!(f, "the server took it over at attempt {attempt}")?;
                if codes.is_empty() { Ok(()) } else { write!(f, ": it answered {codes}") }
            }
            Self::Copy(_) => f.write_str("its copy lies in the Sent folder, so it went out"),
            Self::Answered(_) => f.write_str("an answer to it came in, so it went out"),
            Self::Reported(_) => f.write_str("a report about it came in, so it went out"),
            Self::Operator(_) => f.write_str("the operator said that it was sent"),
            Self::Refused { attempt, whom, said, .. } => {
                let refused = match whom {
                    Whom::Recipient => "refused the recipient",
                    Whom::DeadAddress => "refused the address for good",
                    Whom::Message => "refused the message",
                    Whom::Sender => "refused the sender",
                };
                write!(f, "the server {refused} at attempt {attempt}: {said}")
            }
            Self::GaveUp { said, .. } => f.write_str(said),
            Self::Bounced { attempt, .. } => write!(
                f,
                "it left at attempt {attempt}, and a report came back: its address takes no mail"
            ),
            Self::Cancelled { state, because, .. } => {
                stands(f, &of_enrolment(state), because.as_deref())
            }
            Self::InDoubt { attempt, because, .. } => stands(
                f,
                &format!("nobody knows whether it left at attempt {attempt}"),
                because.as_deref(),
            ),
        }
    }
}
