//! Postfix's test programs: smtp-source sends the same text again and again, as fast as it goes and
//! without remembering anything; smtp-sink takes it and throws it away.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use warmfront_tests::machine::is_root;
use warmfront_tests::postfix::POSTFIX;

use super::install::{debian, taskset};
use crate::failure::Failure;
use crate::process::{self, Running};
use crate::rounds::Reading;

/// A running smtp-sink.
#[derive(Debug)]
pub(crate) struct SmtpSink {
    pub(crate) port: u16,
    _running: Running,
}

impl SmtpSink {
    /// Starts one, on one core of the machine where that is wanted.
    pub(crate) fn start(core: Option<&str>) -> Result<Self, Failure> {
        Self::start_on(free_port()?, core)
    }

    /// Starts one on a port.
    pub(crate) fn start_on(port: u16, core: Option<&str>) -> Result<Self, Failure> {
        let mut command = pinned(core, &debian("smtp-sink", &POSTFIX)?)?;
        if is_root() {
            // It refuses to keep the rights of root.
            command.args(["-u", "nobody"]);
        }
        command.arg(format!("127.0.0.1:{port}")).arg("1000");
        let mut running = Running::start("smtp-sink", &mut command)?;
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(Self { port, _running: running });
            }
            if running.has_ended() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Failure::Broken("smtp-sink does not listen".to_owned()))
    }
}

/// Messages a second of smtp-source, over so many connections that it keeps.
pub(crate) fn smtp_source(
    port: u16,
    connections: usize,
    messages: usize,
    core: Option<&str>,
) -> Result<Reading, Failure> {
    let mut command = pinned(core, &debian("smtp-source", &POSTFIX)?)?;
    command.args([
        "-d",
        "-N",
        "-l",
        "1500",
        "-f",
        "ann@sender.example",
        "-t",
        "pat@company.example",
    ]);
    command.args(["-s", &connections.to_string(), "-m", &messages.to_string()]);
    command.arg(format!("127.0.0.1:{port}"));
    let ended = process::run("smtp-source", &mut command, SOURCE_MAX)?.done("smtp-source")?;
    Ok(vec![messages as f64 / ended.seconds])
}

fn pinned(core: Option<&str>, program: &std::path::Path) -> Result<Command, Failure> {
    let Some(core) = core else { return Ok(Command::new(program)) };
    let mut command = Command::new(taskset()?);
    command.args(["-c", core]).arg(program);
    Ok(command)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
    free.map(|addr| addr.port()).map_err(|error| Failure::of("a free port", error))
}

const SOURCE_MAX: u64 = 120;
