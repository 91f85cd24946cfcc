//! One test mail, which says what it is: whether it is taken, what the other side thinks of it, where
//! it lands, and whether it counts.

use std::time::Duration;

use rand::TryRng as _;
use warmfront_core::address::Address;
use warmfront_core::health::PauseReason;
use warmfront_core::reading::Role;
use warmfront_core::span::{Millis, length_text};
use warmfront_mail::arrival::authentication::{Authentication, aligned};
use warmfront_mail::compose::{Draft, compose};
use warmfront_mail::imap::{Found, Lookout};
use warmfront_mail::smtp::Smtp;
use warmfront_mail::submit::{Halt, Letter, Outcome, Progress, Stage, Submit as _, Trouble};

use super::Round;
use super::finding::{Findings, Standing};
use super::look::{clock, trouble_of_sending};
use crate::app::App;
use crate::config::Mailbox;
use crate::exit::Failure;

/// Sends the test and follows it.
pub(super) async fn send(
    round: &Round<'_>,
    mailbox: &Mailbox,
    seed: &Address,
    found: &mut Findings,
) -> Result<(), Failure> {
    let app = round.app;
    if let Some(why) = forbidden(app, mailbox, seed).await? {
        found.add("test", Standing::Unseen, format!("No test is sent: {why}."), None);
        return Ok(());
    }
    let mark = mark()?;
    let other = app.config.mailboxes.iter().find(|other| other.address == *seed);
    // Both look before it leaves: what was there already is not it.
    let arrival = lookout(round, other, &[Role::Inbox, Role::Junk]).await;
    let copy = lookout(round, Some(mailbox), &[Role::Sent]).await;
    let sent_at = app.now();
    let letter = letter(mailbox, seed, &mark, sent_at)?;
    match submit(round, mailbox, &letter).await {
        Ok(Outcome::Answered(answer)) if answer.code / 100 == 2 => {
            found.well("test", format!("The test to {seed} was taken: {answer}."));
        }
        Ok(Outcome::Answered(answer)) => {
            trouble_of_sending("test", &Trouble::Refused(answer), mailbox, found);
            return Ok(());
        }
        Ok(Outcome::NotSent(trouble)) => {
            trouble_of_sending("test", &trouble, mailbox, found);
            return Ok(());
        }
        Ok(Outcome::InDoubt { why }) => {
            let says = format!("Whether the test to {seed} was taken is not known: {why}.");
            found.add("test", Standing::Unseen, says, None);
        }
        Err(why) => {
            found.add("test", Standing::Mend, why, None);
            return Ok(());
        }
    }
    // Counted as soon as it can be: its arrival may be long in coming, and nobody has to wait for it.
    let counting = async {
        let copied = wait(app, copy, &mark, COPY_WITHIN).await;
        counted(app, mailbox, seed, copied.is_ok_and(|copy| copy.is_some()), found).await
    };
    let (is_counted, arrived) = tokio::join!(counting, wait(app, arrival, &mark, ARRIVES_WITHIN));
    is_counted?;
    match (other, arrived) {
        (None, _) => {
            let says = "what became of it there: that is no mailbox of this configuration, so \
                        look at its source yourself (Authentication-Results, DKIM-Signature).";
            found.unknown("arrival", says);
        }
        (Some(_), Ok(Some((arrived, at)))) => tell(&arrived, mailbox, sent_at, at, found),
        (Some(_), Ok(None)) => {
            let says = format!("It did not arrive within {ARRIVES_WITHIN:?}.");
            let to_do = "Look for a bounce in the sender's inbox, and for a filter or a \
                         quarantine at the other side.";
            found.add("arrival", Standing::Unseen, says, Some(to_do.to_owned()));
        }
        (Some(_), Err(why)) => {
            let says = format!("{seed} cannot be read: {why}");
            found.add("arrival", Standing::Unseen, says, None);
        }
    }
    Ok(())
}

/// Why no test may leave: it is mail like any other.
async fn forbidden(
    app: &App,
    mailbox: &Mailbox,
    seed: &Address,
) -> Result<Option<String>, Failure> {
    let is_it = |value: &str| value == seed.as_str() || value == seed.domain();
    if app.store.suppressions().await?.iter().any(|entry| is_it(&entry.value)) {
        return Ok(Some(format!("{seed} is on the suppression list")));
    }
    let row = app.mailbox(mailbox.address.as_str()).await?;
    let reason = row.paused_reason.as_deref().and_then(PauseReason::from_word);
    let is_mended_so =
        matches!(reason, Some(PauseReason::Credentials | PauseReason::Configuration));
    if row.state == "paused" && !is_mended_so {
        let because = row.paused_because.unwrap_or_default();
        return Ok(Some(format!("the mailbox is paused ({because})")));
    }
    let days = app.store.mailbox_days(&app.today().to_string()).await?;
    let today = days.iter().find(|(id, ..)| *id == row.id);
    Ok(today
        // A day without an allowance is not planned yet.
        .filter(|(_, allowance, ceiling, attempted, _)| *allowance > 0 && attempted >= ceiling)
        .map(|_| "the mailbox has had all of its day".to_owned()))
}

async fn lookout(
    round: &Round<'_>,
    mailbox: Option<&Mailbox>,
    roles: &[Role],
) -> Result<Lookout, String> {
    let account = round.inbox(mailbox.ok_or("it is no mailbox of this configuration")?)?;
    Lookout::begin(&account, roles).await.map_err(|trouble| trouble.to_string())
}

/// Looks again and again until it is there or the time is over; says when it was seen.
async fn wait(
    app: &App,
    lookout: Result<Lookout, String>,
    mark: &str,
    within: Duration,
) -> Result<Option<(Found, Millis)>, String> {
    let mut lookout = lookout?;
    let looking = async {
        loop {
            match lookout.find(mark).await {
                Ok(Some(found)) => return Ok(Some((found, app.now()))),
                Ok(None) => tokio::time::sleep(AGAIN_AFTER).await,
                Err(trouble) => return Err(trouble.to_string()),
            }
        }
    };
    let found = tokio::time::timeout(within, looking).await.unwrap_or(Ok(None));
    lookout.end().await;
    found
}

async fn submit(round: &Round<'_>, mailbox: &Mailbox, letter: &Letter) -> Result<Outcome, String> {
    let mut smtp = Smtp::new(round.submission(mailbox)?);
    let outcome = smtp.submit(letter, round.app.now(), &mut Onward).await;
    smtp.close().await;
    Ok(outcome)
}

/// Nothing of a test is in the books, so nothing has to be written before its dot.
struct Onward;

impl Progress for Onward {
    async fn reached(&mut self, _: Stage) -> Result<(), Halt> {
        Ok(())
    }
}

/// The test says what it is, to people by its words and to machines by `Auto-Submitted` (RFC 3834).
/// It has the headers for opting out that a signature ought to cover.
fn letter(mailbox: &Mailbox, seed: &Address, mark: &str, now: Millis) -> Result<Letter, Failure> {
    let from = &mailbox.address;
    let text = format!(
        "This is a test of the mailbox {from}, sent by `warmfront mailbox verify --send-to`.\n\
         It goes to nobody else, asks for nothing and may be deleted.\n\nMark: {mark}\n"
    );
    let draft = Draft {
        from,
        from_name: mailbox.name.as_deref(),
        to: seed,
        to_name: None,
        subject: &format!("Test of {from}: {mark}"),
        text: &text,
        html: None,
        message_id: &format!("<{mark}@{}>", from.domain()),
        in_reply_to: None,
        references: &[],
        list_unsubscribe_mailto: Some(&format!("{from}?subject=unsubscribe")),
        date: now,
    };
    let composed = compose(&draft).map_err(Failure::failed)?;
    let bytes = [MACHINE_S.as_bytes(), &composed].concat();
    Ok(Letter { from: from.clone(), to: seed.clone(), bytes })
}

/// 96 bits by which it is known where it arrives.
fn mark() -> Result<String, Failure> {
    let mut octets = [0; 12];
    rand::rngs::SysRng.try_fill_bytes(&mut octets).map_err(Failure::failed)?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// A test counts on the mailbox's day like any mail by hand: the daemon counts its copy in Sent, and
/// where there is none it is counted here.
async fn counted(
    app: &App,
    mailbox: &Mailbox,
    seed: &Address,
    copied: bool,
    found: &mut Findings,
) -> Result<(), Failure> {
    if seed.domain() == mailbox.address.domain() {
        found.well("counted", "It stays in your own domain, so it does not count on the day.");
    } else if copied {
        let says = "Its copy is in the Sent folder, and counts on the mailbox's day as mail by \
                    hand when that is next read.";
        found.well("counted", says);
    } else {
        let row = app.mailbox(mailbox.address.as_str()).await?;
        app.store.count_by_hand(row.id, seed, &app.today().to_string()).await?;
        let says = "No copy of it is in a Sent folder, so it was counted on the mailbox's day now.";
        found.well("counted", says);
    }
    Ok(())
}

/// What its arrival shows.
fn tell(arrived: &Found, mailbox: &Mailbox, sent_at: Millis, now: Millis, found: &mut Findings) {
    let took = length_text((now - sent_at).max(1_000) / 1_000 * 1_000);
    match arrived.role {
        Role::Inbox => found.well("arrival", format!("It arrived in the INBOX after {took}.")),
        Role::Junk | Role::Sent => found.warn(
            "arrival",
            format!("It arrived after {took}, in the junk folder."),
            "A test has little to say for itself; if ordinary mail lands there too, mend what is \
             named here, lower the cap and let the mailbox warm up longer.",
        ),
    }
    if let Some(received_at) = arrived.received_at.filter(|_| found.learns("clock")) {
        clock(Some(received_at), sent_at, now, found);
    }
    let read = Authentication::read(&arrived.octets);
    let from = mailbox.address.domain();
    let judge = read.judge.as_deref().unwrap_or("the receiving server");
    if read.judgements.is_empty() {
        let says = "what the receiving server thinks of SPF, DKIM and DMARC: it wrote no \
                    Authentication-Results.";
        found.unknown("authentication", says);
    }
    for (method, cure) in METHODS {
        let mut results: Vec<_> = read.by(method).collect();
        // Of several signatures one that passes and is aligned is enough.
        let is_good = |domain: Option<&String>| domain.is_some_and(|it| aligned(it, from));
        results.sort_by_key(|one| one.result != "pass" || !is_good(one.domain.as_ref()));
        let Some(best) = results.first() else { continue };
        let domain = best.domain.as_deref().unwrap_or("no domain");
        let result = &best.result;
        if result != "pass" {
            let says = format!("{judge} says {method}={result} for {domain}.");
            found.mend(method, says, cure);
        } else if !is_good(best.domain.as_ref()) {
            let says = format!("{judge} says {method}=pass, but for {domain}, not for {from}.");
            found.mend(method, says, cure);
        } else {
            found.well(method, format!("{judge} says {method}=pass for {domain}."));
        }
    }
    covered(&read, from, found);
}

/// RFC 8058, section 4: a receiver offers opting out by one click only where a valid signature covers
/// both headers.
fn covered(read: &Authentication, from: &str, found: &mut Findings) {
    let Some(signature) = read.signatures.iter().find(|one| aligned(&one.domain, from)) else {
        let others: Vec<&str> = read.signatures.iter().map(|one| one.domain.as_str()).collect();
        let says = match others.as_slice() {
            [] => "It bears no DKIM signature.".to_owned(),
            others => format!("It is signed by {} alone.", others.join(", ")),
        };
        return found.mend("signature", says, SIGN);
    };
    let domain = &signature.domain;
    let missing: Vec<&str> = OPT_OUT
        .into_iter()
        .filter(|name| !signature.covers.contains(&name.to_ascii_lowercase()))
        .collect();
    if missing.is_empty() {
        let says = format!("The signature of {domain} covers {}.", OPT_OUT.join(" and "));
        found.well("signature", says);
    } else {
        let says = format!("The signature of {domain} does not cover {}.", missing.join(" and "));
        let to_do = "Nothing helps where the provider chooses what it signs (Microsoft 365 signs \
                     seven headers); receivers may then show no unsubscribe button, and the \
                     sentence in the text serves. On a server of your own, have both signed.";
        found.warn("signature", says, to_do);
    }
}

/// Stands before the composed message. The second line is the header whose signature is looked for.
const MACHINE_S: &str =
    "Auto-Submitted: auto-generated\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";

const OPT_OUT: [&str; 2] = ["List-Unsubscribe", "List-Unsubscribe-Post"];

const SIGN: &str =
    "Switch DKIM on for the sending domain at the provider, and publish the records it names.";

/// What is judged, and what mends it.
const METHODS: [(&str, &str); 3] = [
    ("spf", "Publish an SPF record for the sending domain that names the provider's servers."),
    ("dkim", SIGN),
    ("dmarc", "DMARC passes as soon as SPF or DKIM passes for the domain in From; mend those."),
];

const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How long its arrival is waited for.
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);

/// Providers file a copy within seconds.
const COPY_WITHIN: Duration = Duration::from_secs(20);
