//! The walk up the tree for a DMARC record: RFC 9989, section 4.10.

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::{self, Alignment, Dmarc, Psd};
use warmfront_core::domain::{
    Absent, DmarcRecord, DmarcTags, Found, Policy, QUERIES_MAX, names_to_ask,
};

use super::Dns;

/// Asks name after name, until one says that it is the organisation's or a public suffix.
pub(super) async fn ask(dns: &Dns, domain: &str) -> Vec<(String, Found<DmarcRecord>)> {
    let mut found = Vec::new();
    for name in names_to_ask(domain).into_iter().take(QUERIES_MAX) {
        let texts = dns.txt(&format!("_dmarc.{name}")).await;
        let record = match texts {
            Found::Is(texts) => record(&texts).map_or(Found::Absent(Absent::Record), Found::Is),
            Found::Absent(absent) => Found::Absent(absent),
            Found::Unknown(why) => Found::Unknown(why),
        };
        let is_last = matches!(&record, Found::Is(DmarcRecord::One(tags)) if tags.psd.is_some());
        found.push((name, record));
        if is_last {
            break;
        }
    }
    found
}

/// What the texts at a name come to. One that receivers pass over is told only where there is no other.
fn record(texts: &[Vec<u8>]) -> Option<DmarcRecord> {
    let mut records = Vec::new();
    let mut broken = None;
    for text in texts {
        let text = String::from_utf8_lossy(text);
        let Some(rest) = behind_version(&text) else { continue };
        let begins = rest.trim_start();
        if begins.is_empty() || begins.starts_with(';') {
            records.push((text.trim().to_owned(), tags(rest)?));
        } else if !begins.starts_with(char::is_alphanumeric) || begins.len() < rest.len() {
            broken = Some(tags(rest.trim_start_matches(|c: char| !c.is_alphanumeric()))?);
        }
    }
    match records.len() {
        0 => broken.map(DmarcRecord::Broken),
        1 => records.pop().map(|(_, tags)| DmarcRecord::One(tags)),
        _ => Some(DmarcRecord::Several(records.into_iter().map(|(text, _)| text).collect())),
    }
}

/// What follows the version that every record begins with, if a text does.
fn behind_version(text: &str) -> Option<&str> {
    let behind = |text: &'_ str, word: &str| {
        let head = text.get(..word.len())?;
        head.eq_ignore_ascii_case(word).then_some(word.len())
    };
    let text = text.trim_start();
    let text = text[behind(text, "v")?..].trim_start().strip_prefix('=')?.trim_start();
    Some(&text[behind(text, "DMARC1")?..])
}

/// Reads tag by tag: the library gives a record up for one that it cannot read, where receivers pass it
/// over.
fn tags(text: &str) -> Option<DmarcTags> {
    let of = |tags: &str| Dmarc::parse(format!("v=DMARC1; {tags}").as_bytes()).ok();
    let all = text.split(';').map(str::trim).filter(|tag| !tag.is_empty());
    let (kept, slips): (Vec<&str>, Vec<&str>) =
        all.partition(|tag| tag.contains('=') && of(tag).is_some());
    let record = of(&kept.join("; "))?;
    // Whose policy cannot be read states none (RFC 7489, section 6.6.3).
    let is_policy = |tag: &&str| {
        let key = tag.split('=').next().unwrap_or_default().trim();
        ["p", "sp", "np"].into_iter().any(|policy| key.eq_ignore_ascii_case(policy))
    };
    let states = !slips.iter().any(is_policy);
    let owned = |tags: Vec<&str>| tags.into_iter().map(str::to_owned).collect();
    Some(DmarcTags {
        policy: policy(record.p).filter(|_| states),
        below: policy(record.sp).filter(|_| states),
        testing: record.t,
        psd: match record.psd {
            Psd::Yes => Some(true),
            Psd::No => Some(false),
            Psd::Default => None,
        },
        strict_spf: record.aspf == Alignment::Strict,
        strict_dkim: record.adkim == Alignment::Strict,
        reports: !record.rua.is_empty(),
        kept: owned(kept),
        slips: owned(slips),
    })
}

fn policy(said: dmarc::Policy) -> Option<Policy> {
    match said {
        dmarc::Policy::None => Some(Policy::None),
        dmarc::Policy::Quarantine => Some(Policy::Quarantine),
        dmarc::Policy::Reject => Some(Policy::Reject),
        dmarc::Policy::Unspecified => None,
    }
}
