//! One refresh, from the question to what the books know of its answer.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tracing::{info, warn};
use warmfront_core::span::{MINUTE, SECOND};
use warmfront_mail::oauth::{self, Grant, OAuthError};
use warmfront_mail::submit::Trouble;
use warmfront_store::{RefreshLease, StoreError, Tokens};

use super::seal::{Purpose, Seal};
use super::{Keeping, Wanted, no_token, retry_at, sealed};

/// A refresh that nobody else does.
pub(super) struct Renewal {
    pub(super) wanted: Arc<Wanted>,
    pub(super) lease: RefreshLease,
    pub(super) seal: Arc<Seal>,
}

/// What came of an attempt to refresh.
pub(super) enum Renewed {
    /// A new token, which is in the books.
    Token(SecretString),
    /// What the books say now.
    LookAgain,
    /// Somebody else is at it.
    ByAnother,
}

impl Renewal {
    /// Asks for new tokens and writes down what comes of it.
    pub(super) async fn carry_out(self, tokens: Tokens) -> Result<Renewed, Trouble> {
        let Wanted { keeping, mailbox, provider, grant } = &*self.wanted;
        let Keeping { store, clock, .. } = &**keeping;
        let id = tokens.mailbox;
        let refresh = match (&tokens.refresh, grant) {
            (Some(sealed), Grant::Person) => {
                let opened = self.seal.open(mailbox.as_str(), Purpose::Refresh, sealed);
                match opened {
                    Some(token) => Some(token),
                    None => return Err(self.wanted.unopened(&self.seal).await),
                }
            }
            // What somebody may have left is no application's business.
            (Some(_) | None, _) => None,
        };
        let asked_at = clock.now();
        match provider.renew(grant, mailbox.as_str(), refresh, asked_at).await {
            Ok(given) => self.keep(given).await,
            Err(OAuthError::NeedsLogin(why)) => {
                warn!(mailbox = id, "its log-in is lost; somebody must log in for it");
                let generation = tokens.generation;
                store.lose_log_in(id, generation, &why, clock.now()).await.map_err(no_token)?;
                Ok(Renewed::LookAgain)
            }
            Err(error @ OAuthError::Unreachable { retry_after, .. }) => {
                let at = retry_at(&tokens, retry_after, clock.now());
                let again_in_s = (at - clock.now()) / SECOND;
                warn!(mailbox = id, again_in_s, "no answer from its identity provider");
                self.put_off(&error, at).await?;
                Ok(Renewed::LookAgain)
            }
            Err(error @ (OAuthError::Refused(_) | OAuthError::Unsafe(_))) => {
                self.put_off(&error, clock.now() + MINUTE).await?;
                Err(Trouble::Unsafe(error.to_string()))
            }
        }
    }

    /// Writes new tokens down, however long the books take: nobody else has them.
    async fn keep(&self, given: oauth::Tokens) -> Result<Renewed, Trouble> {
        let Wanted { keeping, mailbox, provider, .. } = &*self.wanted;
        let Keeping { store, clock, .. } = &**keeping;
        let sealed = sealed(&self.seal, mailbox, (&given, provider.issuer()), clock.now());
        let id = self.lease.mailbox;
        for _ in 0..KEEP_TRIES {
            match store.keep_tokens(&self.lease, &sealed).await {
                Ok(true) => {
                    info!(mailbox = id, generation = self.lease.generation + 1, "new token");
                    return Ok(Renewed::Token(given.access));
                }
                // Somebody has logged in meanwhile.
                Ok(false) => return Ok(Renewed::LookAgain),
                Err(error) if error.is_transient() => {
                    warn!(mailbox = id, %error, "waiting to keep a token");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(no_token(error)),
            }
        }
        Err(no_token(StoreError::Locked))
    }

    async fn put_off(&self, error: &OAuthError, retry_at: i64) -> Result<(), Trouble> {
        let store = &self.wanted.keeping.store;
        store.put_refresh_off(&self.lease, &error.to_string(), retry_at).await.map_err(no_token)
    }
}

/// How often new tokens are written, a second apart, while the database is locked or full.
const KEEP_TRIES: u32 = 600;
