//! The HTTP that identity providers are asked by: over our own TLS, within a deadline, without
//! following anybody elsewhere.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use warmfront_core::span::{Millis, SECOND};

use super::OAuthError;
use crate::server::is_loopback;
use crate::tls;

/// A client, to be shared by all who trust the same certificates. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    /// To whoever is elsewhere; through the machine's proxy, where it has one.
    abroad: reqwest::Client,
    /// To this machine: what may be in plain text must not leave it, whatever the environment says.
    at_home: reqwest::Client,
}

/// Why there is no answer that says anything.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection failed, or brought nothing that can be read.
    #[error("{0}")]
    Unreachable(String),
    /// It is to be asked later.
    #[error("it answers {status}")]
    Busy {
        /// How it says so.
        status: u16,
        /// How long it wants to be left alone, where it says so.
        retry_after: Option<Millis>,
    },
}

impl Http {
    /// One that trusts these CA certificates (PEM) instead of the web's.
    pub fn new(roots: Option<&[u8]>) -> Result<Self, OAuthError> {
        let unusable = |why: String| OAuthError::Unsafe(format!("its `ca` {why}"));
        let config = tls::config(roots).map_err(unusable)?;
        let client = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(config.as_ref().clone())
                // A secret is sent where it was meant to go, and nowhere else.
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
        };
        let unusable = |error: reqwest::Error| OAuthError::Unsafe(error.to_string());
        let abroad = client().build().map_err(unusable)?;
        let at_home = client().no_proxy().build().map_err(unusable)?;
        Ok(Self { abroad, at_home })
    }

    /// One question and its whole answer. One that is told to come later is none.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let client = match parts.uri.host().is_some_and(is_loopback) {
            true => &self.at_home,
            false => &self.abroad,
        };
        let asking = client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        let mut answer = asking.body(body).send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_server_error() || status.as_u16() == TOO_MANY {
            let after = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
            let after = after.and_then(|after| after.trim().parse::<u32>().ok());
            let retry_after = after.map(|seconds| Millis::from(seconds) * SECOND);
            return Err(HttpError::Busy { status: status.as_u16(), retry_after });
        }
        let mut response = oauth2::http::Response::builder().status(status);
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + part.len() > ANSWER_MAX {
                return Err(HttpError::Unreachable("its answer is too long".to_owned()));
            }
            body.extend_from_slice(&part);
        }
        response.body(body).map_err(|error| HttpError::Unreachable(error.to_string()))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

/// The innermost cause says most. Never the address: a code may stand in it.
fn unreachable(error: reqwest::Error) -> HttpError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    HttpError::Unreachable(why)
}

/// Too Many Requests (RFC 6585, section 4).
const TOO_MANY: u16 = 429;

/// How long connecting may take, and everything together: less than a refresh is leased for.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(20);

/// No token is as long by far.
const ANSWER_MAX: usize = 256 * 1024;
