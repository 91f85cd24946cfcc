//! From what the operator declared to what the engine works with.

use std::sync::Arc;

use warmfront_core::calendar;
use warmfront_core::plan::Pace;
use warmfront_core::provider;
use warmfront_core::span::Millis;
use warmfront_engine::fleet::{Fleet, Mailbox};
use warmfront_engine::{Opens, Ways};
use warmfront_mail::inbox::NoInbox;
use warmfront_mail::smtp::{Account, ConnectionLimits, Credentials, Deadlines, Smtp, Tls};

use crate::config::{self, Config};
use crate::secret;

/// Who reads the inboxes of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The demonstration's pretend world has them all read.
    World,
    /// This version reads none.
    Nobody,
}

/// The fleet as the engine sees it.
pub(crate) fn fleet(config: &Config, readers: Readers) -> Fleet {
    let mailbox = |m| mailbox(m, readers == Readers::World);
    Fleet {
        mailboxes: config.mailboxes.iter().map(|m| (m.address.clone(), mailbox(m))).collect(),
        timezone: config.timezone.clone(),
        timezone_name: config.timezone_name.clone(),
        company_per_day: config.limits.company_per_day,
        person_gap: config.limits.person_gap,
        domain_per_day: config.limits.domain_per_day,
        tenants: config.tenants.iter().map(|(n, t)| (n.clone(), t.per_day())).collect(),
    }
}

fn mailbox(config: &config::Mailbox, inbox_is_read: bool) -> Mailbox {
    let pace: Pace = config.pace;
    Mailbox {
        address: config.address.clone(),
        name: config.name.clone(),
        provider: config.provider.clone(),
        cap: config.cap,
        curve: config.curve.clone(),
        gap: config.gap,
        window: config.window.clone(),
        timezone: config.timezone.clone(),
        tenant: config.tenant.clone(),
        tags: config.tags.clone(),
        pace,
        inbox_is_read,
        warm_days: config.warm_days,
    }
}

/// The real ways: SMTP out. Inboxes are not read by this version, so follow-ups of real mailboxes
/// stay at home.
pub(crate) fn ways(config: &Config) -> Ways<Smtp, NoInbox> {
    let mailboxes: Vec<config::Mailbox> = config.mailboxes.clone();
    let hello = hello();
    let out: Opens<Result<Smtp, String>> = Arc::new(move |wanted: &Mailbox| {
        let known = mailboxes.iter().find(|m| m.address == wanted.address);
        let known = known.ok_or_else(|| format!("{} is not configured", wanted.address))?;
        account(known, &hello).map(Smtp::new)
    });
    let inbox: Opens<Option<NoInbox>> = Arc::new(|_| None);
    Ways { out, inbox }
}

fn account(mailbox: &config::Mailbox, hello: &str) -> Result<Account, String> {
    let password = secret::password(mailbox).map_err(|error| error.to_string())?;
    let server = &mailbox.smtp;
    let roots = server.ca.as_ref().map(|ca| {
        std::fs::read(&ca.path).map_err(|error| {
            format!("the certificate file {} cannot be read: {error}", ca.path.display())
        })
    });
    let limits = ConnectionLimits::default();
    let messages = mailbox.provider.messages_per_connection.unwrap_or(limits.messages);
    Ok(Account {
        address: mailbox.address.clone(),
        username: mailbox.username.clone(),
        credentials: password.map(Credentials::Password),
        host: server.host.clone(),
        port: server.port,
        tls: match server.tls {
            provider::Tls::Implicit => Tls::Implicit,
            provider::Tls::StartTls => Tls::Starttls,
            provider::Tls::None => Tls::None,
        },
        roots: roots.transpose()?,
        hello: hello.to_owned(),
        limits: ConnectionLimits { messages: messages.min(limits.messages), ..limits },
        deadlines: Deadlines::default(),
    })
}

/// Our own name in EHLO: the machine's, if it looks like one that resolves, else an address
/// literal (RFC 5321, section 4.1.4).
fn hello() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if name.contains('.') && name.chars().all(is_name) {
        name.to_owned()
    } else {
        "[127.0.0.1]".to_owned()
    }
}

/// Names this process among all that may hold leases.
pub(crate) fn owner(now: Millis) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
    let since = calendar::timestamp(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    format!("process {} on {host}, started {since}", std::process::id())
}
