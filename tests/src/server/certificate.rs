//! What a sink shows for itself when asked for TLS.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// How good a server's certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, from the CA that the sink names.
    Good,
    /// From that CA, for another host.
    OtherName,
    /// For this host, from a CA nobody knows.
    OtherCa,
    /// For this host, signed by itself.
    SelfSigned,
    /// For this host, from that CA, and long over.
    Expired,
}

/// A certificate with its key, and the CA that ought to vouch for it; all PEM.
pub(crate) struct Papers {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) ca: String,
}

/// The papers of a server in good order.
pub(crate) fn papers() -> Papers {
    let (signed, key, ca) = issue(Certificate::Good);
    Papers { certificate: signed.pem(), key: key.serialize_pem(), ca }
}

/// A TLS server with such a certificate, and the PEM of the CA that ought to vouch for it.
///
/// # Panics
///
/// If the machine gives no randomness for a key.
#[must_use]
pub fn acceptor(certificate: Certificate) -> (TlsAcceptor, String) {
    let (signed, key, ca) = issue(certificate);
    (TlsAcceptor::from(Arc::new(config(vec![signed.der().clone()], &key))), ca)
}

fn issue(certificate: Certificate) -> (rcgen::Certificate, KeyPair, String) {
    let named = authority("The named CA");
    let unknown = authority("Another CA");
    let key = KeyPair::generate().expect("a key");
    let names = match certificate {
        Certificate::OtherName => vec!["elsewhere.example".to_owned()],
        Certificate::Good
        | Certificate::OtherCa
        | Certificate::SelfSigned
        | Certificate::Expired => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let mut params = CertificateParams::new(names).expect("names that can be certified");
    if certificate == Certificate::Expired {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let signed = match certificate {
        Certificate::SelfSigned => params.self_signed(&key),
        Certificate::OtherCa => params.signed_by(&key, &unknown),
        Certificate::Good | Certificate::OtherName | Certificate::Expired => {
            params.signed_by(&key, &named)
        }
    };
    (signed.expect("a certificate"), key, named.pem())
}

fn config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key in PKCS #8");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate that fits its key")
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names at all");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}
