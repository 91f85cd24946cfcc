//! How any mail server is reached: the connection, TLS around it, and what one logs in with.
//!
//! Does not know what is spoken over it.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use warmfront_core::answer::Phase;

use crate::bearer::{Bearer, Given};
use crate::submit::Trouble;
use crate::tls::{self, Handshake};

/// Where TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// After STARTTLS, which must be offered (ports 587 and 143).
    Starttls,
    /// With the first byte (ports 465 and 993; RFC 8314, section 3).
    Implicit,
    /// Never. For servers on this machine only.
    None,
}

/// What a mailbox proves itself with.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A password, for AUTH PLAIN or LOGIN.
    Password(Password),
    /// Tokens, each for a while, for XOAUTH2 or OAUTHBEARER.
    Tokens(Bearer),
}

/// Where a mailbox's password comes from: whoever keeps it is asked at each log-in, and may be slow.
#[derive(Clone)]
pub struct Password(Arc<Ask>);

type Ask = dyn Fn() -> Given + Send + Sync;

impl Password {
    /// One that is asked for.
    pub fn asked(ask: impl Fn() -> Given + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl From<SecretString> for Password {
    fn from(known: SecretString) -> Self {
        Self::asked(move || Box::pin(std::future::ready(Ok(known.clone()))))
    }
}

impl From<&str> for Password {
    fn from(known: &str) -> Self {
        SecretString::from(known).into()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// What is shown at one log-in.
#[derive(Debug)]
pub(crate) enum Proof {
    Password(SecretString),
    Token(SecretString),
}

impl Credentials {
    /// What to log in with now: where a token was refused, another one.
    pub(crate) async fn proof(&self, refused: Option<&Proof>) -> Result<Proof, Trouble> {
        match self {
            Self::Password(password) => (password.0)().await.map(Proof::Password),
            Self::Tokens(bearer) => {
                let refused = refused.map(Proof::secret);
                bearer.token(refused).await.map(Proof::Token)
            }
        }
    }
}

impl Proof {
    /// Whether another may serve where this one was refused.
    pub(crate) fn is_renewable(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// The secret itself.
    pub(crate) fn secret(&self) -> &SecretString {
        match self {
            Self::Password(secret) | Self::Token(secret) => secret,
        }
    }
}

/// The same text with secrets blotted out: some servers quote the line they refuse.
pub(crate) fn blotted(mut text: String, secrets: &[&SecretString]) -> String {
    for secret in secrets.iter().map(|secret| secret.expose_secret()) {
        if !secret.is_empty() {
            text = text.replace(secret, "[secret]");
        }
    }
    text
}

/// What a connection runs over: TCP, or TLS over it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection that was opened.
pub(crate) struct Dialled {
    pub(crate) io: Box<dyn Io>,
    pub(crate) peer: SocketAddr,
    /// Where it reaches from.
    pub(crate) local: SocketAddr,
    /// What TLS showed, where that comes first.
    pub(crate) shown: Option<Handshake>,
}

/// Opens a connection, with TLS around it where that comes first.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    tls: Tls,
    config: &Arc<ClientConfig>,
    deadline: Duration,
) -> Result<Dialled, Trouble> {
    let connecting = async {
        let lost =
            |error: std::io::Error| Trouble::Lost { phase: Phase::Connect, why: error.to_string() };
        let tcp = TcpStream::connect((host, port)).await.map_err(lost)?;
        // A message's dot is a small write behind a larger one: Nagle's algorithm would hold it back
        // until the server's delayed acknowledgement, 40 ms for each message.
        tcp.set_nodelay(true).map_err(lost)?;
        let (peer, local) = (tcp.peer_addr().map_err(lost)?, tcp.local_addr().map_err(lost)?);
        Ok((tcp, peer, local))
    };
    let (tcp, peer, local) = in_time(Phase::Connect, deadline, connecting).await?;
    let (io, shown): (Box<dyn Io>, _) = match tls {
        Tls::None if !peer.ip().to_canonical().is_loopback() => return Err(not_loopback(host)),
        Tls::None | Tls::Starttls => (Box::new(tcp), None),
        Tls::Implicit => {
            let shaking = tls::handshake_first(config, host, port, tcp);
            in_time(Phase::StartTls, deadline, shaking).await?
        }
    };
    Ok(Dialled { io, peer, local, shown })
}

/// Runs one step within its deadline.
pub(crate) async fn in_time<T>(
    phase: Phase,
    deadline: Duration,
    step: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    tokio::time::timeout(deadline, step).await.unwrap_or_else(|_| Err(silence(phase, deadline)))
}

/// What a server is to blame for that says nothing.
pub(crate) fn silence(phase: Phase, deadline: Duration) -> Trouble {
    Trouble::Lost { phase, why: format!("no answer within {deadline:?}") }
}

/// Whether a host is this very machine, by its name; an address may stand in brackets, as in a URL
/// (RFC 3986, section 3.2.2).
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// What is said of plain text that would leave this machine.
pub(crate) fn not_loopback(host: &str) -> Trouble {
    Trouble::Unsafe(format!(
        "{host} is not on this machine, and `tls = \"none\"` would send mail and password in plain \
         text; use `tls = \"starttls\"` or `tls = \"implicit\"`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_name_or_address() {
        for ours in ["localhost", "127.0.0.2", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for other in ["localhost.example", "128.0.0.1", "[::2]", "[localhost]", "", "[::1"] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn a_quoted_secret_is_told_to_nobody() {
        let secrets = ["", "hunter2"].map(SecretString::from);
        let told = blotted("bad: LOGIN ann hunter2".to_owned(), &secrets.each_ref());
        assert_eq!(told, "bad: LOGIN ann [secret]");
    }
}
