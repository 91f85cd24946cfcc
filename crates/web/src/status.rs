//! How everything stands, read from the books. What scripts get as JSON and the page shows.
//!
//! Each figure is of one moment, but not all of the same: while messages leave, sums may differ by
//! those that left in between.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use warmfront_core::calendar;
use warmfront_store::{CampaignRow, CampaignStatus, MailboxRow, SavedPlan, StoreError};

use crate::Console;

/// Figures by the name of a state.
pub(crate) type ByState = BTreeMap<String, u64>;

/// How everything stands. Names are those of `warmfront status --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) at: Timestamp,
    pub(crate) day: jiff::civil::Date,
    pub(crate) timezone: Option<String>,
    pub(crate) attempted_today: u32,
    pub(crate) accepted_today: u32,
    pub(crate) planned_today: u64,
    pub(crate) allowance_today: u32,
    pub(crate) messages: ByState,
    /// In order of address.
    pub(crate) mailboxes: Vec<Mailbox>,
    /// In order of slug.
    pub(crate) campaigns: Vec<Campaign>,
    /// Nothing before the day is planned.
    pub(crate) plan: Option<Plan>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Mailbox {
    pub(crate) address: String,
    pub(crate) state: String,
    /// The reason of a pause, in a word and in a sentence.
    pub(crate) reason: Option<String>,
    pub(crate) why: Option<String>,
    /// Nothing where only the operator ends it.
    pub(crate) paused_until: Option<Timestamp>,
    pub(crate) warm_day: u32,
    pub(crate) ease_percent: u32,
    /// Nothing before the day is planned.
    pub(crate) allowance: Option<u32>,
    pub(crate) attempted: u32,
    pub(crate) accepted: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Campaign {
    /// Its slug, by which commands know it.
    pub(crate) campaign: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) why: Option<String>,
    pub(crate) daily_target: u32,
    pub(crate) people: ByState,
    pub(crate) messages: ByState,
}

#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) revisions: u32,
    pub(crate) planned: u32,
    pub(crate) shortfall: Vec<Shortfall>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Shortfall {
    pub(crate) campaign: String,
    pub(crate) count: u32,
    pub(crate) why: String,
    pub(crate) cure: String,
}

impl Status {
    pub(crate) async fn read(console: &Console) -> Result<Self, StoreError> {
        let (store, now) = (&console.store, (console.now)());
        let day = calendar::day_of(&console.zone, now);
        let today = day.to_string();
        let (messages, planned_today) = store.message_counts(&today).await?;
        let figures: BTreeMap<i64, Figures> = store
            .mailbox_days(&today)
            .await?
            .into_iter()
            .map(|(id, allowance, _, attempted, accepted)| {
                (id, Figures { allowance, attempted, accepted })
            })
            .collect();
        let rows = store.campaigns().await?;
        let plan = store.saved_plan(&today).await?.map(|saved| plan(saved, &rows));
        let mut campaigns = Vec::with_capacity(rows.len());
        for row in rows {
            campaigns.push(campaign(store.campaign_status(row).await?));
        }
        let mailboxes = store.mailboxes().await?.into_iter();
        Ok(Self {
            at: calendar::timestamp(now),
            day,
            timezone: console.zone.iana_name().map(str::to_owned),
            attempted_today: figures.values().map(|figures| figures.attempted).sum(),
            accepted_today: figures.values().map(|figures| figures.accepted).sum(),
            planned_today,
            allowance_today: figures.values().map(|figures| figures.allowance).sum(),
            messages: messages.into_iter().collect(),
            mailboxes: mailboxes.map(|row| mailbox(&figures, row)).collect(),
            campaigns,
            plan,
        })
    }
}

/// A mailbox's figures of today.
struct Figures {
    allowance: u32,
    attempted: u32,
    accepted: u32,
}

fn mailbox(figures: &BTreeMap<i64, Figures>, row: MailboxRow) -> Mailbox {
    let today = figures.get(&row.id);
    Mailbox {
        address: row.address,
        state: row.state,
        reason: row.paused_reason,
        why: row.paused_because,
        paused_until: row.paused_until.map(calendar::timestamp),
        warm_day: row.warm_days,
        ease_percent: row.ease_percent,
        allowance: today.map(|figures| figures.allowance),
        attempted: today.map_or(0, |figures| figures.attempted),
        accepted: today.map_or(0, |figures| figures.accepted),
    }
}

fn campaign(status: CampaignStatus) -> Campaign {
    let CampaignStatus { row, enrolments: people, messages, accepted_by_step: _ } = status;
    let CampaignRow { slug, name, state, paused_because: why, daily_target, .. } = row;
    Campaign { campaign: slug, name, state, why, daily_target, people, messages }
}

fn plan(saved: SavedPlan, campaigns: &[CampaignRow]) -> Plan {
    let slug = |id| {
        let row = campaigns.iter().find(|row| row.id == id);
        row.map_or_else(String::new, |row| row.slug.clone())
    };
    let shortfall = |(id, why, count, cure)| Shortfall { campaign: slug(id), count, why, cure };
    Plan {
        revisions: saved.revisions,
        planned: saved.campaigns.iter().map(|(_, planned)| planned).sum(),
        shortfall: saved.shortfalls.into_iter().map(shortfall).collect(),
    }
}
