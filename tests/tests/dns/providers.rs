//! A domain whose mailboxes are at several providers: each of them is asked for.

use warmfront_core::domain::{Check, GRACE, Verdict};
use warmfront_tests::dns::NameServer;

use crate::examiner::{NOW, failing, look, looks, office_of};
use crate::{examined, of, question};

/// Mail by Microsoft 365 passes, mail by anybody else does not.
const MICROSOFT_ALONE: &str = "
    acme.com MX 10 mail.acme.com
    acme.com TXT v=spf1 include:spf.protection.outlook.com -all
    mail.acme.com A 192.0.2.1
    spf.protection.outlook.com TXT v=spf1 ip4:40.92.0.0/15 -all
    spf.messagingengine.com TXT v=spf1 ip4:202.12.124.128/27 ?all
    _spf.google.com TXT v=spf1 ip4:64.233.160.0/19 ~all";

#[tokio::test]
async fn a_domain_gates_where_the_mail_of_one_provider_can_pass_neither() {
    async fn ends(second: &str, gates: &[&str]) {
        let mailboxes = [("ann@acme.com", "microsoft365"), ("bob@acme.com", second)];
        let office = office_of(&mailboxes, looks()).await;
        let server = NameServer::start(MICROSOFT_ALONE);
        let _ = look(&office, &server, NOW).await;
        let _ = look(&office, &server, NOW + GRACE).await;
        assert_eq!(failing(&office).await, gates, "{second}");
    }
    ends("microsoft365", &[]).await;
    // Its selectors are the same for everybody, so that nothing there is a failure.
    ends("fastmail", &["acme.com"]).await;
    // It may sign under any.
    ends("google", &[]).await;
    // Nobody here knows what it asks for.
    ends("smtp", &[]).await;
}

#[tokio::test]
async fn the_worst_is_told_and_whose_it_is_in_any_order() {
    for preset in ["microsoft365+fastmail", "fastmail+microsoft365"] {
        let findings = examined(MICROSOFT_ALONE, &question("acme.com", preset)).await;
        let (verdict, what) = of(&findings, Check::Authentication);
        assert_eq!(verdict, Verdict::Fail);
        assert!(what.starts_with("Fastmail: neither SPF nor DKIM can pass"), "{what}");
        let (verdict, what) = of(&findings, Check::Spf);
        assert_eq!(verdict, Verdict::Warn);
        assert!(what.contains("does not let Fastmail send"), "{what}");
        assert_eq!(of(&findings, Check::Mx).1, "replies go to mail.acme.com");
    }
}

#[tokio::test]
async fn what_does_not_depend_on_the_provider_is_asked_once() {
    let server = NameServer::start(MICROSOFT_ALONE);
    let dns = crate::way(&server, Default::default());
    let facts = dns.facts(&question("acme.com", "microsoft365+google")).await;
    assert_eq!(facts.len(), 2);
    let asked = server.asked();
    for once in ["acme.com MX", "_dmarc.acme.com TXT", "mail.acme.com A"] {
        assert_eq!(asked.iter().filter(|asked| *asked == once).count(), 1, "{asked:?}");
    }
}
