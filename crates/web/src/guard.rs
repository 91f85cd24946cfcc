//! Who is answered, and what every answer says to the browser.
//!
//! A page elsewhere can make a browser of this machine ask us, under a name of its own that leads to
//! 127.0.0.1 (DNS rebinding), and read the answer as its own. Only the `Host` it sends gives it away.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::Console;

/// The names under which the console answers: this machine's own, and the public one.
#[derive(Debug)]
pub(crate) struct Hosts {
    public: Option<String>,
}

impl Hosts {
    pub(crate) fn new(public_url: Option<&str>) -> Self {
        let host = |url: &str| Some(url.parse::<Uri>().ok()?.host()?.to_owned());
        Self { public: public_url.and_then(host) }
    }

    fn include(&self, host: &str) -> bool {
        let is_public = self.public.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(host));
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = literal.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        is_public || is_loopback || host.eq_ignore_ascii_case("localhost")
    }
}

/// Lets through what reads under a name of ours, and seals the answer.
pub(crate) async fn guard(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match refusal(&console.hosts, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    for (name, value) in SEALS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(hosts: &Hosts, request: &Request) -> Option<Response> {
    let Some(host) = host(request) else {
        // RFC 9112, section 3.2.
        let what = "the request names no host, or several\n";
        return Some((StatusCode::BAD_REQUEST, what).into_response());
    };
    // A target written as a whole URL names the host too, and both must be ours.
    let target = request.uri().host().unwrap_or(&host);
    if !hosts.include(&host) || !hosts.include(target) {
        let what = "the console answers to the names of its own machine and to [web] public_url\n";
        return Some((StatusCode::FORBIDDEN, what).into_response());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let what = "the console only reads; use the command line\n";
        let allow = [(ALLOW, "GET, HEAD")];
        return Some((StatusCode::METHOD_NOT_ALLOWED, allow, what).into_response());
    }
    None
}

/// The one host the request names, without its port.
fn host(request: &Request) -> Option<String> {
    let mut named = request.headers().get_all(HOST).iter();
    let (first, None) = (named.next()?, named.next()) else { return None };
    let authority: Authority = first.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_owned())
}

/// No script, no frame, no form, nothing from elsewhere; nothing kept on the disk of a browser, and
/// no address told to other sites.
const SEALS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_lead_here_are_ours() {
        let hosts = Hosts::new(Some("https://Mail.example.com/unsubscribe"));
        #[track_caller]
        fn check(hosts: &Hosts, host: &str, want: bool) {
            assert_eq!(hosts.include(host), want, "{host}");
        }
        check(&hosts, "localhost", true);
        check(&hosts, "LocalHost", true);
        check(&hosts, "127.0.0.1", true);
        check(&hosts, "127.8.9.1", true);
        check(&hosts, "[::1]", true);
        check(&hosts, "mail.example.com", true);
        check(&hosts, "evil.example", false);
        check(&hosts, "127.0.0.1.evil.example", false);
        check(&hosts, "localhost.evil.example", false);
        check(&hosts, "192.0.2.7", false);
        check(&hosts, "0.0.0.0", false);
        check(&hosts, "[::]", false);
        check(&hosts, "", false);
        check(&Hosts::new(None), "mail.example.com", false);
    }
}
