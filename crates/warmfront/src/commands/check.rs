//! `check`: everything is loaded, every step rendered for every prospect, nothing written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde_json::json;
use warmfront_campaigns::folder::{self, Campaign, Check, Terms};
use warmfront_campaigns::prospects::Row;
use warmfront_campaigns::{prospects, templates};
use warmfront_core::calendar;
use warmfront_core::plan::Calendar;
use warmfront_core::problem::{self, Problem};
use warmfront_engine::fleet::Fleet;

use crate::app::{configuration, sender};
use crate::cli::Global;
use crate::exit::{Done, Failure};
use crate::{print, secret, wiring};

/// Checks the configuration and campaign folders; says every problem of all of them.
pub(crate) async fn check(global: &Global, dirs: &[PathBuf], encoding: Option<&str>) -> Done {
    let config = configuration(global)?;
    config.warnings.iter().for_each(print::note);
    let fleet = wiring::fleet(&config, wiring::Readers::Nobody);
    let mut findings = Findings::default();
    for mailbox in &config.mailboxes {
        if let Err(error) = secret::password(mailbox) {
            findings.errors.push(error.to_string());
        }
    }
    let dirs = if dirs.is_empty() { beside(&global.config) } else { dirs.to_vec() };
    let sender = if dirs.is_empty() { None } else { Some(sender(&config)?) };
    for (dir, sender) in dirs.iter().zip(sender.iter().cycle()) {
        let terms = Terms { sender, person_gap: config.limits.person_gap, encoding };
        findings.campaign(dir, &terms, &fleet);
    }
    findings.report(global.json, config.mailboxes.len())
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
    /// What forbids going on.
    errors: Vec<String>,
    warnings: Vec<String>,
    /// Rows that cannot be imported, and people who cannot be written to.
    rows: Vec<String>,
    campaigns: Vec<serde_json::Value>,
    lines: Vec<String>,
}

impl Findings {
    fn campaign(&mut self, dir: &Path, terms: &Terms<'_>, fleet: &Fleet) {
        let (campaign, problems) = folder::load(dir, terms);
        self.problems(dir, &problems);
        let Some(campaign) = campaign else { return };
        let matching: Vec<_> =
            fleet.matching(&campaign.manifest.mailboxes, campaign.manifest.opt_in).collect();
        let Some(first) = matching.first() else {
            let patterns = "no mailbox of warmfront.toml matches its `mailboxes`";
            self.errors.push(format!("{}: {patterns}", dir.join("campaign.toml").display()));
            return;
        };
        let name = first.name.as_deref().unwrap_or(first.address.local());
        let mailbox = templates::Mailbox { name, address: &first.address };
        match folder::check(&campaign, terms.encoding, mailbox) {
            Ok(check) => self.list(dir, &campaign, &check, terms.encoding, matching.len()),
            Err(problems) => self.problems(dir, &problems),
        }
    }

    fn list(
        &mut self,
        dir: &Path,
        campaign: &Campaign,
        check: &Check,
        encoding: Option<&str>,
        mailboxes: usize,
    ) {
        let list = dir.join("prospects.csv");
        self.problems(dir, &check.report.warnings);
        // A second reading, for the reasons and the countries; the first one only counted.
        let mut countries = BTreeMap::new();
        let _ = prospects::read(&campaign.prospects(), encoding, |row| match row {
            Row::Rejected { line, reason, .. } if self.rows.len() < SHOWN_MAX => {
                self.rows.push(format!("{}:{line}: rejected: {reason}", list.display()));
            }
            Row::Accepted { line, prospect } if prospect.timezone.is_empty() => {
                countries.entry(prospect.country).or_insert(line);
            }
            Row::Accepted { .. } | Row::Rejected { .. } | Row::Duplicate { .. } => {}
        });
        for (country, line) in countries {
            if has_no_hour_in_common(campaign, &country) {
                self.warnings.push(format!(
                    "{}:{line}: warning: the windows of {country}'s time zones have no hour in \
                     common, so the campaign's zone serves; a `timezone` column says better",
                    list.display()
                ));
            }
        }
        for blocked in check.details.iter().take(SHOWN_MAX) {
            let why = &blocked.why;
            self.rows.push(format!("{}:{}: blocked: {why}", list.display(), blocked.line));
        }
        let report = &check.report;
        self.lines.push(format!(
            "{}: {} in {}, {} rejected, {} twice, {} blocked; {}; {}",
            campaign.slug,
            print::counted(report.rows(), "row"),
            report.encoding,
            report.rejected,
            report.duplicates,
            check.blocked,
            print::counted(campaign.steps.len() as u64, "step"),
            print::counted(mailboxes as u64, "matching mailbox").replace("xs", "xes"),
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

    fn problems(&mut self, dir: &Path, problems: &[Problem]) {
        for found in problems {
            let place =
                Problem { file: dir.join(&found.file).display().to_string(), ..found.clone() };
            if problem::any_error(std::slice::from_ref(found)) {
                self.errors.push(place.to_string());
            } else {
                self.warnings.push(place.to_string());
            }
        }
    }

    fn report(self, as_json: bool, mailboxes: usize) -> Done {
        let is_good = self.errors.is_empty() && self.rows.is_empty();
        if as_json {
            print::say_json(&json!({
                "ok": is_good, "mailboxes": mailboxes, "campaigns": self.campaigns,
                "errors": self.errors, "rows": self.rows, "warnings": self.warnings,
            }));
        } else {
            self.warnings.iter().chain(&self.rows).chain(&self.errors).for_each(print::note);
            self.lines.iter().for_each(print::say);
            let mailboxes = print::counted(mailboxes as u64, "mailbox").replace("xs", "xes");
            let campaigns = print::counted(self.lines.len() as u64, "campaign");
            let found = match (self.errors.len(), self.rows.len()) {
                (0, 0) => "all is well".to_owned(),
                (0, rows) => print::counted(rows as u64, "row") + " to mend",
                (errors, _) => print::counted(errors as u64, "error"),
            };
            print::say(format!("{mailboxes}, {campaigns}: {found}"));
        }
        if is_good { Ok(()) } else { Err(Failure::Said) }
    }
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
