//! Named points of the send path at which a test may end, fail or hold up the engine.
//!
//! `WARMFRONT_FAILPOINT=name:nth:abort|error|sleep`. Present in every build that is not a release
//! for users (see `build.rs`); there the variable is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use warmfront_mail::submit::Halt;

/// The points, in the order a message passes them.
pub const NAMES: [&str; 9] = [
    "after_claim",
    "after_mail",
    "after_rcpt",
    "before_dot_commit",
    "after_dot_commit",
    "after_dot",
    "after_250",
    "before_settle",
    "after_settle",
];

/// At most one point that is set. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Failpoint {
    set: Option<Arc<Set>>,
}

#[derive(Debug)]
struct Set {
    name: &'static str,
    nth: u64,
    action: Action,
    passed: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Abort,
    Error,
    Sleep,
}

impl Failpoint {
    /// Parses `name:nth:action`; nothing is set where there is no text.
    pub fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        if !cfg!(failpoints) {
            return Err("this build has no failpoints".to_owned());
        }
        let problem = || {
            format!(
                "WARMFRONT_FAILPOINT={text}: write NAME:NTH:ACTION, the name one of {}, the action abort, error or sleep",
                NAMES.join(" ")
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let [name, nth, action] = parts[..] else { return Err(problem()) };
        let name = NAMES.into_iter().find(|known| *known == name).ok_or_else(problem)?;
        let nth = nth.parse().ok().filter(|&nth| nth > 0).ok_or_else(problem)?;
        let action = match action {
            "abort" => Action::Abort,
            "error" => Action::Error,
            "sleep" => Action::Sleep,
            _ => return Err(problem()),
        };
        Ok(Self { set: Some(Arc::new(Set { name, nth, action, passed: AtomicU64::new(0) })) })
    }

    /// Passes a point. An error is to be treated as a failure of whatever comes next.
    pub async fn pass(&self, name: &str) -> Result<(), Halt> {
        let Some(set) = &self.set else { return Ok(()) };
        if set.name != name || set.passed.fetch_add(1, Ordering::Relaxed) + 1 != set.nth {
            return Ok(());
        }
        match set.action {
            Action::Abort => std::process::abort(),
            Action::Error => Err(Halt(format!("failpoint {name}"))),
            Action::Sleep => {
                tokio::time::sleep(SLEEPS_FOR).await;
                Ok(())
            }
        }
    }
}

/// Long enough to look at the books meanwhile, or to end the process; shorter than a test's patience.
const SLEEPS_FOR: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_is_named_counted_and_typed() {
        assert!(Failpoint::parse(Some("after_dot:3:error")).is_ok());
        assert!(Failpoint::parse(None).unwrap().set.is_none());
        for bad in ["after_dot", "nowhere:1:abort", "after_dot:0:abort", "after_dot:1:explode"] {
            assert!(Failpoint::parse(Some(bad)).unwrap_err().contains("NAME:NTH:ACTION"), "{bad}");
        }
    }
}
