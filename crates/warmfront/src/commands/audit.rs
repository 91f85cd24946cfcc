//! `audit`: the books add up, or whoever is missing is named.

use serde_json::json;

use crate::app::App;
use crate::cli::Global;
use crate::exit::{Done, Failure};
use crate::print;

pub(crate) async fn audit(global: &Global) -> Done {
    let app = App::open_anyway(global).await?;
    let audit = app.store.audit().await?;
    let mut lines = Vec::new();
    let mut campaigns = Vec::new();
    for (slug, rows, accepted, rejected, duplicates, enrolments) in &audit.campaigns {
        let row = app.campaign(slug).await?;
        let states = app.store.campaign_status(row).await?.enrolments;
        let parts: Vec<String> = states.iter().map(|(s, n)| format!("{n} {s}")).collect();
        lines.push(format!(
            "{slug}: {} = {accepted} accepted + {rejected} rejected + {}",
            print::counted(*rows, "row"),
            print::counted(*duplicates, "duplicate"),
        ));
        lines.push(format!("  {accepted} accepted = {}", parts.join(" + ")));
        campaigns.push(json!({
            "campaign": slug, "rows": rows, "accepted": accepted, "rejected": rejected,
            "duplicates": duplicates, "enrolments": enrolments, "by_state": states,
        }));
    }
    let is_good = audit.imbalances.is_empty();
    if app.json {
        let imbalances: Vec<_> =
            audit.imbalances.iter().map(|i| json!({ "what": i.what, "who": i.who })).collect();
        print::say_json(
            &json!({ "ok": is_good, "campaigns": campaigns, "imbalances": imbalances }),
        );
    } else {
        lines.iter().for_each(print::say);
        for imbalance in &audit.imbalances {
            print::say(format!("{}: {}", imbalance.who, imbalance.what));
        }
        print::say(if is_good { "the books add up" } else { "the books do not add up" });
    }
    if is_good { Ok(()) } else { Err(Failure::Said(1)) }
}
