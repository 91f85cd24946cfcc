//! `check`: everything is loaded, every step rendered for every prospect, nothing written.

mod undone;

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde_json::json;
use warmfront_campaigns::folder::{self, Campaign, Check, Inspection, Sender, Terms};
use warmfront_campaigns::templates;
use warmfront_core::address::Address;
use warmfront_core::calendar;
use warmfront_core::plan::Calendar;
use warmfront_core::problem::{Problem, Severity};
use warmfront_core::span::{DAY, Span, intersection};
use warmfront_engine::fleet::{Fleet, Mailbox};

use crate::app::placed;
use crate::cli::Global;
use crate::config::{self, Limits};
use crate::exit::{Done, Failure, code_of};
use crate::{print, wiring};

/// Checks the configuration and campaign folders; says every problem of all of them. What is wrong
/// with the configuration hides nothing of the folders: they are read as if the rest were usual.
pub(crate) async fn check(global: &Global, dirs: &[PathBuf], encoding: Option<&str>) -> Done {
    let (config, problems) = config::load_all(&global.config);
    let broken = problems.iter().any(|problem| problem.severity != Severity::Warning);
    let mut findings = Findings { problems, ..Findings::default() };
    // Whoever asks is there to mend it: what may be there the next time is not there now.
    let missing = config.iter().flat_map(config::Config::missing);
    findings.problems.extend(missing.map(|one| match one.severity {
        Severity::Warning => Problem { severity: Severity::Error, ..one },
        Severity::Error | Severity::Refusal => one,
    }));
    findings.problems.extend(config.iter().filter_map(undone::examples));
    if let Some(config) = config.as_ref().filter(|_| !broken) {
        findings.problems.extend(undone::log_ins(config).await);
    }
    let dirs = if dirs.is_empty() { beside(&global.config) } else { dirs.to_vec() };
    let sender = config.as_ref().and_then(|config| config.sender.clone());
    if sender.is_none() && !dirs.is_empty() && !broken {
        let what =
            "no [sender]; a campaign names who writes: add `legal_name` and `postal_address`";
        let file = global.config.display().to_string();
        findings.problems.push(Problem::refusal(file, None, what));
    }
    let unknown = || "unknown".to_owned();
    let sender = match sender {
        Some(known) => {
            Sender { legal_name: known.legal_name, postal_address: known.postal_address }
        }
        None => Sender { legal_name: unknown(), postal_address: unknown() },
    };
    let limits = config.as_ref().map_or_else(Limits::default, |config| config.limits);
    let terms = Terms { sender: &sender, person_gap: limits.person_gap, encoding };
    let fleet = config.as_ref().map(|config| wiring::fleet(config, wiring::Readers::Imap));
    // Of a broken configuration nobody knows which mailboxes it has.
    let known = fleet.as_ref().filter(|_| !broken);
    for dir in &dirs {
        findings.campaign(dir, &terms, known);
    }
    findings.report(global.json, dirs.len(), fleet.map_or(0, |fleet| fleet.mailboxes.len()))
}

/// The campaign folders in `campaigns/` beside the configuration.
fn beside(config: &Path) -> Vec<PathBuf> {
    let folder = config.parent().unwrap_or(Path::new("")).join("campaigns");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| p.join("campaign.toml").is_file()).collect();
    dirs.sort();
    dirs
}

#[derive(Default)]
struct Findings {
    /// What is wrong with the files as such.
    problems: Vec<Problem>,
    /// Rows that cannot be imported, and people who cannot be written to.
    rows: Vec<String>,
    campaigns: Vec<serde_json::Value>,
    lines: Vec<String>,
}

impl Findings {
    fn campaign(&mut self, dir: &Path, terms: &Terms<'_>, fleet: Option<&Fleet>) {
        // Whichever mailbox it will be has a name and an address.
        let address = Address::parse("sender@example.com").expect("an address");
        let any = templates::Mailbox { name: address.local(), address: &address };
        let Inspection { campaign, problems, check } = folder::inspect(dir, terms, any);
        self.problems.extend(problems.iter().map(|problem| placed(dir, problem)));
        if let Some(check) = &check {
            self.rows(dir, check);
        }
        let Some(campaign) = campaign else { return };
        self.problems.extend(undone::list_source(dir, &campaign));
        let matching: Vec<&Mailbox> = fleet.map_or_else(Vec::new, |fleet| {
            fleet.matching(&campaign.manifest.mailboxes, campaign.manifest.opt_in).collect()
        });
        if let Some(fleet) = fleet {
            self.mailboxes(dir, &campaign, &matching, fleet);
        }
        if let Some(check) = &check {
            self.countries(dir, &campaign, check);
            self.told(&campaign, check, fleet.map(|_| matching.len()));
        }
    }

    /// Who would carry it, and whether they are awake when its people are.
    fn mailboxes(&mut self, dir: &Path, campaign: &Campaign, matching: &[&Mailbox], fleet: &Fleet) {
        let file = dir.join("campaign.toml").display().to_string();
        if matching.is_empty() {
            let what = fleet.wants_opt_in(&campaign.manifest.mailboxes).unwrap_or_else(|| {
                "no mailbox of warmfront.toml matches its `mailboxes`".to_owned()
            });
            self.problems.push(Problem::error(file, None, what));
            return;
        }
        let (patterns, opt_in) = (&campaign.manifest.mailboxes, campaign.manifest.opt_in);
        if let Some(what) = fleet.leaves_out(patterns, opt_in) {
            self.problems.push(Problem::warning(&file, None, what));
        }
        let zone = campaign.manifest.timezone.as_deref().and_then(|name| calendar::zone(name).ok());
        let zone = zone.unwrap_or_else(|| fleet.timezone.clone());
        let apart: Vec<&str> = matching
            .iter()
            .filter(|mailbox| never_meet(campaign, &zone, mailbox))
            .map(|mailbox| mailbox.address.as_str())
            .collect();
        let Some(first) = apart.first() else { return };
        let others = match apart.len() {
            1 => String::new(),
            n => format!(" (and of {} more)", n - 1),
        };
        let what = format!(
            "the window of {first}{others} never meets the campaign's in {}: people there get \
             nothing from it",
            zone.iana_name().unwrap_or("UTC")
        );
        self.problems.push(Problem::warning(file, None, what));
    }

    fn rows(&mut self, dir: &Path, check: &Check) {
        let list = dir.join("prospects.csv");
        self.problems.extend(check.report.warnings.iter().map(|warning| placed(dir, warning)));
        for row in check.rejected.iter().take(SHOWN_MAX) {
            self.rows.push(format!("{}:{}: rejected: {}", list.display(), row.line, row.reason));
        }
        for blocked in check.details.iter().take(SHOWN_MAX) {
            let why = &blocked.why;
            self.rows.push(format!("{}:{}: blocked: {why}", list.display(), blocked.line));
        }
    }

    fn countries(&mut self, dir: &Path, campaign: &Campaign, check: &Check) {
        let list = dir.join("prospects.csv").display().to_string();
        for (country, line) in &check.countries {
            if has_no_hour_in_common(campaign, country) {
                let what = format!(
                    "the windows of {country}'s time zones have no hour in common, so the \
                     campaign's zone serves; a `timezone` column says better"
                );
                self.problems.push(Problem::warning(&list, Some(*line), what));
            }
        }
    }

    fn told(&mut self, campaign: &Campaign, check: &Check, mailboxes: Option<usize>) {
        let report = &check.report;
        let matching = mailboxes.map_or_else(String::new, |mailboxes| {
            format!("; {}", print::counted(mailboxes as u64, "matching mailbox"))
        });
        self.lines.push(format!(
            "{}: {} in {}, {} rejected, {} twice, {} blocked; {}{matching}",
            campaign.slug,
            print::counted(report.rows(), "row"),
            report.encoding,
            report.rejected,
            report.duplicates,
            check.blocked,
            print::counted(campaign.steps.len() as u64, "step"),
        ));
        self.campaigns.push(json!({
            "campaign": campaign.slug,
            "rows": report.rows(),
            "accepted": report.accepted,
            "rejected": report.rejected,
            "duplicates": report.duplicates,
            "blocked": check.details.iter()
                .map(|b| json!({ "line": b.line, "reason": b.why })).collect::<Vec<_>>(),
            "blocked_count": check.blocked,
            "steps": campaign.steps.len(),
            "mailboxes": mailboxes,
        }));
    }

    fn report(self, as_json: bool, folders: usize, mailboxes: usize) -> Done {
        let (warnings, errors): (Vec<_>, Vec<_>) =
            self.problems.into_iter().partition(|p| p.severity == Severity::Warning);
        let code = match (errors.is_empty(), self.rows.is_empty()) {
            (true, true) => 0,
            (false, true) => code_of(&errors),
            (_, false) => 1,
        };
        let told = |problems: Vec<Problem>| -> Vec<String> {
            problems.iter().map(ToString::to_string).collect()
        };
        let (warnings, errors) = (told(warnings), told(errors));
        if as_json {
            print::say_json(&json!({
                "ok": code == 0, "mailboxes": mailboxes, "campaigns": self.campaigns,
                "errors": errors, "rows": self.rows, "warnings": warnings, "exit": code,
            }));
        }
        warnings.iter().chain(&self.rows).chain(&errors).for_each(print::problem);
        if !as_json {
            self.lines.iter().for_each(|line| print::sentence(line));
            let found = match (errors.len(), self.rows.len()) {
                (0, 0) if warnings.is_empty() => "all is well".to_owned(),
                (0, 0) => {
                    "no error, ".to_owned() + &print::counted(warnings.len() as u64, "warning")
                }
                (0, rows) => print::counted(rows as u64, "row") + " to mend",
                (errors, _) => print::counted(errors as u64, "error"),
            };
            let mailboxes = print::counted(mailboxes as u64, "mailbox");
            let campaigns = print::counted(folders as u64, "campaign");
            print::say(format!("{mailboxes}, {campaigns}: {found}"));
        }
        if code == 0 { Ok(()) } else { Err(Failure::Said(code)) }
    }
}

/// Whether a mailbox's own hours never meet those of the campaign's people, judged by two weeks as
/// seen from its zone: windows go by week days, and what opens only on a day of a month is not
/// called apart.
fn never_meet(campaign: &Campaign, zone: &TimeZone, mailbox: &Mailbox) -> bool {
    let Some(own) = &mailbox.window else { return false };
    let windows = &campaign.manifest.windows;
    let Some(fortnight) = Span::new(A_MONDAY, A_MONDAY + 14 * DAY) else { return false };
    let none = std::collections::BTreeSet::new();
    let open = calendar::open_spans(windows, zone, &none, fortnight);
    let awake = calendar::open_spans(own, &mailbox.timezone, &none, fortnight);
    !open.is_empty() && !awake.is_empty() && intersection(&open, &awake).is_empty()
}

/// Whether people of whom only the country is known are met in the campaign's zone instead.
fn has_no_hour_in_common(campaign: &Campaign, country: &str) -> bool {
    let zones = calendar::country(country).map(|country| country.time_zones()).unwrap_or_default();
    let manifest = &campaign.manifest;
    !zones.is_empty()
        && Calendar {
            windows: manifest.windows.clone(),
            zones,
            fallback: TimeZone::UTC,
            holidays: manifest.holidays.clone(),
        }
        .falls_back()
}

/// Rows told one by one; the counts tell the rest.
const SHOWN_MAX: usize = 100;

/// 2026-01-05, a Monday in every zone for most of it.
const A_MONDAY: i64 = 1_767_571_200_000;
