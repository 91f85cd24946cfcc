//! Which DMARC policy holds, and what its record's slips ask for.

use super::*;

#[test]
fn a_policy_is_looked_for_at_no_more_than_eight_names() {
    assert_eq!(names_to_ask("acme.com"), ["acme.com", "com"]);
    assert_eq!(names_to_ask("a.b.acme.com"), ["a.b.acme.com", "b.acme.com", "acme.com", "com"]);
    for labels in 1..20 {
        let domain = vec!["x"; labels].join(".");
        assert_eq!(names_to_ask(&domain).len(), labels.min(QUERIES_MAX));
    }
}

#[test]
fn a_policy_is_the_domains_own_or_its_organisations() {
    let record = |policy, psd| {
        DmarcRecord::One(DmarcTags { policy: Some(policy), psd, ..DmarcTags::default() })
    };
    #[track_caller]
    fn says(walked: Vec<(&str, Found<DmarcRecord>)>, verdict: Verdict, words: &str) {
        let mut facts = sound();
        facts.domain = "mail.acme.com".to_owned();
        facts.dmarc = walked.into_iter().map(|(name, found)| (name.to_owned(), found)).collect();
        let findings = examine(&facts);
        let dmarc = findings.iter().find(|finding| finding.check == Check::Dmarc).unwrap();
        assert_eq!(dmarc.verdict, verdict);
        assert!(dmarc.what.contains(words), "{}", dmarc.what);
    }
    let none = || Found::Absent(Absent::Record);
    let silent = || Found::Unknown("SERVFAIL".to_owned());
    let (own, org, psd) = ("mail.acme.com", "acme.com", "com");
    let is = Found::Is;
    let reject = || record(Policy::Reject, None);
    let quarantine = || record(Policy::Quarantine, None);
    says(vec![(own, is(reject())), (org, is(quarantine()))], Verdict::Pass, "p=reject");
    says(vec![(own, none()), (org, is(quarantine()))], Verdict::Pass, "as acme.com has it");
    let of_all = || is(record(Policy::Reject, Some(true)));
    says(vec![(own, none()), (org, is(quarantine())), (psd, of_all())], Verdict::Pass, "acme.com");
    says(vec![(own, none()), (org, none()), (psd, of_all())], Verdict::Pass, "as com has it");
    says(vec![(own, none()), (org, silent())], Verdict::Unknown, "SERVFAIL");
    says(vec![(own, silent()), (org, is(reject()))], Verdict::Unknown, "SERVFAIL");
    says(vec![(own, is(reject())), (org, silent())], Verdict::Pass, "p=reject");
    let two = || is(DmarcRecord::Several(owned(&["v=DMARC1; p=none", "v=DMARC1; p=reject"])));
    let both = "none (RFC 9989, section 4.10); p=reject, as acme.com has it";
    says(vec![(own, two()), (org, is(reject()))], Verdict::Warn, both);
    says(vec![(own, two()), (org, silent())], Verdict::Warn, "2 DMARC records at _dmarc.mail.acme");
    says(vec![(own, none()), (org, two())], Verdict::Warn, "2 DMARC records at _dmarc.acme.com");
    says(vec![(own, is(reject())), (org, two())], Verdict::Pass, "p=reject");
}

#[test]
fn beside_a_record_with_a_slip_no_other_is_published() {
    use Check::{Bulk, Dmarc};
    use Verdict::{Pass, Warn};
    fn published(facts: &mut Facts, record: DmarcRecord) {
        facts.most_a_day = 5_000;
        facts.dmarc[0].1 = Found::Is(record);
    }
    let tags = |policy, kept: &[&str], slips: &[&str]| DmarcTags {
        policy,
        kept: owned(kept),
        slips: owned(slips),
        ..DmarcTags::default()
    };
    let ill = |record: DmarcRecord, bulk, cure: &[&str]| {
        check(|facts| published(facts, record.clone()), Dmarc, Warn, cure);
        check(|facts| published(facts, record.clone()), Bulk, bulk, &[]);
    };
    let reject = tags(Some(Policy::Reject), &["p=reject", "fo=1"], &["adkim=relaxed"]);
    let mended = ["_dmarc.acme.com TXT v=DMARC1; p=reject; fo=1"];
    ill(DmarcRecord::One(reject.clone()), Pass, &mended);
    ill(DmarcRecord::Broken(reject), Warn, &mended);
    let without = tags(None, &["fo=1"], &["p=rejekt"]);
    let mended = ["_dmarc.acme.com TXT v=DMARC1; p=none; fo=1"];
    ill(DmarcRecord::One(DmarcTags { reports: true, ..without.clone() }), Pass, &mended);
    ill(DmarcRecord::One(without), Warn, &mended);
    ill(DmarcRecord::Several(owned(&["v=DMARC1; p=none", "v=DMARC1; p=reject"])), Warn, &[]);
}
