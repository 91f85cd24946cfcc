//! How a mailbox logs in. Secrets stand here by reference only, and no message quotes a value that
//! could be one.

use std::path::Path;

use warmfront_campaigns::document::{Item, Located, Section};
use warmfront_core::identity::{Flow, Identity};
use warmfront_core::problem::Problem;
use warmfront_mail::oauth::check_url;

use super::placeholder::is_placeholder;
use super::server::{Ca, ca};
use crate::secret::SecretRef;

/// How a mailbox logs in, and where its secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthRef {
    /// By a password or an app password.
    Password(SecretRef),
    /// By tokens of an identity provider.
    OAuth(Box<OAuthRef>),
}

/// Who gives a mailbox its tokens, to which application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OAuthRef {
    /// Who gives them.
    pub(crate) provider: Identity,
    /// How consent is given.
    pub(crate) flow: Flow,
    /// The application's id.
    pub(crate) client_id: Option<String>,
    /// The directory it is registered in.
    pub(crate) tenant: Option<String>,
    /// Its secret, where it has one; of Google's own applications the key file.
    pub(crate) secret: Option<SecretRef>,
    /// Where a private provider is asked instead.
    pub(crate) authorize_url: Option<String>,
    pub(crate) token_url: Option<String>,
    pub(crate) device_url: Option<String>,
    /// What is asked for instead.
    pub(crate) scopes: Option<Vec<String>>,
    /// The authority that vouches for a private provider.
    pub(crate) ca: Option<Ca>,
}

impl OAuthRef {
    /// Where a device's code is given, if anywhere.
    pub(crate) fn device_url(&self) -> Option<String> {
        self.device_url.clone().or_else(|| self.provider.endpoints().device_url)
    }

    /// Why it cannot work: what it cannot do without and is not written, or is not the operator's own.
    pub(crate) fn problem(&self) -> Option<String> {
        self.unregistered().or_else(|| self.divided()).or_else(|| self.lacking())
    }

    /// Whether it has an application of the operator's to log in with, as far as can be seen.
    fn unregistered(&self) -> Option<String> {
        let known = self.provider.endpoints();
        let is_account = (self.provider, self.flow) == (Identity::Google, Flow::App);
        let is_blank = |text: &&str| text.trim().is_empty();
        let register = || {
            let (at, grants) = (known.register_at, self.grants());
            format!("register an application at {at}, {grants}, and write its id; {STEPS}")
        };
        let id = self.client_id.as_deref();
        if id.is_none() && !is_account {
            return Some(format!("`client_id` is missing in its `auth`: {}", register()));
        }
        if id.filter(is_blank).is_some() {
            return Some(format!("`client_id` is empty in its `auth`: {}", register()));
        }
        if let Some(id) = id.filter(|id| is_placeholder(id)) {
            let what = format!("`client_id` in its `auth` is still the `{id}` of an example");
            return Some(format!("{what}: {}", register()));
        }
        let tenant = self.tenant.as_deref()?;
        let what = if is_blank(&tenant) {
            "is empty".to_owned()
        } else if is_placeholder(tenant) {
            format!("is still the `{tenant}` of an example")
        } else {
            return None;
        };
        Some(format!(
            "`tenant` in its `auth` {what}: write the directory's id, or its domain; {STEPS}"
        ))
    }

    /// Addresses of which one is another's: half of a log-in, and its secrets with it, would go to the
    /// usual provider.
    fn divided(&self) -> Option<String> {
        let (key, url) = match self.flow {
            Flow::Device => ("device_url", &self.device_url),
            Flow::Code => ("authorize_url", &self.authorize_url),
            Flow::App => return None,
        };
        let (has, lacks) = match (url, &self.token_url) {
            (Some(_), None) => (key, "token_url"),
            (None, Some(_)) => ("token_url", key),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let (name, flow) = (self.provider.as_str(), self.flow.as_str());
        Some(format!(
            "`{lacks}` is missing in its `auth` beside `{has}`: half of each log-in by the flow \
             \"{flow}\" would go to {name}'s own servers; write both, or neither"
        ))
    }

    fn lacking(&self) -> Option<String> {
        let name = self.provider.as_str();
        let lacks = |what: &str| {
            let flow = self.flow.as_str();
            Some(format!(
                "`{what}` is missing in its `auth`: {name}'s flow \"{flow}\" does not work without \
                 it; {STEPS}"
            ))
        };
        match (self.flow, self.provider) {
            (Flow::App, _) if self.secret.is_none() => lacks("secret"),
            (Flow::App, Identity::Microsoft)
                if self.tenant.is_none() && self.token_url.is_none() =>
            {
                lacks("tenant")
            }
            (Flow::Device, _) if self.device_url().is_none() => Some(format!(
                "{name} gives no mail to devices: write `flow = \"code\"` or `flow = \"app\"` in its \
                 `auth`"
            )),
            // Another provider in its place may want none.
            (Flow::Device | Flow::Code, Identity::Google)
                if self.secret.is_none() && self.token_url.is_none() =>
            {
                lacks("secret")
            }
            _ => None,
        }
    }

    /// What an application must be allowed.
    fn grants(&self) -> &'static str {
        match (self.provider, self.flow) {
            (Identity::Microsoft, Flow::App) => {
                "grant it SMTP.SendAsApp and IMAP.AccessAsApp with an administrator's consent"
            }
            (Identity::Microsoft, Flow::Device | Flow::Code) => {
                "grant it the delegated permissions SMTP.Send, IMAP.AccessAsUser.All and \
                 offline_access, allow public client flows"
            }
            (Identity::Google, _) => "allow it the scope https://mail.google.com/",
        }
    }
}

/// Reads the key `auth` of a mailbox.
pub(super) fn read(
    mailbox: &mut Section<'_>,
    dir: &Path,
    problems: &mut Vec<Problem>,
) -> Option<Located<AuthRef>> {
    let place = mailbox.place();
    let Located { value, line } = mailbox.value("auth")?;
    let Item::Section(mut section) = value else {
        problems.push(mailbox.problem(line, format!("`auth`{place} {BY_REFERENCE}")));
        return None;
    };
    let auth = match (section.has("password"), section.has("oauth")) {
        (true, false) => secret(&mut section, "password", dir, problems).map(AuthRef::Password),
        (false, true) => oauth(&mut section, dir, problems),
        (true, true) | (false, false) => {
            // Asked for, so that neither counts as unknown.
            section.value("password");
            section.value("oauth");
            let what = format!("say `password` or `oauth`{}, one of them", section.place());
            problems.push(section.problem(line, what));
            None
        }
    };
    section.finish(problems);
    auth.map(|value| Located { value, line })
}

fn oauth(section: &mut Section<'_>, dir: &Path, problems: &mut Vec<Problem>) -> Option<AuthRef> {
    let provider = section.parsed("oauth", identity, problems);
    let flow = section.parsed("flow", flow, problems);
    let mut text = |key| section.text(key, problems).map(|text| text.value);
    let (client_id, tenant) = (text("client_id"), text("tenant"));
    let secret = secret(section, "secret", dir, problems);
    let mut url = |key| section.parsed(key, url, problems).map(|url| url.value);
    let (authorize_url, token_url) = (url("authorize_url"), url("token_url"));
    let device_url = url("device_url");
    let scopes = section.texts("scopes", problems).map(|scopes| scopes.value);
    let scopes = scopes.map(|scopes| scopes.into_iter().map(|scope| scope.value).collect());
    let ca = ca(section, dir, problems);
    let provider = provider?.value;
    let flow = flow.map_or_else(|| provider.usual_flow(), |flow| flow.value);
    Some(AuthRef::OAuth(Box::new(OAuthRef {
        provider,
        flow,
        client_id,
        tenant,
        secret,
        authorize_url,
        token_url,
        device_url,
        scopes,
        ca,
    })))
}

fn identity(text: &str) -> Result<Identity, String> {
    Identity::from_word(text)
        .ok_or_else(|| format!("`{text}` is neither \"microsoft\" nor \"google\""))
}

fn flow(text: &str) -> Result<Flow, String> {
    Flow::from_word(text)
        .ok_or_else(|| format!("`{text}` is none of \"device\", \"code\", \"app\""))
}

fn url(text: &str) -> Result<String, String> {
    check_url(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// A reference to a secret under `key`.
pub(super) fn secret(
    section: &mut Section<'_>,
    key: &str,
    dir: &Path,
    problems: &mut Vec<Problem>,
) -> Option<SecretRef> {
    let place = section.place();
    let Located { value, line } = section.value(key)?;
    let Item::Section(mut section) = value else {
        problems.push(section.problem(line, format!("`{key}`{place} {BY_REFERENCE}")));
        return None;
    };
    let mut text = |key| section.text(key, problems);
    let texts = [text("env"), text("file"), text("command")];
    let entry = section.parsed("keyring", keyring, problems);
    let given = PLACES.iter().filter(|key| section.has(key)).count();
    let empty = texts.iter().flatten().any(|text| text.value.trim().is_empty());
    if given != 1 || empty {
        let what =
            format!("say where `{key}`{place} is: one of `env`, `file`, `command` or `keyring`");
        problems.push(section.problem(line, what));
    }
    section.finish(problems);
    match (texts.map(|text| text.map(|text| text.value)), entry) {
        ([Some(name), None, None], None) => Some(SecretRef::Env(name)),
        ([None, Some(file), None], None) => Some(SecretRef::File(dir.join(file))),
        ([None, None, Some(command)], None) => Some(SecretRef::Command(command)),
        ([None, None, None], Some(entry)) => Some(entry.value),
        _ => None,
    }
}

/// An entry of the session's keyring: its service, a slash, and the user's name there.
fn keyring(text: &str) -> Result<SecretRef, String> {
    match text.split_once('/') {
        Some((service, user)) if !service.is_empty() && !user.is_empty() => {
            let (service, user) = (service.to_owned(), user.to_owned());
            Ok(SecretRef::Keyring { service, user })
        }
        _ => Err("write a service and a user: keyring = \"warmfront/ann@example.com\"".to_owned()),
    }
}

/// Where the way to a log-in is told.
const STEPS: &str = "docs/login.md has the steps";

/// Where a secret may be.
const PLACES: [&str; 4] = ["env", "file", "command", "keyring"];

const BY_REFERENCE: &str = "must say where the secret is, never the secret itself; secrets only by \
     reference: `auth = { password = { env = \"ANN_PASSWORD\" } }`, or { file = … }, { command = … }, \
     { keyring = … }";
