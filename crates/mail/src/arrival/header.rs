//! The fields of one header.

use mail_parser::{HeaderForm, HeaderValue, Message, MessageParser, MimeHeaders as _};
use warmfront_core::address::Address;
use warmfront_core::span::Millis;

/// A header, its fields found by their names. The first of several of a name counts.
pub(super) struct Header<'a> {
    message: Option<Message<'a>>,
}

impl<'a> Header<'a> {
    /// Reads the octets before the empty line.
    pub(super) fn read(octets: &'a [u8]) -> Self {
        let octets = &octets[..octets.len().min(HEADER_MAX)];
        Self { message: MessageParser::default().parse_headers(octets) }
    }

    /// A field as it stands.
    pub(super) fn raw(&self, name: &str) -> Option<&[u8]> {
        let message = self.message.as_ref()?;
        let field =
            message.headers().iter().find(|field| field.name().eq_ignore_ascii_case(name))?;
        let (start, end) = (field.offset_start() as usize, field.offset_end() as usize);
        message.raw_message.get(start..end)
    }

    /// A field as text, its encoded words decoded (RFC 2047).
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.formed(name, HeaderForm::Text)? {
            HeaderValue::Text(text) => Some(text.into_owned()),
            _ => None,
        }
    }

    /// The addresses of a field.
    pub(super) fn addresses(&self, name: &str) -> Vec<Address> {
        let Some(HeaderValue::Address(list)) = self.formed(name, HeaderForm::Addresses) else {
            return Vec::new();
        };
        let addresses = list.iter().take(ADDRESSES_MAX);
        addresses.filter_map(|one| Address::parse(one.address()?).ok()).collect()
    }

    /// The name before the address of `From`.
    pub(super) fn display_name(&self) -> String {
        match self.formed("From", HeaderForm::Addresses) {
            Some(HeaderValue::Address(list)) => {
                list.first().and_then(|one| one.name()).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }

    /// The Message-IDs of a field, in angle brackets.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        let Some(raw) = self.raw(name) else { return Vec::new() };
        ids_in(&String::from_utf8_lossy(raw))
    }

    /// `Date`.
    pub(super) fn date(&self) -> Option<Millis> {
        self.message
            .as_ref()?
            .date()
            .filter(|date| date.is_valid())?
            .to_timestamp()
            .checked_mul(1000)
    }

    /// Type and subtype, in lower case.
    pub(super) fn content_type(&self) -> Option<String> {
        let kind = self.message.as_ref()?.content_type()?;
        let subtype = kind.subtype().unwrap_or_default();
        Some(format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase())
    }

    /// An attribute of the content type.
    pub(super) fn content_attribute(&self, name: &str) -> Option<String> {
        self.message.as_ref()?.content_type()?.attribute(name).map(str::to_owned)
    }

    fn formed(&self, name: &str, form: HeaderForm) -> Option<HeaderValue<'_>> {
        let message = self.message.as_ref()?;
        let field =
            message.headers().iter().find(|field| field.name().eq_ignore_ascii_case(name))?;
        message.header_as(field.name.clone(), form).into_iter().next()
    }
}

/// Every `<…@…>` in a text, without the blanks that folding put into it; or the text itself, where
/// it is a bare id.
pub(super) fn ids_in(text: &str) -> Vec<String> {
    let bracketed: Vec<String> = text
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>').map(|(id, _)| id))
        .map(|id| id.split_whitespace().collect::<String>())
        .filter(|id| is_id(id))
        .map(|id| format!("<{id}>"))
        .take(IDS_MAX)
        .collect();
    let bare = text.trim();
    if bracketed.is_empty() && is_id(bare) && !bare.contains(['<', '>']) {
        return vec![format!("<{bare}>")];
    }
    bracketed
}

/// RFC 5322, section 3.6.4 wants an @; RFC 5322, section 2.1.1 a line.
fn is_id(id: &str) -> bool {
    id.len() <= 998 && id.contains('@') && !id.contains(char::is_whitespace)
}

/// No server takes more header than this (Postfix: 100 KiB, Exchange: 256 KiB with all fields).
const HEADER_MAX: usize = 128 * 1024;
/// How many of the ids an arrival names are looked up.
pub(super) const IDS_MAX: usize = 64;
const ADDRESSES_MAX: usize = 64;
