//! The few headers the world goes by (RFC 5322). Encoded words (RFC 2047) stay as they came: two
//! letters are compared, not read.

use warmfront_core::address::Address;

/// What a letter's headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) message_id: String,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) references: Vec<String>,
    pub(crate) subject: String,
    pub(crate) from: Address,
    pub(crate) to: Address,
}

impl Headers {
    /// The headers of a message; `None` where one that every letter of ours bears is missing.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(message);
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        // RFC 5322, section 2.2.3: unfolding takes out the CRLF before a blank, and only that.
        let head = head.replace("\r\n ", " ").replace("\r\n\t", "\t");
        let field = |name: &str| {
            let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
            fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, body)| body.trim())
        };
        let ids = |body: &str| body.split_ascii_whitespace().map(str::to_owned).collect();
        Some(Self {
            message_id: field("Message-ID")?.to_owned(),
            in_reply_to: field("In-Reply-To").map(str::to_owned),
            references: field("References").map(ids).unwrap_or_default(),
            subject: field("Subject").unwrap_or_default().to_owned(),
            from: address(field("From")?)?,
            to: address(field("To")?)?,
        })
    }
}

/// The address of `Ann Lee <ann@example.com>`, or of one that stands alone.
fn address(body: &str) -> Option<Address> {
    let inner = body.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    Address::parse(inner.map_or(body, |(inner, _)| inner)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_headers_are_read_whole_and_the_body_is_not() {
        let message = "From: \"Lee, Ann\" <ann@example.com>\r\nTO: bob@acme.example\r\n\
             Subject: One\r\n two\r\nMessage-ID: <a@b>\r\nReferences: <1@b>\r\n\t<2@b>\r\n\
             \r\nIn-Reply-To: <no@b>\r\n";
        let headers = Headers::parse(message.as_bytes()).unwrap();
        assert_eq!(headers.subject, "One two");
        assert_eq!(headers.message_id, "<a@b>");
        assert_eq!(headers.references, ["<1@b>", "<2@b>"]);
        assert_eq!(headers.in_reply_to, None);
        assert_eq!(headers.from.as_str(), "ann@example.com");
        assert_eq!(headers.to.as_str(), "bob@acme.example");
    }

    #[test]
    fn what_has_no_message_id_is_no_letter_of_ours() {
        assert_eq!(Headers::parse(b"From: a@b.example\r\nTo: c@d.example\r\n\r\n"), None);
    }
}
