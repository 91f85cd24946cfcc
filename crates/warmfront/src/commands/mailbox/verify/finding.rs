//! What was found of a mailbox, and how it is told.

use serde_json::json;
use warmfront_core::address::Address;

use crate::exit::{Done, Failure};
use crate::print;

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Well,
    /// Nothing is known, and nothing depends on it.
    Unknown,
    /// It works; somebody should know.
    Warn,
    /// It could not be looked at.
    Unseen,
    /// Somebody must mend it.
    Mend,
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Unseen => "unseen",
            Self::Mend => "mend",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    check: &'static str,
    standing: Standing,
    says: String,
    to_do: Option<String>,
}

/// All that was found of one mailbox.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    mailbox: Address,
    found: Vec<Finding>,
}

impl Findings {
    pub(super) fn of(mailbox: &Address) -> Self {
        Self { mailbox: mailbox.clone(), found: Vec::new() }
    }

    pub(super) fn well(&mut self, check: &'static str, says: impl Into<String>) {
        self.add(check, Standing::Well, says, None);
    }

    pub(super) fn unknown(&mut self, check: &'static str, says: impl Into<String>) {
        self.add(check, Standing::Unknown, says, None);
    }

    pub(super) fn warn(&mut self, check: &'static str, says: impl Into<String>, to_do: &str) {
        self.add(check, Standing::Warn, says, Some(to_do.to_owned()));
    }

    pub(super) fn mend(&mut self, check: &'static str, says: impl Into<String>, to_do: &str) {
        self.add(check, Standing::Mend, says, Some(to_do.to_owned()));
    }

    pub(super) fn add(
        &mut self,
        check: &'static str,
        standing: Standing,
        says: impl Into<String>,
        to_do: Option<String>,
    ) {
        self.found.push(Finding { check, standing, says: says.into(), to_do });
    }

    /// Forgets that something is not known, to be told what it is. `false`: it was known.
    pub(super) fn learns(&mut self, check: &str) -> bool {
        let before = self.found.len();
        self.found.retain(|one| one.check != check || one.standing != Standing::Unknown);
        self.found.len() < before
    }

    /// The worst of it.
    fn standing(&self) -> Standing {
        self.found.iter().map(|one| one.standing).max().unwrap_or(Standing::Unseen)
    }

    /// A short letter, or a line of JSON for each finding.
    pub(super) fn tell(&self, as_json: bool) {
        if as_json {
            for one in &self.found {
                print::say_json(&json!({
                    "mailbox": self.mailbox.as_str(), "check": one.check,
                    "standing": one.standing.as_str(), "says": one.says, "to_do": one.to_do,
                }));
            }
            return;
        }
        print::say(&self.mailbox);
        for (nr, one) in self.found.iter().enumerate() {
            // What holds for both log-ins is said once, and what mends several, behind the last.
            let (says, to_do) = (Some(&one.says), one.to_do.as_ref());
            let again = |other: &Finding| other.to_do.as_ref() == to_do;
            let mut later = self.found[nr + 1..].iter();
            if later.clone().any(|other| again(other) && Some(&other.says) == says) {
                continue;
            }
            let begin = match one.standing {
                Standing::Well => "  ",
                Standing::Unknown => "  not known: ",
                Standing::Warn => "  beware: ",
                Standing::Unseen => "  not seen: ",
                Standing::Mend => "  to mend: ",
            };
            print::paragraph(begin, &one.says);
            if let Some(to_do) = to_do.filter(|_| !later.any(again)) {
                print::paragraph("    to do: ", to_do);
            }
        }
        print::say("");
    }
}

/// What all of it comes to: 3 where somebody must mend something, 1 where something was not seen.
pub(super) fn conclusion(all: &[Findings], as_json: bool) -> Done {
    let count = |wanted| all.iter().filter(|one| one.standing() == wanted).count() as u64;
    let (mend, unseen) = (count(Standing::Mend), count(Standing::Unseen));
    if !as_json {
        let mut parts = vec![print::counted(all.len() as u64, "mailbox")];
        match (mend, unseen) {
            (0, 0) => parts.push("all is well".to_owned()),
            (mend, unseen) => {
                parts.extend((mend > 0).then(|| format!("{mend} to mend")));
                parts.extend((unseen > 0).then(|| format!("{unseen} not seen")));
            }
        }
        print::say(parts.join(", "));
    }
    match (mend, unseen) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::Said(1)),
        (_, _) => Err(Failure::Said(3)),
    }
}
