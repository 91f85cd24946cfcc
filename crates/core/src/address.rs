//! An e-mail address, normalised once and safe in any header, and the company behind it.
//!
//! Does not check that the mailbox exists: servers answer that, and probing them for it is abuse.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

/// A syntactically good address: the whole of it lower-case, the domain in A-labels.
///
/// The local part is lower-cased although RFC 5321, section 2.4 allows a host to tell `Ann@` from
/// `ann@`: none does in practice, and two rows that differ by case are one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Address(String);

/// Why a text is no address we can write to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// Longer than a path may be.
    #[error("the address is longer than 254 characters (RFC 5321, section 4.5.3.1.3)")]
    TooLong,
    /// CR, LF, NUL or another control character: it could end a header or an SMTP command.
    #[error("the address holds a control character")]
    Control,
    /// A quoted or non-ASCII local part: most submission servers do not take them.
    #[error(
        "the part before the @ must be plain ASCII without quotes (SMTPUTF8 is not offered widely)"
    )]
    LocalPart,
    /// A domain no MX can be looked up for.
    #[error("`{0}` is no domain name")]
    Domain(String),
    /// Anything else.
    #[error("`{0}` is no e-mail address")]
    Syntax(String),
}

impl Address {
    /// Parses and normalises. Surrounding blanks are dropped.
    pub fn parse(text: &str) -> Result<Self, AddressProblem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressProblem::Empty);
        }
        if text.len() > PATH_MAX {
            return Err(AddressProblem::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(AddressProblem::Control);
        }
        let syntax = || AddressProblem::Syntax(shortened(text));
        let (local, domain) = text.rsplit_once('@').ok_or_else(syntax)?;
        if !local.is_ascii() || local.contains('"') {
            return Err(AddressProblem::LocalPart);
        }
        let domain = idna::domain_to_ascii_strict(domain)
            .map_err(|_| AddressProblem::Domain(shortened(domain)))?;
        let whole = format!("{}@{domain}", local.to_ascii_lowercase());
        let options = email_address::Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        email_address::EmailAddress::parse_with_options(&whole, options).map_err(|_| syntax())?;
        Ok(Self(whole))
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the @.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// What stands behind the @, in A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// The company: the registrable domain. `None` for free-mail domains, which are nobody's
    /// company, so neither company limits nor company holds apply to them.
    #[must_use]
    pub fn company(&self) -> Option<&str> {
        let domain = self.domain();
        // A domain that is itself a public suffix (`github.io`) stands for itself.
        let company = psl::domain_str(domain).unwrap_or(domain);
        (!is_free_mail(company)).then_some(company)
    }
}

/// An address is found in a map by its text: they compare alike.
impl Borrow<str> for Address {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The registrable domain that a domain belongs to; `None` where it is a public suffix itself.
#[must_use]
pub fn organization(domain: &str) -> Option<&str> {
    psl::domain_str(domain)
}

/// Whether anybody can get an address there.
#[must_use]
pub fn is_free_mail(domain: &str) -> bool {
    FREE_MAIL.contains(domain)
}

/// A text short enough to be quoted in a message to the operator.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// RFC 5321, section 4.5.3.1.3: a path holds 256 octets, two of them the angle brackets.
const PATH_MAX: usize = 254;

static FREE_MAIL: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("free_mail.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(str::trim).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match Address::parse(text) {
            Ok(address) => address.to_string(),
            Err(problem) => format!("refused: {problem}"),
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn addresses() {
        check(" Bob.Smith+x@Example.CO.UK ", "bob.smith+x@example.co.uk");
        check("info@münchen.example", "info@xn--mnchen-3ya.example");
        check("o'neil@x.ie", "o'neil@x.ie");
        check("", "refused: the address is empty");
        check("a@b", "refused: `a@b` is no e-mail address");
        check("a..b@x.de", "refused: `a..b@x.de` is no e-mail address");
        check("Bob <bob@x.example>", "refused: `x.example>` is no domain name");
        check("x@[127.0.0.1]", "refused: `[127.0.0.1]` is no domain name");
        check("a@x.example\r\nBcc: v@y.example", "refused: the address holds a control character");
        check(
            "\"q x\"@x.de",
            "refused: the part before the @ must be plain ASCII without quotes (SMTPUTF8 is not offered widely)",
        );
    }

    #[test]
    fn a_company_is_the_registrable_domain() {
        let company = |text: &str| Address::parse(text).unwrap().company().map(str::to_owned);
        assert_eq!(company("a@mail.acme.co.uk").as_deref(), Some("acme.co.uk"));
        assert_eq!(company("a@acme.example").as_deref(), Some("acme.example"));
        assert_eq!(company("a@gmail.com"), None);
    }
}
