//! One mailbox, from a `[[mailbox]]` table or a row of the fleet's file.

use warmfront_campaigns::document::{Located, Section};
use warmfront_core::address::Address;
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::provider::{ColdMail, Kind, LogIn, Preset};
use warmfront_core::text::is_out_of_line;

use super::auth::{self, AuthRef};
use super::server::{self, Server, Service, Written, is_loopback};
use super::settings::Settings;
use super::{Mailbox, Surroundings, tenant};

/// Reads one mailbox; `None` where something it cannot do without is missing or wrong.
pub(super) fn read(
    mut section: Section<'_>,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Located<Mailbox>> {
    let line = section.line();
    let address = section.parsed("address", Address::parse, problems);
    let address = section.required("address", address, problems);
    let name = section.parsed("name", one_line, problems);
    let preset = provider(&mut section, around, problems);
    let username = section.parsed("username", one_line, problems);
    let auth = auth::read(&mut section, around.dir, problems);
    let smtp = server::read(&mut section, Service::Smtp, around.dir, problems);
    let imap = server::read(&mut section, Service::Imap, around.dir, problems);
    let warm_days = section.integer("warm_days", 0..=WARM_DAYS_MAX, problems);
    let named = tenant::named(&mut section, preset, around.tenants, problems);
    let tags = section.texts("tags", problems);
    let own = Settings::read(&mut section, &around.file, problems);
    let mailbox = preset.and_then(|preset| {
        let whose = address.as_ref().map_or("this mailbox", |address| address.value.as_str());
        let way = Way { whose, section: &section, preset, auth: auth.as_ref() };
        let (smtp, imap, unread) = way.servers(smtp, imap, problems);
        let over_limits = own.over_limits || around.defaults.over_limits;
        let timezone = own.timezone.clone().unwrap_or_else(|| around.timezone.clone());
        let settled = own.settle(around.defaults, preset, problems);
        let address = address?.value;
        Some(Mailbox {
            name: name.map(|name| name.value),
            provider: preset.clone(),
            username: username.map_or_else(|| address.to_string(), |username| username.value),
            auth: auth.map(|auth| auth.value),
            smtp: smtp?,
            imap,
            unread,
            cap: settled.cap,
            curve: settled.curve,
            gap: settled.gap,
            window: settled.window,
            timezone,
            tenant: named.or_else(|| tenant::unsaid(preset)),
            tags: tags.into_iter().flat_map(|tags| tags.value).map(|tag| tag.value).collect(),
            pace: settled.pace,
            warm_days: warm_days.map_or(0, |days| days.value),
            over_limits,
            address,
        })
    });
    section.finish(problems);
    mailbox.map(|value| Located { value, line })
}

fn provider<'a>(
    section: &mut Section<'_>,
    around: &Surroundings<'a>,
    problems: &mut Vec<Problem>,
) -> Option<&'a Preset> {
    let name = section.text("provider", problems);
    let Located { value: name, line } = section.required("provider", name, problems)?;
    let Some(preset) = around.presets.find(&name) else {
        let hint = match around.presets.nearest(&name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<&str> = around.presets.iter().map(|p| p.name.as_str()).collect();
                format!("known are {}; \"smtp\" stands for any other host", known.join(", "))
            }
        };
        let what = format!("`{name}`{} is no provider; {hint}", section.place());
        problems.push(section.problem(line, what));
        return None;
    };
    // A service for mail that was asked for loads: its campaigns must say that it was.
    if preset.cold_mail == ColdMail::No {
        let what = format!(
            "`{name}`{} cannot carry campaigns: {}; name the provider of a real mailbox",
            section.place(),
            preset.why
        );
        let problem = section.problem(line, what);
        problems.push(Problem { severity: Severity::Refusal, ..problem });
    }
    Some(preset)
}

/// How a mailbox gets to its servers: what was written, against what its provider allows.
struct Way<'a> {
    whose: &'a str,
    section: &'a Section<'a>,
    preset: &'a Preset,
    auth: Option<&'a Located<AuthRef>>,
}

impl Way<'_> {
    /// The servers to speak to, and why nothing can be read where that is so.
    fn servers(
        &self,
        smtp: Written,
        imap: Written,
        problems: &mut Vec<Problem>,
    ) -> (Option<Server>, Option<Server>, Option<&'static str>) {
        let own_smtp = smtp.names_another_host(Service::Smtp, self.preset);
        let own_imap = imap.names_another_host(Service::Imap, self.preset);
        let smtp = smtp.settle(Service::Smtp, self.preset, self.section, problems);
        let imap = imap.settle(Service::Imap, self.preset, self.section, problems);
        let Some(submission) = &smtp else {
            let (place, name) = (self.section.place(), &self.preset.name);
            let what = format!(
                "`smtp.host` is missing{place}: provider `{name}` has no one server; write \
                 smtp = {{ host = \"mail.example.com\" }}"
            );
            problems.push(self.section.problem(self.section.line(), what));
            return (smtp, imap, None);
        };
        if self.auth.is_none() && self.section.has("auth") {
            // Wrong, and said already; what it should have been allows nothing to be judged.
            return (smtp, imap, None);
        }
        problems.extend(self.log_in_problem(own_smtp, submission));
        let unread = if own_imap {
            return (smtp, imap, None);
        } else if imap.is_none() {
            "there is no `imap.host`"
        } else if own_smtp {
            // The password must not go to the preset's server, which is another.
            "`smtp.host` is your own and `imap.host` is not given"
        } else if !self.may(&self.preset.imap_auth) {
            NO_PASSWORD_READS
        } else {
            return (smtp, imap, None);
        };
        let what = format!(
            "{} sends and cannot be read: {unread}; replies and bounces go unseen, so its \
             follow-ups wait",
            self.whose
        );
        let problem = self.section.problem(self.section.line(), what);
        problems.push(Problem { severity: Severity::Warning, ..problem });
        (smtp, None, Some(unread))
    }

    /// What is wrong with a log-in that the submission server is known to refuse. Of a host the
    /// operator named nothing is known.
    fn log_in_problem(&self, own_host: bool, smtp: &Server) -> Option<Problem> {
        let (place, name) = (self.section.place(), &self.preset.name);
        let taken = self.may(&self.preset.auth);
        match self.auth {
            None if taken || is_loopback(&smtp.host) => None,
            None => Some(self.section.problem(
                self.section.line(),
                format!(
                    "`auth` is missing{place}; write auth = {{ password = {{ env = \"…\" }} }}"
                ),
            )),
            Some(_) if own_host => None,
            Some(auth) if taken => {
                let what = self.foreign_tokens(&auth.value)?;
                Some(self.section.problem(auth.line, format!("`oauth`{place}.auth: {what}")))
            }
            Some(auth) => {
                let ways: Vec<&str> = self.preset.auth.iter().map(|way| described(*way)).collect();
                let what = format!("`auth`{place}: `{name}` takes {} only", ways.join(" or "));
                Some(self.section.problem(auth.line, what))
            }
        }
    }

    /// What is wrong with tokens that somebody else gives than the provider believes.
    fn foreign_tokens(&self, auth: &AuthRef) -> Option<String> {
        let AuthRef::OAuth(oauth) = auth else { return None };
        if oauth.token_url.is_some() || self.preset.kind == Kind::Generic {
            return None;
        }
        let (name, given) = (&self.preset.name, oauth.provider.as_str());
        match self.preset.identity {
            Some(wanted) if wanted == oauth.provider => None,
            Some(wanted) => Some(format!(
                "`{name}` takes no tokens of \"{given}\"; write oauth = \"{}\"",
                wanted.as_str()
            )),
            None => Some(format!(
                "`{name}` takes no tokens of \"{given}\", only its own; write its `authorize_url`, \
                 `token_url` and `scopes` beside it, or log in by a password"
            )),
        }
    }

    /// Whether what was written is among what a server takes.
    fn may(&self, takes: &[LogIn]) -> bool {
        takes.contains(&match self.auth.map(|auth| &auth.value) {
            None => LogIn::None,
            Some(AuthRef::Password(_)) => LogIn::Password,
            Some(AuthRef::OAuth(_)) => LogIn::OAuth,
        })
    }
}

fn described(way: LogIn) -> &'static str {
    match way {
        LogIn::None => "no log-in",
        LogIn::Password => "a password",
        LogIn::OAuth => "OAuth",
    }
}

/// A text that may stand in a header or a command: not blank, without line breaks.
pub(super) fn one_line(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains(is_out_of_line) {
        return Err("it must be one line of text without control characters");
    }
    Ok(text.to_owned())
}

/// Two years and more: whoever is warmer than that is warm.
const WARM_DAYS_MAX: i64 = 1_000;

/// Why a mailbox with a password goes unread: Microsoft turned IMAP passwords off for good in January
/// 2023.
pub(crate) const NO_PASSWORD_READS: &str = "its IMAP server takes no passwords, only OAuth";
