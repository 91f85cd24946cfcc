//! A message in the Sent folder: by which ids it is known, and whom it went to. What it says is
//! nobody's business here.

use mail_parser::{Address as Addresses, HeaderName, HeaderValue, MessageParser};
use sha2::{Digest as _, Sha256};
use warmfront_core::address::Address;

/// What the header of a copy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) key: String,
    pub(super) ids: Vec<String>,
    pub(super) to: Vec<Address>,
}

impl Copy {
    pub(super) fn read(octets: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse_headers(octets) else {
            return Self { key: key(octets), ..Self::default() };
        };
        let mut copy = Self::default();
        for header in message.headers() {
            if let (HeaderName::To | HeaderName::Cc | HeaderName::Bcc, HeaderValue::Address(to)) =
                (&header.name, &header.value)
            {
                copy.to.extend(addresses(to));
            }
        }
        for name in IDS {
            let id = message.header(name).and_then(HeaderValue::as_text).unwrap_or_default();
            let id = id.trim().trim_start_matches('<').trim_end_matches('>');
            if !id.is_empty() {
                copy.ids.push(format!("<{id}>"));
            }
        }
        copy.to.truncate(RECIPIENTS_MAX);
        copy.key = copy.ids.first().map_or_else(|| key(octets), |id| key(id.as_bytes()));
        copy
    }
}

fn addresses(list: &Addresses<'_>) -> Vec<Address> {
    list.iter().filter_map(|one| Address::parse(one.address()?).ok()).collect()
}

fn key(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Where a message's ids stand: its own first, then what it bore before its provider gave it another.
const IDS: [&str; 3] =
    ["Message-ID", "X-Microsoft-Original-Message-ID", "X-Google-Original-Message-ID"];

/// The most recipients that are looked at: our own messages have one.
const RECIPIENTS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, ids: &[&str], to: &[&str]) {
        let copy = Copy::read(format!("{header}\r\n\r\nbody").as_bytes());
        let read: Vec<&str> = copy.to.iter().map(Address::as_str).collect();
        assert_eq!((copy.ids, read), (ids.iter().map(|&id| id.to_owned()).collect(), to.to_vec()));
        assert_eq!(copy.key.len(), 64);
    }

    #[test]
    fn a_copy_is_known_by_every_id_it_bore() {
        check("Message-ID: <a@b.test>\r\nTo: Ann <ann@x.test>", &["<a@b.test>"], &["ann@x.test"]);
        check(
            "X-Microsoft-Original-Message-ID:\r\n <ours@b.test>\r\nMessage-ID: <theirs@c.test>\r\n\
             Cc: a@x.test, Undisclosed:;, \"B\" <B@x.test>\r\nBcc: c@y.test",
            &["<theirs@c.test>", "<ours@b.test>"],
            &["a@x.test", "b@x.test", "c@y.test"],
        );
        check("Subject: none", &[], &[]);
        check("", &[], &[]);
    }

    #[test]
    fn copies_differ_by_their_ids_and_else_by_what_they_are() {
        let key = |text: &str| Copy::read(text.as_bytes()).key;
        assert_eq!(key("Message-ID: <a@b>\r\n\r\n1"), key("Message-ID: <a@b>\r\nTo: x\r\n\r\n2"));
        assert_ne!(key("Subject: a\r\n\r\n1"), key("Subject: a\r\n\r\n2"));
    }
}
