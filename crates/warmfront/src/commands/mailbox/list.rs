//! `mailbox list`: the fleet in one table.

use serde_json::json;
use warmfront_store::MailboxRow;

use crate::app::App;
use crate::exit::Done;
use crate::print;

pub(super) async fn list(app: &App) -> Done {
    let today = app.store.mailbox_days(&app.today().to_string()).await?;
    let rows = app.store.mailboxes().await?;
    let figures = |row: &MailboxRow| {
        let day = today.iter().find(|(id, ..)| *id == row.id);
        day.map(|&(_, allowance, _, attempted, accepted)| (allowance, attempted, accepted))
    };
    if app.json {
        let folders = app.store.folders().await?;
        for row in &rows {
            let reads = folders.iter().filter(|folder| folder.mailbox == row.id);
            let reads: Vec<_> = reads
                .map(|folder| {
                    json!({
                        "folder": folder.name, "role": folder.role,
                        "read_at": print::rfc3339(folder.read_at), "passed": folder.passed,
                    })
                })
                .collect();
            let (allowance, attempted, accepted) = figures(row).unzip3();
            let config = app.config.mailboxes.iter().find(|m| m.address.as_str() == row.address);
            let imap = config.and_then(|m| m.imap.as_ref()).map(|server| &server.host);
            print::say_json(&json!({
                "address": row.address, "state": row.state, "provider": row.provider,
                "cap": row.cap, "warm_day": row.warm_days, "ease_percent": row.ease_percent,
                "allowance": allowance, "attempted": attempted, "accepted": accepted,
                "paused_until": row.paused_until.map(print::rfc3339),
                "why": row.paused_because,
                "imap": imap,
                "reads": reads,
                "inbox_read_at": row.inbox_read_at.map(print::rfc3339),
                "inbox_trouble": row.unread_because,
                "override": config.is_some_and(|m| m.over_limits),
            }));
        }
        return Ok(());
    }
    let lines = rows.iter().map(|row| {
        let (allowance, attempted, accepted) = figures(row).unzip3();
        let figure = |n: Option<u32>| n.map_or("–".to_owned(), |n| n.to_string());
        vec![
            row.address.clone(),
            row.state.clone(),
            row.warm_days.to_string(),
            row.cap.to_string(),
            figure(allowance),
            figure(attempted),
            figure(accepted),
        ]
    });
    let header = ["mailbox", "state", "warm day", "cap", "allowance", "attempts", "accepted"];
    print::say(print::table(&header, &[2, 3, 4, 5, 6], lines.collect()));
    for row in rows.iter().filter(|row| row.state == "paused") {
        let until = match row.paused_until {
            Some(until) => format!("until {}", print::local(&app.fleet.timezone, until)),
            None if row.needs_login() => "until `mailbox login`".to_owned(),
            None => "until `mailbox resume`".to_owned(),
        };
        let because = row.paused_because.as_deref().unwrap_or_default();
        print::sentence(&format!("{} is paused {until}: {because}", row.address));
    }
    Ok(())
}

/// Three figures that are there together or not at all.
trait Unzip3 {
    fn unzip3(self) -> (Option<u32>, Option<u32>, Option<u32>);
}

impl Unzip3 for Option<(u32, u32, u32)> {
    fn unzip3(self) -> (Option<u32>, Option<u32>, Option<u32>) {
        self.map_or((None, None, None), |(a, b, c)| (Some(a), Some(b), Some(c)))
    }
}
