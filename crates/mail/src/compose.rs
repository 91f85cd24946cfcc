//! From a draft to the octets of a message: RFC 5322, 7-bit, lines of at most 998 octets, CRLF.
//!
//! The same draft gives the same octets, so a retry sends what the first attempt sent. What is
//! absent is absent on purpose: no `X-Mailer`, no fingerprint of the tool, no `Auto-Submitted`
//! (these letters are written by a person), no `Bcc`. What the text says is not looked at.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use warmfront_core::address::Address;
use warmfront_core::span::Millis;

/// What a message says, before it is one.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The mailbox.
    pub from: &'a Address,
    /// The person behind it.
    pub from_name: Option<&'a str>,
    /// The prospect.
    pub to: &'a Address,
    /// His or her name.
    pub to_name: Option<&'a str>,
    /// The subject, at most 200 characters.
    pub subject: &'a str,
    /// The text. Line ends of any kind.
    pub text: &'a str,
    /// The same as HTML, if it is wanted.
    pub html: Option<&'a str>,
    /// `<left@right>`; the same for every attempt.
    pub message_id: &'a str,
    /// The message this one answers, in a thread.
    pub in_reply_to: Option<&'a str>,
    /// The thread so far, oldest first.
    pub references: &'a [String],
    /// Where a mail unsubscribes: `unsub@example.com?subject=unsub-TOKEN`.
    pub list_unsubscribe_mailto: Option<&'a str>,
    /// When it is written.
    pub date: Millis,
}

/// Why a draft makes no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeProblem {
    /// CR, LF, NUL or their like where a header is to be.
    #[error("the {field} holds a line break or another control character; take it out")]
    Control {
        /// The field as the operator knows it.
        field: &'static str,
    },
    /// Nothing to read in the list of messages.
    #[error("the subject is empty; write one")]
    SubjectEmpty,
    /// Longer than anyone reads.
    #[error("the subject has {0} characters, and {SUBJECT_MAX} are allowed; shorten it")]
    SubjectTooLong(usize),
    /// An identifier other servers would replace.
    #[error("`{id}` is no message identifier for {field}; it reads `<left@right>`")]
    Identifier {
        /// The header.
        field: &'static str,
        /// What was given.
        id: String,
    },
    /// An address that cannot stand in a `mailto:`.
    #[error(
        "`{0}` cannot stand in a mailto link; percent-encode what is no plain ASCII (RFC 6068)"
    )]
    Mailto(String),
    /// An address the builder does not take.
    #[error("`{0}` cannot stand in a header")]
    Address(String),
    /// A moment before 1970 or after 9999.
    #[error("{0} ms is no moment a Date header can hold")]
    Date(Millis),
    /// A word too long to be folded.
    #[error("line {0} of the message would be longer than 998 octets (RFC 5322, section 2.1.1)")]
    LineTooLong(usize),
}

/// Makes the message.
pub fn compose(draft: &Draft) -> Result<Vec<u8>, ComposeProblem> {
    check(draft)?;
    let mut message = Message::builder()
        .from(mailbox(draft.from_name, draft.from)?)
        .to(mailbox(draft.to_name, draft.to)?)
        .subject(draft.subject)
        .date(date(draft.date)?)
        .message_id(Some(draft.message_id.to_owned()));
    if let Some(id) = draft.in_reply_to {
        message = message.in_reply_to(id.to_owned());
    }
    if !draft.references.is_empty() {
        message = message.references(draft.references.join(" "));
    }
    if let Some(mailto) = draft.list_unsubscribe_mailto {
        let name = HeaderName::new_from_ascii_str("List-Unsubscribe");
        message = message.raw_header(HeaderValue::new(name, format!("<mailto:{mailto}>")));
    }
    let text = part(ContentType::TEXT_PLAIN, draft.text);
    let message = match draft.html {
        None => message.singlepart(text),
        // RFC 2046, section 5.1.4: the plainest first.
        Some(html) => message.multipart(
            MultiPart::alternative()
                .boundary(boundary(draft.message_id))
                .singlepart(text)
                .singlepart(part(ContentType::TEXT_HTML, html)),
        ),
    };
    let bytes = message.expect("a message with From and To is whole").formatted();
    match bytes.split(|&byte| byte == b'\n').position(|line| line.len() > LINE_MAX + "\r".len()) {
        Some(at) => Err(ComposeProblem::LineTooLong(at + 1)),
        None => Ok(bytes),
    }
}

/// What no header may carry. The builder would encode most of it; but what reaches us with a line
/// break in it came from a template gone wrong, and ought to be seen.
fn check(draft: &Draft) -> Result<(), ComposeProblem> {
    let fields = [
        ("sender's name", draft.from_name),
        ("recipient's name", draft.to_name),
        ("subject", Some(draft.subject)),
    ];
    for (field, text) in fields {
        if text.is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(ComposeProblem::Control { field });
        }
    }
    let length = draft.subject.chars().count();
    if draft.subject.trim().is_empty() {
        return Err(ComposeProblem::SubjectEmpty);
    }
    if length > SUBJECT_MAX {
        return Err(ComposeProblem::SubjectTooLong(length));
    }
    let ids = [("Message-ID", Some(draft.message_id)), ("In-Reply-To", draft.in_reply_to)]
        .into_iter()
        .filter_map(|(field, id)| Some((field, id?)))
        .chain(draft.references.iter().map(|id| ("References", id.as_str())));
    for (field, id) in ids {
        if !is_identifier(id) {
            let id = id.escape_default().to_string();
            return Err(ComposeProblem::Identifier { field, id });
        }
    }
    match draft.list_unsubscribe_mailto {
        Some(mailto) if !is_link(mailto) => {
            Err(ComposeProblem::Mailto(mailto.escape_default().to_string()))
        }
        _ => Ok(()),
    }
}

/// `<left@right>`, RFC 5322, section 3.6.4, without the quoted and obsolete forms.
fn is_identifier(id: &str) -> bool {
    let inner = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inner.and_then(|inner| inner.split_once('@')).is_some_and(|(left, right)| {
        !left.is_empty()
            && !right.is_empty()
            && !right.contains('@')
            && is_link(left)
            && is_link(right)
    })
}

/// Printable ASCII that ends neither the angle brackets nor the header.
fn is_link(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'))
}

fn mailbox(name: Option<&str>, address: &Address) -> Result<Mailbox, ComposeProblem> {
    let email = lettre::Address::new(address.local(), address.domain())
        .map_err(|_| ComposeProblem::Address(address.to_string()))?;
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name.map(str::to_owned), email))
}

fn date(moment: Millis) -> Result<SystemTime, ComposeProblem> {
    match u64::try_from(moment) {
        Ok(since_1970) if moment < YEAR_10000 => {
            Ok(SystemTime::UNIX_EPOCH + Duration::from_millis(since_1970))
        }
        _ => Err(ComposeProblem::Date(moment)),
    }
}

/// One part, encoded so that seven bits and short lines carry it. Line ends become CRLF.
fn part(kind: ContentType, text: &str) -> SinglePart {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    SinglePart::builder().header(kind).body(lines)
}

/// What stands between the parts: `=_` occurs in no quoted-printable and no base64 text (RFC 2045,
/// section 6.7), and the rest is as unforeseeable as the Message-ID, and as lasting.
fn boundary(message_id: &str) -> String {
    let id = message_id.chars().filter(char::is_ascii_alphanumeric).take(48);
    "=_".chars().chain(id).collect()
}

/// RFC 5322, section 2.1.1, without the CRLF.
const LINE_MAX: usize = 998;

/// A subject is cut to half of this in most lists of messages.
const SUBJECT_MAX: usize = 200;

/// 10000-01-01, one more digit than RFC 5322, section 3.3 lets readers expect.
const YEAR_10000: Millis = 253_402_300_800_000;

#[cfg(test)]
mod tests;
