//! Parts of rows that run in a process of their own: their memory is seen, and they can be stopped.

mod insert;
mod plan;

use serde_json::Value;

use crate::failure::Failure;

pub(crate) use plan::CAP;

/// Answers `plan FOLDER MAILBOXES` or `insert FILE ROWS MAILBOXES`.
pub(crate) fn answer(words: &[String]) -> Result<Value, Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let count = |text: &str| text.parse().map_err(|error| Failure::of(text, error));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("a runtime", error))?;
    match words.as_slice() {
        ["plan", folder, mailboxes] => runtime.block_on(plan::plan(folder, count(mailboxes)?)),
        ["insert", file, rows, mailboxes] => {
            runtime.block_on(insert::insert(file, count(rows)?, count(mailboxes)?))
        }
        _ => Err(Failure::Broken(format!("no such probe: {}", words.join(" ")))),
    }
}
