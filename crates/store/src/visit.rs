//! Who looks at a mailbox beside its sender, one at a time.
//!
//! A mailbox is sent from by whoever leases it, over one session. A provider that counts sessions
//! (Microsoft: three) must find room for that one, for one that a stopped daemon has left behind, and
//! for a look; two looks at once would be one too many.

use sea_orm::ConnectionTrait as _;

use crate::db::sql;
use crate::{Store, StoreError};

impl Store {
    /// Takes the one place beside the sender, for `ttl` at most. `false`: somebody has it.
    pub async fn visit(
        &self,
        mailbox: i64,
        visitor: &str,
        now: i64,
        ttl: i64,
    ) -> Result<bool, StoreError> {
        let taken = self
            .db
            .write
            .execute_raw(sql(
                "UPDATE mailboxes SET visitor = $2, visitor_until = $4
                 WHERE id = $1 AND (visitor_until IS NULL OR visitor_until <= $3)",
                [mailbox.into(), visitor.into(), now.into(), (now + ttl).into()],
            ))
            .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Gives the place back.
    pub async fn leave(&self, mailbox: i64, visitor: &str) -> Result<(), StoreError> {
        self.db
            .write
            .execute_raw(sql(
                "UPDATE mailboxes SET visitor = NULL, visitor_until = NULL
                 WHERE id = $1 AND visitor = $2",
                [mailbox.into(), visitor.into()],
            ))
            .await?;
        Ok(())
    }
}
