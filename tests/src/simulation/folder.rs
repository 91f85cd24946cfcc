//! A scenario's campaigns as folders on disk, as an operator would have them.

use std::fmt::Write as _;
use std::path::Path;

use super::letter::MARK;
use super::scenario::{Campaign, Step, Wait, Zone};

/// Writes a campaign into a folder of its name.
pub(super) fn write(dir: &Path, campaign: &Campaign) {
    let dir = dir.join(&campaign.slug);
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&dir)).expect("a temporary folder");
        std::fs::write(path, text).expect("a temporary file");
    };
    write("campaign.toml", &manifest(campaign));
    write("prospects.csv", &list(campaign));
    for (position, step) in (1..).zip(&campaign.steps) {
        write(&format!("steps/{position}.hbs"), &text(campaign, position, *step));
    }
}

fn manifest(campaign: &Campaign) -> String {
    let windows = campaign.hours.openings.iter().map(|opening| {
        format!("{{ opens = \"{}\", length = \"{}h\" }}", opening.cron(), opening.length)
    });
    let windows = windows.collect::<Vec<_>>().join(", ");
    let days = campaign.hours.holidays.iter().map(|day| format!("\"{day}\""));
    let mut text = format!(
        "name = \"Campaign {}\"\ndaily_target = {}\nmailboxes = [\"{}\"]\n\
         list_source = \"Made up\"\nwindow = [{windows}]\nholidays = [{}]\n",
        campaign.slug,
        campaign.daily_target,
        campaign.mailboxes,
        days.collect::<Vec<_>>().join(", "),
    );
    if let Some(zone) = campaign.zone {
        let _ = writeln!(text, "timezone = \"{zone}\"");
    }
    for (position, step) in (1..).zip(&campaign.steps) {
        let _ = writeln!(text, "[[step]]\ntemplate = \"steps/{position}.hbs\"");
        if let Some(wait) = step.wait {
            let _ = writeln!(text, "wait = \"{}\"", wait_text(wait));
        }
    }
    text
}

fn wait_text(wait: Wait) -> String {
    match wait {
        Wait::Hours(hours) => format!("{hours}h"),
        Wait::Days(days) => format!("{days}d"),
        Wait::BusinessDays(days) => format!("{days}bd"),
    }
}

fn text(campaign: &Campaign, position: u32, step: Step) -> String {
    let slug = &campaign.slug;
    let subject = if step.own_subject {
        format!("Subject: About {slug}, part {position}\n\n")
    } else {
        String::new()
    };
    format!(
        "{subject}Hi {{{{default first_name \"there\"}}}},\n\n{MARK}{slug}/{position}.\n\n\
         {{{{sender_name}}}}\n"
    )
}

/// The list: good rows, then those that are there twice, then the bad ones.
fn list(campaign: &Campaign) -> String {
    let mut text = String::from("email,first_name,last_name,company,country,timezone\n");
    let again = campaign.people.iter().take(campaign.twice);
    for person in campaign.people.iter().chain(again) {
        let (country, zone) = match person.zone {
            Zone::Named(name) => ("", name),
            Zone::Country(name) => (name, ""),
            Zone::Unknown => ("", ""),
        };
        let _ = writeln!(text, "{},Pat,Doe,,{country},{zone}", person.address);
    }
    for row in &campaign.bad_rows {
        text.push_str(row);
        text.push('\n');
    }
    text
}
