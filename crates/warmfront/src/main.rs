//! Warmfront: self-hosted cold-email campaigns with honest mailbox warmup.
//!
//! `main`, the command line, the configuration and the wiring. Decides nothing about mail.

mod app;
mod arena;
mod cli;
mod commands;
mod config;
mod exit;
mod key;
mod logins;
mod mending;
mod print;
mod secret;
mod wiring;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    arena::begin_with_one();
    keep_out_of_core_dumps();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_use(&error),
    };
    let json = cli.global.json;
    start_logging(&cli.command);
    // One provider of ciphers for the whole process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A simulation does one thing at a time; more threads would only wake one another.
    let runtime = match &cli.command {
        Command::Demo(_) => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(commands::run(cli));
            // Whoever has been asked for a secret may take half a minute, and nobody waits for it now.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(exit::Failure::failed(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

/// Passwords and tokens are in this process's memory: no crash is to write them to a disk, and no
/// other process of the same user is to read them. Only Linux needs to be asked; where it refuses, all
/// goes on.
fn keep_out_of_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// What cannot be parsed is told by the parser itself; a script that asked for JSON gets some.
fn wrong_use(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if code != 0 && std::env::args_os().any(|word| word == "--json") {
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what);
        let errors = [what];
        print::say_json(&serde_json::json!({
            "ok": false, "errors": errors, "warnings": [], "exit": code,
        }));
    }
    ExitCode::from(code)
}

/// Logs go to stderr, so that stdout is the answer and nothing else. `RUST_LOG` sets how much.
fn start_logging(command: &Command) {
    use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    use tracing_subscriber::util::SubscriberInitExt as _;
    // The demonstration tells its story itself.
    let usual = match command {
        Command::Demo(_) => "error",
        _ => "warn,warmfront_engine=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    // Names that are asked may hold a key, so the library never tells them, whatever is wanted.
    let tells = filter_fn(|told| !told.target().starts_with("hickory"));
    // In a file or a journal colours are noise.
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log.with_filter(filter.and(tells))).init();
}
