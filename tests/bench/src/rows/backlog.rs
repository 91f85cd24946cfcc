//! Whether much that waits slows down what leaves.

use std::time::Duration;

use super::sending::{RUN_MAX, campaign};
use crate::bench::Bench;
use crate::failure::Failure;
use crate::peers::SmtpSink;
use crate::product::{Declared, Installation, Server, ask, sent};
use crate::rounds::{Reading, Results, Side, by_turns};
use crate::rows::Measured;
use crate::stopwatch::Stopwatch;
use crate::table::Line;

/// The same stretch of both days, from the hundredth message to the thousandth.
pub(crate) fn backlog(bench: &Bench) -> Measured {
    let results = rounds(bench).unwrap_or_else(Results::failed);
    let lines = vec![Line::beside(
        "backlog/pending",
        results.samples(MANY, 0),
        FEW,
        results.samples(FEW, 0),
    )];
    Measured { lines, notes: results.notes }
}

fn rounds(bench: &Bench) -> Result<Results, Failure> {
    let sink = SmtpSink::start(None)?;
    let server = Server::Plain(sink.port);
    let many = bench.size(100_000, 5_000);
    let few = campaign(bench, Declared::fast(20, 50, server.clone()), 1_000)?;
    let few = few.copy(bench, "few")?;
    let many = campaign(bench, Declared::fast(20, many / 20, server), many)?;
    let many = many.copy(bench, "many")?;
    let sides = vec![
        Side::new(MANY, || stretch(&many.copy(bench, "round")?)),
        Side::new(FEW, || stretch(&few.copy(bench, "round")?)),
    ];
    Ok(by_turns(bench, "backlog", sides))
}

/// Runs the daemon until the stretch is behind it.
fn stretch(installation: &Installation) -> Result<Reading, Failure> {
    let daemon = installation.start()?;
    let books = installation.file("warmfront.db");
    let begun = Stopwatch::start();
    while begun.elapsed() < Duration::from_secs(RUN_MAX) {
        std::thread::sleep(LOOKS);
        let settled = ask(&books, "SELECT count(*) FROM messages WHERE settled_at IS NOT NULL")?;
        if settled.parse::<usize>().is_ok_and(|settled| settled >= TO) {
            daemon.stop();
            let sent = sent(&books, Some((FROM, TO)))?;
            return Ok(vec![sent.count / sent.seconds]);
        }
    }
    Err(Failure::TooSlow { what: "warmfront run".to_owned(), seconds: RUN_MAX })
}

const FROM: usize = 100;
const TO: usize = 1_000;

/// Rarely: looking costs the machine something too.
const LOOKS: Duration = Duration::from_millis(250);

const MANY: &str = "100,000 pending";
const FEW: &str = "1,000 pending";
