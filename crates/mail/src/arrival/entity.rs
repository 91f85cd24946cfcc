//! The parts of a message (RFC 2046), each with its type and its decoded octets.
//!
//! An enclosed message stays closed here: nobody needs more of it than its header, unless it is a
//! report itself. So only multiparts nest, and those no deeper than any mail program makes them.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use super::header::{Header, without_controls};

/// One part that has no parts of its own.
#[derive(Debug)]
pub(super) struct Entity {
    /// Type and subtype, in lower case.
    pub(super) content_type: String,
    charset: Option<String>,
    /// Decoded.
    pub(super) octets: Vec<u8>,
}

impl Entity {
    /// As text, whatever its character set; not more than a person writes, and nothing that nobody
    /// types.
    pub(super) fn text(&self) -> String {
        let octets = &self.octets[..self.octets.len().min(TEXT_MAX)];
        let decoder = self.charset.as_deref().and_then(|name| charset_decoder(name.as_bytes()));
        without_controls(&match decoder {
            Some(decode) => decode(octets),
            None => String::from_utf8_lossy(octets).into_owned(),
        })
    }

    /// RFC 3464, and its internationalised twin, RFC 6533.
    pub(super) fn is_delivery_status(&self) -> bool {
        matches!(
            self.content_type.as_str(),
            "message/delivery-status" | "message/global-delivery-status" | "text/delivery-status"
        )
    }

    /// A message, or no more than its header.
    pub(super) fn is_enclosed_message(&self) -> bool {
        matches!(
            self.content_type.as_str(),
            "message/rfc822"
                | "message/global"
                | "message/global-headers"
                | "message/rfc822-headers"
                | "text/rfc822-headers"
                | "text/rfc822-header"
                | "message/partial"
        )
    }

    /// A report about something else than delivery.
    pub(super) fn is_other_report(&self) -> bool {
        matches!(
            self.content_type.as_str(),
            "message/feedback-report" | "message/disposition-notification"
        )
    }
}

/// HTML as text; entities name control characters too (`&#0;`).
pub(super) fn html_as_text(html: &str) -> String {
    without_controls(&html_to_text(html))
}

/// Lines that end in a line feed, whatever they ended in; without empty lines before the header,
/// and without the line that mbox files begin a message with.
pub(super) fn normalised(raw: &[u8]) -> Vec<u8> {
    let is_old_mac = !raw.contains(&b'\n');
    let mut octets = Vec::with_capacity(raw.len());
    for (at, &octet) in raw.iter().enumerate() {
        match octet {
            b'\r' if is_old_mac => octets.push(b'\n'),
            b'\r' if raw.get(at + 1) == Some(&b'\n') => {}
            _ => octets.push(octet),
        }
    }
    let blank = octets.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
    octets.drain(..blank);
    if octets.starts_with(b"From ") {
        let line =
            octets.iter().position(|&octet| octet == b'\n').map_or(octets.len(), |at| at + 1);
        octets.drain(..line);
    }
    octets
}

/// Header and body: what stands before and behind the first empty line.
pub(super) fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    if octets.first() == Some(&b'\n') {
        return (&[], &octets[1..]);
    }
    match octets.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&octets[..=at], &octets[at + 2..]),
        None => (octets, &[]),
    }
}

/// All parts without parts of their own, in order.
pub(super) fn walk(header: &Header<'_>, body: &[u8]) -> Vec<Entity> {
    let mut entities = Vec::new();
    enter(header, body, 0, &mut entities);
    entities
}

fn enter(header: &Header<'_>, body: &[u8], depth: usize, entities: &mut Vec<Entity>) {
    if entities.len() >= ENTITIES_MAX {
        return;
    }
    let content_type = header.content_type().unwrap_or_else(|| "text/plain".to_owned());
    if content_type.starts_with("multipart/") {
        let boundary = header.content_attribute("boundary").filter(|_| depth < DEPTH_MAX);
        let parts = boundary.map(|boundary| parts(body, boundary.as_bytes())).unwrap_or_default();
        for part in &parts {
            let (head, body) = split(part);
            enter(&Header::read(head), body, depth + 1, entities);
        }
        // Some name no boundary, or one that they do not use: what they say is read all the same.
        if parts.is_empty() && depth < DEPTH_MAX {
            let content_type = "text/plain".to_owned();
            entities.push(Entity { content_type, charset: None, octets: body.to_vec() });
        }
        return;
    }
    let octets = decoded(header.text("Content-Transfer-Encoding").as_deref(), body);
    let charset = header.content_attribute("charset");
    entities.push(Entity { content_type, charset, octets });
}

fn decoded(encoding: Option<&str>, body: &[u8]) -> Vec<u8> {
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    let decoded = match encoding.as_str() {
        "base64" => base64_decode(body),
        "quoted-printable" => quoted_printable_decode(body),
        _ => None,
    };
    // What claims an encoding that it is not in is read as it stands.
    decoded.unwrap_or_else(|| body.to_vec())
}

/// What stands between the lines of a boundary (RFC 2046, section 5.1.1). One that is never closed
/// ends with the octets.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let (mut begun, mut at) = (None, 0);
    for line in body.split_inclusive(|&octet| octet == b'\n') {
        let ending = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary));
        if let Some(ending) = ending.filter(|rest| is_ending(rest)) {
            if let Some(begun) = begun {
                parts.push(&body[begun..at]);
            }
            begun = Some(at + line.len());
            if ending.starts_with(b"--") || parts.len() >= ENTITIES_MAX {
                return parts;
            }
        }
        at += line.len();
    }
    parts.extend(begun.map(|begun| &body[begun..]));
    parts
}

/// What may follow a boundary on its line: two dashes and blanks.
fn is_ending(rest: &[u8]) -> bool {
    rest.strip_prefix(b"--").unwrap_or(rest).iter().all(u8::is_ascii_whitespace)
}

/// Mail programs nest three or four multiparts.
const DEPTH_MAX: usize = 8;
/// More parts than any report or letter has; what follows is not read.
const ENTITIES_MAX: usize = 100;
/// More than anybody writes, or any server reports.
const TEXT_MAX: usize = 64 * 1024;
