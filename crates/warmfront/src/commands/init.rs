//! `init`: something to begin with, and what to do next.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::exit::{Done, Failure};
use crate::{config, print};

/// Writes a commented configuration and a first campaign. Overwrites nothing.
pub(crate) fn init(dir: &Path, json: bool) -> Done {
    let campaign = dir.join("campaigns/first");
    let manifest = MANIFEST.replace("LIST_SOURCE", LIST_SOURCE);
    let files = [
        (dir.join("warmfront.toml"), config::EXAMPLE),
        (campaign.join("campaign.toml"), manifest.as_str()),
        (campaign.join("prospects.csv"), PROSPECTS),
        (campaign.join("steps/1-intro.hbs"), INTRO),
        (campaign.join("steps/2-nudge.hbs"), NUDGE),
    ];
    if let Some((known, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Failure::Usage(format!(
            "{} is there already; nothing was written",
            known.display()
        )));
    }
    for (path, text) in &files {
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(path, text))
            .with_context(|| format!("{} cannot be written", path.display()))
            .map_err(Failure::Failed)?;
    }
    if json {
        let written: Vec<String> = files.iter().map(|(p, _)| p.display().to_string()).collect();
        print::say_json(&serde_json::json!({ "written": written }));
        return Ok(());
    }
    for (path, _) in &files {
        print::say(format!("wrote {}", path.display()));
    }
    if dir != Path::new(".") {
        print::say(format!("\nFirst: cd {}", dir.display()));
    }
    print::say(
        "\nNext:\n  1. edit warmfront.toml: who writes, and one [[mailbox]]\n  \
         2. put your people into campaigns/first/prospects.csv\n  \
         3. warmfront check\n  \
         4. warmfront mailbox login ADDRESS, for each mailbox that works by tokens\n  \
         5. warmfront mailbox verify\n  \
         6. warmfront campaign import campaigns/first\n  \
         7. warmfront campaign start first\n  \
         8. warmfront plan, and when you like what you see: warmfront run",
    );
    Ok(())
}

/// What stands where the source of the list belongs.
pub(crate) const LIST_SOURCE: &str = "where these people's addresses come from, and when";

const MANIFEST: &str = r#"name = "First"
daily_target = 20                          # messages a day, follow-ups included
mailboxes = ["*@example.com"]              # addresses, patterns, or "tag:NAME"
list_source = "LIST_SOURCE"
window = { opens = "0 0 9 * * Mon-Fri", length = "8h" }     # on each prospect's own clock

[[step]]
template = "steps/1-intro.hbs"

[[step]]
template = "steps/2-nudge.hbs"
wait = "3d"                                # d: days, bd: business days, h: hours
"#;

const PROSPECTS: &str = "email,first_name,company,timezone,topic\n\
    jane@acme.example,Jane,Acme,America/New_York,roof repairs\n";

const INTRO: &str = r#"Subject: A question about {{topic}} at {{company}}

Hi {{default first_name "there"}},

I read that {{company}} is looking into {{topic}}. We do just that, for
companies of your size. Would a short call next week be welcome?

{{sender_name}}
"#;

const NUDGE: &str = r#"Hi {{default first_name "there"}},

In case my note got lost: is {{topic}} still on your list this quarter?
If not, a one-word answer is enough and I will leave you in peace.

{{sender_name}}
"#;
