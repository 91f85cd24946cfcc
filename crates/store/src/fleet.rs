//! The mailboxes: as configured, paused and resumed, warmed day by day.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, FromQueryResult};
use warmfront_core::health::{self, Earned, PauseReason};
use warmfront_core::warmup::Warmth;

use crate::db::{BATCH, json_array, sql};
use crate::health::tell;
use crate::pausing::{pause, stop};
use crate::row::{Row as _, columns};
use crate::{Store, StoreError};

/// A mailbox as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxSpec {
    /// Its address.
    pub address: String,
    /// Its sending domain.
    pub domain: String,
    /// The tenant it shares.
    pub tenant: Option<String>,
    /// Its provider.
    pub provider: String,
    /// The most it may ever send in a day.
    pub cap: u32,
    /// The longer of its gap and its provider's rate, in milliseconds.
    pub gap_ms: i64,
    /// Where it stands on its curve when first seen.
    pub warm_days: u32,
    /// The warm days with which its curve is at its end; 0 where it has none.
    pub plateau: u32,
}

/// A mailbox as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRow {
    /// Its row.
    pub id: i64,
    /// Its address.
    pub address: String,
    /// Its sending domain.
    pub domain: String,
    /// The tenant it shares.
    pub tenant: Option<String>,
    /// Its provider.
    pub provider: String,
    /// `active`, `paused` or `disabled`.
    pub state: String,
    /// Whether the configuration still has it.
    pub configured: bool,
    /// Since when it is paused.
    pub paused_at: Option<i64>,
    /// Until when, where waiting is enough.
    pub paused_until: Option<i64>,
    /// The reason's word.
    pub paused_reason: Option<String>,
    /// The reason's sentence.
    pub paused_because: Option<String>,
    /// The most it may ever send in a day.
    pub cap: u32,
    /// The least time between two of its messages, in milliseconds.
    pub gap_ms: i64,
    /// Warm days earned.
    pub warm_days: u32,
    /// The warm days with which its curve is at its end; 0 where it has none.
    pub plateau: u32,
    /// Days without an acceptance, in a row.
    pub idle_days: u32,
    /// The first day not yet counted into `warm_days`.
    pub rolled_on: String,
    /// The eased share of its allowance.
    pub ease_percent: u32,
    /// Whether what it sent since the books were copied nothing shows.
    pub unproven: bool,
    /// Whether it has just come back from a pause.
    pub probe: bool,
    /// Its last attempt.
    pub last_attempt_at: Option<i64>,
    /// When its inbox was last read.
    pub inbox_read_at: Option<i64>,
    /// Why it cannot be read now.
    pub unread_because: Option<String>,
    /// Who holds its lease, or held it last and did not give it back.
    pub lease_owner: Option<String>,
    /// When that lease ends, or ended.
    pub lease_expires_at: Option<i64>,
    /// Why its domain writes to nobody new, if so.
    pub domain_fails: Option<String>,
}

columns!(MailboxRow {
    id,
    address,
    domain,
    tenant,
    provider,
    state,
    configured,
    paused_at,
    paused_until,
    paused_reason,
    paused_because,
    cap,
    gap_ms,
    warm_days,
    plateau,
    idle_days,
    rolled_on,
    ease_percent,
    unproven,
    probe,
    last_attempt_at,
    inbox_read_at,
    unread_because,
    lease_owner,
    lease_expires_at,
    domain_fails,
});

impl MailboxRow {
    /// Whether it is paused until somebody logs in for it.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        self.paused_reason.as_deref() == Some(PauseReason::Login.as_str())
    }
}

pub(crate) const COLUMNS: &str = "id, address, domain, tenant, provider, state, configured, paused_at,
    paused_until, paused_reason, paused_because, cap, gap_ms, warm_days, plateau, idle_days, rolled_on,
    ease_percent, unproven, probe, last_attempt_at, inbox_read_at, unread_because, lease_owner,
    lease_expires_at,
    (SELECT min(g.because) FROM failing_domains g WHERE g.domain = mailboxes.domain) AS domain_fails";

impl Store {
    /// Takes the fleet over from the configuration. A mailbox that is gone from it is disabled; a
    /// paused one stays paused, so that leaving and coming back is no way out of a pause, and is
    /// disabled when its pause ends.
    pub async fn write_fleet(
        &self,
        fleet: &[MailboxSpec],
        day: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        for batch in fleet.chunks(BATCH) {
            let rows: Vec<_> = batch
                .iter()
                .map(|m| {
                    let texts = (&m.address, &m.domain, &m.tenant, &m.provider);
                    (texts.0, texts.1, texts.2, texts.3, m.cap, m.gap_ms, m.warm_days, m.plateau)
                })
                .collect();
            let values = [json_array(&rows)?.into(), day.into()];
            transaction.execute_raw(sql(WRITE_MAILBOXES, values)).await?;
        }
        let known = rows(&transaction).await?;
        let specs = by_address(fleet);
        let gone = |row: &&MailboxRow| !specs.contains_key(row.address.as_str());
        for row in known.iter().filter(gone) {
            transaction
                .execute_raw(sql(
                    "UPDATE mailboxes SET configured = 0,
                            state = CASE WHEN state = 'active' THEN 'disabled' ELSE state END
                     WHERE id = $1",
                    [row.id.into()],
                ))
                .await?;
            if row.state == "active" {
                tell(&transaction, row.id, "mailbox_disabled", "{}", now).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Whether the books have just this fleet.
    pub async fn fleet_is(&self, fleet: &[MailboxSpec]) -> Result<bool, StoreError> {
        let known = self.mailboxes().await?;
        let same = |spec: &MailboxSpec, row: &MailboxRow| {
            row.configured
                && row.state != "disabled"
                && (row.tenant.as_deref(), row.provider.as_str())
                    == (spec.tenant.as_deref(), spec.provider.as_str())
                && (row.cap, row.gap_ms, row.plateau) == (spec.cap, spec.gap_ms, spec.plateau)
        };
        let mut missing = by_address(fleet);
        for row in &known {
            match missing.remove(row.address.as_str()) {
                Some(spec) if same(spec, row) => (),
                None if !row.configured => (),
                Some(_) | None => return Ok(false),
            }
        }
        Ok(missing.is_empty())
    }

    /// The fleet, in order of address.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxRow>, StoreError> {
        rows(&self.db.read).await
    }

    /// Pauses an active mailbox at the operator's word.
    pub async fn pause_mailbox(
        &self,
        mailbox: i64,
        because: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        pause(&transaction, mailbox, PauseReason::Operator, because, None, 0, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Stops a mailbox for what no message shows: its log-in, its configuration, its provider's word
    /// on it before any message. Its domain or tenant with it, where that is what is refused.
    pub async fn stop_mailbox(
        &self,
        mailbox: i64,
        reason: PauseReason,
        because: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        stop(&transaction, mailbox, reason, because, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Lets a paused mailbox work again, lower on its curve and with one probe first, unless the
    /// pause said nothing of its reputation.
    pub async fn resume_mailbox(&self, mailbox: i64, now: i64) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        resume(&transaction, mailbox, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Resumes every mailbox whose pause is over by itself; says how many. Whoever was slow for long
    /// enough has its own rate again. Holds nobody up where there is neither, as at most times.
    pub async fn resume_due(&self, now: i64) -> Result<usize, StoreError> {
        if self.db.read.query_one_raw(sql(SOMETHING_IS_OVER, [now.into()])).await?.is_none() {
            return Ok(0);
        }
        let transaction = self.db.begin().await?;
        crate::health::hasten(&transaction, now).await?;
        let due = transaction
            .query_all_raw(sql(
                "SELECT id FROM mailboxes WHERE state = 'paused' AND paused_until <= $1",
                [now.into()],
            ))
            .await?;
        for row in &due {
            resume(&transaction, row.read("id")?, now).await?;
        }
        transaction.commit().await?;
        Ok(due.len())
    }
}

fn by_address(fleet: &[MailboxSpec]) -> BTreeMap<&str, &MailboxSpec> {
    fleet.iter().map(|spec| (spec.address.as_str(), spec)).collect()
}

pub(crate) async fn rows(db: &impl ConnectionTrait) -> Result<Vec<MailboxRow>, StoreError> {
    let text = format!(
        "SELECT {COLUMNS} FROM mailboxes WHERE address > $1 ORDER BY address LIMIT {ROWS_AT_ONCE}"
    );
    let mut rows: Vec<MailboxRow> = Vec::new();
    loop {
        let after = rows.last().map_or("", |row| row.address.as_str());
        let query = sql(&text, [after.into()]);
        let page = MailboxRow::find_by_statement(query).all(db).await?;
        let is_last = page.len() < ROWS_AT_ONCE;
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}

/// Until it is read, a row takes the driver some kilobytes; of a fleet of twenty thousand that would
/// be the most that the planner holds.
const ROWS_AT_ONCE: usize = 500;

pub(crate) async fn resume(
    db: &impl ConnectionTrait,
    mailbox: i64,
    now: i64,
) -> Result<(), StoreError> {
    let query = sql(
        &format!("SELECT {COLUMNS} FROM mailboxes WHERE id = $1 AND state = 'paused'"),
        [mailbox.into()],
    );
    let Some(row) = MailboxRow::find_by_statement(query).one(db).await? else { return Ok(()) };
    let (Earned { warmth, ease_percent, .. }, probe) = on_return(&row, now);
    let warm_days = warmth.warm_days;
    db.execute_raw(sql(
        "UPDATE mailboxes SET state = CASE WHEN configured = 1 THEN 'active' ELSE 'disabled' END,
                paused_at = NULL, paused_until = NULL, paused_reason = NULL,
                paused_because = NULL, unproven = 0, warm_days = $2, probe = max(probe, $3),
                ease_percent = $4
         WHERE id = $1",
        [mailbox.into(), warm_days.into(), i64::from(probe).into(), ease_percent.into()],
    ))
    .await?;
    if probe {
        // At once, whenever the next plan is made.
        db.execute_raw(sql(
            "UPDATE mailbox_days SET ceiling = min(ceiling, attempted + 1)
             WHERE mailbox_id = $1
               AND day = (SELECT max(day) FROM mailbox_days WHERE mailbox_id = $1)",
            [mailbox.into()],
        ))
        .await?;
    }
    let data = format!("{{\"warm_days\":{warm_days},\"ease_percent\":{ease_percent}}}");
    tell(db, mailbox, "mailbox_resumed", &data, now).await
}

/// How a paused mailbox comes back: what it keeps, and whether it probes first.
pub(crate) fn on_return(row: &MailboxRow, now: i64) -> (Earned, bool) {
    let reason = row.paused_reason.as_deref().and_then(PauseReason::from_word);
    let reason = reason.unwrap_or(PauseReason::Spam);
    // A pause that was over earlier was no longer: what was silence since then the idle days count.
    let over_at = row.paused_until.map_or(now, |until| until.min(now));
    let paused_for = over_at - row.paused_at.unwrap_or(over_at);
    (earned(row).on_return(reason, paused_for), row.probe || health::probes_on_return(reason))
}

/// What a mailbox has to lose and to gain.
pub(crate) fn earned(row: &MailboxRow) -> Earned {
    Earned {
        warmth: Warmth { warm_days: row.warm_days, idle_days: row.idle_days },
        ease_percent: row.ease_percent,
        plateau: row.plateau,
    }
}

/// The gap of the mailbox `b`, as `message_facts` has it: one found too fast keeps twice its own.
pub(crate) const GAP: &str = "CASE WHEN b.slow_until IS NULL THEN b.gap_ms
    WHEN b.gap_ms < 5000 THEN 10000 ELSE 2 * b.gap_ms END";

const SOMETHING_IS_OVER: &str = "
    SELECT id FROM mailboxes
    WHERE (state = 'paused' AND paused_until <= $1) OR slow_until <= $1 LIMIT 1";

/// WHERE TRUE: without it SQLite takes ON for a join's.
const WRITE_MAILBOXES: &str = "
    INSERT INTO mailboxes (address, domain, tenant, provider, cap, gap_ms, warm_days, plateau,
                           rolled_on)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT),
           CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT),
           CAST(value ->> 7 AS BIGINT), $2
    FROM json_each($1) WHERE TRUE
    ON CONFLICT (address) DO UPDATE SET domain = excluded.domain, tenant = excluded.tenant,
        provider = excluded.provider, cap = excluded.cap, gap_ms = excluded.gap_ms,
        plateau = excluded.plateau, configured = 1,
        state = CASE WHEN mailboxes.state = 'disabled' THEN 'active' ELSE mailboxes.state END";
