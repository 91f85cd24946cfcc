//! What a delivery report says went wrong: the address, the moment, or us.
//!
//! `Action` decides whether it failed at all. Then the words of the last server, where they leave
//! no doubt, since the same status stands for different things at different servers; then the
//! status (RFC 3463); then what the same words would mean in a session.

use super::phrases::{
    ANY_OF_THEIRS, LATER, LIMIT, NO_SUCH_HOST, NO_SUCH_USER, NOT_NOW, POLICY, SPAM,
};
use super::{Action, Blame, Failure, Kind};
use crate::answer::{self, Answer, Enhanced, Mark, Phase, Scope};
use crate::health::Blow;
use crate::text;

/// What the report is.
pub(super) fn kind(failure: &Failure) -> Kind {
    match failure.action {
        Some(Action::Delayed) => Kind::Delayed,
        Some(Action::Done) => Kind::Unrelated,
        Some(Action::Failed) | None => match cause(failure) {
            Cause::Address => Kind::HardBounce,
            Cause::Moment => Kind::SoftBounce,
            Cause::Block | Cause::Limit => Kind::SenderBlock,
        },
    }
}

/// What a report that blames us blames us for.
pub(super) fn blame(failure: &Failure) -> Blame {
    match cause(failure) {
        Cause::Limit => Blame::Limit,
        Cause::Address | Cause::Moment | Cause::Block => Blame::Block,
    }
}

/// What the same words would do to the mailbox in a session, where that is more than a refusal among
/// others. A log-in that another server asks for is not ours.
///
/// A report is mail: every recipient can write one about the message they had, and one who forwards
/// makes another server refuse our domain by it. So a report moves the mailbox that wrote, never its
/// whole domain or tenant; what those have done each of their mailboxes is told by itself.
pub(super) fn blow(failure: &Failure) -> Option<Blow> {
    let words = text::folded(&failure.diagnostic);
    let answer = as_answered(failure, &words, status(failure));
    match answer::consequence(&answer, &answer::classify(&answer, None)).blow? {
        blow @ (Blow::Spam | Blow::Banned | Blow::QuotaReached) => Some(blow),
        Blow::TenantQuotaReached => Some(Blow::QuotaReached),
        Blow::TenantStopped => Some(Blow::Banned),
        Blow::DomainRefused
        | Blow::Deferred
        | Blow::TooFast
        | Blow::SenderRejected
        | Blow::Complaint
        | Blow::HardBounce
        | Blow::CredentialsRefused
        | Blow::ConfigurationRefused => None,
    }
}

/// Whether words say why something failed, and not just that it did.
pub(super) fn tells_why(words: &str) -> bool {
    let status = enhanced_in(words, |told| told.detail != 0);
    status.is_some() || by_words(&text::folded(words)).is_some()
}

/// The status: that of the field, or where it only says "something", a better one in the words.
pub(super) fn status(failure: &Failure) -> Option<Enhanced> {
    let words = &failure.diagnostic;
    match failure.status {
        Some(vague) if vague.detail == 0 => {
            let is_better = |told: &Enhanced| told.class == vague.class && told.detail != 0;
            enhanced_in(words, is_better).or(Some(vague))
        }
        Some(status) => Some(status),
        None => {
            enhanced_in(words, |told| told.detail != 0).or_else(|| enhanced_in(words, |_| true))
        }
    }
}

/// Why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The address takes no mail, now or ever.
    Address,
    /// Anything that may be over tomorrow, or that another message would not meet.
    Moment,
    /// We were refused.
    Block,
    /// We sent too much.
    Limit,
}

fn cause(failure: &Failure) -> Cause {
    // Apostrophes are curly where people are written to.
    let words = text::folded(&failure.diagnostic.replace('’', "'"));
    let status = status(failure);
    let cause = status
        .and_then(of_the_sender)
        .or_else(|| by_words(&words))
        .or_else(|| of_the_host(&words, status))
        .or_else(|| status.and_then(by_status))
        .unwrap_or_else(|| in_a_session(failure, &words, status));
    match cause {
        // Only a permanent failure proves that an address is dead (RFC 3463, section 3.1).
        Cause::Address if status.is_some_and(|status| status.class == 4) => Cause::Moment,
        // Before RCPT nothing was said of the recipient.
        Cause::Address if told_phase(failure, &words) == Phase::Mail => Cause::Block,
        Cause::Address if is_a_filters(failure, &words, status) => Cause::Moment,
        cause => cause,
    }
}

/// Codes for a host or a domain that takes no mail at all (RFC 7504, section 3), unless it is for
/// our sake.
fn of_the_host(words: &str, status: Option<Enhanced>) -> Option<Cause> {
    let is_policy = status.is_some_and(|status| status.subject == 7);
    (!is_policy && matches!(code_in(words), Some(521 | 556))).then_some(Cause::Address)
}

/// Whether somebody is there whose filter says that nobody is: a server that took the recipient and
/// knows of no such user once it has read the text, or that says by the status that the mailbox
/// exists (RFC 3463, section 3.3). The phones of docomo and au answer so, the latter without an
/// address before the colon (Sisimai: `Rhost::NTTDOCOMO`, `Rhost::KDDI`). A status that blames the
/// address is believed all the same.
fn is_a_filters(failure: &Failure, words: &str, status: Option<Enhanced>) -> bool {
    let says_unknown = ["user unknown", "unknown user"].iter().any(|p| words.contains(p));
    let is_late = || told_phase(failure, words) == Phase::Eod;
    let refuses = || match status.map(|status| (status.subject, status.detail)) {
        Some((1, _)) => false,
        Some((2, 0)) => true,
        _ => words.contains("550 : user unknown") || is_late(),
    };
    says_unknown && refuses()
}

/// What the last server answered: what its own words tell, else what stands around them for people.
fn told_phase(failure: &Failure, words: &str) -> Phase {
    match phase(words) {
        Phase::Ndr => phase(&text::folded(&failure.prose)),
        told => told,
    }
}

/// What the last server answered, as Exim ("after MAIL FROM") and Postfix ("in reply to MAIL FROM
/// command") tell.
fn phase(words: &str) -> Phase {
    let after = |command: &str| {
        ["after ", "reply to "].iter().any(|word| words.contains(&format!("{word}{command}")))
    };
    // Sendmail and Courier quote the session. Where RCPT was refused and DATA followed in the same
    // breath, the answer to RCPT stands here too, and one behind it that asks for RCPT (RFC 2920).
    let wants_rcpt = ["<<< 503", "no valid recipients"].iter().any(|p| words.contains(p));
    let is_late = words.contains(">>> data <<< 5") && !wants_rcpt;
    if after("mail from") {
        Phase::Mail
    } else if after("end of data") || is_late {
        Phase::Eod
    } else {
        Phase::Ndr
    }
}

/// A sender's address or domain that is not believed (RFC 3463, section 3.2), which the words may
/// well call unknown.
fn of_the_sender(status: Enhanced) -> Option<Cause> {
    matches!((status.subject, status.detail), (1, 7 | 8)).then_some(Cause::Block)
}

/// The first phrase found decides: what is said of us stands before what is said of the address,
/// because a refused sender is often told that there is no such user.
fn by_words(words: &str) -> Option<Cause> {
    let tables: [(&[&str], Cause); 8] = [
        (&ANY_OF_THEIRS, Cause::Address),
        (&LIMIT, Cause::Limit),
        (&NOT_NOW, Cause::Moment),
        (&SPAM, Cause::Block),
        (&NO_SUCH_USER, Cause::Address),
        (&POLICY, Cause::Block),
        (&NO_SUCH_HOST, Cause::Address),
        (&LATER, Cause::Moment),
    ];
    let found = |(phrases, _): &&(&[&str], Cause)| phrases.iter().any(|p| words.contains(p));
    tables.iter().find(found).map(|(_, cause)| *cause)
}

/// RFC 3463, and what the registry of RFC 5248 and Microsoft have added.
fn by_status(status: Enhanced) -> Option<Cause> {
    let cause = match (status.subject, status.detail) {
        // Sending limits of Microsoft's tenants; Google's daily limit.
        (7, 232 | 233) | (4, 5) if status.class == 5 => Cause::Limit,
        // A restricted recipient is not a refused sender: members only, moderated, too many.
        (7, 124 | 129 | 133 | 134) | (7, 2 | 12 | 13) => Cause::Moment,
        (7, detail) if status.class == 5 && detail != 27 => Cause::Block,
        // Bad mailbox, system or syntax, moved, null MX (RFC 7505), Exchange's directory lookups.
        (1, 1 | 2 | 3 | 6 | 10 | 351) | (2, 1) | (4, 4 | 310) | (7, 27) if status.class == 5 => {
            Cause::Address
        }
        (0, 0) | (1 | 2 | 5, 0) => return None,
        _ => Cause::Moment,
    };
    Some(cause)
}

/// What the rules for answers say of the last server's words.
fn in_a_session(failure: &Failure, words: &str, status: Option<Enhanced>) -> Cause {
    let answer = as_answered(failure, words, status);
    let verdict = answer::classify(&answer, None);
    match verdict.action {
        answer::Action::SuppressRecipient | answer::Action::SuppressRecipientDomain => {
            Cause::Address
        }
        answer::Action::Accept
        | answer::Action::RetryLater
        | answer::Action::Reconnect
        | answer::Action::SplitRecipients
        | answer::Action::VerifyDelivery => Cause::Moment,
        answer::Action::SlowMailbox => Cause::Limit,
        answer::Action::PauseMailbox | answer::Action::PauseTenant
            if verdict.rule.mark == Some(Mark::Quota) =>
        {
            Cause::Limit
        }
        answer::Action::PauseMailbox
        | answer::Action::PauseDomain
        | answer::Action::PauseTenant
        | answer::Action::RefreshToken
        | answer::Action::FixCredentials
        | answer::Action::FixConfig => Cause::Block,
        // In a session such a message is dropped and nobody's fault; here it is a word against us.
        answer::Action::DropMessage
            if matches!(verdict.rule.mark, Some(Mark::Spam | Mark::Policy)) =>
        {
            Cause::Block
        }
        answer::Action::DropMessage => match verdict.scope {
            Scope::Recipient | Scope::Message | Scope::TransientServer => Cause::Moment,
            Scope::Mailbox | Scope::Domain | Scope::Tenant | Scope::Ip => Cause::Block,
        },
    }
}

/// The last server's words as its answer in a session.
fn as_answered(failure: &Failure, words: &str, status: Option<Enhanced>) -> Answer {
    let is_final = status.is_none_or(|status| status.class == 5);
    let code = code_in(&failure.diagnostic).unwrap_or(if is_final { 550 } else { 450 });
    Answer { enhanced: status, ..Answer::new(phase(words), code, &failure.diagnostic) }
}

/// The first enhanced status code of class 4 or 5 anywhere in a text that is one to look for:
/// `(#5.1.1)`, `smtp;550 5.1.1`.
fn enhanced_in(text: &str, is_wanted: impl Fn(&Enhanced) -> bool) -> Option<Enhanced> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    text.split(|c: char| !is_part(c))
        .filter(|word| (5..=9).contains(&word.len()) && word.starts_with(['4', '5']))
        .filter_map(|word| Enhanced::parse(word.trim_end_matches('.')))
        .find(is_wanted)
}

/// The first reply code of class 4 or 5 that stands alone in a text.
fn code_in(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .filter(|word| word.len() == 3)
        .find_map(|word| word.parse().ok().filter(|code| (400..=599).contains(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &str, diagnostic: &str, want: Cause) {
        let failure = Failure {
            status: Enhanced::parse(status),
            diagnostic: diagnostic.to_owned(),
            ..Failure::default()
        };
        assert_eq!(cause(&failure), want, "{status} {diagnostic}");
    }

    #[test]
    fn the_words_of_the_last_server_decide_then_the_status() {
        use Cause::{Address, Block, Limit, Moment};
        check("5.1.1", "smtp; 550 5.1.1 <a@b.example> no such user here", Address);
        check("5.1.1", "", Address);
        check("4.1.1", "", Moment);
        check("4.1.1", "450 4.1.1 user unknown", Moment);
        check("5.2.2", "smtp; 552 5.2.2 mailbox full", Moment);
        check("5.2.2", "", Moment);
        check("5.2.1", "", Address);
        check("5.7.1", "smtp; 550 5.7.1 message refused", Block);
        check("5.7.26", "", Block);
        check("5.1.8", "", Block);
        check("5.7.1", "smtp; 550 5.7.1 <a@b.example> user unknown", Address);
        check("5.1.1", "smtp; 550 5.1.1 blocked, see spamhaus.org", Block);
        check("5.7.233", "", Limit);
        check("5.4.5", "Daily user sending limit exceeded", Limit);
        check("5.7.129", "restricted to senders inside", Moment);
        check("5.1.10", "", Address);
        check("5.4.4", "Host or domain name not found", Address);
        check("4.4.7", "message expired", Moment);
        check("5.3.4", "", Moment);
        check("5.0.0", "smtp; 550 5.1.1 gone", Address);
        check("5.0.0", "550 it did not work", Moment);
        check("", "said: 550 sorry, no mailbox here by that name. (#5.1.1)", Address);
        check("5.1.0", "error after MAIL FROM:<a@b.example>: 553 no such domain", Block);
        check("", "error after MAIL FROM:<a@b.example>: 550 user unknown", Block);
        check("5.4.4", "Name service error: Malformed or unexpected name server reply", Moment);
        check("", "The account or domain may not exist, they may be blacklisted", Address);
        check("", "rejected by the recipient domain: 500 does not support TLS (state 6).", Moment);
        check("5.2.0", "after end of data: 550 5.2.0 From: Domain is invalid.", Block);
        check("5.7.1", "smtp; 521-5.7.1 client 192.0.2.3 refused", Block);
        check("5.3.2", "smtp; 521 5.3.2 takes no mail", Address);
        check("5.0.0", "550 Recipient address rejected. (in reply to RCPT TO command)", Address);
        check("5.1.1", "x-unix; procmail: Couldn't create \"/var/mail/bob\"", Moment);
        check("5.1.1", "550 5.1.1 RCP-P2 Refused due to recipient preferences", Moment);
        check(
            "5.1.1",
            "bob@b.example **** This mail has been scanned for all viruses ****",
            Address,
        );
        check("5.7.0", "smtp; 552 5.7.0 virus detected", Block);
        check("5.7.1", "said: 553 sorry, badrcptto(user mail-box not found) (#5.7.1)", Address);
        check("5.7.1", "said: 550 5.7.1 No mailbox found (in reply to RCPT TO command)", Address);
        check("5.1.1", "550 RCPT TO:<bob@b.example> max message size exceeded", Moment);
        check("5.0.0", "552 Account(s) <bob@b.example> does not have enough space", Moment);
        check("", "could not be delivered because they are not accepting mail with images", Moment);
        check("5.0.0", "said: 550 Probable spam (in reply to end of DATA command)", Block);
        check("5.0.0", "554 Sending address not accepted due to spam filter", Block);
        check("", "vdelivermail: account is locked email bounced", Moment);
        check("", "it is said to be snowing", Moment);
    }

    #[test]
    fn a_filter_that_knows_of_nobody_is_no_dead_address() {
        use Cause::{Address, Block, Moment};
        #[track_caller]
        fn check(status: &str, diagnostic: &str, prose: &str, want: Cause) {
            let failure = Failure {
                status: Enhanced::parse(status),
                diagnostic: diagnostic.to_owned(),
                prose: prose.to_owned(),
                ..Failure::default()
            };
            assert_eq!(cause(&failure), want, "{status} {diagnostic} {prose}");
        }
        let unknown = "smtp; 550 Unknown user bob@b.example";
        check("5.0.0", unknown, "said: 550 Unknown user (in reply to end of DATA command)", Moment);
        check("5.0.0", unknown, ">>> DATA\n<<< 550 Unknown user", Moment);
        check("5.0.0", unknown, ">>> DATA\n<<< 550 Unknown user\n<<< 503 Need RCPT", Address);
        check("5.0.0", unknown, "said: 550 Unknown user (in reply to RCPT TO command)", Address);
        check(
            "5.1.1",
            unknown,
            "said: 550 Unknown user (in reply to end of DATA command)",
            Address,
        );
        check("5.0.0", unknown, "said: 550 Unknown user (in reply to MAIL FROM command)", Block);
        check("5.2.0", unknown, "", Moment);
        check("5.2.1", "smtp; 550 5.2.1 <bob@b.example>... User Unknown", "", Address);
        check("5.0.0", "smtp; 550 : User unknown", "", Moment);
        check("5.0.0", "smtp; 550 <bob@b.example>: User unknown", "", Address);
    }

    #[test]
    fn what_is_worse_than_a_refusal_stops_the_mailbox_and_nobody_else() {
        #[track_caller]
        fn check(status: &str, diagnostic: &str, want: Option<Blow>) {
            let failure = Failure {
                status: Enhanced::parse(status),
                diagnostic: diagnostic.to_owned(),
                ..Failure::default()
            };
            assert_eq!(blow(&failure), want, "{status} {diagnostic}");
        }
        check("5.7.1", "smtp; 550 5.7.1 blocked as spam", Some(Blow::Spam));
        check("5.7.26", "smtp; 550 5.7.26 unauthenticated, no DMARC", None);
        check("5.7.233", "550 5.7.233 tenant limit", Some(Blow::QuotaReached));
        check(
            "5.7.705",
            "550 5.7.705 Access denied, tenant has exceeded threshold",
            Some(Blow::Banned),
        );
        check("5.4.5", "550 5.4.5 Daily sending quota", Some(Blow::QuotaReached));
        check("5.2.0", "554 5.2.0 OutboundSpamException", Some(Blow::Banned));
        check("5.7.1", "smtp; 550 5.7.1 message refused", None);
        check("5.7.8", "smtp; 535 5.7.8 authentication failed", None);
    }

    #[test]
    fn a_status_is_found_wherever_it_stands() {
        let found = |text: &str| enhanced_in(text, |_| true).map(|status| status.to_string());
        assert_eq!(found("smtp;550 5.1.10 RESOLVER").as_deref(), Some("5.1.10"));
        assert_eq!(found("sorry (#5.1.1)").as_deref(), Some("5.1.1"));
        assert_eq!(found("550-5.7.26 This mail").as_deref(), Some("5.7.26"));
        assert_eq!(found("host 5.6.7.8 said"), None);
        assert_eq!(found("version 10.5.1.1"), None);
    }
}
