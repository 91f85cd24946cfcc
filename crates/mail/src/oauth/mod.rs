//! Tokens from an identity provider (OAuth 2.0, RFC 6749): how a person consents, how an application
//! asks in its own name, how tokens are refreshed.
//!
//! Keeps nothing and decides nothing about time: when a token is refreshed, who may, and where it is
//! kept is said elsewhere.

mod account;
mod browser;
mod device;
mod http;
mod refusal;

use std::fmt;

use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenResponse,
};
use oauth2::url::Url;
use oauth2::{
    AuthType, AuthUrl, ClientId, ClientSecret, DeviceAuthorizationUrl, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, RefreshToken, Scope, StandardRevocableToken, TokenResponse as _,
    TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use warmfront_core::span::{MINUTE, Millis};

pub use self::account::ServiceAccount;
pub use self::browser::BrowserLogin;
pub use self::device::DeviceLogin;
pub use self::http::{Http, HttpError};
use self::refusal::{Refusal, failed};
use crate::server::is_loopback;

/// An application as its identity provider knows it, and where that is asked.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its id there.
    pub client_id: String,
    /// Its secret, where it has one.
    pub secret: Option<SecretString>,
    /// Where a browser is sent.
    pub authorize_url: String,
    /// Where tokens are given.
    pub token_url: String,
    /// Where a device's code is given, if anywhere.
    pub device_url: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What else the browser's address says.
    pub authorize_with: Vec<(String, String)>,
    /// What this machine is called in the address that a browser is sent back to.
    pub loopback: String,
}

impl Application {
    /// By whom its tokens are given, and to which application: what others are given is good for
    /// nothing here, and none of their business. By its host: the same provider gives them for any
    /// directory, whether that is named in the address or not.
    #[must_use]
    pub fn issuer(&self) -> String {
        let Self { token_url, client_id, .. } = self;
        let host = Url::parse(token_url).ok().and_then(|url| {
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        let by = host.as_deref().unwrap_or(token_url);
        format!("{by} {client_id}").trim_end().to_owned()
    }
}

/// What an identity provider gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// What is shown to a mail server.
    pub access: SecretString,
    /// What gets the next ones. Some give a new one each time, and the old one is over then.
    pub refresh: Option<SecretString>,
    /// How long the access token lives.
    pub lives: Millis,
}

/// Why there are no tokens. No secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// Somebody must consent again: the token is revoked or too old, or they said no.
    #[error("the identity provider refused: {0}")]
    NeedsLogin(String),
    /// The application, or what it asks for, is not as the identity provider wants it.
    #[error("the identity provider refused the application: {0}")]
    Refused(String),
    /// Nothing is decided: the identity provider could not be reached, or is busy.
    #[error("the identity provider gave no answer: {why}")]
    Unreachable {
        /// What happened.
        why: String,
        /// How long it wants to be left alone, where it says so.
        retry_after: Option<Millis>,
    },
    /// It is configured in a way that cannot work, or would be unsafe.
    #[error("{0}")]
    Unsafe(String),
}

/// By what right tokens are had without anybody at the keyboard.
#[derive(Debug)]
pub enum Grant {
    /// Somebody has consented, and a refresh token stands for that.
    Person,
    /// The application's own.
    Application,
    /// A service account's, for every mailbox of its domain.
    Account(ServiceAccount),
}

/// Where tokens are asked for.
#[derive(Clone)]
pub struct IdentityProvider {
    application: Application,
    client: Client,
    http: Http,
}

type Client = oauth2::Client<
    Refusal,
    BasicTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointMaybeSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl IdentityProvider {
    /// One that is asked for this application's tokens. Asks nothing yet.
    pub fn new(application: Application, http: Http) -> Result<Self, OAuthError> {
        let Application { client_id, secret, authorize_url, token_url, device_url, .. } =
            &application;
        for url in [authorize_url, token_url].into_iter().chain(device_url) {
            check_url(url)?;
        }
        let no_url = |error: oauth2::url::ParseError| OAuthError::Unsafe(error.to_string());
        let device_url = device_url.clone().map(DeviceAuthorizationUrl::new);
        let mut client = oauth2::Client::new(ClientId::new(client_id.clone()))
            // In the body: both large providers take it there, and not all others elsewhere.
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::new(authorize_url.clone()).map_err(no_url)?)
            .set_token_uri(TokenUrl::new(token_url.clone()).map_err(no_url)?)
            .set_device_authorization_url_option(device_url.transpose().map_err(no_url)?);
        if let Some(secret) = secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        Ok(Self { application, client, http })
    }

    /// By whom tokens are given, and to which application.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.application.issuer()
    }

    /// New tokens for a mailbox. Of a person's, `refresh` is what they left.
    pub fn renew<'a>(
        &'a self,
        grant: &'a Grant,
        mailbox: &'a str,
        refresh: Option<SecretString>,
        now: Millis,
    ) -> BoxFuture<'a, Result<Tokens, OAuthError>> {
        Box::pin(async move {
            match (grant, refresh) {
                (Grant::Person, Some(token)) => self.refresh(&token).await,
                (Grant::Person, None) => {
                    Err(OAuthError::NeedsLogin("nobody has logged in yet".to_owned()))
                }
                (Grant::Application, _) => self.in_its_own_name().await,
                (Grant::Account(account), _) => self.for_mailbox(account, mailbox, now).await,
            }
        })
    }

    /// New tokens for old (RFC 6749, section 6).
    pub async fn refresh(&self, token: &SecretString) -> Result<Tokens, OAuthError> {
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let answer = self.client.exchange_refresh_token(&token).request_async(&self.http).await;
        answer.map(|answer| tokens(&answer)).map_err(|error| self.failed(error, token.secret()))
    }

    /// Tokens in the application's own name (RFC 6749, section 4.4).
    pub async fn in_its_own_name(&self) -> Result<Tokens, OAuthError> {
        let asking = self.client.exchange_client_credentials().add_scopes(self.scopes());
        let answer = asking.request_async(&self.http).await;
        answer
            .map(|answer| tokens(&answer))
            .map_err(|error| of_the_application(self.failed(error, "")))
    }

    fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.application.scopes.iter().cloned().map(Scope::new)
    }

    /// What a failed request means, with our secrets blotted out: some servers quote what they refuse.
    fn failed(
        &self,
        error: oauth2::RequestTokenError<HttpError, Refusal>,
        token: &str,
    ) -> OAuthError {
        let secret = self.application.secret.as_ref().map_or("", |secret| secret.expose_secret());
        failed(error, &[token, secret])
    }
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityProvider({})", self.application.token_url)
    }
}

/// An application that asks in its own name has nobody who could log in: all refusals are its own.
fn of_the_application(error: OAuthError) -> OAuthError {
    match error {
        OAuthError::NeedsLogin(why) => OAuthError::Refused(why),
        other => other,
    }
}

fn tokens(answer: &BasicTokenResponse) -> Tokens {
    let lives = answer.expires_in().map_or(LIVES, |lives| {
        Millis::try_from(lives.as_millis()).unwrap_or(LIVES_MAX).min(LIVES_MAX)
    });
    Tokens {
        access: answer.access_token().secret().clone().into(),
        refresh: answer.refresh_token().map(|token| token.secret().clone().into()),
        lives,
    }
}

/// Whether tokens and secrets may be sent there: over TLS, or to this very machine.
pub fn check_url(url: &str) -> Result<(), OAuthError> {
    let unsafe_url = |why: &str| Err(OAuthError::Unsafe(format!("`{url}` {why}")));
    let Ok(parsed) = oauth2::url::Url::parse(url) else { return unsafe_url("is no URL") };
    let host = parsed.host_str().unwrap_or_default();
    match parsed.scheme() {
        _ if !parsed.username().is_empty() || parsed.password().is_some() => {
            unsafe_url("must not hold a name or a password")
        }
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        _ => unsafe_url("must begin with https:// (http:// only for this machine)"),
    }
}

/// How long a token lives of which nobody says it (RFC 6749, section 5.1, only recommends that).
const LIVES: Millis = 30 * MINUTE;

/// No access token is taken for good for longer, whatever is said of it.
const LIVES_MAX: Millis = 24 * 60 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_machine() {
        for good in ["https://login.example.com/x", "http://127.0.0.1:1/x", "http://[::1]/t"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in ["http://login.example.com", "ftp://x", "login", "https://u:p@x.example/"] {
            assert!(matches!(check_url(bad), Err(OAuthError::Unsafe(_))), "{bad}");
        }
    }
}
