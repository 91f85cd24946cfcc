//! What people write campaigns with: nodemailer, smtplib, mailmerge. Each renders every message, and
//! none remembers anything.

use std::path::Path;
use std::process::Command;

use super::install::{NODE, debian, npm, pip};
use crate::bench::Bench;
use crate::failure::Failure;
use crate::process;
use crate::product::write_list;
use crate::rounds::Reading;

/// Messages a second of nodemailer's pool, rendered with Handlebars.
pub(crate) fn nodemailer(bench: &Bench, port: u16, messages: usize) -> Result<Reading, Failure> {
    let folder = npm(&bench.peers(), &["nodemailer", "handlebars"])?;
    let script = folder.join("send.js");
    put(&script, include_str!("send.js"))?;
    let mut command = Command::new(debian("node", &NODE)?);
    command.arg(&script).args([port.to_string(), messages.to_string()]);
    rate("nodemailer", &mut command)
}

/// Messages a second of Python's smtplib in twenty threads, rendered with Jinja2.
pub(crate) fn smtplib(bench: &Bench, port: u16, messages: usize) -> Result<Reading, Failure> {
    let programs = pip(&bench.peers(), "smtplib", &["jinja2"])?;
    let script = programs.join("send.py");
    put(&script, include_str!("send.py"))?;
    let mut command = Command::new(programs.join("python"));
    command.arg(&script).args([port.to_string(), messages.to_string()]);
    rate("smtplib", &mut command)
}

/// Messages a second of the mailmerge command.
pub(crate) fn mailmerge(bench: &Bench, port: u16, messages: usize) -> Result<Reading, Failure> {
    let programs = pip(&bench.peers(), "mailmerge", &["mailmerge"])?;
    let folder = bench.work("mailmerge")?;
    write_list(&folder.join("mailmerge_database.csv"), messages)?;
    put(&folder.join("mailmerge_template.txt"), &template())?;
    let server = format!("[smtp_server]\nhost = 127.0.0.1\nport = {port}\n");
    put(&folder.join("mailmerge_server.conf"), &server)?;
    let mut command = Command::new(programs.join("mailmerge"));
    command.args(["--no-dry-run", "--no-limit"]).current_dir(&folder);
    let ended = process::run("mailmerge", &mut command, SCRIPT_MAX)?.done("mailmerge")?;
    Ok(vec![messages as f64 / ended.seconds])
}

/// Our own letter in Jinja2's words.
fn template() -> String {
    let letter = crate::product::LETTER.replace("{{#if note}}", "{% if note %}");
    let letter = letter.replace("{{/if}}", "{% endif %}");
    format!("TO: {{{{email}}}}\nFROM: ann@sender.example\n{letter}")
        .replacen("Subject:", "SUBJECT:", 1)
}

/// A script times the sending itself, without its own start, and says messages a second.
fn rate(what: &str, command: &mut Command) -> Result<Reading, Failure> {
    let ended = process::run(what, command, SCRIPT_MAX)?.done(what)?;
    let rate = ended.out.trim().parse().map_err(|error| Failure::of(what, error))?;
    Ok(vec![rate])
}

fn put(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| Failure::of("a script", error))
}

const SCRIPT_MAX: u64 = 120;
