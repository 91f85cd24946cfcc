//! `doctor`: what the DNS says of the sending domains, and the record that mends it.

use std::collections::BTreeSet;

use serde_json::json;
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::domain::{Finding, Verdict, examine_all, not_asked};
use warmfront_core::span::{Millis, length_text};
use warmfront_engine::clock::Clock;
use warmfront_engine::fleet::Fleet;
use warmfront_mail::dns::{Dns, Question};
use warmfront_store::{DomainCheck, Durability, Store, Turn};

use crate::app;
use crate::cli::Global;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::{print, wiring};

/// What was found of one domain.
struct Examined {
    question: Question,
    /// Why nobody was asked, if so.
    not_asked: Option<&'static str>,
    findings: Vec<Finding>,
    /// What the books know of it now.
    known: Vec<DomainCheck>,
    turn: Turn,
}

/// Looks at the domains named, or at every sending domain, now.
pub(crate) async fn doctor(global: &Global, domains: &[String]) -> Done {
    let config = app::configuration(global)?;
    let fleet = wiring::fleet(&config, wiring::Readers::Imap);
    let named = named(domains)?;
    let sending: BTreeSet<String> =
        fleet.sending_domains().into_iter().map(str::to_owned).collect();
    let wanted = if named.is_empty() { &sending } else { &named };
    if wanted.is_empty() {
        let what = "no mailbox is declared, so there is no sending domain; name a domain";
        return Err(Failure::Usage(what.to_owned()));
    }
    let now = Clock::Wall.now();
    let asks = wanted.iter().any(|domain| not_asked(domain).is_none());
    let dns = asks.then(|| wiring::dns(&config)).transpose().map_err(Failure::failed)?;
    let books = books(&config).await?;
    let mut all = Vec::new();
    for domain in wanted {
        let question = fleet.question(domain, calendar::day_of(&fleet.timezone, now));
        let mut examined = look(dns.as_ref(), question).await;
        let is_kept = sending.contains(domain) && fleet.domains.is_some();
        if let Some(books) = books.as_ref().filter(|_| is_kept && examined.not_asked.is_none()) {
            examined.turn = books.record_domain(domain, &examined.findings, now).await?;
            let known = books.domain_checks().await?;
            examined.known = known.into_iter().filter(|row| row.domain == *domain).collect();
        }
        match global.json {
            true => say_json(&examined),
            false => say_letter(&fleet, &examined, domains.is_empty()),
        }
        all.push(examined);
    }
    if let Some(books) = books {
        books.close().await?;
    }
    if !global.json {
        say_end(&all);
    }
    match code(&all) {
        0 => Ok(()),
        code => Err(Failure::Said(code)),
    }
}

/// The domains as they were typed, or those behind addresses.
fn named(typed: &[String]) -> Result<BTreeSet<String>, Failure> {
    let one = |text: &String| {
        let domain = text.rsplit('@').next().unwrap_or_default().trim_end_matches('.');
        let anybody = Address::parse(&format!("postmaster@{domain}"));
        let refused = |_| Failure::Usage(format!("`{text}` is no domain"));
        anybody.map(|anybody| anybody.domain().to_owned()).map_err(refused)
    };
    typed.iter().map(one).collect()
}

/// The books, where there are any yet: what is seen here counts for the daemon too.
async fn books(config: &Config) -> Result<Option<Store>, Failure> {
    let missing = Store::file(&config.store_url)
        .is_some_and(|file| file.metadata().map_or(true, |known| known.len() == 0));
    if missing {
        return Ok(None);
    }
    Ok(Some(Store::open(&config.store_url, Durability::Full).await?))
}

async fn look(dns: Option<&Dns>, question: Question) -> Examined {
    let not_asked = not_asked(&question.domain);
    let findings = match dns.filter(|_| not_asked.is_none()) {
        Some(dns) => examine_all(&dns.facts(&question).await),
        None => Vec::new(),
    };
    Examined { question, not_asked, findings, known: Vec::new(), turn: Turn::None }
}

fn has(examined: &Examined, verdict: Verdict) -> usize {
    examined.findings.iter().filter(|finding| finding.verdict == verdict).count()
}

/// Whether a domain did not answer at all.
fn is_silent(examined: &Examined) -> bool {
    let first = examined.findings.first();
    first.is_some_and(|existence| existence.verdict == Verdict::Unknown)
}

/// 3 where something would hold mail back; 1 where a domain could not be asked.
fn code(all: &[Examined]) -> u8 {
    if all.iter().any(|examined| has(examined, Verdict::Fail) > 0) {
        3
    } else {
        u8::from(all.iter().any(is_silent))
    }
}

fn say_json(examined: &Examined) {
    let domain = &examined.question.domain;
    if let Some(why) = examined.not_asked {
        print::say_json(&json!({
            "domain": domain, "check": null, "verdict": "not_asked", "what": why,
            "cure": null, "records": [], "since": null,
        }));
    }
    for finding in &examined.findings {
        let known = examined.known.iter().find(|row| row.check_name == finding.check.as_str());
        let records: Vec<_> = finding.cure.iter().flat_map(|cure| &cure.records).collect();
        print::say_json(&json!({
            "domain": domain,
            "check": finding.check.as_str(),
            "verdict": finding.verdict.as_str(),
            "what": finding.what,
            "cure": finding.cure.as_ref().map(|cure| &cure.text),
            "records": records.iter().map(|record| json!({
                "name": record.name, "type": record.kind, "value": record.value,
            })).collect::<Vec<_>>(),
            "since": known.filter(|row| row.verdict == finding.verdict.as_str())
                .map(|row| print::rfc3339(row.since)),
        }));
    }
}

fn say_letter(fleet: &Fleet, examined: &Examined, is_sending: bool) {
    let Question { domain, hosts, .. } = &examined.question;
    let names: Vec<&str> = hosts.iter().map(|host| host.name).collect();
    let host = match names.join(" and ") {
        names if !names.is_empty() => format!(", mail by {names}"),
        _ if is_sending && examined.not_asked.is_none() => {
            ", mail by a provider whose records are not known here".to_owned()
        }
        _ => String::new(),
    };
    print::paragraph("", &format!("{domain}{host}"));
    if let Some(why) = examined.not_asked {
        print::paragraph("  ", why);
    }
    for finding in &examined.findings {
        say_finding(finding);
    }
    say_consequence(fleet, examined);
    print::say("");
}

fn say_finding(finding: &Finding) {
    let word = match finding.verdict {
        Verdict::Pass => "well",
        Verdict::Warn => "MEND",
        Verdict::Fail => "FAILS",
        Verdict::Unknown => "unknown",
    };
    let begin = format!("  {:<15}{word:<9}", finding.check.as_str());
    print::paragraph(&begin, &finding.what);
    // What is well needs no advice, and what is merely unknown little.
    let Some(cure) = &finding.cure else { return };
    print::paragraph(&" ".repeat(begin.len()), &format!("-> {}", cure.text));
    for record in &cure.records {
        // In one line, however long: it is copied.
        print::say(format!("       name   {}", record.name));
        print::say(format!("       type   {}", record.kind));
        print::say(format!("       value  {}", record.value));
    }
}

/// What the findings do to mail.
fn say_consequence(fleet: &Fleet, examined: &Examined) {
    let domain = &examined.question.domain;
    let failing: Vec<&DomainCheck> =
        examined.known.iter().filter(|row| row.verdict == "fail").collect();
    let Some(since) = failing.iter().map(|row| row.since).min() else {
        if examined.turn == Turn::Well {
            print::paragraph("  ", &format!("{domain} writes to new people again from now on"));
        }
        return;
    };
    let Some(grace) = fleet.domains.as_ref().map(|domains| domains.grace) else { return };
    let at = |moment: Millis| print::local(&fleet.timezone, moment);
    let told = if failing.iter().any(|row| row.seen_at - row.since >= grace) {
        format!("it fails since {}, so {domain} writes to nobody new; follow-ups leave", at(since))
    } else {
        format!(
            "it fails since {}; if it still does after {}, {domain} writes to nobody new from {} on, \
             and follow-ups leave",
            at(since),
            length_text(grace),
            at(since + grace)
        )
    };
    print::paragraph("  ", &told);
}

fn say_end(all: &[Examined]) {
    let count = |verdict| all.iter().map(|examined| has(examined, verdict)).sum::<usize>();
    let domains = print::counted(all.len() as u64, "domain");
    let passed_over = all.iter().filter(|examined| examined.not_asked.is_some()).count();
    let (fails, mend) = (count(Verdict::Fail), count(Verdict::Warn));
    let found = match (fails, mend) {
        (0, 0) if all.iter().any(is_silent) => "not all could be asked; try again later".to_owned(),
        (0, 0) if passed_over == all.len() => "not examined".to_owned(),
        (0, 0) => "all is well".to_owned(),
        (0, mend) => format!("{mend} to mend; nothing is held back for it"),
        (fails, mend) => format!("{fails} that hold mail back, {mend} more to mend"),
    };
    let passed_over = match passed_over {
        some if some > 0 && some < all.len() => format!("; {some} not examined"),
        _ => String::new(),
    };
    print::say(format!("{domains}: {found}{passed_over}"));
}
