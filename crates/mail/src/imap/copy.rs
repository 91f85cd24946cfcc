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
    pub(super) token: Option<String>,
    pub(super) subject: Option<String>,
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
        copy.token = message.header_raw("List-Unsubscribe").and_then(token);
        copy.subject = message.subject().map(str::to_owned);
        copy.to.truncate(RECIPIENTS_MAX);
        copy.key = copy.ids.first().map_or_else(|| key(octets), |id| key(id.as_bytes()));
        copy
    }
}

/// The token of our opt-out link, `<mailto:ann@example.com?subject=unsub-TOKEN>` (RFC 8058 and RFC
/// 6068): a provider that gives a message another id leaves it alone.
fn token(header: &str) -> Option<String> {
    let (_, rest) = header.split_once("?subject=unsub-")?;
    let token: String = rest.split('>').next()?.split_whitespace().collect();
    (!token.is_empty()).then_some(token)
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
    fn a_copy_is_known_by_its_opt_out_link_too() {
        #[track_caller]
        fn check(header: &str, token: Option<&str>, subject: Option<&str>) {
            let copy = Copy::read(format!("{header}\r\n\r\nbody").as_bytes());
            assert_eq!((copy.token.as_deref(), copy.subject.as_deref()), (token, subject));
        }
        let link = "List-Unsubscribe: <mailto:ann@one.test?subject=unsub-19a.4f5e>";
        check(&format!("{link}\r\nSubject: A question"), Some("19a.4f5e"), Some("A question"));
        let folded = link.replace("19a.", "19a.\r\n ");
        let encoded = "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=";
        check(&format!("{encoded}\r\n{folded}"), Some("19a.4f5e"), Some("Grüße"));
        check("List-Unsubscribe: <https://one.test/u?id=4f5e>", None, None);
        check("List-Unsubscribe: <mailto:a@b.test?subject=unsub->", None, None);
    }

    #[test]
    fn copies_differ_by_their_ids_and_else_by_what_they_are() {
        let key = |text: &str| Copy::read(text.as_bytes()).key;
        assert_eq!(key("Message-ID: <a@b>\r\n\r\n1"), key("Message-ID: <a@b>\r\nTo: x\r\n\r\n2"));
        assert_ne!(key("Subject: a\r\n\r\n1"), key("Subject: a\r\n\r\n2"));
    }
}
