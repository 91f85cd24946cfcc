//! Lists of bad domains: a listing is what the list documents as one, and only where the list serves the
//! resolver at all.

use secrecy::SecretString;
use warmfront_core::domain::Check::Blocklist;
use warmfront_core::domain::Verdict::{self, Fail, Pass, Unknown, Warn};
use warmfront_core::domain::blocklist::List;
use warmfront_core::domain::examine_all;
use warmfront_mail::dns::Settings;
use warmfront_tests::dns::NameServer;

use crate::{of, question, way};

const ZONE: &str = "
    acme.com MX 10 mail.acme.com
    mail.acme.com A 192.0.2.1
    dbltest.com.dbl.spamhaus.org A 127.0.1.2
    2.0.0.127.multi.surbl.org A 127.0.0.254
    2.0.0.127.multi.uribl.com A 127.0.0.14";

async fn check(lists: &[List], lines: &str, verdict: Verdict, words: &str) {
    let server = NameServer::start(&format!("{lines}\n{ZONE}"));
    let dns = way(&server, Settings { blocklists: lists.to_vec(), ..Settings::default() });
    let findings = examine_all(&dns.facts(&question("acme.com", "google")).await);
    let (found, what) = of(&findings, Blocklist);
    assert!(found == verdict && what.contains(words), "{lines}: {found:?}, {what}");
}

#[tokio::test]
async fn only_a_documented_code_is_a_listing() {
    let dbl = &[List::Dbl];
    check(dbl, "", Pass, "not listed by Spamhaus DBL").await;
    check(dbl, "acme.com.dbl.spamhaus.org A 127.0.1.2", Fail, "a domain of low reputation").await;
    check(dbl, "acme.com.dbl.spamhaus.org A 127.0.1.5", Fail, "malware").await;
    check(dbl, "acme.com.dbl.spamhaus.org A 127.0.1.104", Fail, "that others abuse").await;
    for error in
        ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.1.255", "127.0.1.3"]
    {
        check(dbl, &format!("acme.com.dbl.spamhaus.org A {error}"), Unknown, "refused").await;
    }
    check(dbl, "acme.com.dbl.spamhaus.org A 192.0.2.55", Unknown, "refused").await;
    check(dbl, "acme.com.dbl.spamhaus.org ANY !SERVFAIL", Unknown, "SERVFAIL").await;
    let others = &[List::Surbl, List::Uribl];
    check(others, "", Pass, "not listed by SURBL, URIBL").await;
    check(others, "acme.com.multi.surbl.org A 127.0.0.64", Fail, "SURBL (spam and abuse)").await;
    check(others, "acme.com.multi.uribl.com A 127.0.0.2", Fail, "URIBL (black)").await;
    check(others, "acme.com.multi.uribl.com A 127.0.0.4", Warn, "URIBL (grey)").await;
    check(others, "acme.com.multi.uribl.com A 127.0.0.1", Unknown, "URIBL did not tell").await;
    // A lighter matter on one list is no sign that another took its listing back.
    let noted = "acme.com.multi.uribl.com A 127.0.0.4\nacme.com.multi.surbl.org ANY !SERVFAIL";
    check(others, noted, Unknown, "noted by URIBL (grey); SURBL did not tell").await;
}

#[tokio::test]
async fn a_resolver_that_the_list_does_not_serve_is_found_out_first() {
    let listed = "acme.com.dbl.spamhaus.org A 127.0.1.2";
    let dbl = &[List::Dbl];
    let refused = "dbltest.com.dbl.spamhaus.org A 127.255.255.254";
    // The first line of the two is answered; the list's own probe comes behind it.
    let server = NameServer::start(&format!(
        "acme.com MX 10 mail.acme.com\nmail.acme.com A 192.0.2.1\n{listed}\n{refused}"
    ));
    let dns = way(&server, Settings { blocklists: dbl.to_vec(), ..Settings::default() });
    let findings = examine_all(&dns.facts(&question("acme.com", "google")).await);
    let (found, what) = of(&findings, Blocklist);
    assert_eq!(
        (found, what.as_str()),
        (Unknown, "Spamhaus DBL did not tell: it does not serve the resolver")
    );
    assert!(!server.asked().contains(&"acme.com.dbl.spamhaus.org A".to_owned()), "asked in vain");

    let everything = format!("{listed}\nexample.com.dbl.spamhaus.org A 127.0.1.2");
    check(dbl, &everything, Unknown, "answers what the list does not say").await;
}

#[tokio::test]
async fn a_key_stands_in_the_names_and_nowhere_else() {
    let server = NameServer::start(
        "acme.com MX 10 mail.acme.com
         mail.acme.com A 192.0.2.1
         dbltest.com.s3cretkey.dbl.dq.spamhaus.net A 127.0.1.2
         acme.com.s3cretkey.dbl.dq.spamhaus.net ANY !SERVFAIL",
    );
    let settings = Settings {
        blocklists: vec![List::Dbl],
        dqs_key: Some(SecretString::from("s3cretkey")),
        ..Settings::default()
    };
    let dns = way(&server, settings);
    let findings = examine_all(&dns.facts(&question("acme.com", "google")).await);
    let asked = server.asked();
    assert!(asked.contains(&"acme.com.s3cretkey.dbl.dq.spamhaus.net A".to_owned()), "{asked:?}");
    assert_eq!(of(&findings, Blocklist).0, Unknown);
    assert!(!format!("{findings:?} {dns:?}").contains("s3cretkey"));
}

#[tokio::test]
async fn no_list_is_asked_unless_one_is_wanted() {
    let server = NameServer::start(ZONE);
    let dns = way(&server, Settings::default());
    let findings = examine_all(&dns.facts(&question("acme.com", "google")).await);
    assert!(findings.iter().all(|finding| finding.check != Blocklist), "{findings:#?}");
}
