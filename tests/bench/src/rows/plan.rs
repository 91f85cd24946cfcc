//! A day's plan from the books to the books, and what is planned again after one event.

use serde_json::Value;

use crate::bench::Bench;
use crate::failure::Failure;
use crate::probes::CAP;
use crate::product::{Declared, Installation, Server, ask};
use crate::rounds::{Reading, Results, Side, by_turns};
use crate::rows::Measured;
use crate::table::Line;

/// A million due over twenty thousand mailboxes; a tenth of both to see how it grows.
pub(crate) fn plan(bench: &Bench) -> Measured {
    let results = rounds(bench).unwrap_or_else(Results::failed);
    let ours = |facet| results.samples(MANY, facet);
    let few = results.samples(FEW, SECONDS);
    let lines = vec![
        Line::beside("plan/insert", ours(SECONDS), INSERT, results.samples(INSERT, SECONDS)),
        Line::beside("plan/growth", ours(SECONDS), FEW, few),
        Line::alone("plan/memory", ours(PEAK)),
        Line::alone("plan/reply", ours(REPLY)),
        Line::alone("plan/bounce", ours(BOUNCE)),
        Line::alone("plan/pause", ours(PAUSE)),
        Line::alone("plan/touched", ours(TOUCHED)),
    ];
    Measured { lines, notes: results.notes }
}

fn rounds(bench: &Bench) -> Result<Results, Failure> {
    let (many, few) = (bench.size(1_000_000, 20_000), bench.size(100_000, 2_000));
    let large = books(bench, "large", many)?;
    let small = books(bench, "small", few)?;
    let sides = vec![
        Side::new(MANY, || planned(bench, &large, many)),
        Side::new(INSERT, || inserted(bench, &large, many)),
        Side::new(FEW, || planned(bench, &small, few)),
    ];
    Ok(by_turns(bench, "plan", sides))
}

/// Books with that many people, a mailbox for each fifty, and nothing planned.
fn books(bench: &Bench, name: &str, people: usize) -> Result<Installation, Failure> {
    let cap = usize::try_from(CAP).unwrap_or(usize::MAX);
    let declared = Declared { gap: "4m", ..Declared::fast(people / 50, cap, Server::Plain(25)) };
    let installation = Installation::make(bench, name, &declared)?;
    installation.begin(people + people / 3_000 + 1, people)?;
    Ok(installation)
}

fn planned(bench: &Bench, books: &Installation, people: usize) -> Result<Reading, Failure> {
    let installation = books.copy(bench, "round")?;
    let folder = installation.folder().display().to_string();
    let mailboxes = (people / 50).to_string();
    let answer = bench.probe(&["plan", &folder, &mailboxes], PLAN_MAX)?;
    let planned = figure(&answer["planned"])?;
    if planned < people as f64 {
        return Err(Failure::Broken(format!("{planned} of {people} were planned")));
    }
    let after = &answer["after_ms"];
    let all = [
        &answer["seconds"],
        &answer["peak_mib"],
        &after["reply"],
        &after["bounce"],
        &after["pause"],
        &answer["touched"],
    ];
    all.into_iter().map(figure).collect()
}

fn inserted(bench: &Bench, books: &Installation, people: usize) -> Result<Reading, Failure> {
    let installation = books.copy(bench, "round")?;
    let file = installation.file("warmfront.db");
    let triggers = "SELECT group_concat('DROP TRIGGER ' || name, '; ') FROM sqlite_schema \
                    WHERE type = 'trigger'";
    ask(&file, &ask(&file, triggers)?)?;
    let file = file.display().to_string();
    let (rows, mailboxes) = (people.to_string(), (people / 50).to_string());
    let answer = bench.probe(&["insert", &file, &rows, &mailboxes], PLAN_MAX)?;
    Ok(vec![figure(&answer["seconds"])?])
}

fn figure(value: &Value) -> Result<f64, Failure> {
    value.as_f64().ok_or_else(|| Failure::Broken(format!("{value} is no figure")))
}

const SECONDS: usize = 0;
const PEAK: usize = 1;
const REPLY: usize = 2;
const BOUNCE: usize = 3;
const PAUSE: usize = 4;
const TOUCHED: usize = 5;

const MANY: &str = "warmfront";
const INSERT: &str = "insert_many(500)";
const FEW: &str = "100,000 due";

const PLAN_MAX: u64 = 600;
