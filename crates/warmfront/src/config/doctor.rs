//! `[doctor]` and `[domain.NAME]`: how sending domains are looked at, and what the DNS does not say of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use jiff::civil::Date;
use warmfront_campaigns::document::{Item, Section};
use warmfront_core::domain::blocklist::List;
use warmfront_core::domain::{GRACE, grace_refusal};
use warmfront_core::problem::Problem;
use warmfront_core::span::{Millis, parse_length};

use super::auth;
use crate::secret::SecretRef;

/// How sending domains are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doctor {
    /// Whether they are at all. `warmfront doctor` looks all the same.
    pub(crate) enabled: bool,
    /// How long a failure stands before first messages wait for it.
    pub(crate) grace: Millis,
    /// The name server to ask; the system's where there is none.
    pub(crate) resolver: Option<SocketAddr>,
    /// The lists of bad domains to ask. None unless named: their terms are for few questions, and
    /// not for everybody.
    pub(crate) blocklists: BTreeSet<List>,
    /// The key of a Spamhaus Data Query Service account.
    pub(crate) dqs_key: Option<SecretRef>,
}

/// What the operator says of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Domain {
    /// When it was registered.
    pub(crate) registered: Option<Date>,
    /// Its DKIM selectors, where they are not its provider's.
    pub(crate) selectors: Vec<String>,
}

impl Doctor {
    /// The key, where the list is asked that it is for.
    pub(crate) fn key(&self) -> Option<&SecretRef> {
        self.dqs_key.as_ref().filter(|_| self.blocklists.contains(&List::Dbl))
    }
}

impl Default for Doctor {
    fn default() -> Self {
        let (resolver, blocklists, dqs_key) = (None, BTreeSet::new(), None);
        Self { enabled: true, grace: GRACE, resolver, blocklists, dqs_key }
    }
}

/// Reads `[doctor]`.
pub(super) fn doctor(mut section: Section<'_>, dir: &Path, problems: &mut Vec<Problem>) -> Doctor {
    let usual = Doctor::default();
    let enabled = section.boolean("enabled", problems).is_none_or(|said| said.value);
    let grace = section.parsed("grace", grace, problems).map_or(usual.grace, |said| said.value);
    let resolver = section.parsed("resolver", resolver, problems).map(|said| said.value);
    let mut blocklists = BTreeSet::new();
    for named in section.texts("blocklists", problems).into_iter().flat_map(|named| named.value) {
        match List::of_word(&named.value) {
            Some(list) => {
                blocklists.insert(list);
            }
            None => {
                let known = List::ALL.map(List::as_str).join(", ");
                let what = format!("`{}` in `blocklists` is none of {known}", named.value);
                problems.push(section.problem(named.line, what));
            }
        }
    }
    let dqs_key = auth::secret(&mut section, "dqs_key", dir, problems);
    section.finish(problems);
    Doctor { enabled, grace, resolver, blocklists, dqs_key }
}

fn grace(text: &str) -> Result<Millis, String> {
    let grace = parse_length(text)?;
    grace_refusal(grace).map_or(Ok(grace), Err)
}

fn resolver(text: &str) -> Result<SocketAddr, String> {
    let of_port = |ip: IpAddr| SocketAddr::new(ip, 53);
    text.parse().or_else(|_| text.parse().map(of_port)).map_err(|_| {
        format!("`{text}` is no name server; write an address such as \"127.0.0.1:5353\"")
    })
}

/// Reads `[domain.NAME]`, all of them.
pub(super) fn domains(
    mut section: Section<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Domain> {
    let names: Vec<&str> = section.keys().map(|key| key.value).collect();
    let mut domains = BTreeMap::new();
    for name in names {
        let Some(mut section) = section.section(name, problems) else { continue };
        let day = |item: Item<'_>| match item {
            Item::Date(date) => Some(date),
            Item::Text(text) => text.parse().ok(),
            _ => None,
        };
        let registered = section.read("registered", "a day such as \"2026-01-05\"", day, problems);
        let selectors = section.texts("dkim", problems).map(|named| named.value);
        let selectors =
            selectors.unwrap_or_default().into_iter().map(|named| named.value).collect();
        section.finish(problems);
        let domain = Domain { registered: registered.map(|day| day.value), selectors };
        domains.insert(name.to_ascii_lowercase(), domain);
    }
    domains
}
