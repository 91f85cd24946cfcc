//! The fields of one header.
//!
//! Cut apart here, and read by `mail-parser` one by one: left to itself it takes the field behind
//! some dates (`UT`) for a part of them.

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};
use warmfront_core::address::Address;
use warmfront_core::inbound::NAMES_MAX;
use warmfront_core::span::Millis;

/// A header, its fields found by their names. The first of several of a name counts.
pub(super) struct Header<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Header<'a> {
    /// Reads the octets before the empty line.
    pub(super) fn read(octets: &'a [u8]) -> Self {
        let octets = &octets[..octets.len().min(HEADER_MAX)];
        let mut fields = Vec::new();
        let (mut begun, mut at) = (0, 0);
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            // RFC 5322, section 2.2.3: a line that begins with a blank belongs to the one before.
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                fields.extend(field(&octets[begun..at]));
                begun = at;
            }
            at += line.len();
        }
        fields.extend(field(&octets[begun..]));
        Self { fields }
    }

    /// A field as it stands.
    pub(super) fn raw(&self, name: &str) -> Option<&'a [u8]> {
        let named = |(found, _): &&(&[u8], &[u8])| found.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().find(named).map(|(_, value)| *value)
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// A field as text of one line, its encoded words decoded (RFC 2047), which can hold anything.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match MessageStream::new(self.raw(name)?).parse_unstructured() {
            HeaderValue::Text(text) => Some(without_controls(&text).replace(['\n', '\t'], " ")),
            _ => None,
        }
    }

    /// The addresses of a field.
    pub(super) fn addresses(&self, name: &str) -> Vec<Address> {
        let Some(raw) = self.raw(name) else { return Vec::new() };
        let HeaderValue::Address(list) = MessageStream::new(raw).parse_address() else {
            return Vec::new();
        };
        let addresses = list.iter().take(ADDRESSES_MAX);
        addresses.filter_map(|one| Address::parse(one.address()?).ok()).collect()
    }

    /// The Message-IDs of a field, in angle brackets.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        let Some(raw) = self.raw(name) else { return Vec::new() };
        ids_in(&String::from_utf8_lossy(raw))
    }

    /// `Date`.
    pub(super) fn date(&self) -> Option<Millis> {
        let HeaderValue::DateTime(date) = MessageStream::new(self.raw("Date")?).parse_date() else {
            return None;
        };
        date.is_valid().then(|| date.to_timestamp().checked_mul(1000)).flatten()
    }

    /// Type and subtype, in lower case.
    pub(super) fn content_type(&self) -> Option<String> {
        let kind = self.content()?;
        let subtype = kind.subtype().unwrap_or_default();
        Some(format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase())
    }

    /// An attribute of the content type.
    pub(super) fn content_attribute(&self, name: &str) -> Option<String> {
        self.content()?.attribute(name).map(str::to_owned)
    }

    fn content(&self) -> Option<ContentType<'a>> {
        match MessageStream::new(self.raw("Content-Type")?).parse_content_type() {
            HeaderValue::ContentType(kind) => Some(kind),
            _ => None,
        }
    }
}

/// Name and value of a field with all its lines. Blanks before the colon are obsolete, and there
/// (RFC 5322, section 4.5).
fn field(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = lines.iter().position(|&octet| octet == b':')?;
    let name = lines[..colon].trim_ascii_end();
    (!name.is_empty() && !name.contains(&b'\n')).then_some((name, &lines[colon + 1..]))
}

/// A text without control characters but those that part lines and columns: nobody types them, and
/// some databases take no text that holds them.
pub(super) fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Every `<…@…>` in a text, without the blanks that folding put into it; or the text itself, where
/// it is a bare id.
pub(super) fn ids_in(text: &str) -> Vec<String> {
    let text = without_controls(text);
    let bracketed: Vec<String> = text
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>').map(|(id, _)| id))
        .map(|id| id.split_whitespace().collect::<String>())
        .filter(|id| is_id(id))
        .map(|id| format!("<{id}>"))
        .take(NAMES_MAX)
        .collect();
    let bare = text.trim();
    if bracketed.is_empty() && is_id(bare) && !bare.contains(['<', '>']) {
        return vec![format!("<{bare}>")];
    }
    bracketed
}

/// RFC 5322, section 3.6.4 wants an @, section 2.1.1 a line of at most 998 characters.
fn is_id(id: &str) -> bool {
    id.len() <= 998 && id.contains('@') && !id.contains(char::is_whitespace)
}

/// No server takes more header than this (Postfix: 100 KiB by default).
const HEADER_MAX: usize = 128 * 1024;
const ADDRESSES_MAX: usize = 64;
