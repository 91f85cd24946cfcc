//! What a delivery report says went wrong: the address, the moment, or us.
//!
//! `Action` decides whether it failed at all. Then the words of the last server, where they leave
//! no doubt, since the same status stands for different things at different servers; then the
//! status (RFC 3463); then what the same words would mean in a session.

use super::{Action, Blame, Failure, Kind};
use crate::answer::{self, Answer, Enhanced, Phase};
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

/// The status: that of the field, or where it only says "something", a better one in the words.
pub(super) fn status(failure: &Failure) -> Option<Enhanced> {
    let told = enhanced_in(&failure.diagnostic);
    match failure.status {
        Some(status) if (status.subject, status.detail) != (0, 0) => Some(status),
        Some(vague) => told.filter(|told| told.class == vague.class).or(Some(vague)),
        None => told,
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
    let words = text::folded(&failure.diagnostic);
    let status = status(failure);
    by_words(&words)
        .or_else(|| status.and_then(by_status))
        .unwrap_or_else(|| in_a_session(failure, status))
}

/// The first phrase found decides: what is said of us stands before what is said of the address,
/// because a refused sender is often told that there is no such user.
fn by_words(words: &str) -> Option<Cause> {
    let tables: [(&[&str], Cause); 7] = [
        (&LIMIT, Cause::Limit),
        (&FULL, Cause::Moment),
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
        // A sender's address or domain that is not believed.
        (1, 7 | 8) => Cause::Block,
        // A restricted recipient is not a refused sender: members only, moderated, too many.
        (7, 124 | 129 | 133 | 134) | (7, 2 | 12 | 13) => Cause::Moment,
        (7, _) if status.class == 5 => Cause::Block,
        // Bad mailbox, system or syntax, moved, null MX (RFC 7505), Exchange's directory lookups;
        // not found in the recipient's own directory, which Exchange Online calls 5.4.1.
        (1, 1 | 2 | 3 | 6 | 10 | 351) | (2, 1) | (4, 1 | 4 | 310) if status.class == 5 => {
            Cause::Address
        }
        (0, 0) | (1 | 2 | 5, 0) => return None,
        _ => Cause::Moment,
    };
    Some(cause)
}

/// What the last server's words would have meant while we spoke to it. Its phase is not known;
/// most answers that name a recipient are given to RCPT.
fn in_a_session(failure: &Failure, status: Option<Enhanced>) -> Cause {
    let is_final = status.is_none_or(|status| status.class == 5);
    let code = code_in(&failure.diagnostic).unwrap_or(if is_final { 550 } else { 450 });
    let answer = Answer { enhanced: status, ..Answer::new(Phase::Rcpt, code, &failure.diagnostic) };
    match answer::classify(&answer).action {
        answer::Action::Suppress => Cause::Address,
        answer::Action::Accept | answer::Action::Retry | answer::Action::Drop => Cause::Moment,
        answer::Action::Rest => Cause::Limit,
        answer::Action::Reject | answer::Action::Pause | answer::Action::FixCredentials => {
            Cause::Block
        }
    }
}

/// The first enhanced status code of class 4 or 5 anywhere in a text: `(#5.1.1)`, `smtp;550 5.1.1`.
pub(super) fn enhanced_in(text: &str) -> Option<Enhanced> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    text.split(|c: char| !is_part(c))
        .filter(|word| (5..=9).contains(&word.len()) && word.starts_with(['4', '5']))
        .find_map(|word| Enhanced::leading(word.trim_end_matches('.')))
}

/// The first reply code of class 4 or 5 that stands alone in a text.
fn code_in(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .filter(|word| word.len() == 3)
        .find_map(|word| word.parse().ok().filter(|code| (400..=599).contains(code)))
}

const LIMIT: [&str; 13] = [
    "submissionquotaexceeded",
    "submission quota exceeded",
    "daily user sending",
    "daily sending quota",
    "limit for sending mail",
    "sending limit",
    "exceeded your sending",
    "tenant has exceeded",
    "sent to too many recipients",
    "too many recipients this hour",
    "exceeded the maximum number of messages",
    "exceeded the max emails per hour",
    "message rate exceeded for sender",
];

const FULL: [&str; 31] = [
    "mailbox full",
    "mailbox is full",
    "mailbox was full",
    "mailbox too full",
    "mail box full",
    "mailbox exceeds",
    "mailbox has exceeded",
    "mailbox over quota",
    "mailbox size limit",
    "mailbox for user is full",
    "mailbox quota",
    "mailbox_full",
    "is full (mailbox",
    "inbox is full",
    "user is overquota",
    "user over quota",
    "overquota",
    "over quota",
    "over the quota",
    "over-quota",
    "out of storage space",
    "over the maximum allowed mailbox",
    "quota exceed",
    "exceeded storage allocation",
    "exceeded his/her quota",
    "not enough disk space",
    "not enough storage space",
    "insufficient disk space",
    "insufficient storage",
    "too much mail data",
    "disk quota",
];

const SPAM: [&str; 29] = [
    "spamhaus",
    "spamcop",
    "blacklist",
    "blocklist",
    "block list",
    "black list",
    "black-list",
    "rbl",
    "bad reputation",
    "poor reputation",
    "low reputation",
    "banned sending ip",
    "blocked as spam",
    "detected as spam",
    "considered spam",
    "rejected as spam",
    "scored as spam",
    "classified as spam",
    "spam classification",
    "looks like spam",
    "spam message",
    "unsolicited",
    "outbound spam",
    "dmarc",
    "spf check",
    "spf fail",
    "dkim",
    "unauthenticated email",
    "not pass authentication",
];

const NO_SUCH_USER: [&str; 64] = [
    "user unknown",
    "unknown user",
    "unknown local",
    "unknown recipient",
    "unknown address",
    "unknown account",
    "unknown mailbox",
    "unknown e-mail address",
    "unknown email address",
    "user is unknown",
    "recipient unknown",
    "recipient not found",
    "recipnotfound",
    "recipientnotfound",
    "recipient does not exist",
    "recipient no longer on server",
    "no longer on server",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such address",
    "no such person",
    "no such account",
    "no such id",
    "no mailbox here",
    "no mailbox by that name",
    "no account by that name",
    "no valid recipients",
    "not a valid mailbox",
    "not a valid user",
    "not a known user",
    "not our customer",
    "not listed in",
    "user not found",
    "user does not exist",
    "user doesn't exist",
    "user not exist",
    "doesn't have a yahoo",
    "doesn't have an account",
    "does not have an account",
    "user not known",
    "username not found",
    "address not found",
    "address couldn't be found",
    "address couldn't be found",
    "wasn't found at",
    "isn't found at",
    "address does not exist",
    "account does not exist",
    "account that you tried to reach does not exist",
    "mailbox does not exist",
    "mailbox not found",
    "mailbox unavailable",
    "mailbox unknown",
    "mailbox is inactive",
    "mailbox currently unavailable",
    "addressee unknown",
    "invalid mailbox",
    "invalid recipient",
    "invalid address",
    "address is invalid",
    "account is disabled",
    "account has been disabled",
    "account has been closed",
];

const POLICY: [&str; 26] = [
    "sender rejected",
    "sender was rejected",
    "sender denied",
    "sender address rejected",
    "sender address is not allowed",
    "sender verify failed",
    "not verified",
    "access denied",
    "client host rejected",
    "helo command rejected",
    "relay",
    "security polic",
    "policy reason",
    "policy violation",
    "polic",
    "reverse dns",
    "ptr record",
    "rdns",
    "ip name lookup failed",
    "authentication required",
    "turn on smtp authentication",
    "virus",
    "illegal attachment",
    "content rejected",
    "mail from domain",
    "invalid ip for sending",
];

const NO_SUCH_HOST: [&str; 19] = [
    "host unknown",
    "unknown host",
    "host not found",
    "unknown domain",
    "no such domain",
    "domain unknown",
    "domain not found",
    "domain does not exist",
    "domain doesn't exist",
    "nxdomain",
    "no mx record",
    "no a or mx",
    "does not accept mail",
    "doesn't accept mail",
    "domain is not reachable",
    "bad destination host",
    "bad destination mailbox",
    "no mail exchanger",
    "couldn't find any host",
];

const LATER: [&str; 24] = [
    "timed out",
    "time out",
    "timeout",
    "connection refused",
    "unable to connect",
    "unable to deliver message after multiple retries",
    "message expired",
    "in the queue too long",
    "retry time",
    "giving up",
    "loop",
    "hop count",
    "too many hops",
    "temporar",
    "try again later",
    "too large",
    "too big",
    "message size exceeds",
    "size limit",
    "fixed maximum message size",
    "greylist",
    "graylist",
    "too many connections",
    "internal system error",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &str, diagnostic: &str, want: Cause) {
        let failure = Failure {
            status: Enhanced::leading(status),
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
        check("", "it is said to be snowing", Moment);
    }

    #[test]
    fn a_status_is_found_wherever_it_stands() {
        let found = |text: &str| enhanced_in(text).map(|status| status.to_string());
        assert_eq!(found("smtp;550 5.1.10 RESOLVER").as_deref(), Some("5.1.10"));
        assert_eq!(found("sorry (#5.1.1)").as_deref(), Some("5.1.1"));
        assert_eq!(found("550-5.7.26 This mail").as_deref(), Some("5.7.26"));
        assert_eq!(found("host 5.6.7.8 said"), None);
        assert_eq!(found("version 10.5.1.1"), None);
    }
}
