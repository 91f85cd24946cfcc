//! What a plan is made from, and the plan once it is made.

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::db::sql;
use crate::row::{Row as _, columns};
use crate::{Store, StoreError};

/// One message that might be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whose step it is.
    pub enrolment_id: i64,
    /// The person.
    pub prospect_id: i64,
    /// The campaign.
    pub campaign_id: i64,
    /// The step, from 1.
    pub step: u32,
    /// Its row, where an earlier plan made one.
    pub message_id: Option<i64>,
    /// The mailbox it must leave from.
    pub mailbox_id: Option<i64>,
    /// The first moment it may go.
    pub ready_at: i64,
    /// The last attempt to this person, with whatever message but this one.
    pub person_attempt_at: Option<i64>,
    /// The person's company.
    pub company: Option<String>,
    /// The person's zone, as the enrolment has it.
    pub zone: String,
}

columns!(Candidate {
    enrolment_id,
    prospect_id,
    campaign_id,
    step,
    message_id,
    mailbox_id,
    ready_at,
    person_attempt_at,
    company,
    zone,
});

/// What a day has used up so far, tried or planned and still to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayUse {
    /// (mailbox, attempts, manual mail).
    pub mailboxes: Vec<(i64, u32, u32)>,
    /// (mailbox, due moment) of planned messages.
    pub booked: Vec<(i64, i64)>,
    /// (sending domain, messages).
    pub domains: Vec<(String, u32)>,
    /// (tenant, messages).
    pub tenants: Vec<(String, u32)>,
    /// (campaign, messages).
    pub campaigns: Vec<(i64, u32)>,
    /// Companies that had or will have messages.
    pub companies: Vec<CompanyUse>,
    /// People who will have one: a second campaign does not plan them another.
    pub people: Vec<i64>,
}

/// What one company has had of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyUse {
    /// Its registrable domain.
    pub company: String,
    /// Messages.
    pub used: u32,
}

/// One mailbox's day in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMailboxDay {
    /// The mailbox.
    pub mailbox_id: i64,
    /// Its cap.
    pub cap: u32,
    /// Today's most.
    pub allowance: u32,
    /// What its counter may reach.
    pub ceiling: u32,
    /// Its share.
    pub allotted: u32,
    /// Where it stood on its curve.
    pub warm_days: u32,
    /// Its first message still to come.
    pub first_at: Option<i64>,
    /// Its last.
    pub last_at: Option<i64>,
}

columns!(SavedMailboxDay {
    mailbox_id,
    cap,
    allowance,
    ceiling,
    allotted,
    warm_days,
    first_at,
    last_at,
});

/// One campaign's day in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanEntry {
    /// The campaign.
    pub campaign_id: i64,
    /// What the plan should place.
    pub target: u32,
    /// What it places.
    pub planned: u32,
    /// (limit, count, cure) of the rest.
    pub shortfalls: Vec<(String, u32, String)>,
}

/// One message of a plan: a new row, or one an earlier plan made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its row, if it has one.
    pub message_id: Option<i64>,
    /// Whose step it is.
    pub enrolment_id: i64,
    /// The campaign.
    pub campaign_id: i64,
    /// The step, from 1.
    pub step: u32,
    /// The mailbox it leaves from.
    pub mailbox_id: i64,
    /// When it is due.
    pub due_at: i64,
    /// When the hours it is due in are over.
    pub closes_at: i64,
}

/// A saved plan, all its revisions together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPlan {
    /// How often it was revised.
    pub revisions: u32,
    /// The fleet's day.
    pub mailboxes: Vec<SavedMailboxDay>,
    /// (campaign, planned) in all.
    pub campaigns: Vec<(i64, u32)>,
    /// (campaign, limit, count, cure) of the last revision.
    pub shortfalls: Vec<(i64, String, u32, String)>,
}

impl Store {
    /// What a day has used up so far.
    pub async fn day_use(&self, day: &str) -> Result<DayUse, StoreError> {
        let db = &self.db.read;
        let pairs = async |text: &str| -> Result<Vec<(String, u32)>, StoreError> {
            let rows = db.query_all_raw(sql(text, [day.into()])).await?;
            rows.iter().map(|r| Ok((r.read("name")?, r.read("used")?))).collect()
        };
        let mailboxes = db
            .query_all_raw(sql(
                "SELECT mailbox_id, attempted, manual FROM mailbox_days WHERE day = $1",
                [day.into()],
            ))
            .await?
            .iter()
            .map(|r| Ok((r.read("mailbox_id")?, r.read("attempted")?, r.read("manual")?)))
            .collect::<Result<_, StoreError>>()?;
        let booked = db
            .query_all_raw(sql(
                "SELECT mailbox_id, due_at FROM messages WHERE state = 'planned' AND plan_day = $1",
                [day.into()],
            ))
            .await?
            .iter()
            .map(|r| Ok((r.read("mailbox_id")?, r.read("due_at")?)))
            .collect::<Result<_, StoreError>>()?;
        let campaigns = db
            .query_all_raw(sql(CAMPAIGN_USE, [day.into()]))
            .await?
            .iter()
            .map(|r| Ok((r.read("campaign_id")?, r.read("used")?)))
            .collect::<Result<_, StoreError>>()?;
        let people = db
            .query_all_raw(sql(PEOPLE_BOOKED, [day.into()]))
            .await?
            .iter()
            .map(|r| Ok(r.read("prospect_id")?))
            .collect::<Result<_, StoreError>>()?;
        let companies = pairs(COMPANY_USE).await?;
        Ok(DayUse {
            mailboxes,
            booked,
            domains: pairs(DOMAIN_USE).await?,
            tenants: pairs(TENANT_USE).await?,
            campaigns,
            companies: companies
                .into_iter()
                .map(|(company, used)| CompanyUse { company, used })
                .collect(),
            people,
        })
    }

    /// What is bound to come before anything new, if it is ready before `until`: messages of earlier
    /// plans that did not leave, and follow-ups.
    pub async fn work_begun(&self, day: &str, until: i64) -> Result<Vec<Candidate>, StoreError> {
        let query = sql(LEFT_OVER, [day.into(), until.into()]);
        let mut work = Candidate::find_by_statement(query).all(&self.db.read).await?;
        let query = sql(FOLLOW_UPS, [until.into()]);
        work.extend(Candidate::find_by_statement(query).all(&self.db.read).await?);
        Ok(work)
    }

    /// New enrolments of a campaign, first come first, until `wants` has had enough of them: of
    /// about that many.
    pub async fn new_enrolments(
        &self,
        campaign: i64,
        about: u32,
        mut wants: impl FnMut(Candidate) -> bool,
    ) -> Result<(), StoreError> {
        let mut after = 0;
        // Most who come first are wanted.
        let mut looked_at = about.saturating_add(about / 4).clamp(PAGE_MIN, PAGE_MAX);
        loop {
            let query = sql(NEW, [campaign.into(), after.into(), looked_at.into()]);
            let page = Candidate::find_by_statement(query).all(&self.db.read).await?;
            let is_last = page.len() < looked_at as usize;
            looked_at = PAGE_MAX;
            for candidate in page {
                after = candidate.enrolment_id;
                if !wants(candidate) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Whether a plan of that day was saved.
    pub async fn is_planned(&self, day: &str) -> Result<bool, StoreError> {
        let query = sql("SELECT 1 FROM plans WHERE day = $1 LIMIT 1", [day.into()]);
        Ok(self.db.read.query_one_raw(query).await?.is_some())
    }

    /// The saved plan of a day.
    pub async fn saved_plan(&self, day: &str) -> Result<Option<SavedPlan>, StoreError> {
        let db = &self.db.read;
        let row = db
            .query_one_raw(sql(
                "SELECT max(revision) AS revisions FROM plans WHERE day = $1",
                [day.into()],
            ))
            .await?;
        let revisions: Option<u32> = row.map(|row| row.read("revisions")).transpose()?.flatten();
        let Some(revisions) = revisions else { return Ok(None) };
        let query = sql(SAVED_MAILBOX_DAYS, [day.into()]);
        let mailboxes = SavedMailboxDay::find_by_statement(query).all(db).await?;
        let campaigns = db
            .query_all_raw(sql(
                "SELECT campaign_id, CAST(sum(planned) AS BIGINT) AS planned FROM plans WHERE day = $1
                 GROUP BY campaign_id ORDER BY campaign_id",
                [day.into()],
            ))
            .await?
            .iter()
            .map(|r| Ok((r.read("campaign_id")?, r.read("planned")?)))
            .collect::<Result<_, StoreError>>()?;
        let shortfalls = db
            .query_all_raw(sql(LAST_SHORTFALLS, [day.into()]))
            .await?
            .iter()
            .map(|r| {
                Ok((r.read("campaign_id")?, r.read("why")?, r.read("count")?, r.read("cure")?))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Some(SavedPlan { revisions, mailboxes, campaigns, shortfalls }))
    }
}

const SAVED_MAILBOX_DAYS: &str = "
    SELECT d.mailbox_id, d.cap, d.allowance, d.ceiling, d.allotted, d.warm_days,
           (SELECT min(due_at) FROM messages m WHERE m.mailbox_id = d.mailbox_id
            AND m.plan_day = d.day) AS first_at,
           (SELECT max(due_at) FROM messages m WHERE m.mailbox_id = d.mailbox_id
            AND m.plan_day = d.day) AS last_at
    FROM mailbox_days d JOIN mailboxes b ON b.id = d.mailbox_id
    WHERE d.day = $1 ORDER BY b.address";

const LAST_SHORTFALLS: &str = "
    SELECT s.campaign_id, s.why, s.count, s.cure FROM shortfalls s
    WHERE s.day = $1 AND s.revision = (SELECT max(p.revision) FROM plans p
          WHERE p.campaign_id = s.campaign_id AND p.day = s.day)
    ORDER BY s.campaign_id, s.why";

const CAMPAIGN_USE: &str = "
    SELECT campaign_id, count(*) AS used FROM (
        SELECT campaign_id, id FROM messages WHERE sending_on = $1 AND attempts > 0
        UNION SELECT campaign_id, id FROM messages WHERE state = 'planned' AND plan_day = $1) AS uses
    GROUP BY campaign_id";

const PEOPLE_BOOKED: &str = "
    SELECT DISTINCT e.prospect_id FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
    WHERE m.state = 'planned' AND m.plan_day = $1";

const DOMAIN_USE: &str = "
    SELECT name, CAST(sum(used) AS BIGINT) AS used FROM (
        SELECT name, attempted AS used FROM budget_days WHERE scope = 'domain' AND day = $1
        UNION ALL
        SELECT b.domain, count(*) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
        WHERE m.state = 'planned' AND m.plan_day = $1 GROUP BY b.domain) AS uses
    GROUP BY name";

const TENANT_USE: &str = "
    SELECT name, CAST(sum(used) AS BIGINT) AS used FROM (
        SELECT name, attempted AS used FROM budget_days WHERE scope = 'tenant' AND day = $1
        UNION ALL
        SELECT b.tenant, count(*) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
        WHERE m.state = 'planned' AND m.plan_day = $1 AND b.tenant IS NOT NULL GROUP BY b.tenant) AS uses
    GROUP BY name";

const COMPANY_USE: &str = "
    SELECT name, CAST(sum(used) AS BIGINT) AS used FROM (
        SELECT name, attempted AS used FROM budget_days WHERE scope = 'company' AND day = $1
        UNION ALL
        SELECT p.company, count(*) FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
        JOIN prospects p ON p.id = e.prospect_id
        WHERE m.state = 'planned' AND m.plan_day = $1 AND p.company IS NOT NULL GROUP BY p.company) AS uses
    GROUP BY name";

const LEFT_OVER: &str = "
    SELECT m.enrolment_id, e.prospect_id, m.campaign_id, m.position AS step, m.id AS message_id,
           e.mailbox_id, m.due_at AS ready_at,
           CASE WHEN p.last_message_id = m.id THEN NULL ELSE p.last_attempt_at END AS person_attempt_at,
           p.company, e.zone
    FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
    JOIN prospects p ON p.id = e.prospect_id JOIN campaigns c ON c.id = m.campaign_id
    WHERE m.state = 'planned' AND (m.plan_day IS NULL OR m.plan_day < $1)
      AND m.due_at < $2 AND e.state = 'active' AND c.state = 'running'
    ORDER BY m.due_at, m.id";

/// CROSS JOIN: few campaigns first, then the index on their enrolments. SQLite keeps that order,
/// and would else read everybody.
const FOLLOW_UPS: &str = "
    SELECT e.id AS enrolment_id, e.prospect_id, e.campaign_id, e.next_step AS step,
           NULL AS message_id, e.mailbox_id, e.next_at AS ready_at,
           p.last_attempt_at AS person_attempt_at, p.company, e.zone
    FROM campaigns c CROSS JOIN enrolments e
    JOIN prospects p ON p.id = e.prospect_id
    WHERE c.state = 'running' AND e.campaign_id = c.id AND e.state = 'active' AND e.next_at > 0 AND e.next_at < $1
      AND e.next_step > 1
      AND NOT EXISTS (SELECT 1 FROM messages m
                      WHERE m.enrolment_id = e.id AND m.position = e.next_step)
    ORDER BY e.next_at, e.id";

const NEW: &str = "
    SELECT e.id AS enrolment_id, e.prospect_id, e.campaign_id, e.next_step AS step,
           NULL AS message_id, NULL AS mailbox_id, e.next_at AS ready_at,
           p.last_attempt_at AS person_attempt_at, p.company, e.zone
    FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
    WHERE e.campaign_id = $1 AND e.state = 'active' AND e.next_at = 0 AND e.id > $2
      AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.enrolment_id = e.id AND m.position = 1)
    ORDER BY e.id LIMIT CAST($3 AS BIGINT)";

/// New enrolments of one look: a plan wants some of what may be a million, and until it is read a row
/// takes the driver a kilobyte.
const PAGE_MIN: u32 = 100;
const PAGE_MAX: u32 = 1_000;
