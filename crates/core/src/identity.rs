//! What is known of those who give tokens (OAuth 2.0): where they are asked, and for what.
//!
//! Data like the providers': one row of `identities.csv` each, made from public pages that the row
//! names. An empty cell is something they do not offer for mail. Asks nobody anything.

mod refusal;

use serde::{Deserialize, Serialize};

pub use self::refusal::cure_of_refusal;

use crate::cells::words;

/// Who gives tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// Microsoft Entra.
    Microsoft,
    /// Google.
    Google,
}

/// How somebody consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// On another device, by a short code (RFC 8628).
    Device,
    /// In a browser on this machine (RFC 8252).
    Code,
    /// Once by an administrator for all mailboxes: client credentials (RFC 6749, section 4.4), or a
    /// service account's signature (RFC 7523).
    App,
}

/// What is known of one who gives tokens. In an address `{tenant}` stands for the directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Endpoints {
    /// Who it is.
    pub name: Identity,
    /// Where a browser is sent.
    pub authorize_url: String,
    /// Where tokens are given.
    pub token_url: String,
    /// Where a device's code is given; `None` where none serves for mail.
    pub device_url: Option<String>,
    /// What a person is asked to allow.
    #[serde(deserialize_with = "words")]
    pub scopes: Vec<String>,
    /// What an application asks for in its own name.
    #[serde(deserialize_with = "words")]
    pub app_scopes: Vec<String>,
    /// What else the browser's address says, `key=value` each.
    #[serde(deserialize_with = "words")]
    pub authorize_with: Vec<String>,
    /// What this machine is called in the address that a browser is sent back to.
    pub loopback: String,
    /// Where an application is registered.
    pub register_at: String,
    /// The public pages the row was made from.
    pub source: String,
}

impl Identity {
    /// The word for it in configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Microsoft => "microsoft",
            Self::Google => "google",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Microsoft, Self::Google].into_iter().find(|identity| identity.as_str() == word)
    }

    /// How people usually consent: where a device's code serves, it serves on any machine.
    #[must_use]
    pub fn usual_flow(self) -> Flow {
        match self.endpoints().device_url {
            Some(_) => Flow::Device,
            None => Flow::Code,
        }
    }

    /// Where it is asked, and for what.
    #[must_use]
    pub fn endpoints(self) -> Endpoints {
        let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
        let rows = rows.map(|row| row.expect("the table is built in, and a test reads it"));
        let mut rows = rows.filter(|row: &Endpoints| row.name == self);
        rows.next().expect("each has its row, and a test reads them")
    }
}

impl Flow {
    /// The word for it in configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Code => "code",
            Self::App => "app",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Device, Self::Code, Self::App].into_iter().find(|flow| flow.as_str() == word)
    }
}

const TABLE: &str = include_str!("identities.csv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_row_and_every_address_is_safe() {
        for identity in [Identity::Microsoft, Identity::Google] {
            let known = identity.endpoints();
            assert_eq!(Identity::from_word(identity.as_str()), Some(identity));
            let urls = [&known.authorize_url, &known.token_url, &known.register_at];
            for url in urls.into_iter().chain(&known.device_url) {
                assert!(url.starts_with("https://"), "{url}");
            }
            assert!(!known.scopes.is_empty() && !known.app_scopes.is_empty(), "{known:?}");
            assert!(known.authorize_with.iter().all(|with| with.contains('=')), "{known:?}");
            assert!(["localhost", "127.0.0.1"].contains(&known.loopback.as_str()), "{known:?}");
            assert!(!known.source.is_empty(), "{known:?}");
        }
    }

    #[test]
    fn the_usual_flow_is_one_that_there_is() {
        assert_eq!(Identity::Microsoft.usual_flow(), Flow::Device);
        assert_eq!(Identity::Google.usual_flow(), Flow::Code, "its device flow gives no mail");
        for flow in [Flow::Device, Flow::Code, Flow::App] {
            assert_eq!(Flow::from_word(flow.as_str()), Some(flow));
        }
        assert_eq!(Flow::from_word("magic"), None);
    }
}
