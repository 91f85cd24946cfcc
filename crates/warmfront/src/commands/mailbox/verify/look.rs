//! What can be seen of a mailbox without sending: both log-ins, what the servers show, and whether
//! they would take mail from it.

use std::borrow::Cow;
use std::time::Duration;

use warmfront_core::answer::{Answer, Phase};
use warmfront_core::provider::{Kind, SentCopy};
use warmfront_core::reading::Role;
use warmfront_core::span::{DAY, MINUTE, Millis, length_text};
use warmfront_mail::inbox::Unreadable;
use warmfront_mail::submit::Trouble;
use warmfront_mail::tls::Handshake;
use warmfront_mail::{imap, smtp};

use super::Round;
use super::finding::{Findings, Standing};
use crate::config::{self, Mailbox, Server, is_full_name};
use crate::mending::{Mending, mending};

/// Looks at the way out. Says whether a message could leave by it.
pub(super) async fn sending(round: &Round<'_>, mailbox: &Mailbox, found: &mut Findings) -> bool {
    let app = round.app;
    let account = match round.submission(mailbox) {
        Ok(account) => account,
        Err(why) => {
            found.add("smtp", Standing::Mend, capital(&why), None);
            return false;
        }
    };
    let before = app.now();
    let looking = tokio::time::timeout(LOOK_MAX, smtp::look(&account));
    let Ok((look, ended)) = looking.await else {
        found.add("smtp", Standing::Unseen, too_slow(&mailbox.smtp), None);
        return false;
    };
    let now = app.now();
    if look.hello.is_some() {
        handshake("smtp_tls", &mailbox.smtp, look.handshake.as_ref(), now, found);
        clock(look.dated, before, now, found);
    }
    if let Some(hello) = &look.hello {
        greeted_as(hello, mailbox, found);
    }
    match ended {
        Ok(_) => {
            let as_whom = match mailbox.auth {
                Some(_) => format!("lets {} in", mailbox.username),
                None => "wants no log-in".to_owned(),
            };
            let host = &mailbox.smtp.host;
            found.well("smtp_log_in", format!("It can send: {host} {as_whom}."));
            if mailbox.provider.kind == Kind::Relay {
                // A tenant's own mail it takes from anybody.
                let says = format!(
                    "whether {host} carries mail of {} to others: a test to somebody outside shows it \
                     (--send-to).",
                    mailbox.address
                );
                found.unknown("sender", says);
            } else {
                found.well("sender", format!("{host} takes mail from {}.", mailbox.address));
            }
            size(look.size, found);
            true
        }
        Err(trouble) => {
            let check = if look.logged_in { "sender" } else { "smtp_log_in" };
            trouble_of_sending(check, &trouble, mailbox, found);
            false
        }
    }
}

/// Looks at the way in.
pub(super) async fn reading(round: &Round<'_>, mailbox: &Mailbox, found: &mut Findings) {
    let Some(server) = &mailbox.imap else {
        return unread(mailbox, found);
    };
    let account = match round.inbox(mailbox) {
        Ok(account) => account,
        Err(why) => return found.add("imap", Standing::Mend, capital(&why), None),
    };
    let looking = tokio::time::timeout(LOOK_MAX, imap::look(&account));
    let Ok(looked) = looking.await else {
        return found.add("imap", Standing::Unseen, too_slow(server), None);
    };
    match looked {
        Ok(look) => {
            handshake("imap_tls", server, look.handshake.as_ref(), round.app.now(), found);
            let host = &server.host;
            found.well("imap_log_in", format!("It can be read: {host} lets it in."));
            if look.idles {
                found.well("idle", "What comes in is heard of at once (IDLE).");
            } else {
                let says = "The server does not tell of news (no IDLE): what comes in is seen \
                            when the inbox is next read.";
                found.well("idle", says);
            }
            folders(&look, mailbox, found);
        }
        Err(trouble) => trouble_of_reading(&trouble, mailbox, found),
    }
}

fn handshake(
    check: &'static str,
    server: &Server,
    shown: Option<&Handshake>,
    now: Millis,
    found: &mut Findings,
) {
    let (host, port) = (&server.host, server.port);
    let Some(Handshake { version, issuer, names, expires_at }) = shown else {
        let says = format!("{host}:{port} is on this machine and is spoken to in plain text.");
        return found.well(check, says);
    };
    let days = (expires_at - now) / DAY;
    let names = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let says = format!(
        "{host}:{port} speaks TLS {version}; its certificate, for {names}, is from {issuer} and \
         good for {days} more days."
    );
    if days < CERTIFICATE_WARNS {
        found.warn(check, says, "Whoever runs that server must renew its certificate.");
    } else {
        found.well(check, says);
    }
}

/// Compares a server's word with the moments between which it was said.
pub(super) fn clock(dated: Option<Millis>, before: Millis, now: Millis, found: &mut Findings) {
    let Some(dated) = dated else {
        let says = "whether this machine's clock is right; the server does not tell the time.";
        return found.unknown("clock", says);
    };
    let off = (dated - now).max(before - dated).max(0);
    if off <= CLOCK_MAY_DIFFER {
        found.well("clock", "This machine's clock agrees with the server's.");
    } else {
        let way = if dated > now { "behind" } else { "ahead of" };
        let says = format!("This machine's clock is {} {way} the server's.", length_text(off));
        let to_do = "Set the clock by the network: `timedatectl set-ntp true`.";
        found.mend("clock", says, to_do);
    }
}

fn greeted_as(hello: &str, mailbox: &Mailbox, found: &mut Findings) {
    let to_do = "Write a full name that is this machine's: `smtp = { hello = \
                 \"mail.example.com\" }`, or name the machine (`hostnamectl set-hostname`).";
    if !is_full_name(hello) {
        let says = format!("It greets as {hello}, which is no full name.");
        found.mend("hello", says, to_do);
    } else if !hello.starts_with('[') {
        found.well("hello", format!("It greets as {hello}."));
    } else if mailbox.provider.kind == Kind::Relay {
        let says = format!("It greets as {hello}, and a relay knows its customer by a name.");
        found.mend("hello", says, to_do);
    } else {
        let says = format!("It greets as {hello}, its address: the machine has no full name.");
        found.well("hello", says);
    }
}

fn size(most: Option<u64>, found: &mut Findings) {
    match most {
        Some(most) if most > 0 && most < LETTERS_MAX => {
            let says = format!("It takes messages of at most {} KiB.", most / 1024);
            found.warn("size", says, "Keep steps shorter than that.");
        }
        Some(most) if most > 0 => {
            found.well("size", format!("It takes messages of up to {} MiB.", most >> 20));
        }
        Some(_) | None => found.unknown("size", "how large a message it takes; it does not say."),
    }
}

fn folders(look: &imap::Look, mailbox: &Mailbox, found: &mut Findings) {
    let named = |role| look.folders.iter().find(|folder| folder.role == role);
    match named(Role::Junk) {
        Some(junk) => found.well("junk", format!("INBOX and {} are read.", junk.name)),
        None => found.warn(
            "junk",
            "INBOX is read; no folder for junk is found, so answers that land there go unseen.",
            "Give the junk folder its use (\\Junk, RFC 6154), or an English name.",
        ),
    }
    let copies = match mailbox.provider.sent_copy {
        SentCopy::Yes => {
            "The server files what it takes there: a message in doubt is settled by it."
        }
        SentCopy::No => {
            "The server files nothing there: a message in doubt waits for you, and mail by hand \
             is counted only where a mail program files it."
        }
        SentCopy::Unknown => {
            "Whether the server files what it takes there is not known; `--send-to` shows it."
        }
    };
    match named(Role::Sent) {
        Some(sent) if sent.is_said => {
            found.well(
                "sent",
                format!("{} is the Sent folder, says the server. {copies}", sent.name),
            );
        }
        Some(sent) => {
            found.well("sent", format!("{} is the Sent folder by its name. {copies}", sent.name));
        }
        None => found.warn(
            "sent",
            "No Sent folder is found: a message in doubt waits for you, and mail by hand does not \
             count on the mailbox's day.",
            "Give the folder its use (\\Sent, RFC 6154), or an English name.",
        ),
    }
}

/// A mailbox that sends and cannot be read, before a campaign finds out.
fn unread(mailbox: &Mailbox, found: &mut Findings) {
    let because = mailbox.unread.unwrap_or("there is no `imap`");
    let says = format!(
        "It can send and cannot be read: {because}. Replies and bounces go unseen, and no \
         follow-up leaves."
    );
    let to_do = if because == config::NO_PASSWORD_READS {
        format!(
            "Log in by OAuth, for both: `auth = {{ oauth = \"microsoft\", client_id = \"…\", tenant = \
             \"…\" }}` (docs/login.md has the steps), then `warmfront mailbox login {}`. Microsoft \
             ended passwords for reading in January 2023.",
            mailbox.address
        )
    } else {
        "Write `imap = { host = \"…\" }` for the server that holds its mail.".to_owned()
    };
    match mailbox.provider.kind {
        // A relay or a service holds no mail; where replies go is for the operator to say.
        Kind::Relay | Kind::Transactional => found.warn("imap", says, &to_do),
        Kind::Mailbox | Kind::Internal | Kind::Generic | Kind::Local => {
            found.mend("imap", says, &to_do);
        }
    }
}

pub(super) fn trouble_of_sending(
    check: &'static str,
    trouble: &Trouble,
    mailbox: &Mailbox,
    found: &mut Findings,
) {
    match trouble {
        Trouble::Refused(answer) => {
            let passes = matches!(answer.code, 400..500);
            let standing = if passes { Standing::Unseen } else { Standing::Mend };
            refused(check, standing, answer, &answer.to_string(), mailbox, found);
        }
        Trouble::Unsafe(why) | Trouble::NoSecret(why) => {
            found.add(check, Standing::Mend, capital(why), None);
        }
        Trouble::SecretAway(why) => found.add(check, Standing::Unseen, capital(why), None),
        Trouble::NeedsLogin(why) => needs_login(check, why, mailbox, found),
        Trouble::NoToken(why) => {
            let says = format!("No token to log in with is to be had at the moment: {why}");
            found.add(check, Standing::Unseen, sentence(&says), None);
        }
        Trouble::Lost { .. } | Trouble::Halted(_) => {
            let (host, port) = (&mailbox.smtp.host, mailbox.smtp.port);
            let says = sentence(&format!("{host}:{port}: {trouble}"));
            found.add(check, Standing::Unseen, says, Some(REACHING.to_owned()));
        }
    }
}

pub(super) fn trouble_of_reading(trouble: &Unreadable, mailbox: &Mailbox, found: &mut Findings) {
    let check = "imap_log_in";
    match trouble {
        Unreadable::LogIn(said) | Unreadable::Refused { said, .. } => {
            let answer = Answer::new(Phase::Auth, 0, said);
            let standing =
                if trouble.needs_an_operator() { Standing::Mend } else { Standing::Unseen };
            refused(check, standing, &answer, &trouble.to_string(), mailbox, found);
        }
        Unreadable::Unsafe(why) | Unreadable::NoSecret(why) => {
            found.add(check, Standing::Mend, capital(why), None);
        }
        Unreadable::NeedsLogin(why) => needs_login(check, why, mailbox, found),
        Unreadable::Lost(_) => {
            let place = mailbox.imap.as_ref();
            let place = place.map_or(String::new(), |at| format!("{}:{}: ", at.host, at.port));
            let says = sentence(&format!("{place}{trouble}"));
            found.add(check, Standing::Unseen, says, Some(REACHING.to_owned()));
        }
    }
}

/// Nobody has consented yet, or not any more.
fn needs_login(check: &'static str, why: &str, mailbox: &Mailbox, found: &mut Findings) {
    let to_do = format!("`warmfront mailbox login {}`", mailbox.address);
    found.mend(check, sentence(&format!("It has no token to log in with: {why}")), &to_do);
}

/// A refusal, in the server's words and in those of whoever has to mend it.
fn refused(
    check: &'static str,
    standing: Standing,
    answer: &Answer,
    told: &str,
    mailbox: &Mailbox,
    found: &mut Findings,
) {
    let (wrong, to_do) = match mending(answer, mailbox) {
        Some(Mending { wrong, to_do }) => (wrong, Some(to_do)),
        // Greylisting for one: whoever comes back later is let through.
        None if matches!(answer.code, 400..500) => (
            Cow::from("The server puts it off."),
            Some("Try again in some minutes; servers do so with senders they do not know.".into()),
        ),
        None => (Cow::from("The server refuses it."), None),
    };
    found.add(check, standing, format!("{wrong} It says: {told}"), to_do);
}

fn too_slow(server: &Server) -> String {
    format!("{}:{} took longer than {LOOK_MAX:?}.", server.host, server.port)
}

/// A sentence with one full stop, whoever said its end.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    // A name stays as it is.
    match letters.next().filter(|_| !text.split(' ').next().unwrap_or_default().contains('.')) {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => text.to_owned(),
    }
}

const REACHING: &str = "Check host, port and whether a firewall or the network's owner (port 25 \
                        and 587 are often closed in clouds) lets this machine out.";

/// Whoever looks does not wait as long as whoever sends: nothing is lost by asking again.
pub(super) const SMTP: smtp::Deadlines = smtp::Deadlines {
    connect: Duration::from_secs(10),
    command: Duration::from_secs(20),
    data_init: Duration::from_secs(20),
    block: Duration::from_secs(20),
    final_dot: Duration::from_secs(60),
    rset: Duration::from_secs(10),
    quit: Duration::from_secs(2),
};

pub(super) const IMAP: imap::Deadlines = imap::Deadlines {
    connect: Duration::from_secs(10),
    command: Duration::from_secs(20),
    fetch: Duration::from_secs(30),
    logout: Duration::from_secs(2),
};

/// One look, whatever each of its steps takes.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// A server that renews by itself does so a month before.
const CERTIFICATE_WARNS: i64 = 14;

/// Yahoo refuses dates it finds out of range; nobody refuses a minute.
const CLOCK_MAY_DIFFER: Millis = MINUTE;

/// Names of a certificate that are told.
const NAMES_SHOWN: usize = 3;

/// More than the longest step with its HTML twin makes, encoded.
const LETTERS_MAX: u64 = 512 * 1024;
