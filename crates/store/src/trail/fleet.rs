//! Mailboxes and campaigns, with their day.

use sea_orm::ConnectionTrait;
use warmfront_core::reason::{Books, Mailbox, Used};

use super::{CampaignTrail, Day, EnrolmentTrail, MailboxFigures, MailboxTrail, all, count, people};
use crate::campaigns::COLUMNS as CAMPAIGN;
use crate::db::sql;
use crate::fleet::{COLUMNS as MAILBOX, GAP};
use crate::row::{Row as _, columns};
use crate::{CampaignRow, MailboxRow, StoreError};

/// The mailbox of that address.
pub(super) async fn mailbox(
    db: &impl ConnectionTrait,
    address: &str,
    day: Day<'_>,
) -> Result<Option<MailboxTrail>, StoreError> {
    let text = format!("SELECT {MAILBOX} FROM mailboxes WHERE address = $1");
    let rows: Vec<MailboxRow> = all(db, &text, [address.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let figures: Vec<MailboxFigures> = all(
        db,
        "SELECT cap, allowance, ceiling, allotted, warm_days, attempted, accepted
         FROM mailbox_days WHERE mailbox_id = $1 AND day = $2",
        [row.id.into(), day.name.into()],
    )
    .await?;
    let planned = count(
        db,
        "SELECT count(*) AS n FROM messages
         WHERE mailbox_id = $1 AND plan_day = $2 AND state = 'planned'",
        [row.id.into(), day.name.into()],
    );
    let planned_today = u64::from(planned.await?);
    let next = next_of(db, row.id, day).await?;
    let facts = mailbox_facts(db, row.id, day).await?;
    let day = figures.first().copied();
    Ok(Some(MailboxTrail { books: Books::Current, facts, day, planned_today, next, row }))
}

/// The next message of a mailbox that is due, today's before those that no plan has.
async fn next_of(
    db: &impl ConnectionTrait,
    mailbox: i64,
    day: Day<'_>,
) -> Result<Option<(super::MessageTrail, Option<String>)>, StoreError> {
    let query = sql(
        "SELECT m.id, p.address FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
         JOIN prospects p ON p.id = e.prospect_id
         WHERE m.mailbox_id = $1 AND m.state = 'planned'
         ORDER BY CASE WHEN m.plan_day = $2 THEN 0 ELSE 1 END, m.due_at, m.id LIMIT 1",
        [mailbox.into(), day.name.into()],
    );
    let Some(row) = db.query_one_raw(query).await? else { return Ok(None) };
    let address = row.read("address")?;
    let next = people::messages(db, "m.id = $1", row.read("id")?, day).await?;
    Ok(next.into_iter().next().map(|message| (message, address)))
}

/// The campaign of that slug.
pub(super) async fn campaign(
    db: &impl ConnectionTrait,
    slug: &str,
    day: Day<'_>,
) -> Result<Option<CampaignTrail>, StoreError> {
    // The shell completes folders; their last part is the name.
    let slug = slug.trim_end_matches('/').rsplit('/').next().unwrap_or(slug);
    let text = format!("SELECT {CAMPAIGN} FROM campaigns WHERE slug = $1");
    let rows: Vec<CampaignRow> = all(db, &text, [slug.into()]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let states = db.query_all_raw(sql(STATES, [row.id.into()])).await?;
    let states = states.iter().map(|r| Ok((r.read("state")?, r.read::<i64>("n")?.unsigned_abs())));
    let today = db
        .query_one_raw(sql(
            "SELECT count(*) AS n, min(due_at) AS next_due_at FROM messages
             WHERE campaign_id = $1 AND plan_day = $2 AND state = 'planned'",
            [row.id.into(), day.name.into()],
        ))
        .await?;
    Ok(Some(CampaignTrail {
        enrolments: states.collect::<Result<_, StoreError>>()?,
        planned_today: today.as_ref().map_or(Ok(0), |r| r.read::<i64>("n"))?.unsigned_abs(),
        next_due_at: today.map(|r| r.read("next_due_at")).transpose()?.flatten(),
        next: next_in_turn(db, row.id, day).await?,
        target: target(db, &row, day).await?,
        row,
    }))
}

/// Whose turn it is next in a campaign.
async fn next_in_turn(
    db: &impl ConnectionTrait,
    campaign: i64,
    day: Day<'_>,
) -> Result<Option<EnrolmentTrail>, StoreError> {
    for text in NEXT {
        let values = [campaign.into(), day.span.end().into()];
        if let Some(row) = db.query_one_raw(sql(text, values)).await? {
            return people::enrolment(db, row.read("id")?, day).await;
        }
    }
    Ok(None)
}

/// What a campaign has had of its day, tried or planned, and its target.
pub(super) async fn target(
    db: &impl ConnectionTrait,
    campaign: &CampaignRow,
    day: Day<'_>,
) -> Result<Used, StoreError> {
    let used = count(db, CAMPAIGN_USE, [campaign.id.into(), day.name.into()]);
    Ok(Used { attempted: used.await?, ceiling: campaign.daily_target })
}

struct FactsRow {
    state: String,
    paused_until: Option<i64>,
    paused_because: Option<String>,
    needs_login: bool,
    domain_fails: Option<String>,
    inbox_read_at: Option<i64>,
    fresh_ms: i64,
    attempt_at: Option<i64>,
    gap_ms: i64,
    in_flight_since: Option<i64>,
    lease_expires_at: Option<i64>,
    cap: u32,
    attempted: Option<u32>,
    ceiling: Option<u32>,
    domain_attempted: Option<u32>,
    domain_ceiling: Option<u32>,
    has_tenant: bool,
    tenant_attempted: Option<u32>,
    tenant_ceiling: Option<u32>,
}

columns!(FactsRow {
    state,
    paused_until,
    paused_because,
    needs_login,
    domain_fails,
    inbox_read_at,
    fresh_ms,
    attempt_at,
    gap_ms,
    in_flight_since,
    lease_expires_at,
    cap,
    attempted,
    ceiling,
    domain_attempted,
    domain_ceiling,
    has_tenant,
    tenant_attempted,
    tenant_ceiling,
});

/// What holds all messages of a mailbox. A day without a plan has no ceilings yet: the next plan
/// sets them, and nothing is full.
pub(super) async fn mailbox_facts(
    db: &impl ConnectionTrait,
    mailbox: i64,
    day: Day<'_>,
) -> Result<Mailbox, StoreError> {
    let rows: Vec<FactsRow> = all(db, &facts_text(), [mailbox.into(), day.name.into()]).await?;
    let row = rows.into_iter().next().ok_or_else(|| {
        StoreError::Inconsistent(format!("there is no mailbox {mailbox}, or there are no settings"))
    })?;
    let used = |attempted: Option<u32>, ceiling: Option<u32>| Used {
        attempted: attempted.unwrap_or(0),
        ceiling: ceiling.unwrap_or(u32::MAX),
    };
    Ok(Mailbox {
        state: row.state,
        paused_until: row.paused_until,
        paused_because: row.paused_because,
        needs_login: row.needs_login,
        domain_fails: row.domain_fails,
        inbox_read_at: row.inbox_read_at,
        fresh: row.fresh_ms,
        attempt_at: row.attempt_at,
        gap: row.gap_ms,
        in_flight_since: row.in_flight_since,
        leased_until: row.lease_expires_at,
        day: used(row.attempted, row.ceiling.or(Some(row.cap))),
        domain_day: used(row.domain_attempted, row.domain_ceiling),
        tenant_day: row.has_tenant.then(|| used(row.tenant_attempted, row.tenant_ceiling)),
    })
}

columns!(MailboxFigures { cap, allowance, ceiling, allotted, warm_days, attempted, accepted });

fn facts_text() -> String {
    format!(
        "
    SELECT b.state, b.paused_until, b.paused_because,
           coalesce(b.paused_reason, '') = 'login' AS needs_login,
           (SELECT min(g.because) FROM failing_domains g WHERE g.domain = b.domain) AS domain_fails,
           b.inbox_read_at, s.fresh_ms,
           b.last_attempt_at AS attempt_at,
           {GAP} AS gap_ms,
           (SELECT o.sending_since FROM messages o
            WHERE o.mailbox_id = b.id AND o.state = 'sending') AS in_flight_since,
           b.lease_expires_at, b.cap, d.attempted, d.ceiling, x.attempted AS domain_attempted,
           x.ceiling AS domain_ceiling, b.tenant IS NOT NULL AS has_tenant,
           t.attempted AS tenant_attempted, t.ceiling AS tenant_ceiling
    FROM mailboxes b JOIN settings s ON s.id = 1
    LEFT JOIN mailbox_days d ON d.mailbox_id = b.id AND d.day = $2
    LEFT JOIN budget_days x ON x.scope = 'domain' AND x.name = b.domain AND x.day = $2
    LEFT JOIN budget_days t ON t.scope = 'tenant' AND t.name = b.tenant AND t.day = $2
    WHERE b.id = $1"
    )
}

const STATES: &str =
    "SELECT state, count(*) AS n FROM enrolments WHERE campaign_id = $1 GROUP BY 1 ORDER BY 1";

const CAMPAIGN_USE: &str = "
    SELECT count(*) AS n FROM messages
    WHERE campaign_id = $1 AND (sending_on = $2 AND attempts > 0
                                OR state = 'planned' AND plan_day = $2)";

/// Whose turn is next: follow-ups of today, then whoever had no message yet, then later ones.
const NEXT: [&str; 3] = [
    "SELECT e.id FROM enrolments e
     WHERE e.campaign_id = $1 AND e.state = 'active' AND e.next_at > 0 AND e.next_at < $2
       AND NOT EXISTS (SELECT 1 FROM messages m
                       WHERE m.enrolment_id = e.id AND m.position = e.next_step)
     ORDER BY e.next_at, e.id LIMIT 1",
    "SELECT e.id FROM enrolments e
     WHERE e.campaign_id = $1 AND e.state = 'active' AND e.next_at = 0 AND e.next_at < $2
       AND NOT EXISTS (SELECT 1 FROM messages m
                       WHERE m.enrolment_id = e.id AND m.position = e.next_step)
     ORDER BY e.next_at, e.id LIMIT 1",
    "SELECT e.id FROM enrolments e
     WHERE e.campaign_id = $1 AND e.state = 'active' AND e.next_at >= $2
       AND NOT EXISTS (SELECT 1 FROM messages m
                       WHERE m.enrolment_id = e.id AND m.position = e.next_step)
     ORDER BY e.next_at, e.id LIMIT 1",
];
