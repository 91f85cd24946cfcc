//! The answer: one table, every row's two sides beside one another.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::samples::{Samples, Unit, number};
use crate::targets::{Judged, Reached, Target, target};

/// A row with what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) target: &'static Target,
    pub(crate) ours: Result<Samples, Failure>,
    /// Its name and what it came to; none where ours is judged alone.
    pub(crate) peer: Option<(&'static str, Result<Samples, Failure>)>,
}

impl Line {
    /// A row in which ours stands alone.
    pub(crate) fn alone(key: &str, ours: Result<Samples, Failure>) -> Self {
        Self { target: target(key), ours, peer: None }
    }

    /// A row with a peer.
    pub(crate) fn beside(
        key: &str,
        ours: Result<Samples, Failure>,
        name: &'static str,
        peer: Result<Samples, Failure>,
    ) -> Self {
        Self { target: target(key), ours, peer: Some((name, peer)) }
    }

    /// Why there is no figure, where there is none.
    pub(crate) fn failures(&self) -> Vec<&Failure> {
        let peer = self.peer.as_ref().and_then(|(_, peer)| peer.as_ref().err());
        self.ours.as_ref().err().into_iter().chain(peer).collect()
    }

    /// What is compared with the target.
    pub(crate) fn figure(&self) -> Option<f64> {
        let ours = self.ours.as_ref().ok()?.median();
        let peer = self.peer.as_ref().and_then(|(_, peer)| peer.as_ref().ok());
        self.target.figure(ours, peer.map(Samples::median))
    }

    /// How far it got; nothing where it was not measured.
    pub(crate) fn reached(&self) -> Option<Reached> {
        self.figure().map(|figure| self.target.reached(figure))
    }
}

/// The table, a hundred columns wide at most.
pub(crate) fn text(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["what", "ours", "peer", "ratio", "must", "beyond", "reached"]);
    for line in lines {
        table.add_row(cells(line));
    }
    for (at, width) in WIDTHS.into_iter().enumerate() {
        if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            if (3..6).contains(&at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.trim_fmt()
}

fn cells(line: &Line) -> [String; 7] {
    let target = line.target;
    let peer = match &line.peer {
        Some((name, peer)) => format!("{name}\n{}", side(peer, target.unit)),
        None => "-".to_owned(),
    };
    let limit = |limit: Option<f64>| limit.map_or_else(|| "-".to_owned(), number);
    let reached = match line.reached() {
        Some(Reached::Beyond) => "beyond",
        Some(Reached::Must) => "must",
        Some(Reached::Missed) => "missed",
        Some(Reached::Shown) => "-",
        None => "none",
    };
    [
        format!("{}\n{}", target.what, target.key),
        side(&line.ours, target.unit),
        peer,
        line.figure().map_or_else(|| "-".to_owned(), number),
        limit(target.must),
        limit(target.beyond),
        reached.to_owned(),
    ]
}

fn side(side: &Result<Samples, Failure>, unit: Unit) -> String {
    match side {
        Ok(samples) if samples.count() == 1 => {
            format!("{}{}", number(samples.median()), unit.sign())
        }
        Ok(samples) => format!(
            "{}{}\n{}-{}",
            number(samples.median()),
            unit.sign(),
            number(samples.min()),
            number(samples.max())
        ),
        Err(_) => "not measured".to_owned(),
    }
}

/// The same for programs.
pub(crate) fn json(line: &Line) -> Value {
    let side = |side: &Result<Samples, Failure>| match side {
        Ok(samples) => json!({
            "median": samples.median(), "min": samples.min(), "max": samples.max(),
            "rounds": samples.count(),
        }),
        Err(failure) => json!({ "error": failure.to_string() }),
    };
    let target = line.target;
    json!({
        "row": target.key,
        "what": target.what,
        "unit": target.unit.sign().trim(),
        "ours": side(&line.ours),
        "peer": line.peer.as_ref().map(|(name, peer)| json!({ "name": name, "is": side(peer) })),
        "judged": match target.judged {
            Judged::RatioAtLeast => "ratio, at least",
            Judged::RatioAtMost => "ratio, at most",
            Judged::AtMost => "ours, at most",
        },
        "figure": line.figure(),
        "must": target.must,
        "beyond": target.beyond,
        "reached": line.reached().map(|reached| match reached {
            Reached::Beyond => "beyond",
            Reached::Must => "must",
            Reached::Missed => "missed",
            Reached::Shown => "shown",
        }),
    })
}

const WIDTH: u16 = 100;

/// Of the columns, their margins included.
const WIDTHS: [u16; 7] = [27, 18, 18, 7, 7, 8, 9];
