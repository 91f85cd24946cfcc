//! The rows, by what is measured together.

mod backlog;
mod grid;
mod import;
mod plan;
mod render;
mod sending;
mod standing;
mod tls;
mod workers;

use crate::bench::Bench;
use crate::table::Line;

/// What one group came to.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) lines: Vec<Line>,
    /// What must be known beside the figures.
    pub(crate) notes: Vec<String>,
}

/// Measures every row that is wanted.
pub(crate) fn measure(bench: &Bench) -> (Vec<Line>, Vec<String>) {
    let (mut lines, mut notes) = (Vec::new(), Vec::new());
    for (group, measure) in GROUPS {
        let wanted = crate::targets::TARGETS
            .iter()
            .filter(|target| crate::arguments::names(group, target.key) && bench.wants(target.key));
        if wanted.count() > 0 {
            let measured = measure(bench);
            lines.extend(measured.lines.into_iter().filter(|line| bench.wants(line.target.key)));
            notes.extend(measured.notes);
        }
    }
    (lines, notes)
}

type Group = (&'static str, fn(&Bench) -> Measured);

const GROUPS: [Group; 14] = [
    ("send", sending::durable),
    ("kept", sending::kept),
    ("tls", tls::encrypted),
    ("backlog", backlog::backlog),
    ("postgres", workers::workers),
    ("import", import::sqlite),
    ("import-postgres", import::postgres),
    ("render", render::render),
    ("day", grid::day),
    ("plan", plan::plan),
    ("idle", standing::idle),
    ("stored", standing::stored),
    ("session", standing::session),
    ("demo", standing::demo),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_measured_by_one_group() {
        for target in &crate::targets::TARGETS {
            let groups =
                GROUPS.iter().filter(|(name, _)| crate::arguments::names(name, target.key));
            assert_eq!(groups.count(), 1, "{}", target.key);
        }
    }
}
