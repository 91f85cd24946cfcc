//! The walk up the tree for a DMARC record: RFC 9989, section 4.10.

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::{self, Alignment, Dmarc, Psd};
use warmfront_core::domain::{Absent, DmarcRecord, Found, Policy, QUERIES_MAX, names_to_ask};

use super::Dns;

/// Asks name after name, until one says that it is the organisation's or a public suffix.
pub(super) async fn ask(dns: &Dns, domain: &str) -> Vec<(String, Found<DmarcRecord>)> {
    let mut found = Vec::new();
    for name in names_to_ask(domain).into_iter().take(QUERIES_MAX) {
        let texts = dns.txt(&format!("_dmarc.{name}")).await;
        let record = match texts {
            Found::Is(texts) => only(&texts).map_or(Found::Absent(Absent::Record), Found::Is),
            Found::Absent(absent) => Found::Absent(absent),
            Found::Unknown(why) => Found::Unknown(why),
        };
        let is_last = record.answer().is_some_and(|record| record.psd.is_some());
        found.push((name, record));
        if is_last {
            break;
        }
    }
    found
}

/// The one record among the texts at a name. Several are none.
fn only(texts: &[Vec<u8>]) -> Option<DmarcRecord> {
    let mut records = texts.iter().filter_map(|text| Dmarc::parse(text).ok());
    let record = records.next()?;
    records.next().is_none().then(|| of(&record))
}

fn of(record: &Dmarc) -> DmarcRecord {
    DmarcRecord {
        policy: policy(record.p),
        below: policy(record.sp),
        testing: record.t,
        psd: match record.psd {
            Psd::Yes => Some(true),
            Psd::No => Some(false),
            Psd::Default => None,
        },
        strict_spf: record.aspf == Alignment::Strict,
        strict_dkim: record.adkim == Alignment::Strict,
        reports: !record.rua.is_empty(),
    }
}

fn policy(said: dmarc::Policy) -> Option<Policy> {
    match said {
        dmarc::Policy::None => Some(Policy::None),
        dmarc::Policy::Quarantine => Some(Policy::Quarantine),
        dmarc::Policy::Reject => Some(Policy::Reject),
        dmarc::Policy::Unspecified => None,
    }
}
