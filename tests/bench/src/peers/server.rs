//! A PostgreSQL server of the bench's own, on the disk that durable figures are about, and its shell.

use std::path::Path;
use std::process::Command;

use warmfront_tests::postgres::Cluster;

use super::install::{PSQL, debian};
use crate::bench::Bench;
use crate::failure::Failure;
use crate::process::{self, Ended};

/// Starts one; it ends with this value.
pub(crate) fn postgres(bench: &Bench) -> Result<Cluster, Failure> {
    // Not the bench's own folder: the server's user need not be able to reach it.
    let start = || Cluster::start_in(Path::new("/var/tmp"));
    let cluster = std::panic::catch_unwind(start).map_err(|panic| {
        let why = panic.downcast_ref::<String>().cloned();
        Failure::Missing(why.unwrap_or_else(|| "there is no PostgreSQL server".to_owned()))
    })?;
    cluster.process().into_iter().for_each(|process| bench.adopt(process));
    Ok(cluster)
}

/// Runs SQL through psql: its answer, unaligned.
pub(crate) fn psql(url: &str, words: &[&str], limit: u64) -> Result<Ended, Failure> {
    let mut command = Command::new(debian("psql", &PSQL)?);
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).args(words).arg(url);
    process::run("psql", &mut command, limit)?.done("psql")
}
