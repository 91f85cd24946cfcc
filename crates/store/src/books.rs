//! The books read back: one line a message, and the proof that they add up.

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::db::{json, sql};
use crate::row::{Row as _, columns};
use crate::{Store, StoreError};

/// One message as the ledger tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// Its row.
    pub id: i64,
    /// The campaign's slug.
    pub campaign: String,
    /// Whom it goes to; nothing once erased.
    pub rcpt: Option<String>,
    /// The step, from 1.
    pub step: u32,
    /// The mailbox it leaves from.
    pub mailbox: String,
    /// Its state.
    pub state: String,
    /// Its Message-ID, once it has one.
    pub message_id: Option<String>,
    /// Attempts that a server answered or may have.
    pub attempts: u32,
    /// When it is or was due.
    pub due_at: i64,
    /// When it was settled.
    pub settled_at: Option<i64>,
    /// The reason the books have for its state.
    pub why: Option<String>,
}

columns!(LedgerLine {
    id,
    campaign,
    rcpt,
    step,
    mailbox,
    state,
    message_id,
    attempts,
    due_at,
    settled_at,
    why,
});

/// The books' proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// For each campaign (slug, rows, accepted, rejected, duplicates, enrolments).
    pub campaigns: Vec<(String, u64, u64, u64, u64, u64)>,
    /// What does not add up. Empty: all is well.
    pub imbalances: Vec<Imbalance>,
}

/// One thing that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Imbalance {
    /// What is wrong.
    pub what: String,
    /// Whose row.
    pub who: String,
}

impl Store {
    /// Ledger lines behind row `after`, in order of row.
    pub async fn ledger(
        &self,
        campaign: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<LedgerLine>, StoreError> {
        let query = sql(
            "SELECT m.id, c.slug AS campaign, p.address AS rcpt, m.position AS step,
                    b.address AS mailbox, m.state, m.rfc_message_id AS message_id, m.attempts,
                    m.due_at, m.settled_at, m.why
             FROM messages m JOIN campaigns c ON c.id = m.campaign_id
             JOIN enrolments e ON e.id = m.enrolment_id JOIN prospects p ON p.id = e.prospect_id
             JOIN mailboxes b ON b.id = m.mailbox_id
             WHERE m.id > $1 AND ($2 IS NULL OR c.slug = $2) ORDER BY m.id LIMIT CAST($3 AS BIGINT)",
            [after.into(), campaign.into(), limit.into()],
        );
        Ok(LedgerLine::find_by_statement(query).all(&self.db.read).await?)
    }

    /// Proves that every imported row is in exactly one state, or names whoever is missing.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        let rows = self.db.read.query_all_raw(sql(EQUATION, [])).await?;
        let mut campaigns = Vec::with_capacity(rows.len());
        for row in rows {
            let figure = |column| row.read::<i64>(column).map(i64::unsigned_abs);
            campaigns.push((
                row.read("slug")?,
                figure("rows")?,
                figure("accepted")?,
                figure("rejected")?,
                figure("duplicates")?,
                figure("enrolments")?,
            ));
        }
        let mut imbalances = Vec::new();
        for check in CHECKS {
            imbalances
                .extend(Imbalance::find_by_statement(sql(check, [])).all(&self.db.read).await?);
        }
        Ok(Audit { campaigns, imbalances })
    }

    /// Messages by state over all campaigns, and how many are planned for `day`.
    pub async fn message_counts(&self, day: &str) -> Result<(Vec<(String, u64)>, u64), StoreError> {
        let rows = self
            .db
            .read
            .query_all_raw(sql("SELECT state, count(*) AS n FROM messages GROUP BY 1", []))
            .await?;
        let counts = rows
            .iter()
            .map(|r| Ok((r.read("state")?, r.read::<i64>("n")?.unsigned_abs())))
            .collect::<Result<_, StoreError>>()?;
        let today = self
            .db
            .read
            .query_one_raw(sql(
                "SELECT count(*) AS n FROM messages WHERE state = 'planned' AND plan_day = $1",
                [day.into()],
            ))
            .await?
            .map_or(Ok(0), |row| row.read::<i64>("n"))?;
        Ok((counts, today.unsigned_abs()))
    }

    /// Mailboxes whose messages wait because of `why`, a beginning of what is written beside them,
    /// with one whole reason and how many messages: by address.
    pub async fn waiting_because(
        &self,
        why: &str,
    ) -> Result<Vec<(String, String, u64)>, StoreError> {
        let rows = self
            .db
            .read
            .query_all_raw(sql(
                "SELECT b.address, max(m.why) AS why, count(*) AS n
                 FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
                 WHERE m.state = 'planned' AND substr(m.why, 1, length($1)) = $1
                 GROUP BY 1 ORDER BY 1",
                [why.into()],
            ))
            .await?;
        rows.iter()
            .map(|r| {
                let count = r.read::<i64>("n")?.unsigned_abs();
                Ok((r.read("address")?, r.read("why")?, count))
            })
            .collect()
    }

    /// What each mailbox had accepted on each day: (address, day, accepted), by address and day.
    pub async fn accepted_by_day(&self) -> Result<Vec<(String, String, u32)>, StoreError> {
        let rows = self
            .db
            .read
            .query_all_raw(sql(
                "SELECT b.address, d.day, d.accepted FROM mailbox_days d
                 JOIN mailboxes b ON b.id = d.mailbox_id ORDER BY 1, 2",
                [],
            ))
            .await?;
        rows.iter().map(|r| Ok((r.read("address")?, r.read("day")?, r.read("accepted")?))).collect()
    }

    /// Messages accepted in all.
    pub async fn accepted_in_all(&self) -> Result<u64, StoreError> {
        let query =
            sql("SELECT CAST(coalesce(sum(accepted), 0) AS BIGINT) AS n FROM mailbox_days", []);
        let row = self.db.read.query_one_raw(query).await?;
        Ok(row.map_or(Ok(0), |row| row.read::<i64>("n"))?.unsigned_abs())
    }

    /// Why messages were rejected, and how often: (server's words, times), most frequent first.
    pub async fn rejection_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.counts(
            "SELECT coalesce(why, 'no reason in the books') AS name, count(*) AS n FROM messages
             WHERE state = 'rejected' GROUP BY 1 ORDER BY 2 DESC, 1",
        )
        .await
    }

    /// What kept messages out of the day they were wanted on, and how many: (limit, messages).
    pub async fn shortfall_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.counts(
            "SELECT why AS name, CAST(sum(count) AS BIGINT) AS n FROM shortfalls
             GROUP BY 1 ORDER BY 2 DESC",
        )
        .await
    }

    async fn counts(&self, text: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = self.db.read.query_all_raw(sql(text, [])).await?;
        rows.iter().map(|r| Ok((r.read("name")?, r.read::<i64>("n")?.unsigned_abs()))).collect()
    }

    /// Why mailboxes were paused, and how often: (reason, times), most frequent first.
    pub async fn pause_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let data = json(&self.db.read, "data");
        self.counts(&format!(
            "SELECT {data} ->> 'reason' AS name, count(*) AS n FROM events
             WHERE kind = 'mailbox_paused' GROUP BY 1 ORDER BY 2 DESC, 1"
        ))
        .await
    }

    /// Today's figures of each mailbox: (mailbox, allowance, ceiling, attempted, accepted).
    pub async fn mailbox_days(
        &self,
        day: &str,
    ) -> Result<Vec<(i64, u32, u32, u32, u32)>, StoreError> {
        let rows = self
            .db
            .read
            .query_all_raw(sql(
                "SELECT mailbox_id, allowance, ceiling, attempted, accepted FROM mailbox_days
                 WHERE day = $1",
                [day.into()],
            ))
            .await?;
        rows.iter()
            .map(|r| {
                Ok((
                    r.read("mailbox_id")?,
                    r.read("allowance")?,
                    r.read("ceiling")?,
                    r.read("attempted")?,
                    r.read("accepted")?,
                ))
            })
            .collect()
    }
}

const EQUATION: &str = "
    SELECT c.slug,
           (SELECT count(*) FROM import_rows r JOIN imports i ON i.id = r.import_id
            WHERE i.campaign_id = c.id) AS rows,
           (SELECT count(*) FROM import_rows r JOIN imports i ON i.id = r.import_id
            WHERE i.campaign_id = c.id AND r.outcome = 'accepted') AS accepted,
           (SELECT count(*) FROM import_rows r JOIN imports i ON i.id = r.import_id
            WHERE i.campaign_id = c.id AND r.outcome = 'rejected') AS rejected,
           (SELECT count(*) FROM import_rows r JOIN imports i ON i.id = r.import_id
            WHERE i.campaign_id = c.id AND r.outcome = 'duplicate') AS duplicates,
           (SELECT count(*) FROM enrolments e WHERE e.campaign_id = c.id) AS enrolments
    FROM campaigns c ORDER BY c.slug";

/// Each finds rows that must not be there.
const CHECKS: [&str; 7] = [
    "SELECT 'an accepted row has no enrolment' AS what,
            'import ' || r.import_id || ', line ' || r.line AS who
     FROM import_rows r WHERE r.outcome = 'accepted'
       AND NOT EXISTS (SELECT 1 FROM enrolments e WHERE e.id = r.enrolment_id)",
    "SELECT 'an enrolment comes from no row' AS what, 'enrolment ' || e.id AS who
     FROM enrolments e WHERE NOT EXISTS (SELECT 1 FROM import_rows r
          WHERE r.enrolment_id = e.id AND r.outcome = 'accepted')",
    "SELECT 'an import does not add up' AS what, 'import ' || i.id AS who FROM imports i
     WHERE i.rows <> (SELECT count(*) FROM import_rows r WHERE r.import_id = i.id)",
    "SELECT 'an enrolment waits for a step that was sent' AS what, 'enrolment ' || e.id AS who
     FROM enrolments e JOIN messages m ON m.enrolment_id = e.id AND m.position = e.next_step
     WHERE e.state = 'active' AND m.state IN ('accepted', 'rejected', 'bounced', 'cancelled')",
    "SELECT 'a finished enrolment has a step unsent' AS what, 'enrolment ' || e.id AS who
     FROM enrolments e JOIN steps s ON s.campaign_id = e.campaign_id
     WHERE e.state = 'finished' AND NOT EXISTS (SELECT 1 FROM messages m
          WHERE m.enrolment_id = e.id AND m.position = s.position
            AND m.state IN ('accepted', 'bounced'))
       AND EXISTS (SELECT 1 FROM messages m WHERE m.enrolment_id = e.id AND m.position > s.position)",
    "SELECT 'an ended enrolment has something planned' AS what, 'message ' || m.id AS who
     FROM messages m JOIN enrolments e ON e.id = m.enrolment_id
     WHERE e.ended_at IS NOT NULL AND m.state = 'planned'",
    "SELECT 'a mailbox day counts fewer attempts than its messages' AS what,
            'mailbox ' || d.mailbox_id || ' on ' || d.day AS who
     FROM mailbox_days d WHERE d.attempted < (SELECT count(*) FROM messages m
          WHERE m.mailbox_id = d.mailbox_id AND m.sending_on = d.day AND m.attempts > 0
            AND m.state IN ('accepted', 'rejected', 'bounced', 'in_doubt'))",
];
