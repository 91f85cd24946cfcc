//! What a letter says of itself, read from its octets: only what the scenario had it say.

use warmfront_core::address::Address;

/// What was found in a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its Message-ID.
    pub message_id: String,
    /// What it answers.
    pub in_reply_to: Option<String>,
    /// Its thread.
    pub references: Vec<String>,
    /// Whom its header names.
    pub to: Address,
    /// The campaign and step that its text names.
    pub campaign: String,
    /// The step, from 1.
    pub step: u32,
}

/// Reads a letter.
#[must_use]
pub(super) fn read(bytes: &[u8]) -> Option<Reading> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let field = |name: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let (_, mark) = body.split_once(MARK)?;
    let (mark, _) = mark.split_once('.')?;
    let (campaign, step) = mark.split_once('/')?;
    let to = field("To")?;
    let to = to.rsplit_once('<').map_or(to, |(_, address)| address.trim_end_matches('>'));
    Some(Reading {
        message_id: field("Message-ID")?.to_owned(),
        in_reply_to: field("In-Reply-To").map(str::to_owned),
        references: field("References")
            .map(|ids| ids.split_ascii_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        to: Address::parse(to).ok()?,
        campaign: campaign.to_owned(),
        step: step.parse().ok()?,
    })
}

/// The line that every step's text carries: `[mark] CAMPAIGN/STEP.`
pub(super) const MARK: &str = "[mark] ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_its_campaign_and_step() {
        let letter = "From: a@b.example\r\nTo: \"Ada\" <ada@c.example>\r\nMessage-ID: <1@b>\r\n\
             In-Reply-To: <0@b>\r\nReferences: <9@b>\r\n <0@b>\r\n\r\nHi,\r\n[mark] c1/2.\r\n";
        let read = read(letter.as_bytes()).unwrap();
        assert_eq!((read.campaign.as_str(), read.step), ("c1", 2));
        assert_eq!(read.references, ["<9@b>", "<0@b>"]);
        assert_eq!(read.to.as_str(), "ada@c.example");
    }
}
