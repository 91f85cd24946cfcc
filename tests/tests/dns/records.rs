//! A table of zones, broken ones and good ones, each with the verdict of one check.

use warmfront_core::domain::Verdict::Pass;
use warmfront_core::domain::{Check, Verdict, examine_all};
use warmfront_tests::dns::NameServer;

use crate::{examined, of, question, way};

/// What every zone has, unless a case speaks of the same name and type.
const SOUND: [&str; 18] = [
    "acme.com MX 10 mail.acme.com",
    "acme.com TXT v=spf1 include:spf.protection.outlook.com -all",
    "mail.acme.com A 192.0.2.1",
    "_dmarc.acme.com TXT v=DMARC1; p=reject",
    "selector1._domainkey.acme.com CNAME s1.acme.r-v1.dkim.mail.microsoft",
    "s1.acme.r-v1.dkim.mail.microsoft TXT {2048}",
    "google._domainkey.acme.com TXT {2048}",
    "spf.protection.outlook.com TXT v=spf1 ip4:40.92.0.0/15 ip4:52.100.0.0/14 -all",
    "_spf.google.com TXT v=spf1 include:_netblocks.google.com ~all",
    "_netblocks.google.com TXT v=spf1 ip4:35.190.247.0/24 ip4:64.233.160.0/19 ~all",
    "spf.messagingengine.com TXT v=spf1 ip4:202.12.124.128/27 ?all",
    "inc.net TXT v=spf1 ip4:203.0.113.0/24 -all",
    "ours.net TXT v=spf1 include:inc.net include:spf.protection.outlook.com -all",
    "loop.net TXT v=spf1 include:loop.net -all",
    "ill.net TXT v=spf1 ip4:300.1.1.1 -all",
    "two.net TXT v=spf1 -all",
    "two.net TXT v=spf1 ~all",
    "any.net TXT v=spf1 +all",
];

/// One zone and its verdict.
struct Case<'a> {
    heading: &'a str,
    preset: &'a str,
    check: Check,
    verdict: Verdict,
    words: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Case<'a> {
    fn all(table: &'a str) -> Vec<Self> {
        let mut cases: Vec<Self> = Vec::new();
        for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match (line.strip_prefix("    "), cases.last_mut()) {
                (Some(own), Some(case)) => case.lines.push(own),
                _ => cases.push(Self::headed(line)),
            }
        }
        cases
    }

    fn headed(heading: &'a str) -> Self {
        let parts: Vec<&str> = heading.split(" | ").collect();
        let [_, preset, found, words] = parts[..] else { panic!("no heading: {heading}") };
        let (check, verdict) = found.split_once(' ').expect("a check and a verdict");
        let check = Check::ALL.into_iter().find(|known| known.as_str() == check).expect(heading);
        let verdict = Verdict::of_word(verdict).expect(heading);
        Self { heading, preset, check, verdict, words, lines: Vec::new() }
    }
}

#[tokio::test]
async fn every_zone_has_its_verdict() {
    let cases = Case::all(include_str!("zones.txt"));
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let zone = zone(&case.lines);
        let findings = examined(&zone, &question("acme.com", case.preset)).await;
        let (found, what) = of(&findings, case.check);
        if found != case.verdict || !what.contains(case.words) {
            wrong.push(format!("{}: {found:?}, {what}", case.heading));
        }
    }
    assert!(wrong.is_empty(), "of {} cases:\n{}", cases.len(), wrong.join("\n"));
}

/// The sound zone with a case's own lines in place of its.
fn zone(lines: &[&str]) -> String {
    let place = |line: &str| -> String {
        line.trim_start_matches('-').split(' ').take(2).collect::<Vec<_>>().join(" ")
    };
    let otherwise: Vec<String> = lines.iter().map(|line| place(line)).collect();
    let sound = SOUND.into_iter().filter(|line| !otherwise.contains(&place(line)));
    let own = lines.iter().copied().filter(|line| !line.starts_with('-'));
    let all: Vec<&str> = sound.chain(own).collect();
    let zone = all.join("\n");
    zone.replace("{512}", KEY_512).replace("{1024}", KEY_1024).replace("{2048}", KEY_2048)
}

#[tokio::test]
async fn a_policy_is_looked_for_upwards_and_not_too_far() {
    let server = NameServer::start(
        "a.b.c.d.e.f.g.h.acme.com MX 10 mail.acme.com
         mail.acme.com A 192.0.2.1
         _dmarc.acme.com TXT v=DMARC1; p=reject; sp=quarantine
         _dmarc.com TXT v=DMARC1; p=none; psd=y",
    );
    let asking = way(&server, Default::default());
    let question = question("a.b.c.d.e.f.g.h.acme.com", "google");
    let findings = examine_all(&asking.facts(&question).await);
    assert_eq!(of(&findings, Check::Dmarc), (Pass, "p=quarantine, as acme.com has it".to_owned()));
    let mut walked = server.asked();
    walked.retain(|asked| asked.starts_with("_dmarc."));
    // On a busy machine an answer may come late, and then a question goes out again.
    walked.dedup();
    assert_eq!(
        walked,
        [
            "_dmarc.a.b.c.d.e.f.g.h.acme.com TXT",
            "_dmarc.d.e.f.g.h.acme.com TXT",
            "_dmarc.e.f.g.h.acme.com TXT",
            "_dmarc.f.g.h.acme.com TXT",
            "_dmarc.g.h.acme.com TXT",
            "_dmarc.h.acme.com TXT",
            "_dmarc.acme.com TXT",
            "_dmarc.com TXT",
        ]
    );
}

/// Keys made for these tests, of which nobody has the other half.
const KEY_512: &str = "\
    v=DKIM1; k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALJD7kbraX85RBs8UWiMBsUY0nUSgJtfia8knR\
    AdxzyNby24wi8Hp2RUx5pLCcySR3H54BnQDR6+kV/lJbuPHG0CAwEAAQ==";

const KEY_1024: &str = "\
    v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDBwugvsq53AaU4jpv3UAvefLRumFMXXW\
    yotwSyhSjUXI6tJ9ELu3R0mUWXqCWx+twej6VgT9EvYUBJdKoKMgY66YREPw6Vd0kmCnkCp4dZA+xir71xcmL86Q\
    oq+9d0vvZBQlo8NVQwr5f/7FAnpFEPvl1jKXgq3bEmt+qCBmBwgwIDAQAB";

pub(crate) const KEY_2048: &str = "\
    v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvkwwl4mJvBR5DpmF7MVwkxBqYI\
    tfTPvKIaRTJlznSWR+T8GF4sjj2jMfjlxy3vUrTHJBSGw1YdvoRBaUxIn1eSGr5ngyW4vrAgm8tAOoLymcr0ngwc\
    rAar/cnhSWvX0INN6J9PXz5S6Yig+FdRPuvhJpYNM+xL/aIVX1GOX7Gd5z9DmKA2TZofuz3pTcqH/5NzqRSCwVvq\
    1XrdsJRCgv8cmMfSHMdwwN6juYhBwEyK1g5Vnxi5FUCPnu/Yf7Ll3T4e3MYW4VpUO0U27932w2QLLLv4567H+s+9\
    N++k+moKc0B18K8ilOikB/YsGfqIZwOud/PZeupnowu77/IXAGbwIDAQAB";
