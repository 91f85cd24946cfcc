//! From what a mailbox says of its log-in to what is shown to its servers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, Semaphore};
use warmfront_core::identity::{Flow, Identity};
use warmfront_engine::tokens::TokenKeeper;
use warmfront_mail::bearer::Bearer;
use warmfront_mail::oauth::{Application, Grant, Http, IdentityProvider, ServiceAccount};
use warmfront_mail::server::{Credentials, Password};
use warmfront_mail::submit::Trouble;
use warmfront_store::Tokens;

use crate::config::{AuthRef, Mailbox, OAuthRef};
use crate::secret::{self, Keepers, SecretError, SecretRef};

/// How all mailboxes log in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Logins {
    keeper: TokenKeeper,
    /// One client for all who trust the same certificates.
    clients: Arc<std::sync::Mutex<BTreeMap<Option<PathBuf>, Http>>>,
    keepers: Keepers,
    /// Secrets that may be looked up at once.
    places: Arc<Semaphore>,
}

impl Logins {
    pub(crate) fn new(keeper: TokenKeeper) -> Self {
        let (clients, keepers) = (Arc::default(), Keepers::new());
        Self { keeper, clients, keepers, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Who keeps the tokens.
    pub(crate) fn keeper(&self) -> &TokenKeeper {
        &self.keeper
    }

    /// What a mailbox shows to its servers; `None` where they ask for nothing. Its secret is looked up
    /// when it logs in.
    pub(crate) fn credentials(&self, mailbox: &Mailbox) -> Option<Credentials> {
        Some(match mailbox.auth.as_ref()? {
            AuthRef::Password(secret) => {
                let asking = Arc::new((self.clone(), mailbox.clone(), secret.clone()));
                Credentials::Password(Password::asked(move || {
                    let asking = Arc::clone(&asking);
                    Box::pin(async move {
                        let (logins, mailbox, secret) = (*asking).clone();
                        let keepers = logins.keepers.clone();
                        let found = move || {
                            let found = secret::password(&secret, &mailbox, &keepers);
                            found.map_err(SecretError::into_trouble)
                        };
                        logins.look_up(found).await
                    })
                }))
            }
            AuthRef::OAuth(oauth) => {
                Credentials::Tokens(self.bearer(mailbox.clone(), OAuthRef::clone(oauth)))
            }
        })
    }

    /// Tokens by an application whose secret is looked up when the first of them is wanted, and anew
    /// once the identity provider has refused the application: the secret may be another by now. Only
    /// one that was looked up just before is the operator's to mend.
    fn bearer(&self, mailbox: Mailbox, oauth: OAuthRef) -> Bearer {
        let wanted = Arc::new((self.clone(), mailbox, oauth, Mutex::new(None::<Bearer>)));
        Bearer::new(move |refused| {
            let wanted = Arc::clone(&wanted);
            Box::pin(async move {
                let (logins, mailbox, oauth, last) = &*wanted;
                let mut known = last.lock().await;
                let is_new = known.is_none();
                let bearer = match &*known {
                    Some(bearer) => bearer.clone(),
                    None => {
                        let (provider, grant) = logins.provider(mailbox, oauth).await?;
                        let mailbox = mailbox.address.clone();
                        known.insert(logins.keeper.bearer(mailbox, provider, grant)).clone()
                    }
                };
                drop(known);
                let token = bearer.token(refused.as_ref()).await;
                let Err(Trouble::Unsafe(why)) = token else { return token };
                *last.lock().await = None;
                Err(if is_new { Trouble::Unsafe(why) } else { Trouble::NoToken(why) })
            })
        })
    }

    /// Who gives a mailbox its tokens, and by what right.
    pub(crate) async fn provider(
        &self,
        mailbox: &Mailbox,
        oauth: &OAuthRef,
    ) -> Result<(IdentityProvider, Grant), Trouble> {
        let (logins, mailbox, oauth) = (self.clone(), mailbox.clone(), oauth.clone());
        self.look_up(move || logins.find_provider(&mailbox, &oauth)).await
    }

    /// Looks something up where that holds nobody up: whoever keeps it may take half a minute.
    async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let looking = tokio::task::spawn_blocking(move || {
            let found = look();
            drop(place);
            found
        });
        looking.await.unwrap_or_else(|broken| Err(Trouble::NoSecret(broken.to_string())))
    }

    fn find_provider(
        &self,
        mailbox: &Mailbox,
        oauth: &OAuthRef,
    ) -> Result<(IdentityProvider, Grant), Trouble> {
        let (whose, keepers) = (mailbox.address.as_str(), &self.keepers);
        let of = |why: &dyn fmt::Display| Trouble::NoSecret(format!("{whose}: {why}"));
        if let Some(problem) = oauth.problem() {
            return Err(of(&problem));
        }
        let is_account = (oauth.provider, oauth.flow) == (Identity::Google, Flow::App);
        let (client_secret, grant) = match (&oauth.secret, oauth.flow) {
            (Some(secret), Flow::App) if is_account => {
                let file = secret::document(secret, whose, keepers);
                let file = file.map_err(SecretError::into_trouble)?;
                let account = ServiceAccount::read(&file).map_err(|error| of(&error))?;
                (None, Grant::Account(account))
            }
            (secret, flow) => {
                let found = |secret| secret::text(secret, whose, keepers);
                let secret = secret.as_ref().map(found).transpose();
                let grant = if flow == Flow::App { Grant::Application } else { Grant::Person };
                (secret.map_err(SecretError::into_trouble)?, grant)
            }
        };
        let application = Application { secret: client_secret, ..application(oauth) };
        let http = self.client(oauth.ca.as_ref().map(|ca| ca.path.as_path()));
        let http = http.map_err(Trouble::NoSecret)?;
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

/// What the log-ins of mailboxes cannot do without and is not there, whether it may come by itself or not.
/// Commands may take their time, so some are asked side by side.
pub(crate) fn all_missing(mailboxes: &[Mailbox], keepers: &Keepers) -> Vec<Trouble> {
    let share = mailboxes.len().div_ceil(AT_ONCE).max(1);
    let look = |some: &[Mailbox]| -> Vec<Trouble> {
        // Each may take half a minute: after one that is away its like are left to their log-ins.
        let mut away = Vec::new();
        let missing = |mailbox: &Mailbox| {
            let kind = secret_of(mailbox).map(std::mem::discriminant);
            let missing = missing(mailbox, keepers, kind.is_none_or(|kind| !away.contains(&kind)));
            if let Some(Trouble::SecretAway(_)) = missing {
                away.extend(kind);
            }
            missing
        };
        some.iter().filter_map(missing).collect()
    };
    std::thread::scope(|scope| {
        let look = &look;
        let looks: Vec<_> =
            mailboxes.chunks(share).map(|some| scope.spawn(move || look(some))).collect();
        let seen = looks.into_iter().map(|look| look.join());
        seen.flat_map(|seen| seen.unwrap_or_else(|broken| std::panic::resume_unwind(broken)))
            .collect()
    })
}

fn secret_of(mailbox: &Mailbox) -> Option<&SecretRef> {
    match mailbox.auth.as_ref()? {
        AuthRef::Password(secret) => Some(secret),
        AuthRef::OAuth(oauth) => oauth.secret.as_ref(),
    }
}

/// What a mailbox's log-in cannot do without and is not there, as far as its secret is asked for.
/// Whether anybody has logged in is another matter: that is in the books.
fn missing(mailbox: &Mailbox, keepers: &Keepers, is_asked: bool) -> Option<Trouble> {
    let whose = mailbox.address.as_str();
    if let Some(AuthRef::OAuth(oauth)) = &mailbox.auth
        && let Some(problem) = oauth.problem()
    {
        return Some(Trouble::NoSecret(format!("{whose}: {problem}")));
    }
    let secret = secret_of(mailbox).filter(|_| is_asked)?;
    let error = match &mailbox.auth {
        Some(AuthRef::OAuth(_)) => secret::document(secret, whose, keepers).err(),
        Some(AuthRef::Password(_)) | None => secret::password(secret, mailbox, keepers).err(),
    };
    error.map(SecretError::into_trouble)
}

/// Whether these tokens are of no use to the mailbox, so that resuming it would last for a moment only.
/// Where the key that opens them is away is another matter: it may be back.
pub(crate) fn waits_for_somebody(mailbox: &Mailbox, tokens: &Tokens) -> bool {
    let Some(AuthRef::OAuth(oauth)) = &mailbox.auth else { return false };
    // An application that asks in its own name needs nobody.
    if oauth.flow == Flow::App {
        return false;
    }
    let ours = application(oauth).issuer();
    let is_anothers = tokens.issuer.as_ref().is_some_and(|issuer| *issuer != ours);
    tokens.needs_login || tokens.refresh.is_none() || is_anothers
}

/// The application as it is written, and where it is not as its provider publishes it.
fn application(oauth: &OAuthRef) -> Application {
    let known = oauth.provider.endpoints();
    let tenant = oauth.tenant.as_deref().unwrap_or(ANY_TENANT);
    let url = |own: &Option<String>, known: &str| {
        own.as_deref().unwrap_or(known).replace("{tenant}", tenant)
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

/// A fleet whose secrets are all slow holds up itself, and no thread that looks names up.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(auth: &str) -> Application {
        let text = format!(
            "[store]\nurl = \"sqlite://b.db\"\n[[mailbox]]\naddress = \"ann@x.example\"\n\
             provider = \"smtp\"\nsmtp = {{ host = \"mail.x.example\" }}\nauth = {{ {auth} }}\n"
        );
        let config = crate::config::parse(Path::new("w.toml"), &text).unwrap();
        let Some(AuthRef::OAuth(oauth)) = &config.mailboxes[0].auth else { panic!("no tokens") };
        application(oauth)
    }

    #[test]
    fn whoever_names_the_directory_at_last_is_the_same_application() {
        let usual = of("oauth = \"microsoft\", client_id = \"us\"");
        let named = of("oauth = \"microsoft\", client_id = \"us\", tenant = \"d1\"");
        assert_ne!(usual.token_url, named.token_url);
        assert_eq!(usual.issuer(), "login.microsoftonline.com us");
        assert_eq!(usual.issuer(), named.issuer());
        assert_ne!(usual.issuer(), of("oauth = \"microsoft\", client_id = \"them\"").issuer());
    }

    #[test]
    fn addresses_of_ones_own_name_the_directory_too() {
        let own = "authorize_url = \"https://id.example:8443/{tenant}/a\", \
                   token_url = \"https://id.example:8443/{tenant}/t\"";
        let own = of(&format!(
            "oauth = \"microsoft\", flow = \"code\", client_id = \"us\", tenant = \"d1\", {own}"
        ));
        assert_eq!(own.authorize_url, "https://id.example:8443/d1/a");
        assert_eq!(own.token_url, "https://id.example:8443/d1/t");
        assert_eq!(own.issuer(), "id.example:8443 us");
    }
}
