//! What several records say together, and what stands in none of them.

use jiff::civil::Date;

use super::check::{Check, Cure, Finding, Verdict};
use super::facts::{Absent, Facts, Found};
use super::{dkim, dmarc, spf};
use crate::address::organization;

/// From so many a day on Google (to Gmail addresses) and Outlook.com ask for SPF, DKIM and DMARC
/// together: support.google.com/a/answer/81126 (2026-03-21); Microsoft Defender for Office 365 Blog,
/// "Strengthening Email Ecosystem" (2025-04-02, amended 2025-08-02). Google counts all of a primary
/// domain, with what is below it, together: support.google.com/a/answer/14229414 (2026-03-11).
const BULK: u32 = 5_000;

/// A domain younger than this is watched by receivers: those who warm mailboxes for others wait 14 to
/// 30 days before the first cold message.
const YOUNG_DAYS: i32 = 30;

pub(super) fn existence(facts: &Facts) -> Finding {
    let (verdict, what) = match &facts.exists {
        Found::Unknown(why) => (Verdict::Unknown, format!("could not be asked: {why}")),
        Found::Is(()) | Found::Absent(Absent::Record) => {
            (Verdict::Pass, "the DNS knows it".to_owned())
        }
        Found::Absent(Absent::Name) => {
            (Verdict::Fail, format!("{} does not exist: the DNS knows no such name", facts.domain))
        }
    };
    let cure = (verdict == Verdict::Fail).then(|| {
        Cure::told(
            "register the domain again, or mend its name servers at the registrar; if it was never \
             yours, take its mailboxes out of warmfront.toml",
        )
    });
    Finding { check: Check::Exists, verdict, what, cure }
}

/// Gmail and Yahoo refuse mail of anybody where neither SPF nor DKIM passes.
pub(super) fn authentication(facts: &Facts) -> Finding {
    let (spf, is_guess) = (spf::can_pass(facts), dkim::is_told_by_guess(facts));
    let (verdict, what) = match (spf, dkim::can_pass(facts)) {
        (Some(true), Some(true)) => (Verdict::Pass, "SPF and DKIM can pass"),
        (Some(true), _) => (Verdict::Pass, "SPF can pass"),
        (_, Some(true)) => (Verdict::Pass, "DKIM can pass"),
        (Some(false), Some(false)) => (
            Verdict::Fail,
            "neither SPF nor DKIM can pass: Gmail, Yahoo and Outlook.com refuse such mail or put it \
             into spam",
        ),
        // No failure, and no silence either: what failed by selectors that nobody names any more ends.
        (Some(false), None) if is_guess => (
            Verdict::Warn,
            "SPF cannot pass; whether DKIM can is not known: the domain may sign under any selector",
        ),
        (None, _) | (_, None) => (Verdict::Unknown, "whether SPF or DKIM can pass is not known"),
    };
    let publish = "publish what `spf` and `dkim` below say; either is enough for this";
    let cure = match (verdict, spf) {
        (Verdict::Fail, _) => Some(Cure::told(publish)),
        (Verdict::Warn, _) => Some(Cure::told(format!(
            "{}, or publish what `spf` below says",
            dkim::name_selectors(facts)
        ))),
        _ => None,
    };
    Finding { check: Check::Authentication, verdict, what: what.to_owned(), cure }
}

pub(super) fn bulk(facts: &Facts, findings: &[Finding]) -> Finding {
    let most = facts.most_a_day;
    let whole = organization(&facts.domain).unwrap_or(&facts.domain);
    let finding = |verdict, what, cure| Finding { check: Check::Bulk, verdict, what, cure };
    if most < BULK {
        let what = format!(
            "at most {most} a day from all of {whole}: below the {BULK} at which Gmail and Outlook.com \
             ask for SPF, DKIM and DMARC together"
        );
        return finding(Verdict::Pass, what, None);
    }
    let asked = [Check::Spf, Check::Dkim, Check::Dmarc];
    let of = |wanted: Verdict| -> Vec<&str> {
        // A policy that holds is there, even where its record has a slip.
        let is_enough = |check| check == Check::Dmarc && dmarc::holds(facts);
        let mine = findings.iter().filter(|f| asked.contains(&f.check) && f.verdict == wanted);
        let mine = mine.filter(|f| !is_enough(f.check));
        mine.map(|f| f.check.as_str()).collect()
    };
    let (ill, unknown) = (of(Verdict::Warn), of(Verdict::Unknown));
    let begin = format!(
        "up to {most} a day from all of {whole}: Gmail and Outlook.com ask for SPF, DKIM and DMARC"
    );
    if !ill.is_empty() {
        let cure =
            Cure::told(format!("mend these, or send less than {BULK} a day from all of {whole}"));
        return finding(Verdict::Warn, format!("{begin}; look at {}", ill.join(", ")), Some(cure));
    }
    if !unknown.is_empty() {
        return finding(
            Verdict::Unknown,
            format!("{begin}; not known: {}", unknown.join(", ")),
            None,
        );
    }
    finding(Verdict::Pass, format!("{begin}, and all are there"), None)
}

pub(super) fn age(facts: &Facts) -> Finding {
    let finding = |verdict, what, cure| Finding { check: Check::Age, verdict, what, cure };
    let Some(registered) = facts.registered else {
        let text = format!(
            "if it is new, write `registered = \"{}\"` (the day) into [domain.\"{}\"]",
            facts.today, facts.domain
        );
        let what = "not known: no registry is asked".to_owned();
        return finding(Verdict::Unknown, what, Some(Cure::told(text)));
    };
    let days = days_between(registered, facts.today);
    if days < YOUNG_DAYS {
        let what = format!("registered {days} days ago: receivers watch new domains");
        let cure = Cure::told(format!("begin with cold mail {YOUNG_DAYS} days after registration"));
        return finding(Verdict::Warn, what, Some(cure));
    }
    finding(Verdict::Pass, format!("registered {days} days ago"), None)
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}
