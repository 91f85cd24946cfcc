//! SPF: whether a receiver lets the provider send in the domain's name.

use super::check::{Check, Cure, Finding, Record, Verdict};
use super::facts::{Cover, Facts, Found, SpfAll, SpfRecord, SpfWalk};

/// The most terms of a record that may ask the DNS: RFC 7208, section 4.6.4.
pub const LOOKUPS_MAX: u32 = 10;

/// The most lookups that may find nothing: RFC 7208, section 4.6.4.
pub const VOIDS_MAX: u32 = 2;

/// From here on one more `include` by anybody named breaks the record.
const LOOKUPS_WARN: u32 = 9;

pub(super) fn judge(facts: &Facts) -> Finding {
    let finding = |verdict, what: String, cure| Finding { check: Check::Spf, verdict, what, cure };
    match &facts.spf {
        Found::Unknown(why) => {
            finding(Verdict::Unknown, format!("could not be asked: {why}"), None)
        }
        Found::Absent(_) => {
            let what = "no SPF record: receivers cannot tell your mail from a forgery";
            finding(Verdict::Warn, what.to_owned(), cure(facts, None))
        }
        Found::Is(SpfRecord::Several(records)) => {
            let what = format!(
                "{} SPF records where one may stand: receivers give up (RFC 7208, section 4.5)",
                records.len()
            );
            let text = "make one record of them and take the others away";
            let joined = joined(records);
            let one = match &facts.host {
                Some(host) => with_include(&joined, &format!("include:{}", host.spf), end(facts)),
                None => joined,
            };
            let record = Record::txt(facts.domain.as_str(), one);
            finding(Verdict::Warn, what, Some(Cure::publish(text, record)))
        }
        Found::Is(SpfRecord::One(walk)) => {
            let (verdict, what) = of_walk(facts, walk);
            let cure = (verdict == Verdict::Warn).then(|| cure(facts, Some(walk))).flatten();
            finding(verdict, what, cure)
        }
    }
}

/// Whether mail of the provider can pass. `None`: nobody can tell.
pub(super) fn can_pass(facts: &Facts) -> Option<bool> {
    match &facts.spf {
        Found::Unknown(_) => None,
        Found::Absent(_) | Found::Is(SpfRecord::Several(_)) => Some(false),
        Found::Is(SpfRecord::One(walk)) => match &walk.cover {
            Found::Is(Cover::Included | Cover::Listed) => Some(true),
            Found::Is(Cover::Missing) => Some(false),
            Found::Is(Cover::NotKnown) | Found::Absent(_) | Found::Unknown(_) => None,
        },
    }
}

fn of_walk(facts: &Facts, walk: &SpfWalk) -> (Verdict, String) {
    let host = facts.host.as_ref().map_or("your provider", |host| host.name);
    let lookups = format!("{} of {LOOKUPS_MAX} lookups", walk.lookups);
    if let Some(broken) = &walk.broken {
        let whose = match walk.cover {
            Found::Is(Cover::Included) => format!("{host} passes; for all behind it receivers"),
            _ => "receivers".to_owned(),
        };
        return (Verdict::Warn, format!("{whose} give up with `permerror`: {broken}"));
    }
    if walk.all == Some(SpfAll::Pass) {
        let what = "`+all` lets everybody send in your name, so no receiver trusts the record";
        return (Verdict::Warn, what.to_owned());
    }
    match &walk.cover {
        Found::Unknown(why) => return (Verdict::Unknown, format!("could not be followed: {why}")),
        Found::Is(Cover::Missing) => {
            return (Verdict::Warn, format!("the record does not let {host} send"));
        }
        Found::Is(Cover::Listed) => {
            let what = format!(
                "the record lists {host}'s networks instead of including its record: it breaks when \
                 they change"
            );
            return (Verdict::Warn, what);
        }
        Found::Is(Cover::Included | Cover::NotKnown) | Found::Absent(_) => {}
    }
    if walk.lookups >= LOOKUPS_WARN {
        return (Verdict::Warn, format!("{lookups}: one more `include` and receivers give up"));
    }
    match walk.cover {
        Found::Is(Cover::NotKnown) => (
            Verdict::Pass,
            format!("one sound record, {lookups}; whom it must let send is not known"),
        ),
        _ => (Verdict::Pass, format!("lets {host} send, {lookups}")),
    }
}

/// The record that mends it: what stands there, with what is missing.
fn cure(facts: &Facts, walk: Option<&SpfWalk>) -> Option<Cure> {
    let include = facts.host.as_ref().map(|host| format!("include:{}", host.spf));
    let end = end(facts);
    let publish = |text: &str, value: String| {
        Some(Cure::publish(text, Record::txt(facts.domain.as_str(), value)))
    };
    let Some(walk) = walk else {
        return match &include {
            // All of them: a record that names one alone forbids the mail of the others.
            Some(include) => {
                let beside = facts.beside.iter().map(|host| format!(" include:{}", host.spf));
                let text = if facts.is_elsewhere {
                    "publish, with what the other providers of its mailboxes ask for"
                } else {
                    "publish"
                };
                publish(text, format!("v=spf1 {include}{} {end}", beside.collect::<String>()))
            }
            None => Some(Cure::told(
                "your provider's page on SPF shows the record: one TXT that begins `v=spf1`",
            )),
        };
    };
    if walk.broken.is_some() || walk.lookups >= LOOKUPS_WARN {
        return Some(Cure::told(format!(
            "mend the record, or leave out what no longer sends for you: {}",
            walk.text
        )));
    }
    if walk.all == Some(SpfAll::Pass) {
        let kept = terms(&walk.text).filter(|term| !is_all(term));
        let all: Vec<&str> = ["v=spf1"].into_iter().chain(kept).chain([end]).collect();
        return publish("publish instead", all.join(" "));
    }
    publish("publish instead", with_include(&walk.text, &include?, end))
}

/// How a record ends: as its provider shows it, and mildly where several have a part in it.
fn end(facts: &Facts) -> &'static str {
    let alone = facts.host.as_ref().filter(|_| facts.beside.is_empty() && !facts.is_elsewhere);
    alone.map_or("~all", |host| host.spf_end)
}

/// A record with one more `include`, first of all: so no lookup of others can use up its ten.
fn with_include(text: &str, include: &str, end: &str) -> String {
    let rest: Vec<&str> = terms(text).filter(|term| *term != include).collect();
    let ends = rest.iter().any(|term| is_all(term) || term.starts_with("redirect="));
    let end = if ends { None } else { Some(end) };
    ["v=spf1", include].into_iter().chain(rest).chain(end).collect::<Vec<_>>().join(" ")
}

/// One record of several: the terms of all, each once, and the last `all` at the end.
fn joined(records: &[String]) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut end = "~all";
    for term in records.iter().flat_map(|record| terms(record)) {
        if is_all(term) {
            end = term;
        } else if !kept.contains(&term) {
            kept.push(term);
        }
    }
    ["v=spf1"].into_iter().chain(kept).chain([end]).collect::<Vec<_>>().join(" ")
}

fn terms(record: &str) -> impl Iterator<Item = &str> {
    record.split_ascii_whitespace().skip(1)
}

fn is_all(term: &str) -> bool {
    term.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all")
}
