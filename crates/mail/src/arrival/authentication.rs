//! What the server that took a message says of its sender (RFC 8601), and what its DKIM signatures
//! cover (RFC 6376). Nothing is verified here: the receiver has done that.

use mail_auth::AuthenticatedMessage;
use mail_parser::MessageParser;
use warmfront_core::address;

/// What the header of an arrived message says of its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// Who judged, where it says so.
    pub judge: Option<String>,
    /// The judgements, in the order of the header.
    pub judgements: Vec<Judgement>,
    /// The signatures, the topmost first.
    pub signatures: Vec<Signature>,
}

/// One method and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// `spf`, `dkim`, `dmarc` and others.
    pub method: String,
    /// `pass`, `fail`, `none` and others.
    pub result: String,
    /// The domain that was judged.
    pub domain: Option<String>,
}

/// A DKIM signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The domain that signed (`d=`).
    pub domain: String,
    /// The headers that it covers (`h=`), in small letters.
    pub covers: Vec<String>,
}

impl Authentication {
    /// Reads the header of a message. Of the results only those of the server that wrote the topmost
    /// are taken: whatever stands below may have been there before (RFC 8601, section 5).
    #[must_use]
    pub fn read(octets: &[u8]) -> Self {
        let mut authentication = Self { signatures: signatures(octets), ..Self::default() };
        let Some(message) = MessageParser::default().parse_headers(octets) else {
            return authentication;
        };
        let headers = message.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
        for (nr, (_, value)) in headers.enumerate() {
            let (judge, judgements) = results(value);
            if nr == 0 {
                authentication.judge = judge;
            } else if judge != authentication.judge {
                break;
            }
            authentication.judgements.extend(judgements);
        }
        authentication
    }

    /// The judgements by one method.
    pub fn by(&self, method: &str) -> impl Iterator<Item = &Judgement> {
        self.judgements.iter().filter(move |one| one.method == method)
    }
}

/// Whether two domains are aligned as DMARC means it by default: one organization's (RFC 9989 finds
/// it in the DNS; the public suffix list gives the same for nearly everybody).
#[must_use]
pub fn aligned(domain: &str, with: &str) -> bool {
    let (domain, with) = (domain.to_ascii_lowercase(), with.to_ascii_lowercase());
    domain == with
        || address::organization(&domain)
            .is_some_and(|one| Some(one) == address::organization(&with))
}

fn signatures(octets: &[u8]) -> Vec<Signature> {
    let Some(message) = AuthenticatedMessage::parse(octets) else { return Vec::new() };
    let read = message.dkim_headers.iter().map(|header| Signature {
        domain: header.header.d.clone(),
        covers: header.header.h.iter().map(|name| name.to_ascii_lowercase()).collect(),
    });
    read.collect()
}

/// The judge and the judgements of one header. Exchange Online names no judge.
fn results(value: &str) -> (Option<String>, Vec<Judgement>) {
    let value = without_comments(value);
    let mut parts = value.split(';').map(str::trim).peekable();
    let is_judge = |part: &&str| !part.split_whitespace().next().unwrap_or_default().contains('=');
    // A version may stand behind the name.
    let judge = parts.next_if(is_judge).and_then(|part| part.split_whitespace().next());
    (judge.map(str::to_ascii_lowercase), parts.filter_map(judgement).collect())
}

/// `spf=pass smtp.mailfrom=ann@one.example`.
fn judgement(part: &str) -> Option<Judgement> {
    let mut words = part.split_whitespace();
    let (method, result) = words.next()?.split_once('=')?;
    // A version may stand behind the method.
    let method = method.split('/').next().unwrap_or(method).to_ascii_lowercase();
    let properties: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
    let domain = PROPERTIES.iter().find_map(|wanted| {
        let (_, value) = properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        let value = value.trim_matches('"');
        let domain = value.rsplit('@').next().unwrap_or(value).trim_matches(['<', '>']);
        (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
    });
    Some(Judgement { method, result: result.to_ascii_lowercase(), domain })
}

/// The text without what stands in brackets (RFC 5322, section 3.2.2), line ends made blanks.
fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::new();
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if std::mem::take(&mut escaped) => {}
            '\\' if depth > 0 => escaped = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '\r' | '\n' => kept.push(' '),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

const HEADER: &str = "Authentication-Results";

/// Where a method's domain stands (RFC 8601, section 2.7).
const PROPERTIES: [&str; 5] = ["header.d", "smtp.mailfrom", "header.from", "header.i", "smtp.helo"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, judge: Option<&str>, want: &[(&str, &str, Option<&str>)]) {
        let message = format!("{header}From: ann@one.example\r\n\r\nhello\r\n");
        let read = Authentication::read(message.as_bytes());
        let got: Vec<_> = read
            .judgements
            .iter()
            .map(|one| (one.method.as_str(), one.result.as_str(), one.domain.as_deref()))
            .collect();
        assert_eq!((read.judge.as_deref(), got), (judge, want.to_vec()), "{header}");
    }

    #[test]
    fn results_are_read_as_large_receivers_write_them() {
        let one = Some("one.example");
        check(
            "Authentication-Results: mx.google.com;\r\n       dkim=pass header.i=@one.example \
             header.s=lab header.b=Ab/C;\r\n       spf=pass (google.com: domain of ann@one.example \
             designates 192.0.2.7 as permitted sender) smtp.mailfrom=ann@one.example;\r\n       \
             dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=one.example\r\n",
            Some("mx.google.com"),
            &[("dkim", "pass", one), ("spf", "pass", one), ("dmarc", "pass", one)],
        );
        check(
            "Authentication-Results: spf=pass (sender IP is 192.0.2.7)\r\n \
             smtp.mailfrom=one.example; dkim=none (message not signed)\r\n header.d=none;dmarc=fail \
             action=none\r\n header.from=one.example;compauth=fail reason=001\r\n",
            None,
            &[
                ("spf", "pass", one),
                ("dkim", "none", Some("none")),
                ("dmarc", "fail", one),
                ("compauth", "fail", None),
            ],
        );
        check("Authentication-Results: mx.two.example 1; none\r\n", Some("mx.two.example"), &[]);
        check("", None, &[]);
    }

    #[test]
    fn what_another_server_wrote_below_is_not_believed() {
        let header = "Authentication-Results: mx.two.example; spf=fail smtp.mailfrom=one.example\r\n\
                      Authentication-Results: mx.two.example; dkim=none\r\n\
                      Authentication-Results: forged.example; dkim=pass header.d=one.example\r\n";
        check(
            header,
            Some("mx.two.example"),
            &[("spf", "fail", Some("one.example")), ("dkim", "none", None)],
        );
    }

    #[test]
    fn a_signature_says_whose_it_is_and_what_it_covers() {
        let message = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=one.example; s=lab;\r\n \
                       t=1795330505; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n \
                       h=From:To:Subject:\r\n  List-Unsubscribe; b=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSb\
                       av+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\nFrom: ann@one.example\r\n\r\nhello\r\n";
        let read = Authentication::read(message.as_bytes());
        let covers = ["from", "to", "subject", "list-unsubscribe"].map(str::to_owned).to_vec();
        assert_eq!(read.signatures, [Signature { domain: "one.example".to_owned(), covers }]);
    }

    #[test]
    fn alignment_is_the_organization_s() {
        assert!(aligned("mail.one.example", "one.example"));
        assert!(aligned("One.co.uk", "mail.one.co.uk"));
        assert!(!aligned("two.co.uk", "one.co.uk"));
        assert!(!aligned("one.example", "one.test"));
        assert!(!aligned("co.uk", "one.co.uk"));
    }
}
