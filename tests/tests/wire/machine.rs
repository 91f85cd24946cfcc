//! What happens where the machine lacks something the tests need.

use std::cell::Cell;

use warmfront_tests::machine::{Software, provide};

const TEAPOT: Software = Software {
    name: "A teapot",
    packages: "teapot",
    before: ":",
    by_hand: "sudo apt-get install -y teapot",
};

/// Provides a teapot that is there or not, on a machine where installing works or not.
#[track_caller]
fn check(is_there: bool, can_install: Result<bool, &str>, want: Result<(), &str>) {
    let there = Cell::new(is_there);
    let install = |wanted: &Software| {
        assert!(!is_there, "{} is there already", wanted.name);
        there.set(can_install.map_err(str::to_owned)?);
        Ok(())
    };
    let got = provide(&TEAPOT, || there.get().then_some(()), install);
    assert_eq!(got, want.map_err(str::to_owned));
}

#[test]
fn what_is_missing_is_installed_or_the_test_fails_with_the_line_to_type() {
    check(true, Err("nobody asks"), Ok(()));
    check(false, Ok(true), Ok(()));
    check(
        false,
        Ok(false),
        Err("A teapot was installed and is not there; type: sudo apt-get install -y teapot"),
    );
    check(
        false,
        Err("sudo: a password is required"),
        Err(
            "A teapot is missing and cannot be installed from here; type: sudo apt-get install -y \
             teapot\nsudo: a password is required",
        ),
    );
}
