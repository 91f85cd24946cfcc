//! An outage is no failure: whatever a name server does not say stays unknown.

use std::time::Duration;

use warmfront_core::domain::Check::{self, Authentication, Dkim, Exists, Mx, Spf};
use warmfront_core::domain::Verdict::{self, Pass, Unknown};
use warmfront_core::domain::{self, examine_all};
use warmfront_mail::dns::{Dns, Settings};
use warmfront_tests::dns::NameServer;

use crate::{examined, of, question, way};

const SOUND: &str = "
    acme.com MX 10 mail.acme.com
    acme.com TXT v=spf1 include:spf.protection.outlook.com -all
    mail.acme.com A 192.0.2.1
    spf.protection.outlook.com TXT v=spf1 ip4:40.92.0.0/15 -all";

async fn check(lines: &str, which: Check, verdict: Verdict, words: &str) {
    let kept: Vec<&str> = SOUND
        .lines()
        .map(str::trim)
        .filter(|line| {
            let place = line.split(' ').take(2).collect::<Vec<_>>().join(" ") + " ";
            line.is_empty() || !lines.lines().any(|own| own.trim().starts_with(&place))
        })
        .collect();
    let zone = format!("{}\n{lines}", kept.join("\n"));
    let findings = examined(&zone, &question("acme.com", "microsoft365")).await;
    let (found, what) = of(&findings, which);
    assert!(found == verdict && what.contains(words), "{lines}: {found:?}, {what}");
}

#[tokio::test]
async fn what_is_not_said_is_not_known() {
    check("acme.com TXT !SERVFAIL", Spf, Unknown, "SERVFAIL").await;
    check("acme.com TXT !REFUSED", Spf, Unknown, "REFUSED").await;
    check("acme.com TXT !SILENT", Spf, Unknown, "no answer in time").await;
    check("acme.com TXT !SERVFAIL", Authentication, Unknown, "not known").await;
    check("acme.com MX !SERVFAIL", Mx, Unknown, "SERVFAIL").await;
    check("acme.com MX !SERVFAIL", Exists, Pass, "knows it").await;
    check("acme.com ANY !SERVFAIL", Exists, Unknown, "SERVFAIL").await;
    check("acme.com ANY !SILENT", Mx, Unknown, "could not be asked").await;
    check("mail.acme.com A !SERVFAIL", Mx, Unknown, "could not be asked").await;
    check("selector1._domainkey.acme.com ANY !SERVFAIL", Dkim, Unknown, "SERVFAIL").await;
    check("selector2._domainkey.acme.com ANY !SILENT", Dkim, Unknown, "in time").await;
    check("spf.protection.outlook.com TXT !SERVFAIL", Spf, Pass, "lets Microsoft 365").await;
    check("acme.com TXT v=spf1 include:x.net -all\nx.net TXT !SERVFAIL", Spf, Unknown, "SERVFAIL")
        .await;
    check("_dmarc.acme.com TXT !SERVFAIL", Check::Dmarc, Unknown, "SERVFAIL").await;
    check("com NS !NXDOMAIN", Exists, Unknown, "does not know `com`").await;
    check("com NS !REFUSED", Exists, Unknown, "REFUSED").await;
}

#[tokio::test]
async fn what_udp_is_too_small_for_comes_over_tcp() {
    let long = "acme.com TXT !TRUNCATED v=spf1 include:spf.protection.outlook.com -all";
    check(long, Spf, Pass, "lets Microsoft 365 send").await;
}

#[tokio::test]
async fn where_nobody_answers_that_is_learnt_soon_and_nothing_fails() {
    // Bound, so that nobody else is there; and silent.
    let server = NameServer::start("acme.com ANY !SILENT");
    let (dns, question) = (way(&server, Settings::default()), question("acme.com", "microsoft365"));
    let facts = tokio::time::timeout(Duration::from_secs(5), dns.facts(&question)).await;
    let facts = facts.expect("it takes two questions");
    let findings = examine_all(&facts);
    let told: Vec<_> = findings.iter().filter(|f| f.verdict == Verdict::Fail).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert!(
        server.asked().iter().all(|asked| asked.starts_with("acme.com ")),
        "{:?}",
        server.asked()
    );
}

#[tokio::test]
async fn a_port_without_a_server_is_an_outage_too() {
    let settings = Settings {
        server: Some("127.0.0.1:1".parse().unwrap()),
        timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let dns = Dns::open(settings).unwrap();
    let findings = domain::examine_all(&dns.facts(&question("acme.com", "google")).await);
    assert_eq!(of(&findings, Exists).0, Unknown);
    assert!(findings.iter().all(|f| f.verdict != Verdict::Fail), "{findings:#?}");
}
