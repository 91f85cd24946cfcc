//! The outermost keys of `warmfront.toml`, and the order in which its parts are read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use jiff::tz::TimeZone;
use warmfront_campaigns::document::{Document, Located, Section};
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::provider::Presets;
use warmfront_core::span::{Millis, length_text, parse_length};
use warmfront_core::text::is_out_of_line;

use super::auth::secret;
use super::settings::Settings;
use super::{
    Config, Limits, Mailbox, Sender, Surroundings, Web, doctor, health, mailbox, rows, tenant,
};
use crate::secret::SecretRef;

/// Reads the whole; `None` where a part the others need is wrong.
pub(super) fn read(
    path: &Path,
    document: &Document,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let file = path.display().to_string();
    let dir = path.parent().unwrap_or(Path::new(""));
    let presets = Presets::load();
    let mut root = document.root();

    let store = root.section("store", problems).map(|section| store(section, dir, problems));
    let (store_url, key) = store.unzip();
    let sender = root.section("sender", problems).and_then(|section| sender(section, problems));
    let web = root.section("web", problems).and_then(|section| web(section, problems));
    let defaults = defaults(&mut root, &file, problems);
    let limits = root.section("limits", problems).map(|section| limits(section, problems));
    let thresholds = root.section("health", problems);
    let thresholds = thresholds.map(|section| health::thresholds(section, problems));
    let doctor = root.section("doctor", problems);
    let doctor = doctor.map(|section| doctor::doctor(section, dir, problems));
    let domains = root.section("domain", problems);
    let domains = domains.map(|section| doctor::domains(section, problems));
    let tenants = root.section("tenant", problems);
    let tenants = tenants.map(|section| tenant::read(section, &presets, problems));
    let mut tenants = tenants.unwrap_or_default();
    let timezone = defaults.timezone.clone().unwrap_or(TimeZone::UTC);
    let around = Surroundings {
        file,
        dir,
        presets: &presets,
        tenants: &tenants,
        defaults: &defaults,
        timezone: &timezone,
    };
    let mailboxes = mailboxes(&mut root, around, problems);
    if let Some(what) = tenant::add_unsaid(&mailboxes, &mut tenants) {
        problems.push(root.problem(root.line(), what));
    }
    if let Some(what) = tenant::nobody_s(&mailboxes) {
        problems.push(warning(&root, root.line(), &what));
    }
    root.finish(problems);
    Some(Config {
        path: path.to_owned(),
        store_url: store_url.unwrap_or_else(|| Some(in_folder(dir, DEFAULT_STORE)))?,
        key: key.flatten(),
        sender,
        web,
        timezone_name: timezone.iana_name().unwrap_or("UTC").to_owned(),
        timezone_override: defaults.over_limits,
        limits: limits.unwrap_or_default(),
        thresholds: thresholds.unwrap_or_default(),
        doctor: doctor.unwrap_or_default(),
        domains: domains.unwrap_or_default(),
        mailboxes,
        warnings: Vec::new(),
        timezone,
        tenants,
    })
}

fn defaults(root: &mut Section<'_>, file: &str, problems: &mut Vec<Problem>) -> Settings {
    let section = root.section("defaults", problems);
    if !section.as_ref().is_some_and(|section| section.has("timezone")) {
        let line = section.as_ref().map_or(root.line(), Section::line);
        let what = "no `timezone` in [defaults]: days are counted in UTC";
        problems.push(warning(root, line, what));
    }
    let Some(mut section) = section else { return Settings::default() };
    let defaults = Settings::read(&mut section, file, problems);
    section.finish(problems);
    defaults
}

/// The mailboxes of the file itself, then those of the table it names.
fn mailboxes(
    root: &mut Section<'_>,
    around: Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Mailbox> {
    let mut fleet = Fleet::default();
    for section in root.sections("mailbox", problems) {
        fleet.add(mailbox::read(section, &around, problems), &around.file, problems);
    }
    if let Some(named) = root.text("mailboxes", problems) {
        let file = around.dir.join(&named.value);
        let around = Surroundings { file: file.display().to_string(), ..around };
        for row in &rows(&file, problems) {
            let read = mailbox::read(row.root(), &around, problems);
            fleet.add(read, &around.file, problems);
        }
    }
    if !root.has("mailbox") && !root.has("mailboxes") {
        problems.push(warning(root, root.line(), "no mailbox is declared, so nothing can be sent"));
    }
    fleet.mailboxes
}

/// The mailboxes read so far, and where each stands.
#[derive(Default)]
struct Fleet {
    mailboxes: Vec<Mailbox>,
    places: BTreeMap<String, String>,
}

impl Fleet {
    /// Adds a mailbox, unless its address is there already.
    fn add(&mut self, read: Option<Located<Mailbox>>, file: &str, problems: &mut Vec<Problem>) {
        let Some(Located { value: mailbox, line }) = read else { return };
        let address = mailbox.address.to_string();
        if let Some(first) = self.places.get(&address) {
            let what = format!("{address} is already declared at {first}; leave one of them out");
            problems.push(Problem::error(file, Some(line), what));
            return;
        }
        self.places.insert(address, format!("{file}:{line}"));
        self.mailboxes.push(mailbox);
    }
}

/// Where the books are, and the key that tokens in them are sealed by.
fn store(
    mut section: Section<'_>,
    dir: &Path,
    problems: &mut Vec<Problem>,
) -> (Option<String>, Option<SecretRef>) {
    let key = if section.has("key") {
        secret(&mut section, "key", dir, problems)
    } else {
        // Asked for, so that it does not count as unknown.
        section.value("key");
        None
    };
    let url = section.text("url", problems);
    let url = section.required("url", url, problems);
    let line = url.as_ref().map_or(section.line(), |url| url.line);
    let read = url.and_then(|url| {
        let read = store_url(dir, &url.value);
        if read.is_none() {
            // Not quoted: a mistyped URL may hold a password.
            let what = "`url` in [store] must begin with `sqlite://` or `postgres://`";
            problems.push(section.problem(line, what));
        }
        read
    });
    if read.as_deref().is_some_and(holds_password) {
        let what = "a password stands in `url` in [store]; leave it out and set PGPASSWORD, or \
                    write it into ~/.pgpass";
        problems.push(warning(&section, line, what));
    }
    section.finish(problems);
    (read, key)
}

/// A URL as [store] has it, with its file where it is for whoever works by the configuration in
/// `dir`. `None`: it names no database that can keep the books.
pub(crate) fn store_url(dir: &Path, url: &str) -> Option<String> {
    match url.split(':').next() {
        Some("sqlite") => Some(in_folder(dir, url)),
        Some("postgres" | "postgresql") => Some(url.to_owned()),
        _ => None,
    }
}

/// The same SQLite URL with a relative file taken from `dir`, wherever the process was started: a
/// second, empty database would know nothing of what was sent.
fn in_folder(dir: &Path, url: &str) -> String {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let file = rest.strip_prefix("//").unwrap_or(rest);
    let bare = dir.as_os_str().is_empty() || file.starts_with('/');
    if bare || file.starts_with(":memory:") {
        return url.to_owned();
    }
    // In a URL `%` begins an escape and `?` the parameters.
    let dir = dir.display().to_string().replace('%', "%25").replace('?', "%3F");
    format!("sqlite://{}/{file}", dir.trim_end_matches('/'))
}

fn holds_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
        || url.contains("password=")
}

fn sender(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Option<Sender> {
    let legal_name = section.parsed("legal_name", super::mailbox::one_line, problems);
    let legal_name = section.required("legal_name", legal_name, problems);
    let postal_address = section.parsed("postal_address", lines, problems);
    let postal_address = section.required("postal_address", postal_address, problems);
    section.finish(problems);
    Some(Sender { legal_name: legal_name?.value, postal_address: postal_address?.value })
}

/// An address may be written as an envelope has it, over several lines.
fn lines(text: &str) -> Result<String, &'static str> {
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    if lines.iter().any(|line| line.contains(is_out_of_line)) {
        return Err("it must be text without control characters");
    }
    if lines.is_empty() { Err("it is empty") } else { Ok(lines.join("\n")) }
}

fn web(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Option<Web> {
    let listen = section.parsed("listen", listen, problems);
    let public_url = section.parsed("public_url", public_url, problems);
    let plain = public_url.as_ref().filter(|url| {
        let host = url.value.strip_prefix("http://").unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        !host.is_empty() && !super::server::is_loopback(host)
    });
    if let Some(url) = plain {
        let what = "`public_url` in [web] is not https: whoever is between you and the console \
                    reads what you see and may press what you press";
        problems.push(warning(&section, url.line, what));
    }
    let open = listen.as_ref().filter(|listen| !listen.value.ip().is_loopback());
    if let Some(listen) = open {
        let what = "`listen` in [web] is not an address of this machine alone, and the console asks \
                    nobody who they are; write \"127.0.0.1:8025\", and reach it through ssh or a \
                    proxy that asks";
        let problem = section.problem(listen.line, what);
        problems.push(Problem { severity: Severity::Refusal, ..problem });
    }
    section.finish(problems);
    let listen = listen.map_or(LISTEN, |listen| listen.value);
    Some(Web { listen, public_url: public_url.map(|url| url.value) })
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no address to listen at; write one such as \"127.0.0.1:8025\"")
    })
}

fn public_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !"?#<>\"".contains(c);
    if host.is_empty() || host.starts_with('/') || !host.chars().all(plain) {
        return Err(format!(
            "`{text}` is no base URL; write one such as \"https://mail.example.com\""
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn limits(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Limits {
    let safe = Limits::default();
    let allowed = section.boolean("override", problems).is_some_and(|said| said.value);
    let company = section.integer("company_per_day", 1..=LIMIT_MAX, problems);
    let person = section.parsed("person_gap", parse_length, problems);
    let domain = section.integer("domain_per_day", 1..=LIMIT_MAX, problems);
    let mut refuse = |line, what: String| {
        if !allowed {
            let what = format!("{what}; tighten it, or add `override = true` beside it");
            let problem = section.problem(line, what);
            problems.push(Problem { severity: Severity::Refusal, ..problem });
        }
    };
    let looser = |is: &Located<u32>, most: u32| is.value > most;
    if let Some(is) = company.filter(|is| looser(is, safe.company_per_day)) {
        let most = safe.company_per_day;
        refuse(is.line, format!("`company_per_day` in [limits] is {}, above {most}", is.value));
    }
    if let Some(is) = person.filter(|is: &Located<Millis>| is.value < safe.person_gap) {
        let least = length_text(safe.person_gap);
        let what = format!("`person_gap` in [limits] is {}, below {least}", length_text(is.value));
        refuse(is.line, what);
    }
    if let Some(is) = domain.filter(|is| looser(is, safe.domain_per_day)) {
        let most = safe.domain_per_day;
        refuse(is.line, format!("`domain_per_day` in [limits] is {}, above {most}", is.value));
    }
    section.finish(problems);
    Limits {
        company_per_day: company.map_or(safe.company_per_day, |is| is.value),
        person_gap: person.map_or(safe.person_gap, |is| is.value),
        domain_per_day: domain.map_or(safe.domain_per_day, |is| is.value),
    }
}

fn warning(section: &Section<'_>, line: usize, what: &str) -> Problem {
    Problem { severity: Severity::Warning, ..section.problem(line, what) }
}

/// Where the books are when nobody says.
const DEFAULT_STORE: &str = "sqlite://warmfront.db";

/// Where the console listens when nobody says: on this machine only.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8025);

/// Nobody sends more in a day; larger figures are slips of the pen.
const LIMIT_MAX: i64 = 1_000_000;
