//! DKIM keys, wherever the selectors' names lead to.

use mail_auth::Error;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::DkimError;
use warmfront_core::domain::{DkimKey, Found, Selector};

use super::Dns;

/// Asks for each selector's key. A CNAME is followed and its target not guessed at: providers turn
/// keys behind it.
pub(super) async fn ask(dns: &Dns, domain: &str, selectors: Vec<String>) -> Vec<Selector> {
    let mut found = Vec::new();
    for name in selectors {
        let texts = dns.txt(&format!("{name}._domainkey.{domain}")).await;
        found.push(Selector { name, key: texts.map(|texts| best(&texts)) });
    }
    found
}

/// A selector that nobody was asked about.
pub(super) fn unknown(name: String, why: &str) -> Selector {
    Selector { name, key: Found::Unknown(why.to_owned()) }
}

/// Of several records the one that serves: which of them a receiver takes is undefined (RFC 6376,
/// section 3.6.2.2).
fn best(texts: &[Vec<u8>]) -> DkimKey {
    let rank = |key: &DkimKey| match key {
        DkimKey::Bits(bits) => (2, *bits),
        DkimKey::Revoked => (1, 0),
        DkimKey::Broken(_) => (0, 0),
    };
    let keys = texts.iter().map(|text| key(text));
    keys.max_by_key(rank).unwrap_or_else(|| DkimKey::Broken("it is empty".to_owned()))
}

fn key(text: &[u8]) -> DkimKey {
    match DomainKey::parse(text) {
        Ok(key) => match u32::try_from(key.p.public_key_bits()) {
            Ok(0) => DkimKey::Broken("`p=` holds no RSA key".to_owned()),
            Ok(bits) => DkimKey::Bits(bits),
            // Of Ed25519 the library tells no size.
            Err(_) => DkimKey::Bits(u32::MAX),
        },
        Err(Error::Dkim(DkimError::RevokedPublicKey)) => DkimKey::Revoked,
        Err(Error::Dns(_)) => DkimKey::Broken("it is no DKIM record".to_owned()),
        Err(error) => DkimKey::Broken(error.to_string()),
    }
}
