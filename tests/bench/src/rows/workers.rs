//! Two daemons on one PostgreSQL against one: they lease the mailboxes between them.

use std::time::Duration;

use warmfront_tests::postgres::Cluster;

use super::sending::RUN_MAX;
use crate::bench::{Bench, settle_disk};
use crate::failure::Failure;
use crate::peers::{self, SmtpSink};
use crate::product::{Declared, Installation, Server};
use crate::rounds::{Reading, Results, Side, by_turns};
use crate::rows::Measured;
use crate::table::Line;

/// Twenty mailboxes of domains, companies and people of their own, with the plan made beforehand.
pub(crate) fn workers(bench: &Bench) -> Measured {
    let results = rounds(bench).unwrap_or_else(Results::failed);
    let lines = vec![Line::beside(
        "postgres/workers",
        results.samples(TWO, 0),
        ONE,
        results.samples(ONE, 0),
    )];
    Measured { lines, notes: results.notes }
}

fn rounds(bench: &Bench) -> Result<Results, Failure> {
    let messages = bench.size(10_000, 1_000);
    let cluster = peers::postgres(bench)?;
    let template = cluster.database(None);
    // Nobody listens yet: the plan is made, and nothing leaves.
    let port = peers::free_port()?;
    let mut declared = Declared::fast(20, messages / 20, Server::Plain(port));
    declared.books = Some(cluster.url(&template));
    let installation = Installation::make(bench, "workers", &declared)?;
    installation.begin(messages + messages / 1_000 + 1, messages)?;
    plan_only(&installation, &cluster.url(&template), messages)?;
    let _sink = SmtpSink::start_on(port, None)?;
    let run =
        |daemons: usize| run_daemons(bench, (&cluster, &template), &declared, daemons, messages);
    let sides = vec![Side::new(TWO, || run(2)), Side::new(ONE, || run(1))];
    Ok(by_turns(bench, "postgres", sides))
}

fn plan_only(installation: &Installation, url: &str, messages: usize) -> Result<(), Failure> {
    let daemon = installation.start()?;
    for _ in 0..RUN_MAX {
        std::thread::sleep(Duration::from_secs(1));
        let planned = psql(url, "SELECT count(*) FROM messages WHERE state = 'planned'")?;
        if planned.parse::<usize>().is_ok_and(|planned| planned >= messages) {
            daemon.stop();
            return Ok(());
        }
    }
    Err(Failure::TooSlow { what: "the plan".to_owned(), seconds: RUN_MAX })
}

fn run_daemons(
    bench: &Bench,
    (cluster, template): (&Cluster, &str),
    declared: &Declared,
    daemons: usize,
    messages: usize,
) -> Result<Reading, Failure> {
    let database = cluster.database(Some(template));
    let url = cluster.url(&database);
    let declared = Declared { books: Some(url.clone()), ..declared.clone() };
    let folders = ["daemon-1", "daemon-2"];
    let make = |name: &&str| Installation::make(bench, name, &declared);
    let installations: Vec<Installation> =
        folders.iter().take(daemons).map(make).collect::<Result<_, _>>()?;
    settle_disk();
    std::thread::scope(|scope| {
        let start =
            |one| scope.spawn(move || Installation::run(one, &["run", "--until-idle"], RUN_MAX));
        let running: Vec<_> = installations.iter().map(start).collect();
        let panicked = |_| Failure::Broken("a daemon's thread panicked".to_owned());
        running.into_iter().try_for_each(|one| one.join().map_err(panicked)?.map(|_| ()))
    })?;
    let answer = psql(
        &url,
        "SELECT count(*), max(settled_at) - min(sending_since) FROM messages WHERE state = 'accepted'",
    )?;
    cluster.drop_later(&database);
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    let (count, millis) =
        answer.split_once('|').map_or((0.0, 0.0), |(n, t)| (number(n), number(t)));
    if count < messages as f64 || millis <= 0.0 {
        return Err(Failure::Broken(format!("{count} of {messages} were sent")));
    }
    Ok(vec![count * 1_000.0 / millis])
}

fn psql(url: &str, question: &str) -> Result<String, Failure> {
    Ok(peers::psql(url, &["-c", question], RUN_MAX)?.out.trim().to_owned())
}

const TWO: &str = "two daemons";
const ONE: &str = "one daemon";
