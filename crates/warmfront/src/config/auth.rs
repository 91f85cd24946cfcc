//! How a mailbox logs in. Secrets stand here by reference only, and no message quotes a value that
//! could be one.

use std::path::Path;

use warmfront_campaigns::document::{Item, Located, Section};
use warmfront_core::problem::Problem;

use crate::secret::SecretRef;

/// How a mailbox logs in, and where its secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthRef {
    /// By a password or an app password.
    Password(SecretRef),
    /// By tokens of an identity provider.
    OAuth {
        /// Who gives the tokens.
        provider: Identity,
        /// How consent is given.
        flow: Flow,
        /// The application's own id, where it is not ours.
        client_id: Option<String>,
        /// The directory it is registered in.
        tenant: Option<String>,
        /// The application's secret, where it has one.
        secret: Option<SecretRef>,
    },
}

/// Who gives tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Microsoft,
    Google,
}

/// How consent is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// On another device, by a short code (RFC 8628).
    Device,
    /// In a browser here (RFC 6749, section 4.1).
    Code,
    /// Once by an administrator for all mailboxes (RFC 6749, section 4.4).
    App,
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
    let client_id = section.text("client_id", problems).map(|id| id.value);
    let tenant = section.text("tenant", problems).map(|tenant| tenant.value);
    let secret = secret(section, "secret", dir, problems);
    let provider = provider?.value;
    let flow = flow.map_or_else(|| provider.usual_flow(), |flow| flow.value);
    Some(AuthRef::OAuth { provider, flow, client_id, tenant, secret })
}

impl Identity {
    /// Google's device flow does not give the mail scope.
    fn usual_flow(self) -> Flow {
        match self {
            Self::Microsoft => Flow::Device,
            Self::Google => Flow::Code,
        }
    }
}

fn identity(text: &str) -> Result<Identity, String> {
    match text {
        "microsoft" => Ok(Identity::Microsoft),
        "google" => Ok(Identity::Google),
        _ => Err(format!("`{text}` is neither \"microsoft\" nor \"google\"")),
    }
}

fn flow(text: &str) -> Result<Flow, String> {
    match text {
        "device" => Ok(Flow::Device),
        "code" => Ok(Flow::Code),
        "app" => Ok(Flow::App),
        _ => Err(format!("`{text}` is none of \"device\", \"code\", \"app\"")),
    }
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
    let texts = ["env", "file", "command"].map(|key| section.text(key, problems));
    let given = ["env", "file", "command"].iter().filter(|key| section.has(key)).count();
    let empty = texts.iter().flatten().any(|text| text.value.trim().is_empty());
    if given != 1 || empty {
        let what = format!("say where `{key}`{place} is: one of `env`, `file` or `command`");
        problems.push(section.problem(line, what));
    }
    section.finish(problems);
    match texts.map(|text| text.map(|text| text.value)) {
        [Some(name), None, None] => Some(SecretRef::Env(name)),
        [None, Some(file), None] => Some(SecretRef::File(dir.join(file))),
        [None, None, Some(command)] => Some(SecretRef::Command(command)),
        _ => None,
    }
}

const BY_REFERENCE: &str = "must say where the secret is, never the secret itself; secrets only by \
     reference: `auth = { password = { env = \"ANN_PASSWORD\" } }`, or { file = … }, { command = … }";
