//! The tokens of all mailboxes: who may refresh one, when, and what becomes of it when nobody can.
//!
//! A token is refreshed when somebody needs it and it has little time left, by one of all who share
//! the books; the others use what is still good, or wait. What was got is in the books before it is
//! used: a refresh token may be good for one use. How tokens are asked for is the mail crate's.

mod renewal;
mod seal;
mod wanted;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::task::TaskTracker;
use warmfront_core::address::Address;
use warmfront_core::span::{MINUTE, Millis, SECOND};
use warmfront_mail::bearer::Bearer;
use warmfront_mail::oauth::{self, Grant, IdentityProvider};
use warmfront_mail::submit::Trouble;
use warmfront_store::{LoggedIn, SealedTokens, Store, StoreError, Tokens};

pub use self::seal::{KEY_LEN, Key, fingerprint};
use self::seal::{Purpose, Seal};
use self::wanted::Wanted;
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

/// What becomes of a mailbox for which somebody must log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It is paused until somebody does.
    Works,
    /// Nothing: whoever looks changes nothing, but for tokens that he has to refresh. That a log-in is
    /// lost he may be the first to hear, and writes down: nobody needs to ask that again.
    Looks,
}

/// Keeps the tokens of one process's mailboxes. Cheap to clone.
#[derive(Clone)]
pub struct TokenKeeper(Arc<Keeping>);

struct Keeping {
    store: Store,
    clock: Clock,
    owner: String,
    keys: KeySource,
    duty: Duty,
    since: Millis,
    /// As made from the key that was read last.
    seal: RwLock<Option<Arc<Seal>>>,
    /// Held by whoever reads the key; why that failed the last time.
    reading: Mutex<Option<NoKey>>,
    /// How often it was read.
    readings: AtomicU64,
    /// Refreshes that may be under way at once.
    places: Semaphore,
    /// Refreshes under way. One that is dropped half-way may lose the only token that is good.
    renewals: TaskTracker,
}

impl TokenKeeper {
    /// One that has read no key yet.
    #[must_use]
    pub fn new(store: Store, clock: Clock, owner: String, keys: KeySource, duty: Duty) -> Self {
        Self(Arc::new(Keeping {
            since: clock.now(),
            store,
            clock,
            owner,
            keys,
            duty,
            seal: RwLock::default(),
            reading: Mutex::default(),
            readings: AtomicU64::default(),
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

    /// What the key at hand is to the books: whoever logs in has it in hand before he asks for what is
    /// given once only. Books that have tokens and do not know their key, which are from before that was
    /// written down, learn it from one that opens them.
    pub async fn key_at_hand(&self) -> Result<KeyAtHand, LogInError> {
        let Keeping { store, clock, .. } = &*self.0;
        let seal = self.0.seal(None).await?;
        if let Some(known) = store.sealed_by().await? {
            let is_it = known == seal.fingerprint();
            return Ok(if is_it { KeyAtHand::TheBooks } else { KeyAtHand::Another });
        }
        let Some((mailbox, sealed)) = store.consented().await? else { return Ok(KeyAtHand::First) };
        if seal.open(&mailbox, Purpose::Refresh, &sealed).is_none() {
            return Ok(KeyAtHand::Another);
        }
        store.seal_by(seal.fingerprint(), clock.now()).await?;
        Ok(KeyAtHand::TheBooks)
    }

    /// Keeps what somebody's log-in brought from this issuer.
    pub async fn log_in(
        &self,
        id: i64,
        mailbox: &Address,
        (tokens, issuer): (&oauth::Tokens, String),
        by: SealedBy,
    ) -> Result<LoggedIn, LogInError> {
        let Keeping { store, clock, .. } = &*self.0;
        let seal = self.0.seal(None).await?;
        let now = clock.now();
        let tokens = sealed(&seal, mailbox, (tokens, issuer), now);
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

/// What the key that is there is to the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAtHand {
    /// The books have nothing that another key could have sealed.
    First,
    /// The one that their tokens are sealed by.
    TheBooks,
    /// Their tokens are sealed by another.
    Another,
}

/// Why tokens were not kept, or a key could not be tried.
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
        let before = self.readings.load(Ordering::SeqCst);
        if let Some(seal) = self.known(useless) {
            return Ok(seal);
        }
        // One asks, who may be slow, and whoever waits for him takes his answer.
        let mut failed = self.reading.lock().await;
        if self.readings.load(Ordering::SeqCst) != before {
            match (self.known(useless), &*failed) {
                (_, Some(why)) => return Err(why.clone()),
                (Some(seal), None) => return Ok(seal),
                (None, None) => {}
            }
        }
        let keys = Arc::clone(&self.keys);
        let read = tokio::task::spawn_blocking(move || keys()).await;
        let read = read.unwrap_or_else(|error| Err(NoKey::NotNow(error.to_string())));
        *failed = read.as_ref().err().cloned();
        let seal = read.map(|key| Arc::new(Seal::by(&key)));
        if let Ok(seal) = &seal {
            let mut known = self.seal.write().unwrap_or_else(PoisonError::into_inner);
            *known = Some(Arc::clone(seal));
        }
        self.readings.fetch_add(1, Ordering::SeqCst);
        seal
    }

    /// The same for whoever needs the books' own. That this process has another, or none, is its own
    /// trouble: another machine that shares the books may have the right one.
    async fn books_seal(&self) -> Result<Arc<Seal>, Trouble> {
        let sealed_by = self.store.sealed_by().await.map_err(no_token)?;
        let is_it = |seal: &Seal| sealed_by.as_ref().is_none_or(|by| by == seal.fingerprint());
        let first = self.seal(None).await.map_err(no_token)?;
        if is_it(&first) {
            return Ok(first);
        }
        let second = self.seal(Some(&first)).await.map_err(no_token)?;
        if is_it(&second) { Ok(second) } else { Err(no_token(ANOTHER_KEY)) }
    }

    fn known(&self, useless: Option<&Arc<Seal>>) -> Option<Arc<Seal>> {
        let known = self.seal.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|seal| useless.is_none_or(|useless| !Arc::ptr_eq(useless, seal)))
    }
}

/// Tokens as they go into the books.
fn sealed(
    seal: &Seal,
    mailbox: &Address,
    (tokens, issuer): (&oauth::Tokens, String),
    now: Millis,
) -> SealedTokens {
    let mailbox = mailbox.as_str();
    let refresh = tokens.refresh.as_ref();
    SealedTokens {
        refresh: refresh.map(|token| seal.close(mailbox, Purpose::Refresh, token)),
        access: seal.close(mailbox, Purpose::Access, &tokens.access),
        issued_at: now,
        expires_at: now + tokens.lives,
        sealed_by: seal.fingerprint().to_owned(),
        issuer,
    }
}

/// What passes by itself: whoever wanted a token tries again later.
fn no_token(why: impl fmt::Display) -> Trouble {
    Trouble::NoToken(why.to_string())
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

/// Of books that do not know their key, or of tokens that came to harm.
const WRONG_KEY: &str = "its tokens were sealed by another key than the one at hand, or are broken; bring \
     that key back and resume the mailbox, or log in again";

const ANOTHER_KEY: &str = "the tokens in the books are sealed by another key than the one at hand; bring \
     that one here: other machines that share the books have it";

/// Refreshes under way at once in a process: two hundred tokens that expire together are no storm.
const AT_ONCE: usize = 8;

const DOUBLINGS: u32 = 6;
const RETRY_MAX: Millis = 5 * MINUTE;

/// No identity provider is left alone for longer, whatever it says.
const WANTED_MAX: Millis = 60 * MINUTE;

const FINISH_MAX: Duration = Duration::from_secs(30);
