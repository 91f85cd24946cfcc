//! Lists into books: with every row checked and every message rendered once, against loading the bare
//! rows under a unique index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Bench, settle_disk};
use crate::failure::Failure;
use crate::peers;
use crate::process;
use crate::product::{CAMPAIGN, Declared, IMPORT_MAX, Installation, LIST_COLUMNS, Server, ask};
use crate::rounds::{Reading, Results, Side, by_turns};
use crate::rows::Measured;
use crate::table::Line;

/// Into a SQLite file.
pub(crate) fn sqlite(bench: &Bench) -> Measured {
    let results = sqlite_rounds(bench).unwrap_or_else(Results::failed);
    let ours = |facet| results.samples(MANY, facet);
    let lines = vec![
        Line::beside("import/sqlite", ours(RATE), IMPORT, results.samples(IMPORT, RATE)),
        Line::alone("import/memory", ours(PEAK)),
        Line::beside("import/growth", ours(PEAK), FEW, results.samples(FEW, PEAK)),
    ];
    Measured { lines, notes: results.notes }
}

fn sqlite_rounds(bench: &Bench) -> Result<Results, Failure> {
    let (many, few) = (bench.size(1_000_000, 20_000), bench.size(100_000, 2_000));
    let (large, small) =
        (installation(bench, "large", many, None)?, installation(bench, "small", few, None)?);
    let list = large.file(CAMPAIGN).join("prospects.csv");
    let bare = bench.work("bare")?;
    let sides = vec![
        Side::new(MANY, || import(&large, many)),
        Side::new(IMPORT, || dot_import(&bare, &list, many)),
        Side::new(FEW, || import(&small, few)),
    ];
    Ok(by_turns(bench, "import", sides))
}

/// Into PostgreSQL.
pub(crate) fn postgres(bench: &Bench) -> Measured {
    let results = postgres_rounds(bench).unwrap_or_else(Results::failed);
    let lines = vec![Line::beside(
        "import-postgres/upsert",
        results.samples(MANY, RATE),
        UPSERT,
        results.samples(UPSERT, RATE),
    )];
    Measured { lines, notes: results.notes }
}

fn postgres_rounds(bench: &Bench) -> Result<Results, Failure> {
    let many = bench.size(1_000_000, 20_000);
    let cluster = peers::postgres(bench)?;
    let listed = installation(bench, "listed", many, None)?;
    let list = listed.file(CAMPAIGN).join("prospects.csv");
    let ours = || {
        let database = cluster.database(None);
        let books = Some(cluster.url(&database));
        let installation = listed.declare(&declared(books))?;
        let reading = import(&installation, many)?;
        cluster.drop_later(&database);
        Ok(reading)
    };
    let peer = || {
        let database = cluster.database(None);
        let reading = upsert(&cluster.url(&database), &list, many)?;
        cluster.drop_later(&database);
        Ok(reading)
    };
    let sides = vec![Side::new(MANY, ours), Side::new(UPSERT, peer)];
    Ok(by_turns(bench, "import-postgres", sides))
}

fn declared(books: Option<String>) -> Declared {
    Declared { books, ..Declared::fast(20, 50, Server::Plain(25)) }
}

fn installation(
    bench: &Bench,
    name: &str,
    people: usize,
    books: Option<String>,
) -> Result<Installation, Failure> {
    let installation = Installation::make(bench, name, &declared(books))?;
    installation.write_campaign(people, 1_000)?;
    Ok(installation)
}

/// One import into new books: rows a second of the whole command, and its peak.
fn import(installation: &Installation, people: usize) -> Result<Reading, Failure> {
    for file in ["warmfront.db", "warmfront.db-wal", "warmfront.db-shm", "warmfront.epochs"] {
        let _ = fs::remove_file(installation.file(file));
    }
    settle_disk();
    let ended = installation.run(&["campaign", "import", CAMPAIGN, "--json"], IMPORT_MAX)?;
    let answer: serde_json::Value =
        serde_json::from_str(&ended.out).map_err(|error| Failure::of("the import", error))?;
    if answer["rows"].as_u64() != u64::try_from(people).ok() {
        return Err(Failure::Broken(format!("not {people} rows: {}", answer["rows"])));
    }
    Ok(vec![people as f64 / ended.seconds, ended.peak_mib])
}

/// The same list by the `.import` of SQLite's shell.
fn dot_import(folder: &Path, list: &Path, people: usize) -> Result<Reading, Failure> {
    let file: PathBuf = folder.join("people.db");
    for beside in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{beside}", file.display()));
    }
    settle_disk();
    let columns: Vec<String> = LIST_COLUMNS.iter().map(|name| format!("{name} TEXT")).collect();
    let table = format!("CREATE TABLE people ({})", columns.join(", "));
    let import = format!(".import --csv --skip 1 {} people", list.display());
    let mut command = Command::new(peers::sqlite3()?);
    command.arg(&file).args(["PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"]);
    command.args(["PRAGMA cache_size = -65536", &table]);
    command.args(["CREATE UNIQUE INDEX once ON people (lower(email))", &import]);
    // Every repeated row is told as an error, and the import goes on.
    let ended = process::run(".import", &mut command, IMPORT_MAX)?;
    let taken = ask(&file, "SELECT count(*) FROM people")?.parse::<usize>().unwrap_or_default();
    if taken < people - people / 100 || taken > people {
        return Err(Failure::Broken(format!(".import took {taken} rows: {}", ended.err)));
    }
    Ok(vec![people as f64 / ended.seconds, ended.peak_mib])
}

/// The same list by COPY into a temporary table and one INSERT … ON CONFLICT.
fn upsert(url: &str, list: &Path, people: usize) -> Result<Reading, Failure> {
    let (known, custom) = LIST_COLUMNS.split_at(KNOWN);
    let texts: Vec<String> = LIST_COLUMNS.iter().map(|name| format!("{name} text")).collect();
    let table = format!(
        "CREATE TABLE people (id bigserial PRIMARY KEY, {}, attributes jsonb);
         CREATE UNIQUE INDEX once ON people (lower(email))",
        texts[..KNOWN].join(", ")
    );
    peers::psql(url, &["-c", &table], IMPORT_MAX)?;
    settle_disk();
    let staged = format!("CREATE TEMPORARY TABLE staged ({}) ON COMMIT DROP", texts.join(", "));
    let copy = format!("\\copy staged FROM '{}' (FORMAT csv, HEADER)", list.display());
    let pairs: Vec<String> = custom.iter().map(|name| format!("'{name}', {name}")).collect();
    let known = known.join(", ");
    let insert = format!(
        "INSERT INTO people ({known}, attributes) SELECT {known}, jsonb_build_object({})
         FROM staged ON CONFLICT DO NOTHING",
        pairs.join(", ")
    );
    let words = ["-c", "BEGIN", "-c", &staged, "-c", &copy, "-c", &insert, "-c", "COMMIT"];
    let ended = peers::psql(url, &words, IMPORT_MAX)?;
    Ok(vec![people as f64 / ended.seconds])
}

const RATE: usize = 0;
const PEAK: usize = 1;

/// Columns with a meaning of their own; the rest is JSON.
const KNOWN: usize = 7;

const MANY: &str = "warmfront";
const FEW: &str = "100,000 rows";
const IMPORT: &str = "sqlite3 .import";
const UPSERT: &str = "COPY and upsert";
