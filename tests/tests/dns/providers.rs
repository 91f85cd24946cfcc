//! What is asked about a domain whose mailboxes are not all alike: at several providers, or with
//! others of the same organisation.

use warmfront_core::domain::{Check, GRACE, Verdict};
use warmfront_engine::fleet::Fleet;
use warmfront_mail::dns::Question;
use warmfront_tests::dns::NameServer;

use crate::examiner::{NOW, failing, look, looks, office_of};
use crate::records::KEY_2048;
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
async fn a_selector_of_one_provider_speaks_for_no_other() {
    let zone = format!(
        "acme.com MX 10 mail.acme.com\nmail.acme.com A 192.0.2.1\n\
         acme.com TXT v=spf1 include:_spf.google.com ~all\n\
         _spf.google.com TXT v=spf1 ip4:64.233.160.0/19 ~all\n\
         spf.protection.outlook.com TXT v=spf1 ip4:40.92.0.0/15 -all\n\
         google._domainkey.acme.com TXT {KEY_2048}"
    );
    for preset in ["google+microsoft365", "microsoft365+google"] {
        let told = question("acme.com", preset);
        let told = Question { selectors: vec!["google".to_owned()], ..told };
        let (verdict, what) = of(&examined(&zone, &told).await, Check::Authentication);
        assert_eq!(verdict, Verdict::Fail);
        assert!(what.starts_with("Microsoft 365: neither"), "{what}");
    }
}

#[tokio::test]
async fn what_does_not_depend_on_the_provider_is_asked_once() {
    // On a busy machine an answer may come late, and then a question goes out again.
    for left in (0..3).rev() {
        let server = NameServer::start(MICROSOFT_ALONE);
        let dns = crate::way(&server, Default::default());
        let facts = dns.facts(&question("acme.com", "microsoft365+google")).await;
        assert_eq!(facts.len(), 2);
        let asked = server.asked();
        let is_once = |what: &&str| asked.iter().filter(|asked| asked == what).count() == 1;
        if ["acme.com MX", "_dmarc.acme.com TXT", "mail.acme.com A"].iter().all(is_once) {
            return;
        }
        assert!(left > 0, "{asked:?}");
    }
}

#[tokio::test]
async fn who_sends_much_is_known_by_all_of_the_organisation() {
    let mailboxes =
        ["ann@mail1.acme.com", "bob@mail1.acme.com", "cy@mail2.acme.com", "di@acme.net"];
    let office = office_of(&mailboxes.map(|address| (address, "google")), looks()).await;
    let most = |fleet: &Fleet, domain| fleet.question(domain, office.day(NOW)).most_a_day;
    let fleet = |domain_per_day| Fleet { domain_per_day, ..(*office.fleet).clone() };
    // Fifty of each mailbox.
    let all = fleet(100);
    for (domain, want) in [("mail1.acme.com", 150), ("mail2.acme.com", 150), ("acme.net", 50)] {
        assert_eq!(most(&all, domain), want, "{domain}");
    }
    // No domain sends more than its own limit.
    assert_eq!(most(&fleet(70), "mail2.acme.com"), 120);
    let many = Question { most_a_day: 5_000, ..question("mail1.acme.com", "google") };
    let zone = "mail1.acme.com MX 10 mail.acme.com\nmail.acme.com A 192.0.2.1";
    let (verdict, what) = of(&examined(zone, &many).await, Check::Bulk);
    assert_eq!(verdict, Verdict::Warn);
    assert!(what.starts_with("up to 5000 a day from all of acme.com: "), "{what}");
}
