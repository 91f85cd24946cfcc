//! From what a mailbox says of its log-in to what is shown to its servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use warmfront_core::identity::{Flow, Identity};
use warmfront_engine::tokens::TokenKeeper;
use warmfront_mail::oauth::{Application, Grant, Http, IdentityProvider, ServiceAccount};
use warmfront_mail::server::Credentials;
use warmfront_store::Tokens;

use crate::config::{AuthRef, Mailbox, OAuthRef};
use crate::secret;

/// How all mailboxes log in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Logins {
    keeper: TokenKeeper,
    /// One client for all who trust the same certificates.
    clients: Arc<Mutex<BTreeMap<Option<PathBuf>, Http>>>,
}

impl Logins {
    pub(crate) fn new(keeper: TokenKeeper) -> Self {
        Self { keeper, clients: Arc::default() }
    }

    /// Who keeps the tokens.
    pub(crate) fn keeper(&self) -> &TokenKeeper {
        &self.keeper
    }

    /// What a mailbox shows to its servers; `None` where they ask for nothing.
    pub(crate) fn credentials(&self, mailbox: &Mailbox) -> Result<Option<Credentials>, String> {
        match &mailbox.auth {
            None => Ok(None),
            Some(AuthRef::Password(secret)) => {
                let password = secret::password(secret, mailbox);
                password
                    .map(|password| Some(Credentials::Password(password)))
                    .map_err(|error| error.to_string())
            }
            Some(AuthRef::OAuth(oauth)) => {
                let (provider, grant) = self.provider(mailbox, oauth)?;
                let bearer = self.keeper.bearer(mailbox.address.clone(), provider, grant);
                Ok(Some(Credentials::Tokens(bearer)))
            }
        }
    }

    /// Who gives a mailbox its tokens, and by what right.
    pub(crate) fn provider(
        &self,
        mailbox: &Mailbox,
        oauth: &OAuthRef,
    ) -> Result<(IdentityProvider, Grant), String> {
        let whose = mailbox.address.as_str();
        let of = |why: &dyn std::fmt::Display| format!("{whose}: {why}");
        if let Some(problem) = oauth.problem() {
            return Err(of(&problem));
        }
        let is_account = (oauth.provider, oauth.flow) == (Identity::Google, Flow::App);
        let (client_secret, grant) = match (&oauth.secret, oauth.flow) {
            (Some(secret), Flow::App) if is_account => {
                let file = secret::document(secret, whose).map_err(|error| error.to_string())?;
                let account = ServiceAccount::read(&file).map_err(|error| of(&error))?;
                (None, Grant::Account(account))
            }
            (secret, flow) => {
                let secret = secret.as_ref().map(|secret| secret::text(secret, whose)).transpose();
                let grant = if flow == Flow::App { Grant::Application } else { Grant::Person };
                (secret.map_err(|error| error.to_string())?, grant)
            }
        };
        let application = Application { secret: client_secret, ..application(oauth) };
        let http = self.client(oauth.ca.as_ref().map(|ca| ca.path.as_path()))?;
        let provider = IdentityProvider::new(application, http).map_err(|error| of(&error))?;
        Ok((provider, grant))
    }

    fn client(&self, ca: Option<&Path>) -> Result<Http, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = clients.get(&ca.map(Path::to_owned)) {
            return Ok(http.clone());
        }
        let roots = ca.map(std::fs::read).transpose();
        let roots = roots.map_err(|error| format!("the `ca` of its `auth`: {error}"))?;
        let http = Http::new(roots.as_deref()).map_err(|error| error.to_string())?;
        clients.insert(ca.map(Path::to_owned), http.clone());
        Ok(http)
    }
}

/// What a mailbox's log-in cannot do without and is not there. Whether anybody has logged in is
/// another matter: that is in the books.
pub(crate) fn missing(mailbox: &Mailbox) -> Option<String> {
    let whose = mailbox.address.as_str();
    match mailbox.auth.as_ref()? {
        AuthRef::Password(secret) => {
            secret::password(secret, mailbox).err().map(|error| error.to_string())
        }
        AuthRef::OAuth(oauth) => {
            let problem = oauth.problem().map(|problem| format!("{whose}: {problem}"));
            problem.or_else(|| {
                let found = secret::document(oauth.secret.as_ref()?, whose);
                found.err().map(|error| error.to_string())
            })
        }
    }
}

/// Whether these tokens are of no use to the mailbox, so that resuming it would last for a moment only.
/// Where the key that opens them is away is another matter: it may be back.
pub(crate) fn waits_for_somebody(mailbox: &Mailbox, tokens: &Tokens) -> bool {
    let Some(AuthRef::OAuth(oauth)) = &mailbox.auth else { return false };
    let is_anothers =
        tokens.issuer.as_ref().is_some_and(|issuer| *issuer != application(oauth).issuer());
    tokens.needs_login || oauth.flow != Flow::App && (tokens.refresh.is_none() || is_anothers)
}

/// The application as it is written, and where it is not as its provider publishes it.
fn application(oauth: &OAuthRef) -> Application {
    let known = oauth.provider.endpoints();
    let tenant = oauth.tenant.as_deref().unwrap_or(ANY_TENANT);
    let url = |own: &Option<String>, known: &str| {
        own.clone().unwrap_or_else(|| known.replace("{tenant}", tenant))
    };
    let scopes = if oauth.flow == Flow::App { known.app_scopes } else { known.scopes };
    let pairs = known.authorize_with.iter().filter_map(|with| with.split_once('='));
    Application {
        client_id: oauth.client_id.clone().unwrap_or_default(),
        secret: None,
        authorize_url: url(&oauth.authorize_url, &known.authorize_url),
        token_url: url(&oauth.token_url, &known.token_url),
        device_url: oauth.device_url().map(|own| own.replace("{tenant}", tenant)),
        scopes: oauth.scopes.clone().unwrap_or(scopes),
        authorize_with: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        loopback: known.loopback,
    }
}

/// Work, school and personal accounts alike (learn.microsoft.com: protocol endpoints).
const ANY_TENANT: &str = "common";
