//! Lists of bad domains. Asked only where the operator wants it: their terms are for few questions.

use std::net::Ipv4Addr;

use secrecy::ExposeSecret as _;
use warmfront_core::domain::blocklist::{Code, List, Meaning};
use warmfront_core::domain::{Found, Listing};

use super::Dns;

/// Asks every list that is wanted.
pub(super) async fn ask(dns: &Dns, domain: &str) -> Vec<Listing> {
    let mut found = Vec::new();
    for &list in &dns.blocklists {
        let zone = zone(dns, list);
        let codes = match trusted(dns, list, &zone).await {
            Ok(()) => codes(dns, &format!("{domain}.{zone}")).await,
            Err(why) => Found::Unknown(why.to_owned()),
        };
        found.push(Listing { list, codes });
    }
    found
}

async fn codes(dns: &Dns, name: &str) -> Found<Vec<Code>> {
    dns.ipv4(name).await.map(|all| all.iter().map(Ipv4Addr::octets).collect())
}

/// With a key the list is asked where it serves its customers.
fn zone(dns: &Dns, list: List) -> String {
    match (&dns.dqs_key, list) {
        (Some(key), List::Dbl) => format!("{}.dbl.dq.spamhaus.net", key.expose_secret()),
        (None, List::Dbl) | (_, List::Surbl | List::Uribl) => list.zone().to_owned(),
    }
}

/// Whether its answers count: what is always listed must be, and what never is must not. A resolver that
/// answers everything, or one that the list does not serve, is so found out.
async fn trusted(dns: &Dns, list: List, zone: &str) -> Result<(), &'static str> {
    let is_listing = |code| matches!(list.read(code), Meaning::Listed(_));
    match codes(dns, &format!("{}.{zone}", list.always_listed())).await {
        Found::Is(codes) if codes.iter().any(|&code| is_listing(code)) => {}
        Found::Is(_) => return Err("it does not serve the resolver"),
        Found::Absent(_) => return Err("the resolver does not reach it"),
        Found::Unknown(_) => return Err("no answer"),
    }
    match codes(dns, &format!("{NEVER_LISTED}.{zone}")).await {
        Found::Absent(_) => Ok(()),
        Found::Is(_) => Err("the resolver answers what the list does not say"),
        Found::Unknown(_) => Err("no answer"),
    }
}

/// Reserved (RFC 2606), so no spammer's.
const NEVER_LISTED: &str = "example.com";
