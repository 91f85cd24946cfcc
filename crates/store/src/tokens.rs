//! The tokens a mailbox logs in with (OAuth 2.0), sealed before they come here, and who may refresh them.
//!
//! A refresh token may be good for one use, so of all that share the books one refreshes at a time:
//! he leases that, and whatever he writes names the generation that he set out from. What a failure
//! means is not decided here, and nothing here can open a token.

use sea_orm::{ConnectionTrait as _, FromQueryResult as _};
use warmfront_core::health::PauseReason;

use crate::db::{Transaction, sql};
use crate::pausing::stop;
use crate::row::columns;
use crate::sealing::{seal_anew_by, seal_by};
use crate::{Store, StoreError, fleet};

/// What the books have of a mailbox's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The mailbox.
    pub mailbox: i64,
    /// Whether the mailbox is active: only then does a lost log-in still have to pause it.
    pub is_active: bool,
    /// Whether somebody must log in.
    pub needs_login: bool,
    /// Grows with every new token; 0 where there was never one.
    pub generation: i64,
    /// What gets new ones, sealed. An application's own log-in has none.
    pub refresh: Option<String>,
    /// What is shown to a server, sealed.
    pub access: Option<String>,
    /// When that was issued.
    pub issued_at: Option<i64>,
    /// When it expires.
    pub expires_at: Option<i64>,
    /// Refreshes that failed in a row.
    pub failures: u32,
    /// Nobody asks before that.
    pub retry_at: Option<i64>,
    /// Why the last refresh failed, or why somebody must log in.
    pub trouble: Option<String>,
    /// By whom and to which application they were given. `None`: that was not written down yet.
    pub issuer: Option<String>,
}

columns!(Tokens {
    mailbox,
    is_active,
    needs_login,
    generation,
    refresh,
    access,
    issued_at,
    expires_at,
    failures,
    retry_at,
    trouble,
    issuer,
});

/// Tokens as they go into the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTokens {
    /// What gets new ones; where a provider gave none, the present one stays.
    pub refresh: Option<String>,
    /// What is shown to a server.
    pub access: String,
    /// When that was issued.
    pub issued_at: i64,
    /// When it expires.
    pub expires_at: i64,
    /// The fingerprint of the key that seals them.
    pub sealed_by: String,
    /// By whom and to which application they were given.
    pub issuer: String,
}

/// What a log-in has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// Whether the mailbox had waited for it, and goes on.
    pub resumed: bool,
    /// Whose tokens are void, because a new key has taken the place of theirs.
    pub void: Vec<String>,
}

/// The right to refresh a mailbox's tokens, which nobody else has before it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshLease {
    /// The mailbox.
    pub mailbox: i64,
    /// The generation to be refreshed.
    pub generation: i64,
    owner: String,
}

impl Store {
    /// The tokens of the mailbox of that address. `None`: the books know no such mailbox.
    pub async fn tokens(&self, address: &str) -> Result<Option<Tokens>, StoreError> {
        let query = sql(TOKENS, [address.into()]);
        Ok(Tokens::find_by_statement(query).one(&self.db.read).await?)
    }

    /// Somebody has logged in: the tokens take the place of all earlier ones, and a pause that waited
    /// for this is over. Refused, where the books' tokens are sealed by another key.
    pub async fn log_in(
        &self,
        mailbox: i64,
        tokens: &SealedTokens,
        now: i64,
    ) -> Result<LoggedIn, StoreError> {
        let transaction = self.db.begin().await?;
        seal_by(&transaction, &tokens.sealed_by, now).await?;
        let resumed = write_log_in(&transaction, mailbox, tokens, now).await?;
        transaction.commit().await?;
        Ok(LoggedIn { resumed, void: Vec::new() })
    }

    /// The same by a new key, the old one being lost: everybody else must log in again.
    pub async fn log_in_by_new_key(
        &self,
        mailbox: i64,
        tokens: &SealedTokens,
        now: i64,
    ) -> Result<LoggedIn, StoreError> {
        let transaction = self.db.begin().await?;
        let void = seal_anew_by(&transaction, &tokens.sealed_by, mailbox, now).await?;
        let resumed = write_log_in(&transaction, mailbox, tokens, now).await?;
        transaction.commit().await?;
        Ok(LoggedIn { resumed, void })
    }

    /// Asks for the right to refresh this generation until `until`. `None`: somebody else is at it or
    /// has done it, it is too early to try again, or somebody must log in.
    pub async fn lease_refresh(
        &self,
        tokens: &Tokens,
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<Option<RefreshLease>, StoreError> {
        let Tokens { mailbox, generation, .. } = *tokens;
        let values = [mailbox.into(), owner.into(), until.into(), generation.into(), now.into()];
        let leased = self.db.write.execute_raw(sql(LEASE, values)).await?.rows_affected() == 1;
        let owner = owner.to_owned();
        Ok(leased.then_some(RefreshLease { mailbox, generation, owner }))
    }

    /// Nobody need log in any more for a mailbox whose application now asks in its own name: that a
    /// log-in of this generation is lost is forgotten.
    pub async fn need_no_log_in(&self, mailbox: i64, generation: i64) -> Result<(), StoreError> {
        self.db.write.execute_raw(sql(NEED_NONE, [mailbox.into(), generation.into()])).await?;
        Ok(())
    }

    /// Writes down what a refresh brought. `false`: other tokens have come meanwhile, and these do
    /// not count. The generation decides and not the lease: were it over, this token may still be the
    /// only one that is good. Refused, where the books' tokens are sealed by another key; the first that
    /// are kept say which.
    pub async fn keep_tokens(
        &self,
        lease: &RefreshLease,
        tokens: &SealedTokens,
    ) -> Result<bool, StoreError> {
        let SealedTokens { refresh, access, issued_at, expires_at, sealed_by, issuer } = tokens;
        let values = [
            lease.mailbox.into(),
            lease.generation.into(),
            refresh.clone().into(),
            access.as_str().into(),
            (*issued_at).into(),
            (*expires_at).into(),
            issuer.as_str().into(),
        ];
        let transaction = self.db.begin().await?;
        let kept = transaction.execute_raw(sql(KEEP, values)).await?.rows_affected() == 1;
        if kept {
            seal_by(&transaction, sealed_by, *issued_at).await?;
        }
        transaction.commit().await?;
        Ok(kept)
    }

    /// A refresh failed in a way that passes: the tokens stay, and nobody asks before `retry_at`.
    pub async fn put_refresh_off(
        &self,
        lease: &RefreshLease,
        trouble: &str,
        retry_at: i64,
    ) -> Result<(), StoreError> {
        let values = [
            lease.mailbox.into(),
            lease.generation.into(),
            lease.owner.as_str().into(),
            trouble.into(),
            retry_at.into(),
        ];
        self.db.write.execute_raw(sql(PUT_OFF, values)).await?;
        Ok(())
    }

    /// The log-in of this generation is of no use, though it is not lost: the mailbox, if it is active,
    /// is paused until somebody logs in, and its tokens stay. Nothing, where another generation has
    /// come meanwhile.
    pub async fn await_log_in(
        &self,
        mailbox: i64,
        generation: i64,
        trouble: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        let still = sql(STILL_ACTIVE, [mailbox.into(), generation.into()]);
        if transaction.query_one_raw(still).await?.is_some() {
            stop(&transaction, mailbox, PauseReason::Login, trouble, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The log-in of this generation is lost: its tokens are forgotten, and the mailbox, if it is
    /// active, is paused until somebody logs in. Nothing, where another generation has come meanwhile.
    pub async fn lose_log_in(
        &self,
        mailbox: i64,
        generation: i64,
        trouble: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.begin().await?;
        let values = [mailbox.into(), generation.into(), trouble.into()];
        if transaction.execute_raw(sql(LOSE, values)).await?.rows_affected() == 0 {
            return Ok(());
        }
        // Another pause goes on as it would, and this one begins when it is over.
        let active =
            sql("SELECT id FROM mailboxes WHERE id = $1 AND state = 'active'", [mailbox.into()]);
        if transaction.query_one_raw(active).await?.is_some() {
            stop(&transaction, mailbox, PauseReason::Login, trouble, now).await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// Says whether the mailbox had waited for it.
async fn write_log_in(
    transaction: &Transaction,
    mailbox: i64,
    tokens: &SealedTokens,
    now: i64,
) -> Result<bool, StoreError> {
    let SealedTokens { refresh, access, issued_at, expires_at, issuer, .. } = tokens;
    let values = [
        mailbox.into(),
        refresh.clone().into(),
        access.as_str().into(),
        (*issued_at).into(),
        (*expires_at).into(),
        issuer.as_str().into(),
    ];
    transaction.execute_raw(sql(LOG_IN, values)).await?;
    let waits = sql(
        "SELECT id FROM mailboxes WHERE id = $1 AND paused_reason = $2",
        [mailbox.into(), PauseReason::Login.as_str().into()],
    );
    let has_waited = transaction.query_one_raw(waits).await?.is_some();
    if has_waited {
        fleet::resume(transaction, mailbox, now).await?;
    }
    Ok(has_waited)
}

const TOKENS: &str = "
    SELECT b.id AS mailbox, b.state = 'active' AS is_active,
           coalesce(t.state, 'ready') = 'needs_login' AS needs_login,
           coalesce(t.generation, 0) AS generation, t.refresh, t.access, t.issued_at, t.expires_at,
           coalesce(t.failures, 0) AS failures, t.retry_at, t.trouble, t.issuer
    FROM mailboxes b LEFT JOIN tokens t ON t.mailbox_id = b.id WHERE b.address = $1";

const LOG_IN: &str = "
    INSERT INTO tokens (mailbox_id, generation, refresh, access, issued_at, expires_at, issuer)
    VALUES ($1, 1, $2, $3, $4, $5, $6)
    ON CONFLICT (mailbox_id) DO UPDATE SET state = 'ready', generation = tokens.generation + 1,
        refresh = excluded.refresh, access = excluded.access, issued_at = excluded.issued_at,
        expires_at = excluded.expires_at, issuer = excluded.issuer,
        refreshing_by = NULL, refreshing_until = NULL,
        failures = 0, retry_at = NULL, trouble = NULL";

const LEASE: &str = "
    INSERT INTO tokens (mailbox_id, refreshing_by, refreshing_until) VALUES ($1, $2, $3)
    ON CONFLICT (mailbox_id) DO UPDATE SET refreshing_by = excluded.refreshing_by,
        refreshing_until = excluded.refreshing_until
    WHERE tokens.generation = $4 AND tokens.state = 'ready'
      AND (tokens.refreshing_until IS NULL OR tokens.refreshing_until <= $5)
      AND (tokens.retry_at IS NULL OR tokens.retry_at <= $5)";

const NEED_NONE: &str = "
    UPDATE tokens SET state = 'ready', trouble = NULL
    WHERE mailbox_id = $1 AND generation = $2 AND state = 'needs_login'";

const KEEP: &str = "
    UPDATE tokens SET generation = generation + 1, refresh = coalesce($3, refresh), access = $4,
        issued_at = $5, expires_at = $6, issuer = $7, refreshing_by = NULL, refreshing_until = NULL,
        failures = 0, retry_at = NULL, trouble = NULL
    WHERE mailbox_id = $1 AND generation = $2 AND state = 'ready'";

const PUT_OFF: &str = "
    UPDATE tokens SET refreshing_by = NULL, refreshing_until = NULL, failures = failures + 1,
        trouble = $4, retry_at = $5
    WHERE mailbox_id = $1 AND generation = $2 AND refreshing_by = $3";

const STILL_ACTIVE: &str = "
    SELECT b.id FROM mailboxes b LEFT JOIN tokens t ON t.mailbox_id = b.id
    WHERE b.id = $1 AND b.state = 'active' AND coalesce(t.generation, 0) = $2";

const LOSE: &str = "
    INSERT INTO tokens (mailbox_id, state, trouble) VALUES ($1, 'needs_login', $3)
    ON CONFLICT (mailbox_id) DO UPDATE SET state = 'needs_login', refresh = NULL, access = NULL,
        issued_at = NULL, expires_at = NULL, refreshing_by = NULL, refreshing_until = NULL,
        retry_at = NULL, trouble = excluded.trouble
    WHERE tokens.generation = $2";
