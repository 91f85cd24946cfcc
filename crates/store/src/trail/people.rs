//! People, their messages, and whose turn it is.

use sea_orm::ConnectionTrait;
use warmfront_core::plan::Limit;
use warmfront_core::reason::{Absence, Books, Campaign, Past, Person, Turn, Used};

use super::{Day, EnrolmentTrail, MessageTrail, all, count, fleet};
use crate::campaigns::COLUMNS as CAMPAIGN;
use crate::db::sql;
use crate::facts::facts;
use crate::row::{Row as _, columns};
use crate::{CampaignRow, StoreError, Suppression};

/// What suppresses an address: itself, its domain, or the company it belongs to.
pub(super) async fn suppressions(
    db: &impl ConnectionTrait,
    address: &str,
) -> Result<Vec<Suppression>, StoreError> {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    all(
        db,
        "SELECT scope, value, reason, created_at FROM suppressions
         WHERE scope = 'address' AND value = $1
            OR scope = 'domain' AND (value = $2
               OR value = (SELECT p.company FROM prospects p WHERE p.address = $1))
         ORDER BY scope, value",
        [address.into(), domain.into()],
    )
    .await
}

/// Every enrolment of the prospect of that address.
pub(super) async fn enrolments(
    db: &impl ConnectionTrait,
    address: &str,
    day: Day<'_>,
) -> Result<Vec<EnrolmentTrail>, StoreError> {
    let which = "p.address = $1 ORDER BY e.id";
    let rows: Vec<EnrolmentRow> = all(db, &enrolment_rows(which), [address.into()]).await?;
    let mut trails = Vec::with_capacity(rows.len());
    for row in rows {
        trails.push(trail(db, row, day).await?);
    }
    Ok(trails)
}

/// The enrolment of one row.
pub(super) async fn enrolment(
    db: &impl ConnectionTrait,
    id: i64,
    day: Day<'_>,
) -> Result<Option<EnrolmentTrail>, StoreError> {
    let rows: Vec<EnrolmentRow> = all(db, &enrolment_rows("e.id = $1"), [id.into()]).await?;
    match rows.into_iter().next() {
        Some(row) => Ok(Some(trail(db, row, day).await?)),
        None => Ok(None),
    }
}

/// The enrolment whose message has that id, ours or the one the server gave it, and the step.
pub(super) async fn message(
    db: &impl ConnectionTrait,
    bare: &str,
    day: Day<'_>,
) -> Result<Option<(EnrolmentTrail, u32)>, StoreError> {
    let query = sql(
        "SELECT enrolment_id, position FROM messages WHERE id IN (
             SELECT id FROM messages WHERE rfc_message_id IN ($1, $2)
             UNION ALL SELECT id FROM messages WHERE final_message_id IN ($1, $2))
         ORDER BY id LIMIT 1",
        [bare.into(), format!("<{bare}>").into()],
    );
    let Some(row) = db.query_one_raw(query).await? else { return Ok(None) };
    let trail = enrolment(db, row.read("enrolment_id")?, day).await?;
    let step = row.read("position")?;
    Ok(trail.map(|trail| (trail, step)))
}

struct EnrolmentRow {
    id: i64,
    campaign_id: i64,
    address: Option<String>,
    state: String,
    because: Option<String>,
    ended_at: Option<i64>,
    file: Option<String>,
    line: Option<u32>,
    imported_at: Option<i64>,
    zone: String,
    mailbox_id: Option<i64>,
    mailbox: Option<String>,
    next_step: u32,
    next_at: i64,
    away_until: Option<i64>,
    away_said_at: Option<i64>,
    wait: Option<String>,
    company: Option<String>,
    company_per_day: u32,
    suppressed: bool,
    unproven: Option<String>,
    attempt_at: Option<i64>,
    gap_ms: i64,
}

columns!(EnrolmentRow {
    id,
    campaign_id,
    address,
    state,
    because,
    ended_at,
    file,
    line,
    imported_at,
    zone,
    mailbox_id,
    mailbox,
    next_step,
    next_at,
    away_until,
    away_said_at,
    wait,
    company,
    company_per_day,
    suppressed,
    unproven,
    attempt_at,
    gap_ms,
});

fn enrolment_rows(which: &str) -> String {
    format!(
        "SELECT e.id, e.campaign_id, p.address, e.state, e.because, e.ended_at, i.file, r.line,
                i.at AS imported_at, e.zone, e.mailbox_id, b.address AS mailbox, e.next_step,
                e.next_at, e.away_until, e.away_said_at, s.wait, p.company, k.company_per_day, k.person_gap_ms AS gap_ms,
                EXISTS (SELECT 1 FROM suppressions x
                        WHERE x.scope = 'address' AND x.value = p.address)
                OR EXISTS (SELECT 1 FROM suppressions x
                           WHERE x.scope = 'domain' AND x.value IN (p.domain, p.company))
                    AS suppressed,
                CASE WHEN e.next_step = 1 AND e.mailbox_id IS NULL
                     THEN (SELECT min(u.address) FROM mailboxes u WHERE u.unproven = 1) END
                    AS unproven,
                p.last_attempt_at AS attempt_at
         FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
         JOIN settings k ON k.id = 1
         LEFT JOIN mailboxes b ON b.id = e.mailbox_id
         LEFT JOIN steps s ON s.campaign_id = e.campaign_id AND s.position = e.next_step
         LEFT JOIN import_rows r ON r.enrolment_id = e.id AND r.outcome = 'accepted'
         LEFT JOIN imports i ON i.id = r.import_id
         WHERE {which}"
    )
}

async fn trail(
    db: &impl ConnectionTrait,
    row: EnrolmentRow,
    day: Day<'_>,
) -> Result<EnrolmentTrail, StoreError> {
    let text = format!("SELECT {CAMPAIGN} FROM campaigns WHERE id = $1");
    let campaign = all::<CampaignRow>(db, &text, [row.campaign_id.into()]).await?;
    let campaign = campaign.into_iter().next().ok_or_else(|| {
        StoreError::Inconsistent(format!("enrolment {} is of no campaign", row.id))
    })?;
    let messages = messages(db, "m.enrolment_id = $1 ORDER BY m.position", row.id, day).await?;
    let is_over = row.ended_at.is_some();
    let is_planned = messages.iter().any(|message| message.step == row.next_step);
    let turn = match is_over || is_planned {
        true => None,
        false => Some(turn(db, &row, &campaign, day).await?),
    };
    let imported = row.file.zip(row.line).zip(row.imported_at);
    Ok(EnrolmentTrail {
        id: row.id,
        campaign,
        address: row.address,
        state: row.state,
        because: row.because,
        ended_at: row.ended_at,
        imported: imported.map(|((file, line), at)| (file, line, at)),
        zone: row.zone,
        mailbox: row.mailbox,
        wait: row.wait.filter(|_| turn.is_some()),
        messages,
        turn,
    })
}

async fn turn(
    db: &impl ConnectionTrait,
    row: &EnrolmentRow,
    campaign: &CampaignRow,
    day: Day<'_>,
) -> Result<Turn, StoreError> {
    let company_day = match &row.company {
        Some(company) => {
            let attempted = count(db, COMPANY_USE, [company.as_str().into(), day.name.into()]);
            Some(Used { attempted: attempted.await?, ceiling: row.company_per_day })
        }
        None => None,
    };
    let mailbox = match row.mailbox_id {
        Some(mailbox) => Some(fleet::mailbox_facts(db, mailbox, day).await?),
        None => None,
    };
    let before = match row.next_step {
        1 => count(db, BEFORE, [row.campaign_id.into(), row.id.into()]).await?,
        _ => 0,
    };
    Ok(Turn {
        step: row.next_step,
        next_at: row.next_at,
        away: row
            .away_until
            .zip(row.away_said_at)
            .map(|(until, said_at)| Absence { until, said_at }),
        books: Books::Current,
        person: Person {
            state: row.state.clone(),
            because: row.because.clone(),
            erased: row.address.is_none(),
            suppressed: row.suppressed,
            unproven: row.unproven.clone(),
            attempt_at: row.attempt_at,
            gap: row.gap_ms,
            company_day,
        },
        campaign: Campaign {
            state: campaign.state.clone(),
            because: campaign.paused_because.clone(),
        },
        mailbox,
        open: Vec::new(),
        is_holiday: false,
        today: day.span,
        target: fleet::target(db, campaign, day).await?,
        before,
        short: short(db, campaign.id, day).await?,
    })
}

/// What the day's last plan left out of a campaign; nothing where the day has no plan.
async fn short(
    db: &impl ConnectionTrait,
    campaign: i64,
    day: Day<'_>,
) -> Result<Option<Vec<(Limit, u32)>>, StoreError> {
    let values = || [campaign.into(), day.name.into()];
    if count(db, "SELECT count(*) AS n FROM plans WHERE campaign_id = $1 AND day = $2", values())
        .await?
        == 0
    {
        return Ok(None);
    }
    let rows = db.query_all_raw(sql(SHORT, values())).await?;
    let mut short = Vec::with_capacity(rows.len());
    for row in rows {
        let word: String = row.read("why")?;
        if let Some(limit) = Limit::of_word(&word) {
            short.push((limit, row.read("count")?));
        }
    }
    Ok(Some(short))
}

struct MessageRow {
    id: i64,
    position: u32,
    variant: Option<String>,
    mailbox: String,
    state: String,
    plan_day: Option<String>,
    due_at: i64,
    attempts: u32,
    sending_since: Option<i64>,
    changed_at: i64,
    settled_at: Option<i64>,
    verdict: Option<String>,
    smtp_code: Option<u32>,
    enhanced_status: Option<String>,
    why: Option<String>,
    evidence: Option<String>,
    because: Option<String>,
    rfc_message_id: Option<String>,
}

columns!(MessageRow {
    id,
    position,
    variant,
    mailbox,
    state,
    plan_day,
    due_at,
    attempts,
    sending_since,
    changed_at,
    settled_at,
    verdict,
    smtp_code,
    enhanced_status,
    why,
    evidence,
    because,
    rfc_message_id,
});

/// Evidence of an earlier attempt says nothing of the last; the cause of an end that came later
/// nothing of the one that cancelled it.
fn message_rows(which: &str) -> String {
    format!(
        "SELECT m.id, m.position, r.variant, b.address AS mailbox, m.state, m.plan_day, m.due_at,
                m.attempts, m.sending_since, m.changed_at, m.settled_at, m.verdict, m.smtp_code,
                m.enhanced_status, m.why, m.rfc_message_id,
                (SELECT v.kind FROM evidence v
                 WHERE v.message_id = m.id AND v.kind <> 'absence' AND v.at >= m.sending_since
                 ORDER BY v.id DESC LIMIT 1) AS evidence,
                CASE WHEN m.why = 'enrolment_' || e.state THEN e.because END AS because
         FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
         JOIN enrolments e ON e.id = m.enrolment_id
         LEFT JOIN step_revisions r ON r.id = m.revision_id WHERE {which}"
    )
}

/// Messages by a condition on `m` and one number.
pub(super) async fn messages(
    db: &impl ConnectionTrait,
    which: &str,
    number: i64,
    day: Day<'_>,
) -> Result<Vec<MessageTrail>, StoreError> {
    let rows: Vec<MessageRow> = all(db, &message_rows(which), [number.into()]).await?;
    let mut messages = Vec::with_capacity(rows.len());
    for row in rows {
        let facts = facts(db, row.id, day.name, day.span).await?.ok_or_else(|| {
            StoreError::Inconsistent("the settings were never written".to_owned())
        })?;
        let inbound = db.query_all_raw(sql(INBOUND, [row.id.into()])).await?;
        let inbound = inbound.iter().map(|r| Ok((r.read("kind")?, r.read("received_at")?)));
        messages.push(MessageTrail {
            id: row.id,
            step: row.position,
            variant: row.variant,
            mailbox: row.mailbox,
            past: Past {
                state: row.state,
                changed_at: row.changed_at,
                settled_at: row.settled_at,
                attempts: row.attempts,
                verdict: row.verdict,
                code: row.smtp_code,
                enhanced: row.enhanced_status,
                why: row.why,
                evidence: row.evidence,
                because: row.because,
            },
            plan_day: row.plan_day,
            due_at: row.due_at,
            sending_since: row.sending_since,
            message_id: row.rfc_message_id,
            inbound: inbound.collect::<Result<_, StoreError>>()?,
            facts,
        });
    }
    Ok(messages)
}

/// Tried today, or planned and still to come, to people of one company.
const COMPANY_USE: &str = "
    SELECT coalesce((SELECT attempted FROM budget_days
                     WHERE scope = 'company' AND name = $1 AND day = $2), 0)
         + (SELECT count(*) FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
            JOIN prospects p ON p.id = e.prospect_id
            WHERE m.state = 'planned' AND m.plan_day = $2 AND p.company = $1) AS n";

/// Those of a campaign whose first step comes before somebody's.
const BEFORE: &str = "
    SELECT count(*) AS n FROM enrolments e
    WHERE e.campaign_id = $1 AND e.state = 'active' AND e.next_at = 0 AND e.next_step = 1
      AND e.id < $2
      AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.enrolment_id = e.id AND m.position = 1)";

const SHORT: &str = "
    SELECT s.why, s.count FROM shortfalls s
    WHERE s.campaign_id = $1 AND s.day = $2 AND s.revision = (
        SELECT max(p.revision) FROM plans p WHERE p.campaign_id = $1 AND p.day = $2)
    ORDER BY s.count DESC, s.why";

const INBOUND: &str =
    "SELECT kind, received_at FROM inbound WHERE message_id = $1 ORDER BY received_at, id";
