//! What follows from an answer: how the message ends, and what is held against the sender.
//!
//! The engine does it and `classify` tells it: both from here. When a message that is put off is
//! tried again, and how long a mailbox rests, is said elsewhere.

use std::fmt;

use super::{Action, Answer, Mark, Phase, Scope, Verdict};
use crate::health::Blow;

/// How the attempt ends for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is accepted.
    Accepted,
    /// It is tried again later, from the same mailbox, and this attempt counts.
    Deferred {
        /// Whether for the recipient's sake only.
        for_recipient: bool,
    },
    /// It is done again at once over a new connection, twice at most, then deferred.
    Redone,
    /// It waits, untouched, until somebody has mended what keeps it; this attempt is given back.
    GivenBack,
    /// It is over, for the recipient's sake; the address stays good.
    RecipientRefused,
    /// It is over, and so is nothing else.
    MessageRefused,
    /// It is over, for the sender's sake.
    SenderRefused,
    /// It is over, and the address is suppressed.
    AddressDead,
    /// It is over, and the whole domain is suppressed; of a free-mail domain the address alone.
    DomainDead,
    /// It may have gone out.
    InDoubt,
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// How the attempt ends for the message.
    pub ending: Ending,
    /// What is held against the sender.
    pub blow: Option<Blow>,
}

/// What follows from an answer, given what it means.
#[must_use]
pub fn consequence(answer: &Answer, verdict: &Verdict) -> Consequence {
    let follows = |ending, blow| Consequence { ending, blow };
    let held_back = |blow| follows(Ending::Deferred { for_recipient: false }, Some(blow));
    let mark = verdict.rule.mark;
    let is_tenant = verdict.scope == Scope::Tenant;
    match verdict.action {
        Action::Accept => follows(Ending::Accepted, None),
        Action::RetryLater | Action::SplitRecipients => match verdict.scope {
            Scope::Recipient => follows(Ending::Deferred { for_recipient: true }, None),
            _ => held_back(Blow::Deferred),
        },
        Action::Reconnect => follows(Ending::Redone, None),
        Action::SlowMailbox => held_back(Blow::TooFast),
        Action::PauseMailbox if mark == Some(Mark::Quota) => held_back(Blow::QuotaReached),
        Action::PauseMailbox => held_back(Blow::Banned),
        Action::PauseDomain if answer.code / 100 == 5 && mark != Some(Mark::Quota) => {
            follows(Ending::SenderRefused, Some(Blow::DomainRefused))
        }
        Action::PauseDomain => held_back(Blow::DomainRefused),
        Action::PauseTenant if mark == Some(Mark::Quota) => held_back(Blow::TenantQuotaReached),
        Action::PauseTenant => held_back(Blow::TenantStopped),
        Action::RefreshToken | Action::FixCredentials | Action::FixConfig if is_tenant => {
            follows(Ending::GivenBack, Some(Blow::TenantStopped))
        }
        Action::RefreshToken | Action::FixCredentials => {
            follows(Ending::GivenBack, Some(Blow::CredentialsRefused))
        }
        Action::FixConfig => misconfigured(answer, verdict),
        Action::SuppressRecipient | Action::SuppressRecipientDomain => dead(answer, verdict),
        Action::DropMessage => dropped(answer, verdict),
        Action::VerifyDelivery => follows(Ending::InDoubt, None),
    }
}

/// The address mail leaves from is the provider's, and nobody here can mend it: that counts as any
/// refusal of the sender does. All else waits for an operator.
fn misconfigured(answer: &Answer, verdict: &Verdict) -> Consequence {
    let in_transaction =
        matches!(answer.phase, Phase::Mail | Phase::Rcpt | Phase::Data | Phase::Eod);
    match verdict.scope {
        Scope::Ip if in_transaction && answer.code / 100 == 5 => refused(),
        Scope::Ip if in_transaction => Consequence {
            ending: Ending::Deferred { for_recipient: false },
            blow: Some(Blow::Deferred),
        },
        _ => Consequence { ending: Ending::GivenBack, blow: Some(Blow::ConfigurationRefused) },
    }
}

/// Nobody is suppressed for what an address of ours, or a server, is blamed for, nor for a policy
/// told in the session: such an answer says as much of us as of the person.
fn dead(answer: &Answer, verdict: &Verdict) -> Consequence {
    let is_policy = verdict.rule.mark == Some(Mark::Policy) && answer.phase == Phase::Rcpt;
    if is_policy || verdict.scope != Scope::Recipient {
        return refused();
    }
    let ending = match verdict.action {
        Action::SuppressRecipientDomain => Ending::DomainDead,
        _ => Ending::AddressDead,
    };
    Consequence { ending, blow: Some(Blow::HardBounce) }
}

fn dropped(answer: &Answer, verdict: &Verdict) -> Consequence {
    let over = |ending| Consequence { ending, blow: None };
    // RFC 3463, section 3.8: X.7 is security and policy, and speaks of us.
    let is_policy = answer.enhanced.is_some_and(|code| code.subject == 7);
    match (verdict.scope, verdict.rule.mark) {
        (_, Some(Mark::Spam)) => {
            Consequence { ending: Ending::SenderRefused, blow: Some(Blow::Spam) }
        }
        (_, Some(Mark::Policy)) => refused(),
        _ if is_policy => refused(),
        (Scope::Recipient, _) => over(Ending::RecipientRefused),
        // What nobody understands is taken for a refusal of the sender: too many stop the mailbox.
        (Scope::Message, mark) if mark != Some(Mark::Unknown) => over(Ending::MessageRefused),
        _ => refused(),
    }
}

fn refused() -> Consequence {
    Consequence { ending: Ending::SenderRefused, blow: Some(Blow::SenderRejected) }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "the message is accepted",
            Self::Deferred { for_recipient: true } => {
                "the message is tried again later, up to five times in a day; it is the \
                 recipient's doing"
            }
            Self::Deferred { for_recipient: false } => {
                "the message is tried again later from the same mailbox, up to five times in a day"
            }
            Self::Redone => {
                "the connection is given up and the message done again at once on a new one, \
                 twice at most; then later"
            }
            Self::GivenBack => "the message waits, and no attempt is counted",
            Self::RecipientRefused => "the message is over; the address stays good",
            Self::MessageRefused => "the message is over; address and sender stay good",
            Self::SenderRefused => "the message is over; the address stays good",
            Self::AddressDead => "the message is over and the address suppressed: a hard bounce",
            Self::DomainDead => {
                "the message is over and the recipient's domain suppressed (of a free-mail domain \
                 the address alone): a hard bounce"
            }
            Self::InDoubt => "the message is in doubt, and waits for evidence",
        })
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ending.fmt(f)?;
        f.write_str(match self.blow {
            None => "",
            Some(Blow::Deferred) => "; the mailbox is eased",
            Some(Blow::TooFast) => "; the mailbox is eased, and goes at half its rate for an hour",
            Some(Blow::SenderRejected) => {
                "; it counts as a refusal of the sender: the mailbox is eased, and paused once \
                 these reach a tenth of its day"
            }
            Some(Blow::Spam) => "; the mailbox is eased and paused",
            Some(Blow::Complaint) => "; the mailbox is paused",
            Some(Blow::HardBounce) => "; the mailbox is paused if too many of its messages do so",
            Some(Blow::CredentialsRefused) => "; the mailbox is paused until its log-in is mended",
            Some(Blow::ConfigurationRefused) => {
                "; the mailbox is paused until somebody mends how it is set up"
            }
            Some(Blow::QuotaReached) => "; the mailbox rests for a day",
            Some(Blow::Banned) => "; the mailbox is paused until somebody has looked",
            Some(Blow::DomainRefused) => "; every mailbox of the sending domain is paused",
            Some(Blow::TenantQuotaReached) => "; every mailbox of the tenant rests for a day",
            Some(Blow::TenantStopped) => {
                "; every mailbox of the tenant is paused until somebody has looked"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::classify;
    use super::*;

    #[track_caller]
    fn check(phase: Phase, line: &str, ending: Ending, blow: Option<Blow>) {
        let answer = Answer::parse(phase, line);
        let got = consequence(&answer, &classify(&answer, None));
        assert_eq!(got, Consequence { ending, blow }, "{line}");
    }

    #[test]
    fn consequences() {
        use Ending::*;
        use Phase::{Eod, Mail, Rcpt};
        let put_off = Deferred { for_recipient: false };
        check(Eod, "250 2.0.0 OK", Accepted, None);
        check(Rcpt, "450 4.2.1 busy", Deferred { for_recipient: true }, None);
        check(Rcpt, "451 4.3.2 busy", put_off, Some(Blow::Deferred));
        check(Mail, "421 4.4.2 timed out", Redone, None);
        check(Eod, "432 4.3.2 sender thread limit", put_off, Some(Blow::TooFast));
        check(Eod, "550 5.4.5 Daily sending quota", put_off, Some(Blow::QuotaReached));
        check(Eod, "554 5.2.0 OutboundSpamException", put_off, Some(Blow::Banned));
        check(Eod, "550 5.7.26 no DMARC", SenderRefused, Some(Blow::DomainRefused));
        check(Eod, "421 4.7.26 no DMARC", put_off, Some(Blow::DomainRefused));
        check(Eod, "550 5.7.233 tenant limit", put_off, Some(Blow::TenantQuotaReached));
        check(Eod, "550 5.7.705 tenant has exceeded", put_off, Some(Blow::TenantStopped));
        check(Mail, "530 5.7.57 not authenticated", GivenBack, Some(Blow::ConfigurationRefused));
        check(Mail, "535 5.7.8 no", GivenBack, Some(Blow::CredentialsRefused));
        check(Rcpt, "550 5.1.1 no such user", AddressDead, Some(Blow::HardBounce));
        check(Rcpt, "556 5.1.10 null MX", DomainDead, Some(Blow::HardBounce));
        check(Eod, "552 5.3.4 too big", MessageRefused, None);
        check(Eod, "554 5.7.1 content refused", SenderRefused, Some(Blow::SenderRejected));
        check(Eod, "550 5.7.1 blocked as spam", SenderRefused, Some(Blow::Spam));
        check(Eod, "554 what", SenderRefused, Some(Blow::SenderRejected));
        check(Rcpt, "541 what", RecipientRefused, None);
    }

    /// What is refused by policy, at an address that is good, is refused to us.
    #[test]
    fn policy_at_rcpt_and_blame_of_an_address_of_ours_suppress_nobody() {
        use Ending::{AddressDead, SenderRefused};
        use Phase::{Ndr, Rcpt};
        let rejected = Some(Blow::SenderRejected);
        check(Rcpt, "550 5.7.1 no", SenderRefused, rejected);
        check(Rcpt, "550 5.7.1 Delivery not authorized", SenderRefused, rejected);
        check(Ndr, "550 5.7.1 Delivery not authorized", AddressDead, Some(Blow::HardBounce));
        check(Rcpt, "554 5.7.1 Client host rejected: Access denied", SenderRefused, rejected);
        check(Rcpt, "550 5.7.513 blocked using Customer Block list", SenderRefused, rejected);
    }
}
