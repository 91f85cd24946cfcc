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
        Ok(key) => match (forbidden(&String::from_utf8_lossy(text)), key.p.public_key_bits()) {
            (Some(why), _) => DkimKey::Broken(why.to_owned()),
            (None, 0) => DkimKey::Broken("`p=` holds no RSA key".to_owned()),
            // Of Ed25519 the library tells no size.
            (None, bits) => DkimKey::Bits(u32::try_from(bits).unwrap_or(u32::MAX)),
        },
        Err(Error::Dkim(DkimError::RevokedPublicKey)) => DkimKey::Revoked,
        Err(Error::Dns(_)) => DkimKey::Broken("it is no DKIM record".to_owned()),
        Err(error) => DkimKey::Broken(error.to_string()),
    }
}

/// Why no receiver takes a signature by a key that can be read, if so. What the library does not know
/// it passes over, and so it tells a list of strangers and no list alike.
fn forbidden(text: &str) -> Option<&'static str> {
    let lacks = |tag: &str, wanted: &[&str]| {
        let mut tags = text.rsplit(';').filter_map(|tag| tag.split_once('='));
        let (_, value) = tags.find(|(key, _)| key.trim().eq_ignore_ascii_case(tag))?;
        let value = value.trim();
        let is_wanted = |item: &str| wanted.iter().any(|w| item.trim().eq_ignore_ascii_case(w));
        Some(!value.is_empty() && !value.split(':').any(is_wanted))
    };
    if lacks("h", &["sha256"]) == Some(true) {
        return Some(match lacks("h", &["sha1"]) {
            Some(false) => "it allows SHA-1 alone, which no receiver takes (RFC 8301)",
            _ => "`h=` names no hash that receivers know (RFC 6376)",
        });
    }
    (lacks("s", &["email", "*"]) == Some(true))
        .then_some("`s=` keeps it for other services than mail (RFC 6376)")
}
