//! Bad configurations and what is said of them; the good ones stand in `whole`.

mod log_ins;
mod mailbox;
mod presets;
mod settings;
mod whole;

use super::*;
use warmfront_core::problem::Severity;
use warmfront_core::provider::{ColdMail, Tls};
use warmfront_core::span::{HOUR, MINUTE};

use crate::secret::SecretRef;

/// What is said of a file, as far as it is of one of these kinds.
fn said(text: &str, kinds: &[Severity]) -> Vec<String> {
    let problems = match parse(Path::new("w.toml"), text) {
        Ok(config) => config.warnings,
        Err(problems) => problems,
    };
    let of = problems.into_iter().filter(|problem| kinds.contains(&problem.severity));
    of.map(|problem| problem.to_string()).collect()
}

#[track_caller]
fn check(text: &str, want: &[&str]) {
    assert_eq!(said(text, &[Severity::Error, Severity::Refusal]), want, "{text}");
}

#[track_caller]
fn check_warns(text: &str, want: &[&str]) {
    check(text, &[]);
    assert_eq!(said(text, &[Severity::Warning]), want, "{text}");
}

/// A good mailbox on lines 1 to 4, and `more` from line 5.
fn ann(more: &str) -> String {
    format!(
        "[[mailbox]]\naddress = \"ann@x.example\"\nprovider = \"gmail\"\n\
         auth = {{ password = {{ env = \"P\" }} }}\n{more}\n"
    )
}

#[track_caller]
fn check_ann(more: &str, want: &[&str]) {
    check(&ann(more), want);
}

/// A mailbox with an address on line 2, and `lines` from line 3.
#[track_caller]
fn check_provider(lines: &str, want: &[&str]) {
    check(&format!("[[mailbox]]\naddress = \"ann@x.example\"\n{lines}\n"), want);
}

#[track_caller]
fn loaded(text: &str) -> Config {
    parse(Path::new("w.toml"), text).unwrap()
}
