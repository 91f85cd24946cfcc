//! From what the operator declared to what the engine works with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;
use warmfront_core::calendar;
use warmfront_core::identity::Flow;
use warmfront_core::plan::Pace;
use warmfront_core::problem::Severity;
use warmfront_core::provider::{self, LimitOf};
use warmfront_core::span::Millis;
use warmfront_engine::fleet::{Domains, Fleet, Mailbox};
use warmfront_engine::tokens::{Duty, KeyAtHand, LogInError, TokenKeeper};
use warmfront_engine::{Opens, Ways};
use warmfront_mail::dns::{self, Dns};
use warmfront_mail::imap::{self, Imap};
use warmfront_mail::server::Tls;
use warmfront_mail::smtp::{self, ConnectionLimits, Smtp};

use crate::app::App;
use crate::config::{self, AuthRef, Config};
use crate::exit::{Done, Failure};
use crate::key;
use crate::logins::Logins;
use crate::print;
use crate::secret::{self, Keepers};

/// Who reads the inboxes of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The demonstration's pretend world has them all read.
    World,
    /// Their IMAP servers are asked, where there is one to ask.
    Imap,
}

/// The fleet as the engine sees it.
pub(crate) fn fleet(config: &Config, readers: Readers) -> Fleet {
    let mut of_tenant: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    for mailbox in &config.mailboxes {
        *of_tenant.entry(mailbox.tenant.as_deref()).or_default() += 1;
    }
    let mailbox = |m: &config::Mailbox| Mailbox {
        sharers: match m.provider.limit_of {
            LimitOf::Mailbox => 1,
            LimitOf::Account => of_tenant[&m.tenant.as_deref()],
        },
        ..mailbox(m, readers == Readers::World || m.imap.is_some())
    };
    Fleet {
        mailboxes: config.mailboxes.iter().map(|m| (m.address.clone(), mailbox(m))).collect(),
        timezone: config.timezone.clone(),
        timezone_name: config.timezone_name.clone(),
        company_per_day: config.limits.company_per_day,
        person_gap: config.limits.person_gap,
        domain_per_day: config.limits.domain_per_day,
        thresholds: config.thresholds,
        tenants: config.tenants.iter().map(|(n, t)| (n.clone(), t.per_day())).collect(),
        domains: config.doctor.enabled.then(|| domains(config)),
    }
}

fn domains(config: &Config) -> Domains {
    let told = |domain: &config::Domain| (domain.registered, domain.selectors.clone());
    Domains {
        grace: config.doctor.grace,
        told: config.domains.iter().map(|(name, domain)| (name.clone(), told(domain))).collect(),
    }
}

/// How the DNS is asked, with a key that was looked up.
pub(crate) fn dns(config: &Config) -> anyhow::Result<Dns> {
    let doctor = &config.doctor;
    let key =
        doctor.key().map(|key| secret::text(key, config::DQS_KEY, &Keepers::new())).transpose()?;
    Ok(Dns::open(dns::Settings {
        server: doctor.resolver,
        blocklists: doctor.blocklists.iter().copied().collect(),
        dqs_key: key,
        ..dns::Settings::default()
    })?)
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
        sharers: 1,
    }
}

/// Refuses to begin while something is missing: found later, it would only pause a mailbox. What may be
/// there the next time is told, and nobody waits for it but its own mailbox.
pub(crate) fn refuse_what_is_missing(config: &Config) -> Result<(), Failure> {
    let missing = config.missing();
    if missing.iter().any(|problem| problem.severity != Severity::Warning) {
        return Err(Failure::Problems(missing));
    }
    missing.iter().for_each(print::note);
    Ok(())
}

/// Who keeps the tokens of a configuration's mailboxes, and how all of them log in.
pub(crate) fn logins(app: &App, owner: &str, duty: Duty) -> Logins {
    let (store, clock, keys) = (app.store.clone(), app.clock.clone(), key::source(&app.config));
    Logins::new(TokenKeeper::new(store, clock, owner.to_owned(), keys, duty))
}

/// Has the key in hand that the books' tokens are sealed by, before anything begins: a daemon without it
/// would hold up mailboxes that another machine could work for. Where an application asks in its own
/// name nobody ever logs in, and the first key is made here.
pub(crate) async fn take_key(app: &App, logins: &Logins) -> Done {
    let config = &app.config;
    let flow = |mailbox: &config::Mailbox| match &mailbox.auth {
        Some(AuthRef::OAuth(oauth)) => Some(oauth.flow),
        Some(AuthRef::Password(_)) | None => None,
    };
    let flows: Vec<Flow> = config.mailboxes.iter().filter_map(flow).collect();
    if flows.is_empty() {
        return Ok(());
    }
    let another = || Failure::Refused(key::not_the_books(config));
    match (key::is_missing(config), books_have_a_key(app).await?) {
        (true, true) => return Err(another()),
        (true, false) if flows.contains(&Flow::App) => {
            key::make(config).map_err(Failure::failed)?;
        }
        // The first log-in makes it.
        (true, false) => return Ok(()),
        (false, _) => {}
    }
    match key_at_hand(logins.keeper()).await? {
        KeyAtHand::Another => Err(another()),
        KeyAtHand::First | KeyAtHand::TheBooks => Ok(()),
    }
}

/// Whether the books have tokens that some key has sealed for good.
pub(crate) async fn books_have_a_key(app: &App) -> Result<bool, Failure> {
    Ok(app.store.sealed_by().await?.is_some() || app.store.consented().await?.is_some())
}

/// What the key at hand is to the books.
pub(crate) async fn key_at_hand(keeper: &TokenKeeper) -> Result<KeyAtHand, Failure> {
    keeper.key_at_hand().await.map_err(not_kept)
}

pub(crate) fn not_kept(error: LogInError) -> Failure {
    match error {
        LogInError::Key(why) => Failure::failed(anyhow::anyhow!(why)),
        LogInError::Store(error) => error.into(),
    }
}

/// The real ways: SMTP out, IMAP in.
pub(crate) fn ways(config: &Config, logins: &Logins) -> Ways<Smtp, Imap> {
    let mailboxes: Arc<[config::Mailbox]> = config.mailboxes.clone().into();
    let (known, out_by, in_by) = (Arc::clone(&mailboxes), logins.clone(), logins.clone());
    let out: Opens<Result<Smtp, String>> = Arc::new(move |wanted: &Mailbox| {
        let known = known.iter().find(|m| m.address == wanted.address);
        let known = known.ok_or_else(|| format!("{} is not configured", wanted.address))?;
        submission(known, &out_by).map(Smtp::new)
    });
    let inbox: Opens<Option<Imap>> = Arc::new(move |wanted: &Mailbox| {
        let known = mailboxes.iter().find(|m| m.address == wanted.address)?;
        match inbox(known, known.imap.as_ref()?, &in_by) {
            Ok(account) => Some(Imap::new(account)),
            Err(why) => {
                warn!(why, "a mailbox cannot be read");
                None
            }
        }
    });
    Ways { out, inbox }
}

/// A mailbox's way out.
pub(crate) fn submission(
    mailbox: &config::Mailbox,
    logins: &Logins,
) -> Result<smtp::Account, String> {
    let server = &mailbox.smtp;
    let limits = ConnectionLimits::default();
    let messages = mailbox.provider.messages_per_connection.unwrap_or(limits.messages);
    Ok(smtp::Account {
        address: mailbox.address.clone(),
        username: mailbox.username.clone(),
        credentials: logins.credentials(mailbox),
        host: server.host.clone(),
        port: server.port,
        tls: tls(server),
        roots: roots(server)?,
        hello: server.hello.clone().or_else(hello),
        limits: ConnectionLimits { messages: messages.min(limits.messages), ..limits },
        deadlines: smtp::Deadlines::default(),
    })
}

/// A mailbox's way in.
pub(crate) fn inbox(
    mailbox: &config::Mailbox,
    server: &config::Server,
    logins: &Logins,
) -> Result<imap::Account, String> {
    Ok(imap::Account {
        username: mailbox.username.clone(),
        credentials: logins.credentials(mailbox),
        host: server.host.clone(),
        port: server.port,
        tls: tls(server),
        roots: roots(server)?,
        deadlines: imap::Deadlines::default(),
    })
}

fn roots(server: &config::Server) -> Result<Option<Vec<u8>>, String> {
    let Some(ca) = &server.ca else { return Ok(None) };
    let roots = std::fs::read(&ca.path).map_err(|error| {
        format!("the certificate file {} cannot be read: {error}", ca.path.display())
    });
    roots.map(Some)
}

fn tls(server: &config::Server) -> Tls {
    match server.tls {
        provider::Tls::Implicit => Tls::Implicit,
        provider::Tls::StartTls => Tls::Starttls,
        provider::Tls::None => Tls::None,
    }
}

/// Our own name in EHLO: the machine's, if it looks like one that resolves; else none, and the
/// connection's own address serves (RFC 5321, section 4.1.4).
fn hello() -> Option<String> {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    Some(name.trim().to_owned()).filter(|name| config::is_full_name(name))
}

/// Names this process among all that may hold leases.
pub(crate) fn owner(now: Millis) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
    let since = calendar::timestamp(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    format!("process {} on {host}, started {since}", std::process::id())
}
