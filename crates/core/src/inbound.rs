//! What came in: what it is, and what it does to an enrolment, an address and a mailbox.
//!
//! Two steps. [`classify`] goes by what an arrival says of itself and takes its word for it;
//! [`Inbound::judged`] asks what we sent. Both are pure; `warmfront-mail` reads the facts, the books
//! know what was sent.

mod absence;
mod arrival;
mod failure;
mod machine;
mod opt_out;
mod phrases;

use jiff::civil::Date;

pub use self::arrival::{Action, Arrival, Failure, Feedback, Marks, NAMES_MAX, Returned};
use crate::address::Address;
use crate::answer::Enhanced;
use crate::health::Blow;
use crate::span::Millis;

/// One arrival in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// What tells this arrival from any other of the mailbox, for ever: reading it twice counts
    /// once, and so does the same mail in two folders.
    pub key: String,
    /// When the server took it.
    pub received_at: Millis,
    /// Whom it comes from, as its `From` line says.
    pub from: Option<Address>,
    /// The Message-IDs it names, in angle brackets, the likeliest to be ours first.
    pub names: Vec<String>,
    /// What in it may be the token of an opt-out link of ours.
    pub tokens: Vec<String>,
    /// What it is.
    pub kind: Kind,
    /// What it is instead if it comes from somebody we wrote to: a list's mail and that of an
    /// address which takes no answer are none of our business, unless they are theirs.
    pub kind_from_a_prospect: Option<Kind>,
    /// The status that a report gives (RFC 3463).
    pub status: Option<Enhanced>,
    /// Whom it is about: for a report whom it blames, as we wrote the address and as the last
    /// server knew it; else nobody. At most [`RECIPIENTS_MAX`].
    pub recipients: Vec<Address>,
    /// The day from which somebody away reads mail again, where their machine says so.
    pub return_on: Option<Date>,
    /// What it does.
    pub effects: Effects,
    /// What a report that blames us does to the mailbox, where the last server's words tell.
    pub blow: Option<Blow>,
}

/// What an arrival is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A person answered. Doubt counts as a reply.
    Reply,
    /// A machine answered (RFC 3834): no reply, no refusal.
    AutoReply,
    /// A report that delivery failed for good, because of the address.
    HardBounce,
    /// A report that delivery failed, but not because the address is dead.
    SoftBounce,
    /// A report that a server still tries (RFC 3464, `Action: delayed`): no bounce.
    Delayed,
    /// A report that delivery failed because of us: policy, spam, authentication, a quota.
    SenderBlock,
    /// A feedback report (RFC 5965): the recipient called it spam.
    Complaint,
    /// The person asks not to be written to.
    Unsubscribe,
    /// A report that blames somebody we did not write that message to, or names no message of ours.
    Suspicious,
    /// None of our business.
    Unrelated,
}

impl Kind {
    /// The kind as it is written in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::AutoReply => "auto_reply",
            Self::HardBounce => "hard_bounce",
            Self::SoftBounce => "soft_bounce",
            Self::Delayed => "delayed",
            Self::SenderBlock => "sender_block",
            Self::Complaint => "complaint",
            Self::Unsubscribe => "unsubscribe",
            Self::Suspicious => "suspicious",
            Self::Unrelated => "unrelated",
        }
    }

    /// Whether it is a server's report about a message, which anybody can forge.
    #[must_use]
    pub fn is_report(self) -> bool {
        match self {
            Self::HardBounce
            | Self::SoftBounce
            | Self::Delayed
            | Self::SenderBlock
            | Self::Complaint => true,
            Self::Reply
            | Self::AutoReply
            | Self::Unsubscribe
            | Self::Suspicious
            | Self::Unrelated => false,
        }
    }

    /// Whether somebody says no with it: nobody writes to them again.
    #[must_use]
    pub fn is_no(self) -> bool {
        matches!(self, Self::Reply | Self::Unsubscribe | Self::Complaint)
    }
}

/// What an arrival does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Effects {
    /// Whether nobody writes to the recipient's address again.
    pub suppress: bool,
    /// What becomes of the enrolment.
    pub enrolment: Course,
    /// What it says against the mailbox.
    pub mailbox: Blame,
}

/// What becomes of an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// It is over.
    Stop,
    /// It waits: for the day of return, or for the operator.
    Hold,
    /// It goes on.
    Go,
}

/// What an arrival says against the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// Nothing.
    None,
    /// It was refused: policy, spam, authentication.
    Block,
    /// It sent more than it may.
    Limit,
    /// Somebody called it a spammer.
    Complaint,
}

impl Effects {
    /// An arrival that changes nothing.
    pub const NONE: Self = Self { suppress: false, enrolment: Course::Go, mailbox: Blame::None };

    /// What each kind does when it is about a message of ours and the person it went to.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let effects = |suppress, enrolment, mailbox| Self { suppress, enrolment, mailbox };
        match kind {
            Kind::Reply => effects(false, Course::Stop, Blame::None),
            Kind::HardBounce | Kind::Unsubscribe => effects(true, Course::Stop, Blame::None),
            Kind::Complaint => effects(true, Course::Stop, Blame::Complaint),
            // Whoever never got the message is not to get the next one as if they had.
            Kind::SenderBlock => effects(false, Course::Hold, Blame::Block),
            Kind::AutoReply
            | Kind::SoftBounce
            | Kind::Delayed
            | Kind::Suspicious
            | Kind::Unrelated => Self::NONE,
        }
    }
}

/// What our books know of the message that an arrival is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is ours, from this mailbox, and went to this address.
    Message(Address),
    /// Nothing it names is ours, but this mailbox wrote within a week to whom it is about.
    Lately,
    /// It comes from this very mailbox: a copy of what it sent.
    Own,
    /// Nothing.
    Nothing,
}

impl Inbound {
    /// An arrival of a kind, as somebody tells who knows what it is about.
    #[must_use]
    pub fn told(key: String, received_at: Millis, kind: Kind) -> Self {
        Self {
            key,
            received_at,
            from: None,
            names: Vec::new(),
            tokens: Vec::new(),
            kind,
            kind_from_a_prospect: None,
            status: None,
            recipients: Vec::new(),
            return_on: None,
            effects: Effects::of(kind),
            blow: None,
        }
    }

    /// Whether one that names no message of ours is about the last one to whom it comes from: what a
    /// person or their machine writes, but no report, which speaks of others.
    #[must_use]
    pub fn counts_by_its_sender(&self) -> bool {
        let is_no = self.kind.is_no() && !self.kind.is_report();
        is_no || self.kind == Kind::AutoReply || self.kind_from_a_prospect.is_some()
    }

    /// The same in the light of what we sent: whoever can write to a mailbox can write a report.
    #[must_use]
    pub fn judged(mut self, known: &Known) -> Self {
        match known {
            Known::Message(to) => self.about_ours(to),
            Known::Lately if self.kind.is_report() => {
                // Too little to suppress an address or blame a mailbox by, too much to go on.
                let enrolment = if self.kind == Kind::Delayed { Course::Go } else { Course::Hold };
                self.effects = Effects { enrolment, ..Effects::NONE };
            }
            Known::Lately => {}
            Known::Own => self.becomes(Kind::Unrelated),
            Known::Nothing => match self.kind {
                kind if kind.is_report() => self.becomes(Kind::Suspicious),
                Kind::Reply | Kind::Unsubscribe => self.becomes(Kind::Unrelated),
                _ => self.effects = Effects::NONE,
            },
        }
        self
    }

    fn about_ours(&mut self, to: &Address) {
        if let Some(kind) = self.kind_from_a_prospect.take() {
            self.becomes(kind);
        }
        if self.kind == Kind::Complaint {
            // Providers black the recipient out, or name the address that it was forwarded to: the
            // message's own id, which nobody else knows, stands for it.
            self.recipients = vec![to.clone()];
            self.effects = Effects::of(Kind::Complaint);
        } else if !self.kind.is_report() || self.recipients.contains(to) {
            self.recipients = vec![to.clone()];
        } else if !self.recipients.is_empty() {
            self.becomes(Kind::Suspicious);
        }
    }

    fn becomes(&mut self, kind: Kind) {
        self.kind = kind;
        self.effects = Effects::of(kind);
    }
}

/// What an arrival is by its own word: as if every Message-ID it names were ours.
///
/// The order is that of structure: a report before a machine, a machine before a person.
#[must_use]
pub fn classify(arrival: &Arrival) -> Inbound {
    let told = |kind| Inbound {
        from: arrival.from.clone(),
        names: arrival.names(),
        tokens: opt_out::tokens(arrival),
        ..Inbound::told(arrival.key.clone(), arrival.received_at, kind)
    };
    if let Some(failure) = arrival.failure() {
        return reported(failure, told(failure::kind(failure)));
    }
    if let Some(feedback) = &arrival.feedback {
        return complained(arrival, feedback, told(feedback_kind(&feedback.kind)));
    }
    // Mail programs send the opt-out that they offer by themselves, and mark it as a machine's.
    let is_wish = opt_out::is_command(arrival);
    if !is_wish && machine::answers(arrival) {
        let mut inbound = told(Kind::AutoReply);
        inbound.return_on = absence::return_on(arrival);
        if inbound.return_on.is_some() {
            inbound.effects.enrolment = Course::Hold;
        }
        return inbound;
    }
    if is_wish || opt_out::asks(arrival) {
        let mut inbound = told(Kind::Unsubscribe);
        inbound.recipients.extend(arrival.from.clone());
        return inbound;
    }
    if !machine::writes_to_many(arrival) {
        return told(Kind::Reply);
    }
    // Nobody sends by hand what nobody can answer.
    let theirs = if arrival.marks.is_from_nobody { Kind::AutoReply } else { Kind::Reply };
    Inbound { kind_from_a_prospect: Some(theirs), ..told(Kind::Unrelated) }
}

/// Whether a subject is the beginning of an absence note.
#[must_use]
pub fn is_absence(subject: &str) -> bool {
    machine::is_absence(subject)
}

/// Whether words say why something failed, and not just that it did.
#[must_use]
pub fn tells_why(words: &str) -> bool {
    failure::tells_why(words)
}

fn reported(failure: &Failure, mut inbound: Inbound) -> Inbound {
    inbound.status = failure::status(failure);
    inbound.recipients = failure.recipients.iter().take(RECIPIENTS_MAX).cloned().collect();
    match inbound.kind {
        Kind::SenderBlock => {
            inbound.effects.mailbox = failure::blame(failure);
            inbound.blow = failure::blow(failure);
        }
        Kind::HardBounce if inbound.names.is_empty() || inbound.recipients.is_empty() => {
            inbound.effects = Effects { enrolment: Course::Hold, ..Effects::NONE };
        }
        _ => {}
    }
    inbound
}

fn complained(arrival: &Arrival, feedback: &Feedback, mut inbound: Inbound) -> Inbound {
    let named =
        if feedback.recipients.is_empty() { &arrival.returned.to } else { &feedback.recipients };
    // Many providers black the recipient out (RFC 6590).
    let is_told = |address: &&Address| address.local() != "redacted";
    inbound.recipients = named.iter().filter(is_told).take(RECIPIENTS_MAX).cloned().collect();
    // One that names nothing of ours could come from anybody.
    if inbound.names.is_empty() && inbound.kind == Kind::Complaint {
        inbound.effects = Effects { enrolment: Course::Hold, ..Effects::NONE };
    }
    inbound
}

/// RFC 5965, section 7.3, and the types registered since. A report on authentication is not a
/// person's word, and `not-spam` is a kind one.
fn feedback_kind(kind: &str) -> Kind {
    match kind {
        "opt-out" | "opt-out-list" => Kind::Unsubscribe,
        "not-spam" | "auth-failure" | "dmarc" | "miscategorized" => Kind::Unrelated,
        _ => Kind::Complaint,
    }
}

/// How many addresses of one person an arrival names; our messages have one recipient.
pub const RECIPIENTS_MAX: usize = 4;

#[cfg(test)]
mod tests;
