//! What an arrival proves of the message it is about: that it went out. Where that is in doubt it is
//! evidence; where the message is still on its way it is kept until that is over.

use sea_orm::ConnectionTrait;
use warmfront_core::inbound::{Inbound, Kind};

use super::bounce;
use super::known::About;
use crate::db::sql;
use crate::doubts::{accept, testify};
use crate::row::Row as _;
use crate::{Store, StoreError};

/// How an arrival shows that a message went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A person, or their machine, answers it.
    Reply,
    /// A server reports of it.
    Report,
    /// A server reports that its address is dead.
    Bounce,
}

impl Store {
    /// Looks again at what came in while its message was still on its way, wherever that is over.
    pub async fn look_again(&self, now: i64) -> Result<(), StoreError> {
        if self.db.read.query_one_raw(sql(EARLY, [])).await?.is_none() {
            return Ok(());
        }
        let transaction = self.db.begin().await?;
        // One by one: what the first proves changes what the next one finds.
        while let Some(row) = transaction.query_one_raw(sql(EARLY, [])).await? {
            let mut about = About {
                id: row.read("id")?,
                enrolment_id: row.read("enrolment_id")?,
                state: row.read("state")?,
                address: row.read("address")?,
                is_sure: true,
            };
            let early: String = row.read("early")?;
            if let Some(proof) = Proof::of_word(&early) {
                let is_over = row.read("is_over")?;
                prove(&transaction, &mut about, proof, is_over, now).await?;
                if proof == Proof::Bounce {
                    bounce(&transaction, &about, now).await?;
                }
            }
            let seen = [row.read::<i64>("arrival")?.into()];
            let text = "UPDATE inbound SET early = NULL WHERE id = $1";
            transaction.execute_raw(sql(text, seen)).await?;
        }
        Ok(transaction.commit().await?)
    }
}

impl Proof {
    /// What an arrival proves that is surely about a message. What was forged proves nothing.
    pub(super) fn of(arrival: &Inbound) -> Option<Self> {
        match arrival.kind {
            Kind::Reply | Kind::Unsubscribe | Kind::Complaint | Kind::AutoReply => {
                Some(Self::Reply)
            }
            Kind::HardBounce if arrival.effects.suppress => Some(Self::Bounce),
            Kind::HardBounce | Kind::SoftBounce | Kind::SenderBlock | Kind::Delayed => {
                Some(Self::Report)
            }
            Kind::Suspicious | Kind::Unrelated => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Report => "report",
            Self::Bounce => "bounce",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Reply, Self::Report, Self::Bounce].into_iter().find(|one| one.as_str() == word)
    }

    /// The word for it among the evidence.
    fn evidence(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Report | Self::Bounce => "bounce",
        }
    }
}

/// Testifies for a message in doubt. Where its enrolment is over nothing comes behind it, and the doubt
/// is settled at once; else whoever knows the campaign settles it ([`Store::settle_doubt`]).
pub(super) async fn prove(
    db: &impl ConnectionTrait,
    about: &mut About,
    proof: Proof,
    is_over: bool,
    now: i64,
) -> Result<(), StoreError> {
    if about.state != "in_doubt" {
        return Ok(());
    }
    testify(db, about.id, proof.evidence(), now).await?;
    if !is_over {
        return Ok(());
    }
    accept(db, about.id, now).await?;
    about.state = "accepted".to_owned();
    Ok(())
}

/// The inner SELECT has SQLite take the few from their index: to have them in order it would read all
/// that ever came in.
const EARLY: &str = "
    SELECT i.id AS arrival, i.early, m.id, m.enrolment_id, m.state, p.address,
           e.ended_at IS NOT NULL AS is_over
    FROM inbound i JOIN messages m ON m.id = i.message_id
    JOIN enrolments e ON e.id = m.enrolment_id JOIN prospects p ON p.id = e.prospect_id
    WHERE i.id IN (SELECT id FROM inbound WHERE early IS NOT NULL) AND m.state <> 'sending'
    ORDER BY i.id LIMIT 1";
