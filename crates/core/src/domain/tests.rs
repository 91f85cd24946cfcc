//! What is told, what is to be published, and when a failure holds mail back.

use jiff::civil::date;

use super::*;
use crate::span::{DAY, HOUR};

mod policies;

/// A domain at Microsoft 365 with which all is well.
fn sound() -> Facts {
    let walk = SpfWalk {
        text: "v=spf1 include:spf.protection.outlook.com -all".to_owned(),
        lookups: 1,
        voids: 0,
        all: Some(SpfAll::Fail),
        broken: None,
        cover: Found::Is(Cover::Included),
    };
    let dmarc = DmarcTags { policy: Some(Policy::Reject), reports: true, ..DmarcTags::default() };
    let exchange = "acme-com.mail.protection.outlook.com".to_owned();
    Facts {
        domain: "acme.com".to_owned(),
        host: host("microsoft365"),
        beside: Vec::new(),
        is_elsewhere: false,
        exists: Found::Is(()),
        spf: Found::Is(SpfRecord::One(walk)),
        dkim: vec![
            Selector { name: "selector1".to_owned(), key: Found::Is(DkimKey::Bits(2_048)) },
            Selector { name: "selector2".to_owned(), key: Found::Absent(Absent::Name) },
        ],
        selectors_told: false,
        dmarc: vec![("acme.com".to_owned(), Found::Is(DmarcRecord::One(dmarc)))],
        mx: Found::Is(vec![Exchange { preference: 0, name: exchange, address: Found::Is(()) }]),
        address: Found::Absent(Absent::Record),
        listings: Vec::new(),
        registered: Some(date(2026, 1, 5)),
        today: date(2026, 11, 22),
        most_a_day: 100,
    }
}

fn walk(facts: &mut Facts) -> &mut SpfWalk {
    match &mut facts.spf {
        Found::Is(SpfRecord::One(walk)) => walk,
        other => panic!("no walk: {other:?}"),
    }
}

/// The verdict of a check, and the records it asks for.
#[track_caller]
fn check(change: impl Fn(&mut Facts), which: Check, verdict: Verdict, records: &[&str]) {
    let mut facts = sound();
    change(&mut facts);
    let findings = examine(&facts);
    let finding = findings.iter().find(|finding| finding.check == which).expect("a finding");
    let cure = finding.cure.iter().flat_map(|cure| &cure.records);
    let found: Vec<String> = cure.map(ToString::to_string).collect();
    assert_eq!((finding.verdict, found.as_slice()), (verdict, owned(records).as_slice()));
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_sound_domain_passes_every_check() {
    let findings = examine(&sound());
    let checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, Check::ALL[..8]);
    let ill: Vec<_> = findings.iter().filter(|f| f.verdict != Verdict::Pass).collect();
    assert!(ill.is_empty(), "{ill:#?}");
}

#[test]
fn the_record_to_publish_is_written_out() {
    use Check::Spf;
    use Verdict::Warn;
    let nothing = || Found::Absent(Absent::Record);
    check(
        |facts| facts.spf = nothing(),
        Spf,
        Warn,
        &["acme.com TXT v=spf1 include:spf.protection.outlook.com -all"],
    );
    check(
        |facts| {
            facts.host = host("google");
            facts.spf = nothing();
        },
        Spf,
        Warn,
        &["acme.com TXT v=spf1 include:_spf.google.com ~all"],
    );
    check(
        |facts| {
            walk(facts).text = "v=spf1 include:mailer.net ip4:192.0.2.1 ~all".to_owned();
            walk(facts).cover = Found::Is(Cover::Missing);
        },
        Spf,
        Warn,
        &[
            "acme.com TXT v=spf1 include:spf.protection.outlook.com include:mailer.net ip4:192.0.2.1 ~all",
        ],
    );
    check(
        |facts| {
            walk(facts).text = "v=spf1 include:spf.protection.outlook.com +all".to_owned();
            walk(facts).all = Some(SpfAll::Pass);
        },
        Spf,
        Warn,
        &["acme.com TXT v=spf1 include:spf.protection.outlook.com -all"],
    );
    check(
        |facts| {
            let two = ["v=spf1 include:spf.protection.outlook.com -all", "v=spf1 a ~all"];
            facts.spf = Found::Is(SpfRecord::Several(owned(&two)));
        },
        Spf,
        Warn,
        &["acme.com TXT v=spf1 include:spf.protection.outlook.com a ~all"],
    );
}

#[test]
fn so_are_those_of_keys_policies_and_exchanges() {
    use Check::{Dkim, Dmarc, Mx};
    use Verdict::Warn;
    check(
        |facts| facts.dkim.iter_mut().for_each(|s| s.key = Found::Absent(Absent::Name)),
        Dkim,
        Warn,
        &[
            "selector1._domainkey.acme.com CNAME as the portal shows it",
            "selector2._domainkey.acme.com CNAME as the portal shows it",
        ],
    );
    check(
        |facts| facts.dmarc[0].1 = Found::Absent(Absent::Record),
        Dmarc,
        Warn,
        &["_dmarc.acme.com TXT v=DMARC1; p=none"],
    );
    let unsigned = |facts: &mut Facts, preset| {
        facts.host = host(preset);
        facts.dkim.iter_mut().for_each(|s| s.key = Found::Absent(Absent::Name));
    };
    check(
        |facts| unsigned(facts, "fastmail"),
        Dkim,
        Warn,
        &[
            "fm1._domainkey.acme.com CNAME fm1.acme.com.dkim.fmhosted.com",
            "fm2._domainkey.acme.com CNAME fm2.acme.com.dkim.fmhosted.com",
            "fm3._domainkey.acme.com CNAME fm3.acme.com.dkim.fmhosted.com",
        ],
    );
    let apple = ["sig1._domainkey.acme.com CNAME sig1.dkim.acme.com.at.icloudmailadmin.com"];
    check(|facts| unsigned(facts, "icloud"), Dkim, Warn, &apple);
    let without_mx = |facts: &mut Facts, preset| {
        facts.host = host(preset);
        facts.mx = Found::Absent(Absent::Record);
    };
    let google = ["acme.com MX 1 smtp.google.com"];
    check(|facts| without_mx(facts, "google"), Mx, Verdict::Fail, &google);
    let apple = ["acme.com MX 10 mx01.mail.icloud.com", "acme.com MX 10 mx02.mail.icloud.com"];
    check(|facts| without_mx(facts, "icloud"), Mx, Verdict::Fail, &apple);
}

#[test]
fn of_a_domain_that_is_not_there_nothing_else_is_known() {
    let clean = Listing { list: blocklist::List::Dbl, codes: Found::Absent(Absent::Name) };
    let facts = Facts { exists: Found::Absent(Absent::Name), listings: vec![clean], ..sound() };
    let findings = examine(&facts);
    let checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, Check::ALL);
    let verdicts: Vec<Verdict> = findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts[0], Verdict::Fail);
    assert!(verdicts[1..].iter().all(|verdict| *verdict == Verdict::Unknown), "{findings:#?}");
}

#[test]
fn authentication_fails_only_where_both_are_known_to() {
    #[track_caller]
    fn both(spf: Found<Cover>, dkim: Found<DkimKey>, want: Verdict) {
        check(
            |facts| {
                walk(facts).cover = spf.clone();
                facts.dkim.truncate(1);
                facts.dkim[0].key = dkim.clone();
            },
            Check::Authentication,
            want,
            &[],
        );
    }
    let (covered, missing) = (Found::Is(Cover::Included), Found::Is(Cover::Missing));
    let outage = || Found::Unknown("SERVFAIL".to_owned());
    let revoked = || Found::Is(DkimKey::Revoked);
    both(covered.clone(), revoked(), Verdict::Pass);
    both(covered, outage_key(), Verdict::Pass);
    both(missing.clone(), Found::Is(DkimKey::Bits(1_024)), Verdict::Pass);
    both(missing.clone(), Found::Is(DkimKey::Bits(768)), Verdict::Fail);
    both(missing.clone(), revoked(), Verdict::Fail);
    both(missing, outage_key(), Verdict::Unknown);
    both(outage(), revoked(), Verdict::Unknown);
    both(Found::Is(Cover::NotKnown), revoked(), Verdict::Unknown);
}

#[test]
fn a_missing_key_proves_something_only_where_the_selectors_are_certain() {
    use Verdict::{Fail, Unknown, Warn};
    #[track_caller]
    fn unsigned(preset: &str, told: bool, authentication: Verdict, dkim: Verdict) {
        let mut facts = Facts { host: host(preset), selectors_told: told, ..sound() };
        facts.spf = Found::Absent(Absent::Record);
        facts.dkim.iter_mut().for_each(|selector| selector.key = Found::Absent(Absent::Name));
        let findings = examine(&facts);
        let of = |check| findings.iter().find(|finding| finding.check == check).expect("a finding");
        let verdicts = (of(Check::Authentication).verdict, of(Check::Dkim).verdict);
        assert_eq!(verdicts, (authentication, dkim), "{preset}");
        let text = |check| of(check).cure.as_ref().map_or("", |cure| &cure.text);
        let wanted = "`dkim = [\"SELECTOR\"]` into [domain.\"acme.com\"]";
        for check in [Check::Authentication, Check::Dkim] {
            assert_eq!(text(check).contains(wanted), authentication == Warn, "{preset}");
        }
    }
    unsigned("microsoft365", false, Fail, Warn);
    unsigned("microsoft365", true, Fail, Warn);
    unsigned("fastmail", false, Fail, Warn);
    unsigned("icloud", false, Fail, Warn);
    // To be mended, and no silence: what failed under selectors that nobody names any more ends.
    unsigned("google", false, Warn, Unknown);
    unsigned("google-trial", false, Warn, Unknown);
    unsigned("google", true, Fail, Warn);
    unsigned("smtp", true, Fail, Warn);
}

#[test]
fn other_ways_to_a_provider_publish_what_it_asks_for() {
    for (way, provider) in [("google-trial", "google"), ("m365-relay-connector", "microsoft365")] {
        assert!(host(provider).is_some());
        assert_eq!(host(way), host(provider));
    }
}

fn outage_key() -> Found<DkimKey> {
    Found::Unknown("SERVFAIL".to_owned())
}

#[test]
fn who_sends_much_is_asked_for_all_three() {
    use Verdict::{Pass, Unknown, Warn};
    let many = |facts: &mut Facts| facts.most_a_day = 5_000;
    check(many, Check::Bulk, Pass, &[]);
    let without = |facts: &mut Facts| facts.dmarc[0].1 = Found::Absent(Absent::Record);
    check(without, Check::Bulk, Pass, &[]);
    check(
        |facts| {
            many(facts);
            without(facts)
        },
        Check::Bulk,
        Warn,
        &[],
    );
    let silent = |facts: &mut Facts| facts.spf = Found::Unknown("SERVFAIL".to_owned());
    check(
        |facts| {
            many(facts);
            silent(facts)
        },
        Check::Bulk,
        Unknown,
        &[],
    );
}

#[test]
fn ages() {
    check(|facts| facts.registered = None, Check::Age, Verdict::Unknown, &[]);
    check(|facts| facts.registered = Some(date(2026, 10, 24)), Check::Age, Verdict::Warn, &[]);
    check(|facts| facts.registered = Some(date(2026, 10, 23)), Check::Age, Verdict::Pass, &[]);
}

#[test]
fn names_that_are_nobodys_are_not_asked() {
    #[track_caller]
    fn check(domain: &str, want: Option<&str>) {
        assert_eq!(not_asked(domain), want, "{domain}");
    }
    let reserved = Some("reserved name: not asked");
    check("acme-mail.test", reserved);
    check("test", reserved);
    check("Sub.Example.COM.", reserved);
    check("example.org", reserved);
    check("mail.example", reserved);
    check("host.invalid", reserved);
    check("localhost", reserved);
    check("printer.local", reserved);
    let private = Some("private name: not asked");
    for name in ["internal", "lan", "home.arpa", "corp", "home", "intranet", "private"] {
        check(&format!("acme.{name}"), private);
    }
    check("mailhost", private);
    check("Office.", private);
    check("acme.arpa", None);
    check("myhome.arpa", None);
    check("gmail.com", Some("a mail provider's own domain: not asked"));
    check("acme.com", None);
    check("latest.com", None);
    check("myexample.com", None);
    check("test.com", None);
}

#[test]
fn of_two_providers_the_worst_finding_of_each_check_is_kept() {
    let google = || Facts { host: host("google"), ..sound() };
    let two = |first: Facts, second: Facts, verdict: Verdict, words: &str| {
        for facts in [[first.clone(), second.clone()], [second.clone(), first.clone()]] {
            let findings = examine_all(&facts);
            let checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
            assert_eq!(checks, Check::ALL[..8]);
            assert_eq!(findings[1].verdict, verdict);
            assert!(findings[1].what.starts_with(words), "{}", findings[1].what);
        }
    };
    let with = |cover, key| {
        let mut facts = google();
        walk(&mut facts).cover = cover;
        facts.dkim[0].key = key;
        facts
    };
    let (missing, revoked) = (|| Found::Is(Cover::Missing), || Found::Is(DkimKey::Revoked));
    let fails = || Facts { selectors_told: true, ..with(missing(), revoked()) };
    two(sound(), google(), Verdict::Pass, "SPF and DKIM can pass");
    two(sound(), fails(), Verdict::Fail, "Google Workspace: neither");
    two(sound(), with(missing(), revoked()), Verdict::Warn, "Google Workspace: SPF cannot");
    let silent = || with(Found::Unknown("SERVFAIL".to_owned()), outage_key());
    two(sound(), silent(), Verdict::Unknown, "Google Workspace: whether");
    two(silent(), fails(), Verdict::Fail, "Google Workspace: neither");
    assert_eq!(examine_all(&[fails()]), examine(&fails()));
}

#[test]
fn a_first_record_lets_every_provider_send() {
    check(
        |facts| {
            facts.spf = Found::Absent(Absent::Record);
            facts.beside = host("google").into_iter().collect();
        },
        Check::Spf,
        Verdict::Warn,
        &["acme.com TXT v=spf1 include:spf.protection.outlook.com include:_spf.google.com ~all"],
    );
    // Of the other nobody here knows what it asks for.
    check(
        |facts| {
            facts.spf = Found::Absent(Absent::Record);
            facts.is_elsewhere = true;
        },
        Check::Spf,
        Verdict::Warn,
        &["acme.com TXT v=spf1 include:spf.protection.outlook.com ~all"],
    );
}

#[test]
fn a_failure_gates_once_it_was_seen_again_after_its_grace() {
    let mut known = None;
    let mut see = |verdict, at: i64| {
        known = Some(Known::after(known, verdict, at));
        known.is_some_and(|known| known.gates(GRACE))
    };
    assert!(!see(Verdict::Unknown, 0));
    assert!(!see(Verdict::Fail, HOUR));
    // A week without an answer is no week of failure.
    assert!(!see(Verdict::Unknown, 7 * DAY));
    assert!(see(Verdict::Fail, 7 * DAY + HOUR));
    assert!(see(Verdict::Unknown, 8 * DAY), "an outage mends nothing");
    assert!(!see(Verdict::Warn, 9 * DAY));
    assert!(!see(Verdict::Fail, 9 * DAY + 1));
    assert!(!see(Verdict::Fail, 12 * DAY));
    assert!(see(Verdict::Fail, 12 * DAY + 1));
    assert_eq!(grace_refusal(GRACE), None);
    assert!(grace_refusal(GRACE_MIN - 1).is_some());
}
