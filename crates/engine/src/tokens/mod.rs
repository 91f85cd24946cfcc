//! The tokens of all mailboxes: who may refresh one, when, and what becomes of it when nobody can.
//!
//! A token is refreshed when somebody needs it and it has little time left, by one of all who share
//! the books; the others use what is still good, or wait. What was got is in the books before it is
//! used: a refresh token may be good for one use. How tokens are asked for is the mail crate's.

mod renewal;
mod seal;

use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use warmfront_core::address::Address;
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_mail::bearer::Bearer;
use warmfront_mail::oauth::{self, Grant, IdentityProvider};
use warmfront_mail::submit::Trouble;
use warmfront_store::{LoggedIn, SealedTokens, Store, StoreError, Tokens};

use self::renewal::{Renewal, Renewed};
pub use self::seal::{KEY_LEN, Key};
use self::seal::{Purpose, Seal};
use crate::clock::Clock;
use crate::judge::{jitter, spread};

/// Where the key comes from that tokens are sealed by, or why it cannot be had. It may ask a slow
/// command.
pub type KeySource = Arc<dyn Fn() -> Result<Key, NoKey> + Send + Sync>;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// It is gone: until it is brought back, or somebody logs in again, nothing can be opened.
    #[error("{0}")]
    Gone(String),
    /// Whoever keeps it did not give it out; he may the next time.
    #[error("{0}")]
    NotNow(String),
}

impl From<NoKey> for Trouble {
    fn from(why: NoKey) -> Self {
        match why {
            NoKey::Gone(why) => Self::NeedsLogin(why),
            NoKey::NotNow(why) => no_token(why),
        }
    }
}

/// Keeps the tokens of one process's mailboxes. Cheap to clone.
#[derive(Clone)]
pub struct TokenKeeper(Arc<Keeping>);

struct Keeping {
    store: Store,
    clock: Clock,
    owner: String,
    keys: KeySource,
    /// As made from the key that was read last.
    seal: RwLock<Option<Arc<Seal>>>,
    /// Refreshes that may be under way at once.
    places: Semaphore,
    /// Refreshes under way. One that is dropped half-way may lose the only token that is good.
    renewals: TaskTracker,
}

impl TokenKeeper {
    /// One that has read no key yet.
    #[must_use]
    pub fn new(store: Store, clock: Clock, owner: String, keys: KeySource) -> Self {
        Self(Arc::new(Keeping {
            store,
            clock,
            owner,
            keys,
            seal: RwLock::default(),
            places: Semaphore::new(AT_ONCE),
            renewals: TaskTracker::new(),
        }))
    }

    /// Where a mailbox gets its tokens from.
    #[must_use]
    pub fn bearer(&self, mailbox: Address, provider: IdentityProvider, grant: Grant) -> Bearer {
        let wanted = Arc::new(Wanted { keeping: Arc::clone(&self.0), mailbox, provider, grant });
        Bearer::new(move |refused| {
            let wanted = Arc::clone(&wanted);
            Box::pin(async move { wanted.token(refused.as_ref()).await })
        })
    }

    /// Has the key in hand, and says its fingerprint: whoever logs in does so before he asks for what
    /// is given once only.
    pub async fn fingerprint(&self) -> Result<String, NoKey> {
        Ok(self.0.seal(None).await?.fingerprint().to_owned())
    }

    /// Keeps what somebody's log-in brought.
    pub async fn log_in(
        &self,
        id: i64,
        mailbox: &Address,
        tokens: &oauth::Tokens,
        by: SealedBy,
    ) -> Result<LoggedIn, LogInError> {
        let Keeping { store, clock, .. } = &*self.0;
        let seal = self.0.seal(None).await?;
        let now = clock.now();
        let tokens = sealed(&seal, mailbox, tokens, now);
        Ok(match by {
            SealedBy::BooksKey => store.log_in(id, &tokens, now).await?,
            SealedBy::NewKey => store.log_in_by_new_key(id, &tokens, now).await?,
        })
    }

    /// Waits for the refreshes that are under way.
    pub async fn finish(&self) {
        self.0.renewals.close();
        // Longer than an identity provider is waited for.
        let _ = tokio::time::timeout(FINISH_MAX, self.0.renewals.wait()).await;
    }
}

/// What the key at hand is to the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedBy {
    /// The one that all of their tokens are sealed by, or the first.
    BooksKey,
    /// One in the place of another that is lost. All that was sealed by that one is void.
    NewKey,
}

/// Why tokens were not kept.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// There is no key to seal them by.
    #[error("{0}")]
    Key(#[from] NoKey),
    /// The books.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keeping {
    /// By the key that was read last; where it is `useless`, by what is there now.
    async fn seal(&self, useless: Option<&Arc<Seal>>) -> Result<Arc<Seal>, NoKey> {
        let known = self.seal.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(seal) = known
            && useless.is_none_or(|useless| !Arc::ptr_eq(useless, &seal))
        {
            return Ok(seal);
        }
        let keys = Arc::clone(&self.keys);
        let read = tokio::task::spawn_blocking(move || keys()).await;
        let key = read.map_err(|error| NoKey::NotNow(error.to_string()))??;
        let seal = Arc::new(Seal::by(&key));
        let mut known = self.seal.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *known = Some(Arc::clone(&seal));
        Ok(seal)
    }
}

/// A mailbox and its way to tokens.
struct Wanted {
    keeping: Arc<Keeping>,
    mailbox: Address,
    provider: IdentityProvider,
    grant: Grant,
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
    async fn token(
        self: &Arc<Self>,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, Trouble> {
        let Keeping { clock, .. } = &*self.keeping;
        let give_up_at = clock.now() + PATIENCE;
        loop {
            let tokens = self.tokens().await?;
            let (seal, standing) = self.opened(&tokens, refused, clock.now()).await?;
            let Standing { usable, is_fresh } = standing;
            let early = tokens.retry_at.is_some_and(|at| at > clock.now());
            match usable {
                Some(token) if is_fresh || early => return Ok(token),
                None if early => return Err(no_token(put_off(&tokens))),
                _ => {}
            }
            match self.renewed(&tokens, seal).await? {
                Renewed::Token(token) => return Ok(token),
                // The books say what to make of it.
                Renewed::LookAgain => {}
                Renewed::ByAnother => match usable {
                    Some(token) => return Ok(token),
                    None if clock.now() >= give_up_at => {
                        return Err(no_token(
                            "somebody else refreshes its token, and does not end",
                        ));
                    }
                    None => tokio::time::sleep(LOOKS_AGAIN_AFTER).await,
                },
            }
        }
    }

    /// What the books have. Of a log-in that is lost they have been told already.
    async fn tokens(&self) -> Result<Tokens, Trouble> {
        let Keeping { store, clock, .. } = &*self.keeping;
        let tokens = store.tokens(self.mailbox.as_str()).await.map_err(no_token)?;
        let tokens = tokens.ok_or_else(|| no_token("the books do not know the mailbox yet"))?;
        let nobody_came = matches!(self.grant, Grant::Person) && tokens.refresh.is_none();
        if !tokens.needs_login && !nobody_came {
            return Ok(tokens);
        }
        let why = tokens.trouble.unwrap_or_else(|| NOBODY_CAME.to_owned());
        if tokens.is_active || !tokens.needs_login {
            let Tokens { mailbox, generation, .. } = tokens;
            store.lose_log_in(mailbox, generation, &why, clock.now()).await.map_err(no_token)?;
        }
        Err(Trouble::NeedsLogin(why))
    }

    /// The tokens by the key that opens them. What an application gets in its own name it can get
    /// again; what somebody has consented to is lost without the key.
    async fn opened(
        &self,
        tokens: &Tokens,
        refused: Option<&SecretString>,
        now: Millis,
    ) -> Result<(Arc<Seal>, Standing), Trouble> {
        let first = self.keeping.seal(None).await?;
        let Some(sealed) = &tokens.access else {
            return Ok((first, Standing { usable: None, is_fresh: false }));
        };
        let open = |seal: &Seal| seal.open(self.mailbox.as_str(), Purpose::Access, sealed);
        let (seal, access) = match open(&first) {
            Some(access) => (first, Some(access)),
            None => {
                let second = self.keeping.seal(Some(&first)).await?;
                let access = open(&second);
                (second, access)
            }
        };
        if access.is_none() && matches!(self.grant, Grant::Person) {
            return Err(Trouble::NeedsLogin(WRONG_KEY.to_owned()));
        }
        Ok((seal, self.standing(tokens, access, refused, now)))
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
    async fn renewed(
        self: &Arc<Self>,
        tokens: &Tokens,
        seal: Arc<Seal>,
    ) -> Result<Renewed, Trouble> {
        let Keeping { store, clock, owner, places, renewals, .. } = &*self.keeping;
        let place = places.acquire().await.map_err(no_token)?;
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

/// Tokens as they go into the books.
fn sealed(seal: &Seal, mailbox: &Address, tokens: &oauth::Tokens, now: Millis) -> SealedTokens {
    let mailbox = mailbox.as_str();
    let refresh = tokens.refresh.as_ref();
    SealedTokens {
        refresh: refresh.map(|token| seal.close(mailbox, Purpose::Refresh, token)),
        access: seal.close(mailbox, Purpose::Access, &tokens.access),
        issued_at: now,
        expires_at: now + tokens.lives,
        sealed_by: seal.fingerprint().to_owned(),
    }
}

/// What passes by itself: whoever wanted a token tries again later.
fn no_token(why: impl fmt::Display) -> Trouble {
    Trouble::NoToken(why.to_string())
}

fn put_off(tokens: &Tokens) -> String {
    let why = tokens.trouble.as_deref().unwrap_or_default();
    format!("{why}; it is asked again in a while")
}

/// When an identity provider that gave no answer is asked again: after 5, 10, 20 … seconds, up to
/// five minutes, or when it says.
fn retry_at(tokens: &Tokens, wanted: Option<Millis>, now: Millis) -> Millis {
    let doubled = (5 * SECOND) << tokens.failures.min(DOUBLINGS);
    let wait = spread(doubled.min(RETRY_MAX), jitter(tokens.mailbox, tokens.failures));
    now + wait.max(wanted.unwrap_or(0).min(WANTED_MAX))
}

impl fmt::Debug for TokenKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeeper")
    }
}

const NOBODY_CAME: &str = "nobody has logged in for it yet";

const WRONG_KEY: &str = "its tokens were sealed by another key than the one at hand; bring that key back \
     and resume the mailbox, or, if it is lost for ever, log in again with `--new-key`";

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

/// Refreshes under way at once in a process: two hundred tokens that expire together are no storm.
const AT_ONCE: usize = 8;

const DOUBLINGS: u32 = 6;
const RETRY_MAX: Millis = 5 * MINUTE;

/// No identity provider is left alone for longer, whatever it says.
const WANTED_MAX: Millis = 60 * MINUTE;

const FINISH_MAX: Duration = Duration::from_secs(30);
