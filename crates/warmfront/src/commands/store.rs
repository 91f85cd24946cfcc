//! `store move`: the books go to another database.

use std::path::Path;

use serde_json::json;
use warmfront_engine::clock::Clock;
use warmfront_store::{Durability, Move, Moved, Progress, Store, Watermark};

use crate::cli::Global;
use crate::config;
use crate::exit::{Done, Failure};
use crate::{print, wiring};

pub(crate) async fn relocate(global: &Global, url: &str) -> Done {
    // What else is wrong with the configuration does not concern the books.
    let (loaded, problems) = config::load_all(&global.config);
    let Some(config) = loaded else { return Err(Failure::Problems(problems)) };
    let dir = config.path.parent().unwrap_or(Path::new(""));
    let from = config.store_url;
    let Some(to) = config::store_url(dir, url) else {
        // Not quoted: a mistyped URL may hold a password.
        let what = "the new URL must begin with `sqlite://` or `postgres://`";
        return Err(Failure::Usage(what.to_owned()));
    };
    refuse_what_is_no_move(&from, &to)?;
    let now = Clock::Wall.now();
    let owner = format!("a move of the books ({})", wiring::owner(now));
    let order = Move {
        from: &from,
        to: &to,
        watermark: &Watermark::beside(&config.path),
        owner: &owner,
        now,
        durability: Durability::Full,
    };
    let moved = order.run(&mut tell_progress).await?;
    tell(&moved, &without_password(url), global.json);
    Ok(())
}

/// Between two databases of one kind their own tools copy better.
fn refuse_what_is_no_move(from: &str, to: &str) -> Result<(), Failure> {
    let is_file = |url: &str| Store::file(url).is_some();
    let is_sqlite = |url: &str| url.starts_with("sqlite:");
    if is_sqlite(from) == is_sqlite(to) {
        let what = if is_sqlite(from) {
            "the books are in SQLite already; to have the file elsewhere stop the daemon, move the \
             file, and write its name into `url` of [store]"
        } else {
            "the books are in PostgreSQL already; to have them on another server use pg_dump and \
             pg_restore while no daemon runs"
        };
        return Err(Failure::Usage(what.to_owned()));
    }
    if [from, to].into_iter().any(|url| is_sqlite(url) && !is_file(url)) {
        return Err(Failure::Usage("a database in memory keeps no books".to_owned()));
    }
    if is_sqlite(from) && !Store::file(from).is_some_and(|file| file.is_file()) {
        let what = "there are no books yet; write the new URL into `url` of [store]";
        return Err(Failure::Usage(what.to_owned()));
    }
    Ok(())
}

fn tell_progress(progress: Progress<'_>) {
    match progress {
        Progress::Copied(table, rows) => print::note(format!("copied   {table}: {rows}")),
        Progress::Anew => {
            print::note("the books have changed since the last run; copying anew");
        }
        Progress::Compared(table, rows) => print::note(format!("compared {table}: {rows}")),
        Progress::Gone => print::note("the old books are marked as moved"),
    }
}

fn tell(moved: &Moved, url: &str, is_json: bool) {
    let line = format!("url = {url:?}");
    let rows: u64 = moved.tables.iter().map(|(_, rows)| rows).sum();
    if is_json {
        let tables: Vec<_> = moved
            .tables
            .iter()
            .map(|(table, rows)| json!({ "table": table, "rows": rows }))
            .collect();
        print::say_json(&json!({
            "ok": true, "rows": rows, "tables": tables, "epoch": moved.epoch, "store": line,
        }));
        return;
    }
    if moved.tables.is_empty() {
        print::say("the books were moved already");
    } else {
        let rows = print::counted(rows, "row");
        let tables = print::counted(moved.tables.len() as u64, "table");
        print::say(format!("{rows} in {tables} moved, and compared one by one"));
    }
    print::say("Now write into the configuration, of every machine that uses these books:");
    print::say(format!("\n[store]\n{line}\n"));
    print::say(
        "The old books are refused from now on; keep them until the new ones are backed up.",
    );
}

/// The URL as the configuration should have it: who, but not by what password.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    };
    let kept: Vec<&str> =
        query.split('&').filter(|p| !p.is_empty() && !p.starts_with("password=")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{scheme}://{rest}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, want: &str) {
        assert_eq!(without_password(url), want);
    }

    #[test]
    fn a_password_is_left_out_and_all_else_kept() {
        check("postgres://ann:s3cret@host/db", "postgres://ann@host/db");
        check("postgres://ann:s3@cret@host:5432/db", "postgres://ann@host:5432/db");
        check("postgres://ann@host/db?password=s3cret", "postgres://ann@host/db");
        check(
            "postgres://host/db?user=ann&password=s3cret&sslmode=require",
            "postgres://host/db?user=ann&sslmode=require",
        );
        check("sqlite://warmfront.db", "sqlite://warmfront.db");
        check("sqlite:warmfront.db", "sqlite:warmfront.db");
    }
}
