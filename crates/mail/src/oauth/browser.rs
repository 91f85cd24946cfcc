//! Consent in a browser, which is then sent back to this machine with a code (RFC 8252, RFC 7636).

use std::time::Duration;

use oauth2::url::Url;
use oauth2::{AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::refusal::{meaning, shown};
use super::{IdentityProvider, OAuthError, Tokens, tokens};

/// A browser that is on its way.
#[derive(Debug)]
pub struct BrowserLogin {
    url: String,
    redirect: String,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    listener: TcpListener,
}

impl BrowserLogin {
    /// Where the browser is to go.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until a browser of this machine comes back; the code that it brings. Whoever comes
    /// without our own state is somebody else, and is turned away.
    pub async fn returned(&self) -> Result<String, OAuthError> {
        loop {
            let Ok((mut browser, _)) = self.listener.accept().await else { continue };
            // A browser may open connections that it never uses.
            let asked = tokio::time::timeout(PATIENCE, path(&mut browser)).await;
            let Some(path) = asked.ok().flatten() else { continue };
            let code = self.code_in(&path);
            let (status, text) = match &code {
                Some(Ok(_)) => ("200 OK", "This mailbox is logged in. You may close this window."),
                Some(Err(_)) => ("200 OK", "Nothing was allowed. You may close this window."),
                None => ("404 Not Found", "There is nothing here."),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
            let answering = browser.write_all(answer.as_bytes());
            // Whoever does not hear it has brought what counts all the same.
            let _ = tokio::time::timeout(PATIENCE, answering).await;
            let _ = browser.shutdown().await;
            if let Some(code) = code {
                return code;
            }
        }
    }

    /// The code in the address that a browser was sent back to, which a person may bring from
    /// another machine. `None`: it is not the answer to our question.
    #[must_use]
    pub fn code_in(&self, address: &str) -> Option<Result<String, OAuthError>> {
        let address = Url::parse(&self.redirect).ok()?.join(address.trim()).ok()?;
        let value = |name: &str| {
            let mut pairs = address.query_pairs();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if value("state").as_ref() != Some(self.state.secret()) {
            return None;
        }
        if let Some(error) = value("error") {
            let said = value("error_description").map_or(String::new(), |said| format!(": {said}"));
            return Some(Err(meaning(&error, shown(&format!("{error}{said}"), &[]))));
        }
        value("code").map(Ok)
    }
}

impl IdentityProvider {
    /// A way to consent for a browser, and somebody who waits for it on this machine.
    pub async fn browser(&self, whose: &str) -> Result<BrowserLogin, OAuthError> {
        let unusable = |why: std::io::Error| {
            OAuthError::Unsafe(format!("no browser can come back to this machine: {why}"))
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(unusable)?;
        let port = listener.local_addr().map_err(unusable)?.port();
        let redirect = format!("http://{}:{port}", self.application.loopback);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client.clone().set_redirect_uri(to(&redirect)?);
        let mut asking = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes())
            .set_pkce_challenge(challenge)
            .add_extra_param("login_hint", whose);
        for (name, value) in &self.application.authorize_with {
            asking = asking.add_extra_param(name, value);
        }
        let (url, state) = asking.url();
        Ok(BrowserLogin { url: url.into(), redirect, state, verifier, listener })
    }

    /// Tokens for the code that a browser brought.
    pub async fn browser_tokens(
        &self,
        login: BrowserLogin,
        code: String,
    ) -> Result<Tokens, OAuthError> {
        let client = self.client.clone().set_redirect_uri(to(&login.redirect)?);
        let asking = client.exchange_code(AuthorizationCode::new(code.clone()));
        let answer = asking.set_pkce_verifier(login.verifier).request_async(&self.http).await;
        answer.map(|answer| tokens(&answer)).map_err(|error| self.failed(error, &code))
    }
}

fn to(redirect: &str) -> Result<RedirectUrl, OAuthError> {
    RedirectUrl::new(redirect.to_owned()).map_err(|error| OAuthError::Unsafe(error.to_string()))
}

/// What a browser asks for, if it asks for anything.
async fn path(browser: &mut TcpStream) -> Option<String> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        if asked.len() >= QUESTION_MAX || browser.read_buf(&mut asked).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8(asked).ok()?;
    let line = text.lines().next()?.strip_prefix("GET ")?;
    Some(line.split(' ').next()?.to_owned())
}

/// How long one visitor is waited for: nobody else is heard meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longer than a code with its state, and than what browsers say of themselves.
const QUESTION_MAX: usize = 32 * 1024;
