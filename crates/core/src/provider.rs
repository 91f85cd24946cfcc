//! What is known of mail providers: where their servers stand, what they bear, what they forbid.
//!
//! Presets are data: one row of `providers.csv` each, made from public pages that the row names.
//! An empty cell is a fact nobody published. *Limit* is the provider's word, *cap* is ours. Does
//! not know which limits a tenant bought beyond the published ones.

use serde::{Deserialize, Serialize};

use crate::cells::{words, yes_or_no};
use crate::identity::Identity;
use crate::problem;

/// All presets, in the order of the table.
#[derive(Clone, Debug)]
pub struct Presets(Vec<Preset>);

/// One provider, or one way into it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Preset {
    /// How configurations name it.
    pub name: String,
    /// Other names of the same.
    #[serde(deserialize_with = "words")]
    pub aliases: Vec<String>,
    /// What sort of service it is.
    pub kind: Kind,
    /// Its submission server; `None` where the operator must name one.
    pub smtp_host: Option<String>,
    /// The port of its submission server.
    pub smtp_port: u16,
    /// How its submission server is encrypted.
    pub smtp_tls: Tls,
    /// How its submission server lets a client in, any of these.
    #[serde(deserialize_with = "words")]
    pub auth: Vec<LogIn>,
    /// Its IMAP server; `None` where there is none or the operator must name it.
    pub imap_host: Option<String>,
    /// The port of its IMAP server; `None` where it has none.
    pub imap_port: Option<u16>,
    /// How its IMAP server is encrypted.
    pub imap_tls: Option<Tls>,
    /// How its IMAP server lets a client in, any of these.
    #[serde(deserialize_with = "words")]
    pub imap_auth: Vec<LogIn>,
    /// Who gives its mailboxes their tokens; `None` where it takes none, or where that is nobody whom
    /// we know.
    pub identity: Option<Identity>,
    /// Whether every password here is an app password, shown in groups whose blanks do not count.
    #[serde(deserialize_with = "yes_or_no")]
    pub app_password: bool,
    /// The most messages it takes from a mailbox in a minute, where published.
    pub limit_per_minute: Option<u32>,
    /// The most messages it takes in a day, where published; the strictest figure.
    pub limit_per_day: Option<u32>,
    /// Of whom it takes so many.
    pub limit_of: LimitOf,
    /// The most sessions a mailbox may hold at once, where published.
    pub connections: Option<u32>,
    /// The most messages it takes in one session, where published.
    pub messages_per_connection: Option<u32>,
    /// Whether it files a copy of what it accepted into the Sent folder.
    pub sent_copy: SentCopy,
    /// Where the Message-ID that really went out is to be learnt.
    pub final_id: FinalId,
    /// Whether it may carry mail nobody asked for.
    pub cold_mail: ColdMail,
    /// Why not, where it may not.
    pub why: String,
    /// The public page the row was made from, and its date.
    pub source: String,
}

/// What sort of service a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person's mailbox, with a folder to read.
    Mailbox,
    /// A tenant's relay: sends for its mailboxes, holds none.
    Relay,
    /// A service for mail that was asked for.
    Transactional,
    /// Delivers inside the tenant only.
    Internal,
    /// Any server the operator names.
    Generic,
    /// A server on this very machine.
    Local,
}

/// Whom a provider's limit of a day counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOf {
    /// Each mailbox by itself.
    Mailbox,
    /// All that send by one account, together.
    Account,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the first byte (RFC 8314).
    Implicit,
    /// After a command, and never without it (RFC 3207, RFC 9051).
    StartTls,
    /// Not at all: loopback only.
    None,
}

/// How a server lets a client in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogIn {
    /// By where it comes from, or not at all.
    None,
    /// By a password: PLAIN or LOGIN.
    Password,
    /// By a token: XOAUTH2 or OAUTHBEARER.
    OAuth,
}

/// Whether accepted mail shows up in the Sent folder by itself: the evidence for mail in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SentCopy {
    /// It does.
    Yes,
    /// It does not, so its absence proves nothing.
    No,
    /// Nobody says; to be found out by looking.
    Unknown,
}

/// Where the Message-ID that really went out is to be learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalId {
    /// Ours is kept, or a replacement is not told.
    None,
    /// The answer to the final dot carries it.
    #[serde(rename = "in_250")]
    In250,
}

/// Whether a provider may carry mail nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColdMail {
    /// Nothing published forbids it.
    Yes,
    /// It cannot, or throws out who tries.
    No,
    /// Only mail its recipients opted in to; the campaign must say so.
    OptIn,
}

impl Presets {
    /// The table of this program.
    #[must_use]
    pub fn load() -> Self {
        let rows = csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize();
        Self(rows.collect::<Result<_, _>>().expect("the table is built in, and a test reads it"))
    }

    /// The preset of that name or alias, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Preset> {
        self.0.iter().find(|preset| preset.names().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Every name and alias, in the order of the table.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(Preset::names)
    }

    /// The name or alias that was probably meant.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        problem::nearest(&name.to_ascii_lowercase(), self.names())
    }

    /// Every preset, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Preset> {
        self.0.iter()
    }
}

impl Preset {
    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }

    /// The most messages it takes from a mailbox in a day: as published, else the generic ruling.
    #[must_use]
    pub fn daily_limit(&self) -> u32 {
        self.limit_per_day.unwrap_or(UNPUBLISHED_LIMIT_PER_DAY)
    }

    /// The highest cap that needs no override: a tenth of the provider's daily limit. So far below
    /// it, a provider's rolling 24 hours cannot be passed by two civil days side by side.
    #[must_use]
    pub fn cap_limit(&self) -> u32 {
        self.daily_limit() / 10
    }
}

/// The Message-ID under which a message really went out, angle brackets and all, where the answer
/// to its final dot tells: Microsoft's `250 2.0.0 OK <id> [Hostname=…]`.
#[must_use]
pub fn final_message_id(preset: &Preset, answer_text: &str) -> Option<String> {
    match preset.final_id {
        FinalId::None => None,
        FinalId::In250 => {
            let start = answer_text.find('<')?;
            let length = answer_text[start..].find('>')? + 1;
            let id = &answer_text[start..start + length];
            // RFC 5322, section 3.6.4: both sides of an @, no blanks, no second bracket.
            let (left, right) = id[1..length - 1].split_once('@')?;
            let plain = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"<@".contains(c))
            };
            (plain(left) && plain(right)).then(|| id.to_owned())
        }
    }
}

/// How many external recipients a Microsoft 365 tenant may write to in 24 hours, all mailboxes
/// together: 500 x licences^0.7 + 9,500, rounded as Microsoft prints it. A tenant without paid
/// licences is on trial: 5,000.
///
/// learn.microsoft.com, Exchange Online limits: tenant external recipient rate limit (2025).
#[must_use]
pub fn tenant_external_limit(licences: u32) -> u32 {
    if licences == 0 {
        return 5_000;
    }
    // The whole nearest to 500 x licences^0.7 is the greatest `n` with
    // (2n - 1)^10 <= 1000^10 x licences^7, compared exactly: no float decides how much may be sent.
    let bound = product([[1_000; 10].as_slice(), [licences.into(); 7].as_slice()].concat());
    let (mut low, mut high) = (500_u32, u32::MAX - 9_500);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if product(vec![2 * u64::from(middle) - 1; 10]) <= bound {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low + 9_500
}

/// The tenant's daily budget: half of what Microsoft allows, so that the tenant's people can go on
/// writing mail of their own.
#[must_use]
pub fn tenant_budget(licences: u32) -> u32 {
    tenant_external_limit(licences) / 2
}

/// The product of factors above zero, whatever its size. Ordered as numbers are: count of digits
/// first, then digits of base 2^64 from the greatest.
fn product(factors: Vec<u64>) -> (usize, Vec<u64>) {
    let mut digits: Vec<u64> = vec![1];
    for factor in factors {
        let mut carry = 0;
        for digit in &mut digits {
            let value = u128::from(*digit) * u128::from(factor) + carry;
            *digit = u64::try_from(value % BASE).expect("less than the base");
            carry = value / BASE;
        }
        digits.extend(u64::try_from(carry).ok().filter(|&carry| carry > 0));
    }
    digits.reverse();
    (digits.len(), digits)
}

/// The most sessions in which all of ours together may hold one mailbox's submission: that of whoever
/// leases it, that of a daemon which lost its lease and has not noticed, and that of one who looks.
pub const SESSIONS_MOST: u32 = 3;

/// What a provider that publishes no figure is taken to bear: the strictest figure any consumer
/// mail provider publishes (Gmail's and Yahoo's).
const UNPUBLISHED_LIMIT_PER_DAY: u32 = 500;

const BASE: u128 = 1 << 64;

const TABLE: &str = include_str!("providers.csv");

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_whole_and_every_name_means_one_preset() {
        let presets = Presets::load();
        let mut seen = BTreeSet::new();
        for preset in presets.iter() {
            let name = &preset.name;
            assert!(preset.names().all(|n| seen.insert(n.to_owned())), "{name} is named twice");
            assert!(!preset.source.is_empty(), "{name} has no source");
            assert!(!preset.auth.is_empty(), "{name} has no way in");
            assert_eq!(preset.why.is_empty(), preset.cold_mail == ColdMail::Yes, "{name}: why");
            assert_eq!(preset.imap_port.is_some(), preset.imap_tls.is_some(), "{name}: imap");
            assert_eq!(preset.imap_port.is_some(), !preset.imap_auth.is_empty(), "{name}: imap");
            let plain = preset.smtp_tls == Tls::None || preset.imap_tls == Some(Tls::None);
            assert!(!plain || preset.kind == Kind::Local, "{name} would speak in the clear");
            assert!(preset.cap_limit() >= 1, "{name} could never send");
            let takes_tokens = preset.auth.contains(&LogIn::OAuth);
            assert!(takes_tokens || preset.identity.is_none(), "{name} takes no tokens");
        }
    }

    #[test]
    fn names_and_limits() {
        #[track_caller]
        fn check(name: &str, want: &str, limit: u32, cap: u32) {
            let presets = Presets::load();
            let preset = presets.find(name).expect(name);
            let got = (preset.name.as_str(), preset.daily_limit(), preset.cap_limit());
            assert_eq!(got, (want, limit, cap), "{name}");
        }
        check("microsoft365", "microsoft365", 10_000, 1_000);
        check("m365-smtp-auth", "microsoft365", 10_000, 1_000);
        check("m365-submission", "microsoft365", 10_000, 1_000);
        check("Google-Workspace", "google", 2_000, 200);
        check("google", "google", 2_000, 200);
        check("gmail", "gmail", 500, 50);
        check("yahoo", "yahoo", 500, 50);
        check("icloud", "icloud", 1_000, 100);
        check("amazon-ses", "amazon-ses", 200, 20);
        check("generic", "smtp", 500, 50);
        check("smtp", "smtp", 500, 50);
        check("zoho", "zoho", 500, 50); // Unpublished.
        let presets = Presets::load();
        assert_eq!(presets.find("exchange"), None);
        assert_eq!(presets.nearest("Microsft365"), Some("microsoft365"));
        assert_eq!(presets.nearest("exchange"), None);
    }

    #[test]
    fn a_row_says_what_the_pages_say() {
        let presets = Presets::load();
        let microsoft = presets.find("microsoft365").unwrap();
        assert_eq!(microsoft.smtp_host.as_deref(), Some("smtp.office365.com"));
        assert_eq!((microsoft.smtp_port, microsoft.smtp_tls), (587, Tls::StartTls));
        assert_eq!(microsoft.auth, [LogIn::Password, LogIn::OAuth]);
        assert_eq!(microsoft.imap_auth, [LogIn::OAuth]);
        assert_eq!((microsoft.limit_per_minute, microsoft.connections), (Some(30), Some(3)));
        assert_eq!(presets.find("yahoo").unwrap().messages_per_connection, Some(20));
        let direct = presets.find("m365-direct-send").unwrap();
        assert_eq!((direct.cold_mail, direct.smtp_host.as_deref()), (ColdMail::No, None));
        assert_eq!(presets.find("postmark").unwrap().cold_mail, ColdMail::OptIn);
    }

    #[test]
    fn the_tenant_limit_is_what_microsoft_prints() {
        #[track_caller]
        fn check(licences: u32, want: u32) {
            assert_eq!(tenant_external_limit(licences), want, "{licences} licences");
        }
        check(0, 5_000);
        check(1, 10_000);
        check(2, 10_312);
        check(10, 12_006);
        check(25, 14_259);
        check(100, 22_059);
        check(1_000, 72_446);
        check(1_024, 73_500); // 2^10 to the 0.7 is 2^7.
        check(10_000, 324_979);
        check(1 << 20, 8_201_500); // 2^20 to the 0.7 is 2^14.
        check(1 << 30, 1_048_585_500);
        assert_eq!(tenant_budget(25), 7_129);
    }

    #[test]
    fn the_final_id_is_read_where_the_answer_carries_it() {
        #[track_caller]
        fn check(provider: &str, answer: &str, want: Option<&str>) {
            let presets = Presets::load();
            let got = final_message_id(presets.find(provider).unwrap(), answer);
            assert_eq!(got.as_deref(), want, "{answer}");
        }
        let answer = "2.0.0 OK <SY4P282MB1@AUSP282.PROD.OUTLOOK.COM> [Hostname=SYBP282MB2635.AUSP282.PROD.OUTLOOK.COM]";
        check("microsoft365", answer, Some("<SY4P282MB1@AUSP282.PROD.OUTLOOK.COM>"));
        check("outlook-consumer", answer, Some("<SY4P282MB1@AUSP282.PROD.OUTLOOK.COM>"));
        check("google", answer, None);
        check("microsoft365", "2.0.0 OK", None);
        check("microsoft365", "2.0.0 OK <id@host", None);
        check("microsoft365", "2.0.0 OK >id@host<", None);
        check("microsoft365", "2.0.0 OK <id>", None);
        check("microsoft365", "2.0.0 OK <a b@host>", None);
        check("microsoft365", "2.0.0 OK <a@b@c>", None);
        check("microsoft365", "2.0.0 OK <@host>", None);
    }
}
