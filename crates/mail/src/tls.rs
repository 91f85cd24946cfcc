//! TLS as a client: 1.2 or 1.3, the chain and the name always verified.
//!
//! There is no switch that turns verification off; a private server is reached by naming its CA.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use warmfront_core::answer::Phase;
use warmfront_core::span::{Millis, SECOND};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::server::Io;
use crate::submit::Trouble;

/// The client's settings: trust in these CA certificates (PEM), or in the web's roots.
///
/// Named ones replace the web's: who runs a CA of his own for a server wants no other to vouch
/// for it.
pub(crate) fn config(roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    match roots {
        None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| format!("is no PEM: {error}"))?;
                store.add(certificate).map_err(|error| format!("cannot be used: {error}"))?;
            }
            if store.is_empty() {
                return Err("holds no certificate".to_owned());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What a handshake showed: it is told to whoever asks, and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// `1.2` or `1.3`.
    pub version: &'static str,
    /// Who vouches for the server.
    pub issuer: String,
    /// The names its certificate is for.
    pub names: Vec<String>,
    /// When its certificate ends.
    pub expires_at: Millis,
}

/// Shakes hands over `io` and verifies that it is `host` at the other end.
pub(crate) async fn handshake(
    config: &Arc<ClientConfig>,
    host: &str,
    io: Box<dyn Io>,
) -> Result<(Box<dyn Io>, Option<Handshake>), Trouble> {
    shake(config, host, io, |error| trouble(host, error)).await
}

/// The same where TLS comes first. Who speaks plain text there is known by its first byte.
pub(crate) async fn handshake_first(
    config: &Arc<ClientConfig>,
    host: &str,
    port: u16,
    io: TcpStream,
) -> Result<(Box<dyn Io>, Option<Handshake>), Trouble> {
    let told = |error: &std::io::Error| match is_no_tls(error) {
        true => Trouble::Unsafe(format!(
            "{host}:{port} answers in plain text where TLS was to begin: this port seems to speak \
             STARTTLS; write `tls = \"starttls\"`, or the port that is for TLS"
        )),
        false => trouble(host, error),
    };
    shake(config, host, io, told).await
}

async fn shake(
    config: &Arc<ClientConfig>,
    host: &str,
    io: impl Io + 'static,
    told: impl FnOnce(&std::io::Error) -> Trouble,
) -> Result<(Box<dyn Io>, Option<Handshake>), Trouble> {
    let shaken = TlsConnector::from(Arc::clone(config)).connect(name(host)?, io).await;
    let stream = shaken.map_err(|error| told(&error))?;
    let shown = shown(stream.get_ref().1);
    Ok((Box::new(stream), shown))
}

/// What is to be said of a port that gave no greeting, if it speaks TLS from the first byte on.
/// Whether it is to be trusted is not asked: nothing is said to it.
pub(crate) async fn comes_first(
    config: &Arc<ClientConfig>,
    host: &str,
    port: u16,
    deadline: Duration,
) -> Option<String> {
    if PLAIN_FIRST.contains(&port) {
        return None;
    }
    let shaking = async {
        let tcp = TcpStream::connect((host, port)).await.ok()?;
        let shaken = TlsConnector::from(Arc::clone(config)).connect(name(host).ok()?, tcp).await;
        match shaken {
            Ok(_) => Some(()),
            Err(error) => (of_tls(&error).is_some() && !is_no_tls(&error)).then_some(()),
        }
    };
    tokio::time::timeout(deadline.min(LOOK_MAX), shaking).await.ok()??;
    Some(format!(
        "{host}:{port} says nothing before TLS: this port seems to speak implicit TLS; write `tls = \
         \"implicit\"`, or the port that is for STARTTLS"
    ))
}

/// Ports on which TLS never comes first (RFC 5321, RFC 6409, RFC 3501, and what submission is often moved
/// to): whoever is silent there has another reason, and takes a handshake for an attack.
const PLAIN_FIRST: [u16; 4] = [25, 143, 587, 2525];

fn name(host: &str) -> Result<ServerName<'static>, Trouble> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Trouble::Unsafe(format!("`{host}` is no name a certificate could be for")))
}

/// What TLS has to say of a failure; `None` where the connection is to blame.
fn of_tls(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether what came is not TLS at all.
fn is_no_tls(error: &std::io::Error) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidMessage(_)))
}

fn shown(connection: &rustls::ClientConnection) -> Option<Handshake> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "1.3",
        ProtocolVersion::TLSv1_2 => "1.2",
        _ => return None,
    };
    let (_, certificate) =
        X509Certificate::from_der(connection.peer_certificates()?.first()?).ok()?;
    let issuer = certificate.issuer();
    let said = |names: &mut dyn Iterator<Item = &x509_parser::x509::AttributeTypeAndValue<'_>>| {
        Some(names.next()?.as_str().ok()?.to_owned())
    };
    let issuer = said(&mut issuer.iter_organization())
        .or_else(|| said(&mut issuer.iter_common_name()))
        .unwrap_or_else(|| issuer.to_string());
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|names| &names.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => address(octets),
        _ => None,
    };
    Some(Handshake {
        version,
        issuer,
        names: names.filter_map(name).collect(),
        expires_at: certificate.validity().not_after.timestamp() * SECOND,
    })
}

fn address(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).map(std::net::IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(octets).map(std::net::IpAddr::from);
    v4.or_else(|_| v6()).ok().map(|address| address.to_string())
}

/// A handshake the other side spoiled is a matter for an operator; a dead connection is not.
fn trouble(host: &str, error: &std::io::Error) -> Trouble {
    match of_tls(error) {
        Some(tls) => Trouble::Unsafe(format!(
            "{host} is not to be trusted: {tls}; check the mail host's name and its `ca`"
        )),
        None => Trouble::Lost { phase: Phase::StartTls, why: error.to_string() },
    }
}

/// The longest look at whether TLS comes first: a server that speaks it answers at once.
const LOOK_MAX: Duration = Duration::from_secs(5);
