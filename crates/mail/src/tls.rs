//! TLS as a client: 1.2 or 1.3, the chain and the name always verified.
//!
//! There is no switch that turns verification off; a private server is reached by naming its CA.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use warmfront_core::answer::Phase;

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

/// Shakes hands over `io` and verifies that it is `host` at the other end.
pub(crate) async fn handshake(
    config: &Arc<ClientConfig>,
    host: &str,
    io: Box<dyn Io>,
) -> Result<Box<dyn Io>, Trouble> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Trouble::Unsafe(format!("`{host}` is no name a certificate could be for")))?;
    match TlsConnector::from(Arc::clone(config)).connect(name, io).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(trouble(host, &error)),
    }
}

/// A handshake the other side spoiled is a matter for an operator; a dead connection is not.
fn trouble(host: &str, error: &std::io::Error) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => Trouble::Unsafe(format!(
            "{host} is not to be trusted: {tls}; check the mail host's name and its `ca`"
        )),
        None => Trouble::Lost { phase: Phase::StartTls, why: error.to_string() },
    }
}
