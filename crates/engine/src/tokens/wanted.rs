//! One mailbox's way to a token: what the books have, what it is good for, and who gets another.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;
use warmfront_core::address::Address;
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_mail::oauth::{Grant, IdentityProvider};
use warmfront_mail::submit::Trouble;
use warmfront_store::Tokens;

use super::renewal::{Renewal, Renewed};
use super::seal::{Purpose, Seal};
use super::{ANOTHER_KEY, Duty, Keeping, NoKey, WRONG_KEY, no_token};
use crate::judge::jitter;

/// A mailbox and its way to tokens.
pub(super) struct Wanted {
    pub(super) keeping: Arc<Keeping>,
    pub(super) mailbox: Address,
    pub(super) provider: IdentityProvider,
    pub(super) grant: Grant,
}

/// What the tokens in the books are good for.
struct Standing {
    /// One that a server will take for a while yet.
    usable: Option<SecretString>,
    /// Whether it has so much time left that nobody need refresh it.
    is_fresh: bool,
}

impl Wanted {
    /// A token that is good, and is not the one that a server has refused.
    pub(super) async fn token(
        self: &Arc<Self>,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, Trouble> {
        let give_up_at = self.keeping.clock.now() + PATIENCE;
        loop {
            let tokens = self.tokens().await?;
            match self.one_of(&tokens, refused, give_up_at).await {
                Ok(Some(token)) => return Ok(token),
                Ok(None) => {}
                Err(Trouble::NeedsLogin(why)) => return Err(self.wait(&tokens, why).await),
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// One by these tokens. `None`: the books have others by now, or will.
    async fn one_of(
        self: &Arc<Self>,
        tokens: &Tokens,
        refused: Option<&SecretString>,
        give_up_at: Millis,
    ) -> Result<Option<SecretString>, Trouble> {
        let Keeping { clock, .. } = &*self.keeping;
        let Standing { usable, is_fresh } = self.opened(tokens, refused, clock.now()).await?;
        let early = tokens.retry_at.is_some_and(|at| at > clock.now());
        match usable {
            Some(token) if is_fresh || early => return Ok(Some(token)),
            None if early => return Err(no_token(put_off(tokens))),
            _ => {}
        }
        match self.renewed(tokens).await? {
            Renewed::Token(token) => Ok(Some(token)),
            // The books say what to make of it.
            Renewed::LookAgain => Ok(None),
            Renewed::ByAnother => match usable {
                Some(token) => Ok(Some(token)),
                None if clock.now() >= give_up_at => {
                    Err(no_token("somebody else refreshes its token, and does not end"))
                }
                None => {
                    tokio::time::sleep(LOOKS_AGAIN_AFTER).await;
                    Ok(None)
                }
            },
        }
    }

    /// What the books have that is ours.
    async fn tokens(&self) -> Result<Tokens, Trouble> {
        let Keeping { store, since, .. } = &*self.keeping;
        let tokens = store.tokens(self.mailbox.as_str()).await.map_err(no_token)?;
        let tokens = tokens.ok_or_else(|| no_token("the books do not know the mailbox yet"))?;
        let is_persons = matches!(self.grant, Grant::Person);
        if is_persons && (tokens.needs_login || tokens.refresh.is_none()) {
            return Err(self.lose(tokens).await);
        }
        let ours = self.provider.issuer();
        if tokens.issuer.as_ref().is_none_or(|issuer| *issuer == ours) {
            return Ok(tokens);
        }
        if !is_persons {
            // An application gets its own.
            return Ok(Tokens { access: None, issued_at: None, expires_at: None, ..tokens });
        }
        // Of whoever logs in by a newer configuration than ours the mailbox goes on.
        if tokens.issued_at.is_some_and(|at| at > *since) {
            return Err(no_token(ANOTHERS_SINCE));
        }
        Err(self.wait(&tokens, ANOTHERS.to_owned()).await)
    }

    /// Has the books know that a log-in is lost, or never was. If it is they do, and the mailbox may
    /// have been active again since.
    async fn lose(&self, tokens: Tokens) -> Trouble {
        let Keeping { store, clock, duty, .. } = &*self.keeping;
        let Tokens { mailbox, generation, is_active, needs_login, trouble, .. } = tokens;
        let why = trouble.unwrap_or_else(|| NOBODY_CAME.to_owned());
        if *duty == Duty::Works && (is_active || !needs_login) {
            let lost = store.lose_log_in(mailbox, generation, &why, clock.now()).await;
            if let Err(error) = lost {
                return no_token(error);
            }
        }
        Trouble::NeedsLogin(why)
    }

    /// Has the mailbox wait for a log-in by tokens that are not lost, unless others have come.
    async fn wait(&self, tokens: &Tokens, why: String) -> Trouble {
        let Keeping { store, clock, duty, .. } = &*self.keeping;
        let Tokens { mailbox, generation, is_active, .. } = *tokens;
        if *duty == Duty::Works && is_active {
            warn!(mailbox, "paused: somebody must log in for it");
            let waits = store.await_log_in(mailbox, generation, &why, clock.now()).await;
            if let Err(error) = waits {
                return no_token(error);
            }
        }
        Trouble::NeedsLogin(why)
    }

    /// The tokens by the key that opens them. What an application gets in its own name it can get
    /// again; what somebody has consented to is lost without the key, if that is nowhere else either.
    async fn opened(
        &self,
        tokens: &Tokens,
        refused: Option<&SecretString>,
        now: Millis,
    ) -> Result<Standing, Trouble> {
        let first = self.keeping.seal(None).await;
        let first = match first {
            Ok(first) => first,
            Err(why) => return Err(self.no_key(why).await),
        };
        let Some(sealed) = &tokens.access else {
            return Ok(Standing { usable: None, is_fresh: false });
        };
        let open = |seal: &Seal| seal.open(self.mailbox.as_str(), Purpose::Access, sealed);
        let (seal, access) = match open(&first) {
            Some(access) => (first, Some(access)),
            None => {
                let second = self.keeping.seal(Some(&first)).await.map_err(no_token)?;
                let access = open(&second);
                (second, access)
            }
        };
        if access.is_none() && matches!(self.grant, Grant::Person) {
            return Err(self.unopened(&seal).await);
        }
        Ok(self.standing(tokens, access, refused, now))
    }

    /// What it means that there is no key. Where the books know of one another machine may have it.
    async fn no_key(&self, why: NoKey) -> Trouble {
        let is_persons = matches!(self.grant, Grant::Person);
        match (why, self.keeping.store.sealed_by().await) {
            (NoKey::Gone(why), Ok(None)) if is_persons => Trouble::NeedsLogin(why),
            (NoKey::Gone(why), Ok(None)) => no_token(format!("{why}. {NEVER_MADE}")),
            (_, Err(error)) => no_token(error),
            (why, Ok(_)) => no_token(why),
        }
    }

    /// What it means that this key does not open what it should.
    pub(super) async fn unopened(&self, seal: &Seal) -> Trouble {
        match self.keeping.store.sealed_by().await {
            Ok(Some(known)) if known != seal.fingerprint() => no_token(ANOTHER_KEY),
            Ok(_) => Trouble::NeedsLogin(WRONG_KEY.to_owned()),
            Err(error) => no_token(error),
        }
    }

    fn standing(
        &self,
        tokens: &Tokens,
        access: Option<SecretString>,
        refused: Option<&SecretString>,
        now: Millis,
    ) -> Standing {
        let times = tokens.issued_at.zip(tokens.expires_at);
        let left = times.map_or(0, |(_, expires_at)| expires_at - now);
        let lives = times.map_or(0, |(issued_at, expires_at)| expires_at - issued_at);
        // Spread, so that tokens that were given together are not refreshed together.
        let early = EARLY.min(lives / 2);
        let early = early + early * jitter(tokens.mailbox, 0) / 100 / 5;
        let is_refused = |token: &SecretString| {
            refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
        };
        let usable = access.filter(|token| left > LEAST && !is_refused(token));
        Standing { usable, is_fresh: left > early }
    }

    /// Refreshes, if that is nobody else's at the moment.
    async fn renewed(self: &Arc<Self>, tokens: &Tokens) -> Result<Renewed, Trouble> {
        // Before anything is spent that only this key could keep.
        let seal = self.keeping.books_seal().await?;
        let Keeping { store, clock, owner, places, renewals, .. } = &*self.keeping;
        let place = places.acquire().await.map_err(no_token)?;
        // Only an application comes so far without anybody's log-in.
        if tokens.needs_login {
            let (mailbox, generation) = (tokens.mailbox, tokens.generation);
            store.need_no_log_in(mailbox, generation).await.map_err(no_token)?;
        }
        let now = clock.now();
        let lease = store.lease_refresh(tokens, owner, now, now + LEASED_FOR).await;
        let Some(lease) = lease.map_err(no_token)? else { return Ok(Renewed::ByAnother) };
        let renewal = Renewal { wanted: Arc::clone(self), lease, seal };
        // To its end, though whoever asked for it may be gone by then.
        let renewing = renewals.spawn(renewal.carry_out(tokens.clone()));
        let renewed = renewing.await.map_err(no_token)?;
        drop(place);
        renewed
    }
}

fn put_off(tokens: &Tokens) -> String {
    let why = tokens.trouble.as_deref().unwrap_or_default();
    format!("{why}; it is asked again in a while")
}

const NOBODY_CAME: &str = "nobody has logged in for it yet";

const NEVER_MADE: &str =
    "Where there never was one, `warmfront run` makes it, and `mailbox login` does";

const ANOTHERS: &str = "nobody has logged in with this application yet";

const ANOTHERS_SINCE: &str = "somebody has logged in with another application than this process knows; \
     start it again if its configuration has changed";

/// A token is refreshed when it has less than this left: it must outlast a log-in, and an identity
/// provider that is away for a moment. Of a short life, half.
const EARLY: Millis = 5 * MINUTE;

/// A token with less than this left may expire on its way.
const LEAST: Millis = 10 * SECOND;

/// How long a refresh is nobody else's: longer than an identity provider is waited for and the books
/// are written. Whoever dies in between holds his mailbox up for so long.
const LEASED_FOR: Millis = MINUTE;

/// How long whoever has no token waits for somebody else's refresh.
const PATIENCE: Millis = LEASED_FOR + 10 * SECOND;
const LOOKS_AGAIN_AFTER: Duration = Duration::from_millis(200);
