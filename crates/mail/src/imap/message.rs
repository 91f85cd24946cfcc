//! One message as a server shows it.

use imap_proto::AttributeValue;
use jiff::fmt::strtime;
use warmfront_core::span::Millis;

/// What is asked of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// All of it, up to [`PART`].
    Whole,
    /// Its header, where the server cannot show the rest.
    Header,
}

/// A message, or its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetched<'a> {
    pub(super) uid: u32,
    /// When the server took it, where it says so.
    pub(super) received_at: Option<Millis>,
    pub(super) octets: &'a [u8],
}

impl What {
    /// PEEK marks nothing (RFC 3501, section 6.4.5).
    pub(super) fn items(self) -> String {
        let section = match self {
            Self::Whole => "",
            Self::Header => "HEADER",
        };
        format!("(UID INTERNALDATE BODY.PEEK[{section}]<0.{PART}>)")
    }
}

impl<'a> Fetched<'a> {
    /// A message with its number and its octets; anything else is news of another kind, of its
    /// flags say.
    pub(super) fn of(attributes: &'a [AttributeValue<'_>]) -> Option<Self> {
        let (mut uid, mut received_at, mut octets) = (None, None, None);
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(value) => uid = Some(*value),
                AttributeValue::InternalDate(date) => received_at = moment(date),
                AttributeValue::BodySection { data: Some(data), .. } => octets = Some(&data[..]),
                _ => {}
            }
        }
        Some(Self { uid: uid?, received_at, octets: octets? })
    }
}

/// `17-Jul-1996 02:44:25 -0700`, the day with a blank before it where it has one digit.
fn moment(date: &str) -> Option<Millis> {
    let parsed = strtime::parse("%d-%b-%Y %H:%M:%S %z", date.trim()).ok()?;
    Some(parsed.to_timestamp().ok()?.as_millisecond())
}

/// The most that is read of a message, in octets: its header, what its writer says, and of a report
/// all that counts. What is attached behind that is nobody's business here.
const PART: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use imap_proto::Response;

    use super::*;

    #[test]
    fn a_message_is_read_whatever_stands_beside_it() {
        #[track_caller]
        fn check(line: &str, want: Option<(u32, Option<Millis>, &str)>) {
            let line = format!("* 7 FETCH ({line})\r\n");
            let Ok((_, Response::Fetch(_, attributes))) = Response::parse(line.as_bytes()) else {
                panic!("{line}")
            };
            let want = want.map(|(uid, received_at, octets)| Fetched {
                uid,
                received_at,
                octets: octets.as_bytes(),
            });
            assert_eq!(Fetched::of(&attributes), want, "{line}");
        }
        let date = "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\"";
        let at = Some(837_596_665_000);
        check(&format!("UID 5 {date} BODY[]<0> {{2}}\r\nhi"), Some((5, at, "hi")));
        check(&format!("BODY[]<0> \"hi\" FLAGS (\\Seen) UID 5 {date}"), Some((5, at, "hi")));
        check("UID 5 BODY[HEADER]<0> {0}\r\n", Some((5, None, "")));
        check(
            "UID 5 INTERNALDATE \" 1-Jan-1970 00:00:01 +0000\" BODY[] \"\"",
            Some((5, Some(1_000), "")),
        );
        check("UID 5 FLAGS (\\Seen)", None);
        check("UID 5 BODY[] NIL", None);
    }
}
