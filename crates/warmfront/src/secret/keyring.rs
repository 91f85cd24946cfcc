//! The keyring of the session, asked by one thread: a locked one waits for somebody who may not be
//! there, and nothing ends a question but its answer.
//!
//! Questions come one after another, as keyrings like it. While one hangs all others fail at once.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Who asks the keyring. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<Asking>);

struct Asking {
    ask: Ask,
    within: Duration,
    /// To the thread that asks, once there was something to be asked.
    questions: OnceLock<Sender<Question>>,
    counts: Arc<Counts>,
}

/// Questions, counted in their order.
#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    answered: AtomicU64,
    /// The last that was waited for in vain.
    given_up: AtomicU64,
}

/// Asks for what is kept for a service and a user.
type Ask = fn(&str, &str) -> Result<String, NotGiven>;

struct Question {
    service: String,
    user: String,
    answer: SyncSender<Result<String, NotGiven>>,
}

/// Why the keyring gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotGiven {
    /// It has no such entry.
    NoEntry,
    /// There is none, or it refuses.
    NoKeyring(String),
    /// It does not answer.
    Silent,
}

impl Keyring {
    /// The session's.
    pub(crate) fn new() -> Self {
        Self::of(of_the_session, WITHIN)
    }

    fn of(ask: Ask, within: Duration) -> Self {
        Self(Arc::new(Asking { ask, within, questions: OnceLock::new(), counts: Arc::default() }))
    }

    /// What is kept for a service and a user.
    pub(super) fn ask(&self, service: &str, user: &str) -> Result<String, NotGiven> {
        let Asking { ask, within, questions, counts } = &*self.0;
        let order = Ordering::SeqCst;
        if counts.answered.load(order) < counts.given_up.load(order) {
            return Err(NotGiven::Silent);
        }
        let number = counts.asked.fetch_add(1, order) + 1;
        let questions = questions.get_or_init(|| {
            let (questions, asked) = mpsc::channel();
            let (ask, counts) = (*ask, Arc::clone(counts));
            // Not one that the runtime waits for when it ends.
            std::thread::spawn(move || answer(ask, &asked, &counts.answered));
            questions
        });
        let (answer, answered) = mpsc::sync_channel(1);
        let (service, user) = (service.to_owned(), user.to_owned());
        // Where the thread is gone nobody answers either.
        let _ = questions.send(Question { service, user, answer });
        answered.recv_timeout(*within).unwrap_or_else(|_| {
            counts.given_up.fetch_max(number, order);
            Err(NotGiven::Silent)
        })
    }
}

fn answer(ask: Ask, asked: &Receiver<Question>, answered: &AtomicU64) {
    while let Ok(Question { service, user, answer }) = asked.recv() {
        let given = ask(&service, &user);
        answered.fetch_add(1, Ordering::SeqCst);
        // Whoever asked may have gone.
        let _ = answer.send(given);
    }
}

fn of_the_session(service: &str, user: &str) -> Result<String, NotGiven> {
    let entry = ::keyring::Entry::new(service, user);
    entry.and_then(|entry| entry.get_password()).map_err(|error| match error {
        ::keyring::Error::NoEntry => NotGiven::NoEntry,
        error => NotGiven::NoKeyring(error.to_string()),
    })
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

/// As long as a command has.
const WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether somebody has unlocked it is whether the file of that name is there.
    fn locked(service: &str, user: &str) -> Result<String, NotGiven> {
        while !std::path::Path::new(service).exists() {
            std::thread::yield_now();
        }
        Ok(format!("{user}'s"))
    }

    #[test]
    fn a_keyring_that_hangs_holds_nobody_up_and_is_asked_again_once_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("unlocked");
        let service = file.to_str().unwrap();
        let keyring = Keyring::of(locked, Duration::from_millis(1));
        assert_eq!(keyring.ask(service, "ann"), Err(NotGiven::Silent));
        // Nobody waits behind it.
        assert_eq!(keyring.ask(service, "bea"), Err(NotGiven::Silent));
        std::fs::write(&file, "").unwrap();
        // A thousandth of a second may be too short once more.
        let given = (0..10_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            keyring.ask(service, "cat").ok()
        });
        assert_eq!(given.as_deref(), Some("cat's"));
    }
}
