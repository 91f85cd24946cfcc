//! What the program takes when it has little to do: to start, to hold a million people, to keep
//! connections open; and its demonstration.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::bench::Bench;
use crate::failure::Failure;
use crate::machine;
use crate::peers;
use crate::process::{self, Running};
use crate::product::{Declared, Installation, Server, ask};
use crate::rounds::{Reading, Results, Side, by_turns};
use crate::rows::Measured;
use crate::sink::Sink;
use crate::stopwatch::Stopwatch;
use crate::table::Line;

/// With twenty mailboxes and no campaign.
pub(crate) fn idle(bench: &Bench) -> Measured {
    started(bench, "idle", ["idle/start", "idle/memory"], 0)
}

/// With a million people of a campaign that has not begun.
pub(crate) fn stored(bench: &Bench) -> Measured {
    let people = bench.size(1_000_000, 20_000);
    started(bench, "stored", ["stored/start", "stored/memory"], people)
}

fn started(bench: &Bench, name: &str, [start, memory]: [&str; 2], people: usize) -> Measured {
    let rounds = || -> Result<Results, Failure> {
        let port = peers::free_port()?;
        let declared =
            Declared { console: Some(port), ..Declared::fast(20, 50, Server::Plain(25)) };
        let installation = Installation::make(bench, name, &declared)?;
        if people > 0 {
            installation.write_campaign(people, 1_000)?;
            let import = ["campaign", "import", crate::product::CAMPAIGN];
            installation.run(&import, crate::product::IMPORT_MAX)?;
        } else {
            // The books are made once, not at every start.
            installation.run(&["status"], START_MAX)?;
        }
        let side = Side::new(OURS, || start_once(&installation, port));
        Ok(by_turns(bench, name, vec![side]))
    };
    let results = rounds().unwrap_or_else(Results::failed);
    let lines = vec![
        Line::alone(start, results.samples(OURS, 0)),
        Line::alone(memory, results.samples(OURS, 1)),
    ];
    Measured { lines, notes: results.notes }
}

/// Milliseconds until the console answers, and MiB a little later.
fn start_once(installation: &Installation, port: u16) -> Result<Reading, Failure> {
    let begun = Stopwatch::start();
    let mut daemon = installation.start()?;
    while !is_ready(port) {
        if daemon.has_ended() {
            return Err(Failure::Broken("the daemon ended by itself".to_owned()));
        }
        if begun.elapsed() > Duration::from_secs(START_MAX) {
            return Err(Failure::TooSlow { what: "the start".to_owned(), seconds: START_MAX });
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let millis = begun.millis();
    std::thread::sleep(CALM);
    let memory = resident(&daemon)?;
    daemon.stop();
    Ok(vec![millis, memory])
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        let request =
            format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn resident(daemon: &Running) -> Result<f64, Failure> {
    let memory = machine::memory_mib(daemon.id(), "VmRSS");
    memory.ok_or_else(|| Failure::Broken("the daemon is gone".to_owned()))
}

/// What another mailbox with an open connection takes, its lane included.
pub(crate) fn session(bench: &Bench) -> Measured {
    let (many, few) = (bench.size(420, 60), 20);
    let rounds = || -> Result<Results, Failure> {
        let sink = Sink::start()?;
        let side = || {
            let large = with_sessions(bench, &sink, many)?;
            let small = with_sessions(bench, &sink, few)?;
            Ok(vec![(large - small) * 1_024.0 / (many - few) as f64])
        };
        Ok(by_turns(bench, "session", vec![Side::new(OURS, side)]))
    };
    let results = rounds().unwrap_or_else(Results::failed);
    let lines = vec![Line::alone("session/memory", results.samples(OURS, 0))];
    Measured { lines, notes: results.notes }
}

/// MiB of a daemon whose mailboxes have each sent one message and wait for the next.
fn with_sessions(bench: &Bench, sink: &Sink, mailboxes: usize) -> Result<f64, Failure> {
    let server = Server::Starttls { port: sink.port, ca_pem: sink.ca_pem.clone() };
    let declared = Declared { gap: "40s", ..Declared::fast(mailboxes, 3, server) };
    let installation = Installation::make(bench, "sessions", &declared)?;
    installation.begin(mailboxes * 3, mailboxes * 3)?;
    let daemon = installation.start()?;
    let begun = Stopwatch::start();
    while begun.elapsed() < Duration::from_secs(START_MAX) {
        std::thread::sleep(CALM);
        let sent = "SELECT count(*) FROM messages WHERE state = 'accepted'";
        let sent = ask(&installation.file("warmfront.db"), sent)?.parse::<usize>();
        if sent.is_ok_and(|sent| sent >= mailboxes) {
            let memory = resident(&daemon);
            daemon.stop();
            return memory;
        }
    }
    Err(Failure::TooSlow { what: "the first messages".to_owned(), seconds: START_MAX })
}

/// The demonstration as a user starts it.
pub(crate) fn demo(bench: &Bench) -> Measured {
    let days = bench.size(45, 3).to_string();
    let side = || {
        let folder = bench.work("demo")?;
        let mut command = std::process::Command::new(bench.program());
        command.args(["demo", "--days", &days]).current_dir(folder);
        let ended =
            process::run("warmfront demo", &mut command, DEMO_MAX)?.done("warmfront demo")?;
        Ok(vec![ended.seconds])
    };
    let results = by_turns(bench, "demo", vec![Side::new(OURS, side)]);
    let lines = vec![Line::alone("demo/wall", results.samples(OURS, 0))];
    Measured { lines, notes: results.notes }
}

const OURS: &str = "warmfront";

/// After this long nothing of the start is left to do.
const CALM: Duration = Duration::from_secs(2);

const START_MAX: u64 = 60;

const DEMO_MAX: u64 = 300;
