//! What became of all messages, counted: by campaign, step, variant and mailbox.
//!
//! Counts messages once each, however often something came in about them. Only what a person wrote
//! is a reply; what a machine sent back is none.

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::db::sql;
use crate::row::columns;
use crate::{Store, StoreError};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Funnel {
    /// Messages, by campaign, step, variant and mailbox.
    pub rows: Vec<FunnelRow>,
    /// People written to, by campaign.
    pub people: Vec<People>,
    /// Servers' answers that took nothing, most frequent first.
    pub answers: Vec<Answered>,
}

/// Messages of one campaign, step, variant and mailbox, by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunnelRow {
    /// The campaign's slug.
    pub campaign: String,
    /// The step, from 1.
    pub step: u32,
    /// The variant; none before the first attempt.
    pub variant: Option<String>,
    /// The mailbox.
    pub mailbox: String,
    /// Planned, or being sent.
    pub planned: u32,
    /// Taken by a server, those that bounced later among them.
    pub accepted: u32,
    /// Of them bounced.
    pub bounced: u32,
    /// Refused, or given up.
    pub rejected: u32,
    /// Of unknown fate.
    pub in_doubt: u32,
    /// Answered by a person.
    pub replied: u32,
    /// Answered by a machine.
    pub auto_replied: u32,
    /// Answered by a wish to get no more.
    pub unsubscribed: u32,
    /// Reported as spam.
    pub complained: u32,
}

columns!(FunnelRow {
    campaign,
    step,
    variant,
    mailbox,
    planned,
    accepted,
    bounced,
    rejected,
    in_doubt,
    replied,
    auto_replied,
    unsubscribed,
    complained,
});

/// People of one campaign, each counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// The campaign's slug.
    pub campaign: String,
    /// Who had at least one message accepted.
    pub written_to: u32,
    /// Who replied.
    pub replied: u32,
    /// Who unsubscribed.
    pub unsubscribed: u32,
    /// Who complained.
    pub complained: u32,
}

columns!(People { campaign, written_to, replied, unsubscribed, complained });

/// One answer that took nothing, as it stands beside messages now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The reply code.
    pub smtp_code: u32,
    /// The enhanced status code, if there was one.
    pub enhanced_status: Option<String>,
    /// Whom it was taken to concern.
    pub verdict: Option<String>,
    /// The state of the messages.
    pub state: String,
    /// How many.
    pub count: u32,
}

columns!(Answered { smtp_code, enhanced_status, verdict, state, count });

impl Store {
    /// What became of the messages of one campaign or of all, since a day.
    pub async fn funnel(
        &self,
        campaign: Option<&str>,
        since: Option<&str>,
    ) -> Result<Funnel, StoreError> {
        let db = &self.begin_reading().await?;
        Ok(Funnel {
            rows: counted(db, &rows(), campaign, since).await?,
            people: counted(db, &people(), campaign, since).await?,
            answers: counted(db, &answers(), campaign, since).await?,
        })
    }
}

async fn counted<R: FromQueryResult>(
    db: &impl ConnectionTrait,
    text: &str,
    campaign: Option<&str>,
    since: Option<&str>,
) -> Result<Vec<R>, StoreError> {
    let query = sql(text, [campaign.into(), since.into()]);
    Ok(R::find_by_statement(query).all(db).await?)
}

fn rows() -> String {
    let sum = |name: &str, condition: &str| {
        format!("CAST(sum(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT) AS {name}")
    };
    let sums = [
        sum("planned", "m.state IN ('planned', 'sending')"),
        sum("accepted", "m.state IN ('accepted', 'bounced')"),
        sum("bounced", "m.state = 'bounced'"),
        sum("rejected", "m.state = 'rejected'"),
        sum("in_doubt", "m.state = 'in_doubt'"),
        sum("replied", "i.replied = 1"),
        sum("auto_replied", "i.auto_replied = 1"),
        sum("unsubscribed", "i.unsubscribed = 1"),
        sum("complained", "i.complained = 1"),
    ];
    format!(
        "SELECT c.slug AS campaign, m.position AS step, r.variant, b.address AS mailbox, {}
         FROM {MESSAGES} JOIN mailboxes b ON b.id = m.mailbox_id
         LEFT JOIN step_revisions r ON r.id = m.revision_id {ARRIVALS}
         WHERE {WHICH} AND m.state <> 'cancelled' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        sums.join(", ")
    )
}

fn people() -> String {
    format!(
        "SELECT campaign, count(*) AS written_to, CAST(sum(replied) AS BIGINT) AS replied,
                CAST(sum(unsubscribed) AS BIGINT) AS unsubscribed,
                CAST(sum(complained) AS BIGINT) AS complained
         FROM (SELECT c.slug AS campaign, m.enrolment_id, max(coalesce(i.replied, 0)) AS replied,
                      max(coalesce(i.unsubscribed, 0)) AS unsubscribed,
                      max(coalesce(i.complained, 0)) AS complained
               FROM {MESSAGES} {ARRIVALS}
               WHERE {WHICH} AND m.state IN ('accepted', 'bounced') GROUP BY 1, 2) AS each_one
         GROUP BY 1 ORDER BY 1"
    )
}

fn answers() -> String {
    format!(
        "SELECT m.smtp_code, m.enhanced_status, m.verdict, m.state, count(*) AS count
         FROM {MESSAGES} WHERE {WHICH} AND m.smtp_code >= 400
         GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4"
    )
}

const MESSAGES: &str = "messages m JOIN campaigns c ON c.id = m.campaign_id";

/// What came in about each message, whatever came how often.
const ARRIVALS: &str = "
    LEFT JOIN (SELECT message_id, max(CASE WHEN kind = 'reply' THEN 1 ELSE 0 END) AS replied,
                      max(CASE WHEN kind = 'auto_reply' THEN 1 ELSE 0 END) AS auto_replied,
                      max(CASE WHEN kind = 'unsubscribe' THEN 1 ELSE 0 END) AS unsubscribed,
                      max(CASE WHEN kind = 'complaint' THEN 1 ELSE 0 END) AS complained
               FROM inbound WHERE message_id IS NOT NULL GROUP BY 1) AS i ON i.message_id = m.id";

/// The day a message counts on: of its last attempt, else the one it is planned for.
const WHICH: &str = "($1 IS NULL OR c.slug = $1)
    AND ($2 IS NULL OR coalesce(m.sending_on, m.plan_day) >= $2)";
