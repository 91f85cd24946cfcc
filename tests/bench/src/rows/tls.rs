//! What encryption and a log-in cost: against our own plain sends to the same server.

use super::sending::{RUN_MAX, all_sent, campaign};
use crate::bench::Bench;
use crate::failure::Failure;
use crate::product::{Declared, Installation, Server};
use crate::rounds::{Results, Side, by_turns};
use crate::rows::Measured;
use crate::sink::Sink;
use crate::table::Line;

/// Twenty mailboxes, durable like everything.
pub(crate) fn encrypted(bench: &Bench) -> Measured {
    let results = rounds(bench).unwrap_or_else(Results::failed);
    let (ours, plain) = (results.samples(STARTTLS, 0), results.samples(PLAIN, 0));
    let lines = vec![Line::beside("tls/plain", ours, PLAIN, plain)];
    Measured { lines, notes: results.notes }
}

fn rounds(bench: &Bench) -> Result<Results, Failure> {
    let messages = bench.size(10_000, 1_000);
    let sink = Sink::start()?;
    let starttls = Server::Starttls { port: sink.port, ca_pem: sink.ca_pem.clone() };
    let template = |server, name| {
        let declared = Declared::fast(20, messages / 20, server);
        campaign(bench, declared, messages)?.copy(bench, name)
    };
    let encrypted = template(starttls, "encrypted")?;
    let plain = template(Server::Plain(sink.port), "plain")?;
    let send = |template: &Installation| {
        let installation = template.copy(bench, "round")?;
        installation.run(&["run", "--until-idle"], RUN_MAX)?;
        Ok(vec![all_sent(&installation, messages)?])
    };
    let sides = vec![Side::new(STARTTLS, || send(&encrypted)), Side::new(PLAIN, || send(&plain))];
    Ok(by_turns(bench, "tls", sides))
}

const STARTTLS: &str = "STARTTLS and AUTH";
const PLAIN: &str = "our own, plain";
