//! What the operator declares in `warmfront.toml`: mailboxes, limits, where things are kept.
//!
//! A [`Config`] that was loaded has kept every safety rule, or says `override` where it does not.
//! All problems of all files are found in one run. Loading looks up no secret and touches no
//! server, and campaigns are read elsewhere.

mod auth;
mod doctor;
mod health;
mod mailbox;
mod placeholder;
mod server;
mod settings;
mod tenant;
mod top;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use warmfront_campaigns::document::{self, Document};
use warmfront_core::address::Address;
use warmfront_core::calendar::Window;
use warmfront_core::health::Thresholds;
use warmfront_core::plan::Pace;
use warmfront_core::problem::{self, Problem};
use warmfront_core::provider::{Preset, Presets};
use warmfront_core::span::Millis;
use warmfront_core::warmup::Curve;
use warmfront_mail::submit::Trouble;

use crate::key;
use crate::logins;
use crate::secret::{self, Keepers, SecretRef};

pub(crate) use self::auth::{AuthRef, OAuthRef};
pub(crate) use self::doctor::{Doctor, Domain};
pub(crate) use self::mailbox::NO_PASSWORD_READS;
pub(crate) use self::server::{Server, is_full_name};
pub(crate) use self::tenant::Tenant;
pub(crate) use self::top::store_url;

/// A commented configuration to begin with: one mailbox at any host.
pub(crate) const EXAMPLE: &str = include_str!("example.toml");

/// Everything `warmfront.toml` says, with the files it names. Their paths, the database's too, are
/// taken from the folder it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file itself.
    pub(crate) path: PathBuf,
    /// Where the books are kept.
    pub(crate) store_url: String,
    /// Where the key is that tokens in them are sealed by, where the operator says.
    pub(crate) key: Option<SecretRef>,
    /// Who writes. A campaign does not load without it.
    pub(crate) sender: Option<Sender>,
    /// The console, where it is wanted.
    pub(crate) web: Option<Web>,
    /// In which days are counted.
    pub(crate) timezone: TimeZone,
    /// Its name in the IANA database.
    pub(crate) timezone_name: String,
    /// Whether it may differ from the one the books were begun with.
    pub(crate) timezone_override: bool,
    /// What holds for all mailboxes together.
    pub(crate) limits: Limits,
    /// When mailboxes and campaigns stop.
    pub(crate) thresholds: Thresholds,
    /// The provider accounts that mailboxes share, by name.
    pub(crate) tenants: BTreeMap<String, Tenant>,
    /// How sending domains are looked at.
    pub(crate) doctor: Doctor,
    /// What the operator says of sending domains, by name.
    pub(crate) domains: BTreeMap<String, Domain>,
    /// The mailboxes, in the order of the files.
    pub(crate) mailboxes: Vec<Mailbox>,
    /// What does not stand in the way of running, and is worth knowing.
    pub(crate) warnings: Vec<Problem>,
}

/// Who writes, as the law wants it named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) legal_name: String,
    pub(crate) postal_address: String,
}

/// Where the console listens, and by what name it may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Web {
    pub(crate) listen: std::net::SocketAddr,
    /// Without a slash at its end.
    pub(crate) public_url: Option<String>,
}

/// What holds for all mailboxes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// People of one company who get a message in a day.
    pub(crate) company_per_day: u32,
    /// The least time between any two messages to one person.
    pub(crate) person_gap: Millis,
    /// Messages of one sending domain in a day.
    pub(crate) domain_per_day: u32,
}

/// One sending account.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    pub(crate) address: Address,
    /// The name recipients see.
    pub(crate) name: Option<String>,
    pub(crate) provider: Preset,
    /// What it logs in as.
    pub(crate) username: String,
    /// How it logs in; `None` where its server asks for nothing.
    pub(crate) auth: Option<AuthRef>,
    pub(crate) smtp: Server,
    /// `None` where nothing can be read; then its follow-ups stay at home.
    pub(crate) imap: Option<Server>,
    /// Why nothing can be read, where that is so.
    pub(crate) unread: Option<&'static str>,
    /// The most it may ever do in a day.
    pub(crate) cap: u32,
    pub(crate) curve: Curve,
    /// The least time between two of its messages.
    pub(crate) gap: Millis,
    /// When it may send at all, seen from `timezone`; `None` leaves that to the campaigns.
    pub(crate) window: Option<Vec<Window>>,
    pub(crate) timezone: TimeZone,
    pub(crate) tenant: Option<String>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) pace: Pace,
    /// Where it stands on its curve when first seen.
    pub(crate) warm_days: u32,
    /// Whether `override = true` stands on it or in `[defaults]`.
    pub(crate) over_limits: bool,
}

impl Config {
    /// The mailboxes of which nobody reads the inbox, by the reason.
    pub(crate) fn unread(&self) -> BTreeMap<&'static str, Vec<&Address>> {
        let mut unread: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for mailbox in &self.mailboxes {
            if let Some(because) = mailbox.unread {
                unread.entry(because).or_default().push(&mailbox.address);
            }
        }
        unread
    }

    /// What a mailbox cannot be opened without and is not there: its secret, its certificates. All
    /// mailboxes' at once, each thing once. Only a warning where it may be there the next time, but for
    /// what all mailboxes go by: the keys of the seals and of a list of bad domains.
    pub(crate) fn missing(&self) -> Vec<Problem> {
        let file = self.path.display().to_string();
        let keepers = Keepers::new();
        let told = |trouble: Trouble| match trouble {
            Trouble::SecretAway(why) => Problem::warning(&file, None, why),
            trouble => Problem::error(&file, None, trouble.to_string()),
        };
        let logins = logins::all_missing(&self.mailboxes, &keepers).into_iter().map(told);
        let servers =
            self.mailboxes.iter().flat_map(|mailbox| [Some(&mailbox.smtp), mailbox.imap.as_ref()]);
        let servers = servers.flatten().filter_map(|server| server.ca.as_ref());
        let providers = self.mailboxes.iter().filter_map(|mailbox| match &mailbox.auth {
            Some(AuthRef::OAuth(oauth)) => oauth.ca.as_ref(),
            Some(AuthRef::Password(_)) | None => None,
        });
        let certificates = servers.chain(providers).filter_map(server::Ca::problem);
        let lists = self.doctor.key().filter(|_| self.doctor.enabled);
        let lists = lists.and_then(|key| secret::text(key, DQS_KEY, &keepers).err());
        let lists = lists.map(|error| Problem::error(&file, None, error.to_string()));
        let seal = key::missing(self).map(|what| Problem::error(&file, None, what));
        let mut missing: Vec<Problem> =
            logins.chain(certificates).chain(lists).chain(seal).collect();
        missing.sort();
        missing.dedup();
        missing
    }
}

impl Default for Limits {
    fn default() -> Self {
        let person_gap = 48 * warmfront_core::span::HOUR;
        Self { company_per_day: 2, person_gap, domain_per_day: 4_000 }
    }
}

/// How the key of a list of bad domains is called where it cannot be had.
pub(crate) const DQS_KEY: &str = "`dqs_key` in [doctor]";

/// Reads the file and those it names; all their problems where there is an error among them.
pub(crate) fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    whole(load_all(path))
}

/// Reads the file and those it names: what can be made of them, and everything wrong with them.
pub(crate) fn load_all(path: &Path) -> (Option<Config>, Vec<Problem>) {
    let unreadable = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => {
                "; `warmfront init` writes one, `--config FILE` names another"
            }
            _ => "",
        };
        let what = format!("cannot be read: {error}{hint}");
        vec![Problem::error(path.display().to_string(), None, what)]
    };
    match std::fs::read_to_string(path) {
        Ok(text) => parse_all(path, &text),
        Err(error) => (None, unreadable(error)),
    }
}

/// What [`EXAMPLE`] declares.
pub(crate) fn example() -> Option<Config> {
    parse_all(Path::new("warmfront.toml"), EXAMPLE).0
}

/// What `text`, standing in the file `path`, declares.
#[cfg(test)]
pub(crate) fn parse(path: &Path, text: &str) -> Result<Config, Vec<Problem>> {
    whole(parse_all(path, text))
}

fn parse_all(path: &Path, text: &str) -> (Option<Config>, Vec<Problem>) {
    let mut problems = Vec::new();
    let document = match Document::parse(&path.display().to_string(), text) {
        Ok(document) => document,
        Err(problem) => return (None, vec![problem]),
    };
    let config = top::read(path, &document, &mut problems);
    // One mistake in [defaults] may be met on every mailbox.
    problems.sort();
    problems.dedup();
    (config, problems)
}

fn whole((config, problems): (Option<Config>, Vec<Problem>)) -> Result<Config, Vec<Problem>> {
    match config {
        Some(config) if !problem::any_error(&problems) => {
            Ok(Config { warnings: problems, ..config })
        }
        _ => Err(problems),
    }
}

/// What a part of the configuration is read against.
struct Surroundings<'a> {
    /// The file the part stands in, as the operator would name it.
    file: String,
    /// The folder its paths start from.
    dir: &'a Path,
    presets: &'a Presets,
    tenants: &'a BTreeMap<String, Tenant>,
    defaults: &'a settings::Settings,
    /// The counting day's zone.
    timezone: &'a TimeZone,
}

/// The rows of a file named beside `dir`, each a document.
fn rows(file: &Path, problems: &mut Vec<Problem>) -> Vec<Document> {
    let shown = file.display().to_string();
    let (documents, found) = match std::fs::read(file) {
        Ok(bytes) => document::rows(&shown, &bytes),
        Err(error) => {
            let what = format!("cannot be read: {error}");
            (Vec::new(), vec![Problem::error(&shown, None, what)])
        }
    };
    problems.extend(found);
    documents
}

#[cfg(test)]
mod tests;
