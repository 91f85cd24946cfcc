//! What Warmfront does in a second, beside what others do: one command, one table.
//!
//! Each side is measured by turns on this machine, in one run; the table prints both and their ratio.
//! The method is told in `docs/performance.md`. Decides nothing about what is fast enough: targets
//! are data in `targets.rs`.

mod arguments;
mod bench;
mod failure;
mod machine;
mod peers;
mod probes;
mod process;
mod product;
mod rounds;
mod rows;
mod samples;
mod say;
mod sink;
mod stopwatch;
mod table;
mod targets;

use std::process::ExitCode;

use serde_json::json;

use crate::arguments::{Asked, Options};
use crate::bench::Bench;
use crate::failure::Failure;
use crate::say::{answer, progress};
use crate::table::Line;
use crate::targets::{Reached, TARGETS};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match arguments::parse(&words) {
        Ok(Asked::Measure(options)) => measure(options).unwrap_or_else(|failure| {
            progress(&format!("error: {failure}"));
            ExitCode::from(NOT_MEASURED)
        }),
        Ok(Asked::Probe(words)) => match probes::answer(&words) {
            Ok(value) => {
                answer(&value.to_string());
                ExitCode::SUCCESS
            }
            Err(failure) => {
                progress(&format!("error: {failure}"));
                ExitCode::from(NOT_MEASURED)
            }
        },
        Ok(Asked::Help) => {
            answer(arguments::HELP);
            for target in &TARGETS {
                answer(&format!("  {:<24} {}", target.key, target.what));
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            progress(&format!("error: {why}"));
            ExitCode::from(WRONG_USE)
        }
    }
}

fn measure(options: Options) -> Result<ExitCode, Failure> {
    let machine = machine::describe();
    progress(&machine);
    let bench = Bench::prepare(options)?;
    let (mut lines, notes) = rows::measure(&bench);
    let place = |line: &Line| TARGETS.iter().position(|target| target == line.target);
    lines.sort_by_key(place);
    let quick = bench.options.quick;
    if bench.options.json {
        let rows: Vec<_> = lines.iter().map(table::json).collect();
        answer(
            &json!({ "machine": machine, "quick": quick, "rows": rows, "notes": notes })
                .to_string(),
        );
    } else {
        answer(&format!("{machine}\n\n{}", table::text(&lines)));
        notes.iter().for_each(|note| answer(&format!("- {note}")));
        for line in &lines {
            line.failures().iter().for_each(|why| answer(&format!("- {}: {why}", line.target.key)));
        }
        if quick {
            answer("A quick run: sizes are small, and its figures are not comparable with any.");
        }
    }
    Ok(verdict(&lines))
}

fn verdict(lines: &[Line]) -> ExitCode {
    let reached: Vec<Option<Reached>> = lines.iter().map(Line::reached).collect();
    if reached.contains(&None) {
        ExitCode::from(NOT_MEASURED)
    } else if reached.contains(&Some(Reached::Missed)) {
        ExitCode::from(FELL_SHORT)
    } else {
        ExitCode::SUCCESS
    }
}

const NOT_MEASURED: u8 = 1;
const WRONG_USE: u8 = 2;
const FELL_SHORT: u8 = 3;
