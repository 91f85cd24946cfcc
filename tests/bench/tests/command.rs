//! The command as it is typed.

use std::process::{Command, Output};

fn bench(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warmfront-bench"));
    command.args(words).output().expect("the bench starts")
}

#[test]
fn help_names_every_option_and_every_row() {
    let help = bench(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8(help.stdout).unwrap();
    let named = ["--rows", "--rounds", "--quick", "--json", "send/smtp-source", "plan/insert"];
    assert!(named.iter().all(|name| help.contains(name)), "{help}");
}

#[test]
fn what_nobody_can_measure_is_wrong_use() {
    let refused = bench(&["--rows", "speed"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(why, "error: there is no row speed; --help names them all\n");
}
