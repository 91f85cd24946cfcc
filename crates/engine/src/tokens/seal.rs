//! How tokens are sealed before they go into the books: XChaCha20-Poly1305, by a key that is in no
//! database, each for one mailbox and one purpose.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::{Digest as _, Sha256};

/// The key that tokens are sealed by.
pub type Key = SecretBox<[u8; KEY_LEN]>;

/// Octets of a key.
pub const KEY_LEN: usize = 32;

/// What a token is for. One that is sealed for one thing opens as no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It gets new tokens.
    Refresh,
    /// It is shown to mail servers.
    Access,
}

/// Seals and opens by one key.
pub(crate) struct Seal {
    cipher: XChaCha20Poly1305,
    fingerprint: String,
}

impl Seal {
    pub(crate) fn by(key: &Key) -> Self {
        let cipher = XChaCha20Poly1305::new(key.expose_secret().into());
        Self { cipher, fingerprint: fingerprint(key) }
    }

    /// What the books know the key by.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A secret as it may stand in the books.
    pub(crate) fn close(&self, mailbox: &str, purpose: Purpose, secret: &SecretString) -> String {
        let mut nonce = [0; NONCE_LEN];
        // With 192 bits of chance no two are ever the same; without any nothing may be sealed.
        SysRng.try_fill_bytes(&mut nonce).expect("the operating system gives random octets");
        let bound = bound_to(mailbox, purpose);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: bound.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("a token is far shorter than what a seal can hold");
        format!("{VERSION}{}", BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The secret again. `None`: another key sealed it, or it was meant for something else.
    pub(crate) fn open(
        &self,
        mailbox: &str,
        purpose: Purpose,
        sealed: &str,
    ) -> Option<SecretString> {
        let octets = BASE64.decode(sealed.strip_prefix(VERSION)?).ok()?;
        let (nonce, sealed) = octets.split_at_checked(NONCE_LEN)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
        let bound = bound_to(mailbox, purpose);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        let opened = self.cipher.decrypt(&XNonce::from(nonce), payload).ok()?;
        String::from_utf8(opened).ok().map(SecretString::from)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Tells one key from another, and nothing else of it: of 256 random bits these 64 leave all to be
/// guessed, and whoever asks for the hash of anything else gets no such text.
#[must_use]
pub fn fingerprint(key: &Key) -> String {
    let mut hash = Sha256::new_with_prefix("warmfront\0sealing key\0");
    hash.update(key.expose_secret());
    hash.finalize().iter().take(FINGERPRINT_LEN).map(|octet| format!("{octet:02x}")).collect()
}

/// An address has no NUL, so nothing else can be bound to the same.
fn bound_to(mailbox: &str, purpose: Purpose) -> String {
    let purpose = match purpose {
        Purpose::Refresh => "refresh",
        Purpose::Access => "access",
    };
    format!("warmfront\0{purpose}\0{mailbox}")
}

/// How a seal is made. Another way has another number.
const VERSION: &str = "1:";

const NONCE_LEN: usize = 24;

/// Two keys of one operator never share as many octets by chance.
const FINGERPRINT_LEN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(octet: u8) -> Seal {
        Seal::by(&Key::new(Box::new([octet; KEY_LEN])))
    }

    fn opened(seal: &Seal, mailbox: &str, purpose: Purpose, sealed: &str) -> Option<String> {
        let secret = seal.open(mailbox, purpose, sealed)?;
        Some(secret.expose_secret().to_owned())
    }

    #[test]
    fn a_token_opens_for_its_mailbox_its_purpose_and_its_key_alone() {
        let ours = seal(1);
        let sealed = ours.close("ann@x.example", Purpose::Refresh, &"s3cret".into());
        let open = |seal: &Seal, mailbox, purpose| opened(seal, mailbox, purpose, &sealed);
        let ann = "ann@x.example";
        assert_eq!(open(&ours, ann, Purpose::Refresh).as_deref(), Some("s3cret"));
        assert_eq!(open(&ours, "bea@x.example", Purpose::Refresh), None);
        assert_eq!(open(&ours, ann, Purpose::Access), None);
        assert_eq!(open(&seal(2), ann, Purpose::Refresh), None);
        let again = ours.close(ann, Purpose::Refresh, &"s3cret".into());
        assert_ne!(sealed, again, "the same token never looks the same");
        assert!(!sealed.contains("s3cret"));
    }

    #[test]
    fn a_key_is_known_by_a_fingerprint_that_never_changes() {
        assert_eq!(seal(1).fingerprint(), "24f145bf4afe0a9c");
        assert_ne!(seal(1).fingerprint(), seal(2).fingerprint());
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let ours = seal(1);
        let sealed = ours.close("ann@x.example", Purpose::Access, &"s3cret".into());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let opened = opened(&ours, "ann@x.example", Purpose::Access, &changed);
            assert_eq!(opened, None, "{at}");
        }
        assert!(ours.open("ann@x.example", Purpose::Access, "1:").is_none());
        assert!(ours.open("ann@x.example", Purpose::Access, "").is_none());
    }
}
