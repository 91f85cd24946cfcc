//! What is to be reached, as data: a row each, with what its figures mean.
//!
//! *Must* is what a change may not fall below, *beyond* where nobody need look any further. Both were
//! set from what prototypes and other programs reached on one machine of two cores; a ratio carries
//! over to other machines, seconds and mebibytes do so less.

use crate::samples::Unit;

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    /// Names it on the command line; what stands before the slash is measured together.
    pub(crate) key: &'static str,
    /// What is measured.
    pub(crate) what: &'static str,
    /// What both sides are counted in.
    pub(crate) unit: Unit,
    /// How the figures are judged.
    pub(crate) judged: Judged,
    /// The least, or most, that will do; none where the row is there to be looked at.
    pub(crate) must: Option<f64>,
    /// What is as good as anybody needs.
    pub(crate) beyond: Option<f64>,
}

/// What is compared with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Ours divided by the peer's; more is better.
    RatioAtLeast,
    /// Ours divided by the peer's; less is better.
    RatioAtMost,
    /// Ours alone; less is better.
    AtMost,
}

/// How far a row got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Beyond,
    Must,
    Missed,
    /// It has no target.
    Shown,
}

impl Target {
    /// What the row comes to, from both medians.
    pub(crate) fn figure(&self, ours: f64, peer: Option<f64>) -> Option<f64> {
        match self.judged {
            Judged::AtMost => Some(ours),
            Judged::RatioAtLeast | Judged::RatioAtMost => {
                peer.filter(|peer| *peer > 0.0).map(|peer| ours / peer)
            }
        }
    }

    pub(crate) fn reached(&self, figure: f64) -> Reached {
        let good = |limit: Option<f64>| {
            limit.map(|limit| match self.judged {
                Judged::RatioAtLeast => figure >= limit,
                Judged::RatioAtMost | Judged::AtMost => figure <= limit,
            })
        };
        match (good(self.must), good(self.beyond)) {
            (None, _) => Reached::Shown,
            (_, Some(true)) => Reached::Beyond,
            (Some(true), _) => Reached::Must,
            (Some(false), _) => Reached::Missed,
        }
    }
}

/// The row of that key.
pub(crate) fn target(key: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.key == key).expect("rows name targets of the table below")
}

const fn ratio(key: &'static str, what: &'static str, unit: Unit, limits: (f64, f64)) -> Target {
    row(key, what, unit, Judged::RatioAtLeast, limits)
}

const fn times(key: &'static str, what: &'static str, unit: Unit, limits: (f64, f64)) -> Target {
    row(key, what, unit, Judged::RatioAtMost, limits)
}

const fn most(key: &'static str, what: &'static str, unit: Unit, limits: (f64, f64)) -> Target {
    row(key, what, unit, Judged::AtMost, limits)
}

const fn row(
    key: &'static str,
    what: &'static str,
    unit: Unit,
    judged: Judged,
    (must, beyond): (f64, f64),
) -> Target {
    Target { key, what, unit, judged, must: Some(must), beyond: Some(beyond) }
}

use Unit::{Kibibytes, Mebibytes, Milliseconds, One, PerSecond, Percent, Seconds};

/// Every row, in the order of the table.
pub(crate) const TARGETS: [Target; 32] = [
    ratio("send/smtp-source", "durable sends, 20 mailboxes", PerSecond, (0.10, 0.35)),
    ratio("send/nodemailer", "the same", PerSecond, (1.5, 4.0)),
    Target { must: None, beyond: None, ..ratio("send/smtplib", "the same", PerSecond, (0.0, 0.0)) },
    ratio("send/mailmerge", "the same", PerSecond, (5.0, 10.0)),
    ratio("send/listmonk", "the same", PerSecond, (0.4, 1.0)),
    most("send/commits", "commits a message, 20 mailboxes", One, (0.6, 0.25)),
    most("send/memory", "peak memory, sending on 20", Mebibytes, (60.0, 30.0)),
    ratio("kept/smtp-source", "one kept connection, one core", PerSecond, (0.2, 0.6)),
    most("kept/stall", "messages held up 40 ms or more", Percent, (0.0, 0.0)),
    ratio("tls/plain", "STARTTLS and AUTH, 20 mailboxes", PerSecond, (0.75, 0.9)),
    ratio("backlog/pending", "rate with 100,000 pending", PerSecond, (0.9, 1.0)),
    ratio("postgres/workers", "two daemons on PostgreSQL", PerSecond, (1.6, 1.9)),
    ratio("import/sqlite", "import of 1 M rows, all checks", PerSecond, (0.35, 0.5)),
    most("import/memory", "peak memory of that import", Mebibytes, (128.0, 96.0)),
    times("import/growth", "its growth from 100 k to 1 M rows", Mebibytes, (1.2, 1.05)),
    ratio("import-postgres/upsert", "import of 1 M rows, PostgreSQL", PerSecond, (0.7, 0.9)),
    ratio("render/handlebars", "a message rendered and composed", PerSecond, (0.3, 0.6)),
    times("day/grid", "plan of 1 M over 20,000, in memory", Milliseconds, (5.0, 2.0)),
    times("plan/insert", "the same, from books to books", Seconds, (2.0, 1.3)),
    times("plan/growth", "its growth from 100 k to 1 M", Seconds, (17.0, 14.0)),
    most("plan/memory", "peak memory, planning 1 M", Mebibytes, (200.0, 100.0)),
    most("plan/reply", "plan right after a reply, 1 M due", Milliseconds, (50.0, 5.0)),
    most("plan/bounce", "plan right after a bounce", Milliseconds, (50.0, 5.0)),
    most("plan/pause", "plan right after a pause", Milliseconds, (50.0, 5.0)),
    most("plan/touched", "mailboxes that this touches", One, (1.0, 1.0)),
    most("idle/memory", "memory, idle and empty", Mebibytes, (30.0, 20.0)),
    most("idle/start", "start to ready, empty", Milliseconds, (100.0, 40.0)),
    most("stored/memory", "memory, 1 M prospects stored", Mebibytes, (60.0, 40.0)),
    most("stored/start", "start to ready, 1 M prospects", Milliseconds, (300.0, 100.0)),
    most("session/memory", "memory of an open TLS session", Kibibytes, (96.0, 64.0)),
    most("demo/wall", "the demo, 45 days", Seconds, (20.0, 5.0)),
    Target {
        must: None,
        beyond: None,
        ..most("send/whole", "from start to end of that run", Seconds, (0.0, 0.0))
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, ours: f64, peer: Option<f64>, want: Option<Reached>) {
        let target = target(key);
        assert_eq!(target.figure(ours, peer).map(|figure| target.reached(figure)), want, "{key}");
    }

    #[test]
    fn more_is_better_for_rates_and_less_for_the_rest() {
        check("send/smtp-source", 36.0, Some(100.0), Some(Reached::Beyond));
        check("send/smtp-source", 11.0, Some(100.0), Some(Reached::Must));
        check("send/smtp-source", 9.0, Some(100.0), Some(Reached::Missed));
        check("send/smtp-source", 9.0, None, None);
        check("day/grid", 3.0, Some(1.0), Some(Reached::Must));
        check("demo/wall", 21.0, None, Some(Reached::Missed));
        check("send/smtplib", 1.0, Some(1.0), Some(Reached::Shown));
    }

    #[test]
    fn every_row_has_a_key_of_its_own_and_belongs_to_a_group() {
        let mut keys: Vec<&str> = TARGETS.iter().map(|target| target.key).collect();
        assert!(keys.iter().all(|key| key.contains('/')), "{keys:?}");
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), TARGETS.len());
    }
}
