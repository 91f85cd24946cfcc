//! What the source may say. Each rule is first tried on a line that breaks it, so that none can hold
//! by being blind.

use crate::source::{Source, functions, lines_with, sources};

/// Checks that a rule finds what is wrong with `broken`, a path and its text, and nothing in the
/// workspace. A rule gives the lines that break it.
#[track_caller]
fn holds(why: &str, broken: (&str, &str), rule: impl Fn(&Source) -> Vec<usize>) {
    let example = Source::new(broken.0, broken.1);
    assert!(!rule(&example).is_empty(), "the rule overlooks {broken:?}");
    let found = |source: &Source| {
        let place = |line: usize| format!("{}:{line}", source.path);
        rule(source).into_iter().map(place).collect::<Vec<_>>()
    };
    crate::none(why, &sources().iter().flat_map(found).collect::<Vec<_>>());
}

/// The lines with any of these words.
fn any(code: &str, words: &[&str]) -> Vec<usize> {
    words.iter().flat_map(|word| lines_with(code, word)).collect()
}

#[test]
fn a_file_is_read_in_a_sitting() {
    let long = "//! Long.\n".repeat(LINES_MAX + 1);
    holds("at most 400 lines a file", ("crates/core/src/a.rs", &long), |source| {
        let lines = source.text.lines().count();
        if lines > LINES_MAX { vec![lines] } else { Vec::new() }
    });
}

#[test]
fn a_function_fits_a_screen() {
    let long = format!("fn a() {{\n{}}}\n", "    b();\n".repeat(FUNCTION_LINES_MAX - 1));
    holds("at most 70 lines a function", ("crates/core/src/a.rs", &long), |source| {
        let long = functions(&source.code).into_iter().filter(|f| f.lines > FUNCTION_LINES_MAX);
        long.map(|function| function.line).collect()
    });
}

#[test]
fn only_the_clock_reads_the_clock() {
    let readers = [
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "Utc::now",
        "Local::now",
        "UNIX_EPOCH.elapsed",
    ];
    let broken = ("crates/mail/src/a.rs", "fn a() -> Instant { tokio::time::Instant::now() }");
    holds("`now` is an argument", broken, |source| {
        // The bench times the program itself; nothing it decides goes into a plan.
        let readers_of_it = ["crates/engine/src/clock.rs", "tests/bench/src/stopwatch.rs"];
        if readers_of_it.contains(&source.path.as_str()) {
            return Vec::new();
        }
        any(&source.code, &readers)
    });
}

#[test]
fn no_pool_looks_after_its_connections() {
    // What does so in sqlx can take a core for ever: crates/store/src/postgres.rs tells how.
    let broken = ("crates/store/src/a.rs", "fn a() { PgPoolOptions::new().max_lifetime(None); }");
    holds("every pool has `max_lifetime(None)` and `idle_timeout(None)`", broken, |source| {
        let pools = any(&source.code, &["PgPoolOptions::new", "ConnectOptions::new"]);
        let kept = |word| lines_with(&source.code, word).len() >= pools.len();
        if kept("max_lifetime(None)") && kept("idle_timeout(None)") { Vec::new() } else { pools }
    });
}

#[test]
fn nothing_is_unsafe() {
    let broken = ("crates/core/src/a.rs", "fn a() { unsafe { b() } }");
    holds("no `unsafe`", broken, |source| any(&source.code, &["unsafe"]));
}

#[test]
fn nothing_is_left_for_later() {
    let broken = ("crates/core/src/a.rs", "fn a() { todo!() }");
    holds("what is there is finished", broken, |source| {
        any(&source.code, &["todo!", "unimplemented!"])
    });
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let broken = format!("// {}: later", marks[0]);
    holds("what is there is finished", ("crates/core/src/a.rs", &broken), |source| {
        any(&source.text, &marks)
    });
}

#[test]
fn every_test_runs() {
    let broken = ("tests/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}");
    holds("a test that does not run tests nothing", broken, |source| {
        any(&source.code, &["#[ignore"])
    });
}

#[test]
fn what_ships_does_not_unwrap() {
    let broken = ("crates/core/src/a.rs", "fn a() { b().unwrap(); }");
    holds("say why it holds, with `expect`", broken, |source| any(&source.shipped, &[".unwrap()"]));
}

#[test]
fn core_keeps_its_order_and_has_no_outside() {
    let outside = ["HashMap", "HashSet", "std::fs", "std::env", "std::net", "std::process"];
    let broken = ("crates/core/src/a.rs", "use std::collections::HashMap;");
    holds("core is the same on every run", broken, |source| {
        if source.krate() == "core" { any(&source.code, &outside) } else { Vec::new() }
    });
}

#[test]
fn only_the_cron_adapter_knows_chrono() {
    let broken = ("crates/core/src/a.rs", "use chrono::NaiveDate;");
    holds("the domain's calendar is jiff", broken, |source| {
        if source.path == "crates/core/src/calendar/cron.rs" {
            return Vec::new();
        }
        any(&source.code, &["chrono"])
    });
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    let broken = ("crates/core/src/a.rs", "use b::c;\n//! Too late.");
    holds("a file begins with `//!`", broken, |source| {
        if source.text.starts_with("//! ") { Vec::new() } else { vec![1] }
    });
}

#[test]
fn a_module_has_a_name() {
    let broken = ("crates/core/src/a.rs", "pub mod utils;");
    holds("a thing without a name is not yet a thing", broken, |source| {
        let mut found = NAMELESS.iter().fold(Vec::new(), |mut found, name| {
            found.extend(lines_with(&source.code, &format!("mod {name}")));
            found
        });
        let parts = source.path.trim_end_matches(".rs").split('/');
        found.extend(parts.filter(|part| NAMELESS.contains(part)).map(|_| 1));
        found
    });
}

#[test]
fn a_function_is_a_verb_of_the_domain() {
    let broken = ("crates/core/src/a.rs", "pub fn get_mailbox() {}");
    holds("no `get_`, `handle_`, `process_`, `manage_`", broken, |source| {
        let vague =
            |name: &str| name != THEIRS && VAGUE.iter().any(|prefix| name.starts_with(prefix));
        let found = functions(&source.code).into_iter().filter(|function| vague(&function.name));
        found.map(|function| function.line).collect()
    });
}

#[test]
fn only_the_binary_speaks() {
    let broken = ("crates/core/src/a.rs", "fn a() { eprintln!(\"b\"); }");
    holds("a library gives values back or logs", broken, |source| {
        // A build script speaks to cargo, and has no other way.
        if source.krate() == "warmfront" || source.path.ends_with("/build.rs") {
            return Vec::new();
        }
        any(&source.shipped, &["println!", "eprintln!", "print!", "eprint!", "dbg!"])
    });
}

#[test]
fn no_code_asks_for_a_feature() {
    let broken = ("crates/core/src/a.rs", "#[cfg(any(test, feature = \"b\"))]\nfn a() {}");
    holds("a feature doubles what must be tested", broken, |source| {
        let asks = |(_, line): &(usize, &str)| {
            line.contains("cfg") && !lines_with(line, "feature").is_empty()
        };
        (1..).zip(source.code.lines()).filter(asks).map(|(line, _)| line).collect()
    });
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let places = machine_places();
    let about = |path: &str, text: &str| {
        let tests = path.starts_with("tests/") || path.contains("/tests");
        let mut found = Vec::new();
        for place in &places {
            let is_absolute = |at: usize| {
                text[..at]
                    .chars()
                    .next_back()
                    .is_none_or(|c| !c.is_alphanumeric() && !"._-~}*)/".contains(c))
            };
            // Tests may pretend; what ships asks the system for its folder.
            let pretends = tests && place.as_str() == TEMPORARY;
            if !pretends && text.match_indices(place.as_str()).any(|(at, _)| is_absolute(at)) {
                found.push(format!("{path}: {place}"));
            }
        }
        found
    };
    let own = crate::root().join("notes").display().to_string();
    assert!(!about("README.md", &format!("see {own}")).is_empty());
    assert!(about("README.md", "see https://example.com/home/ and crates/core/src/").is_empty());
    let mut breaches = Vec::new();
    for path in crate::files() {
        // What is no text names no place anybody could read.
        let text = std::fs::read(crate::root().join(&path)).unwrap();
        if let Ok(text) = String::from_utf8(text) {
            breaches.extend(about(&path, &text));
        }
    }
    crate::none("paths are relative to what they belong to", &breaches);
}

/// Where this checkout lies, its neighbours, the home of whoever builds it, and what homes look like
/// elsewhere.
fn machine_places() -> Vec<String> {
    let mut places = vec![crate::root().display().to_string(), TEMPORARY.to_owned()];
    let neighbours = crate::root().parent().filter(|parent| parent.components().count() > 1);
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
    places.extend(neighbours.map(|parent| format!("{}/", parent.display())));
    places.extend(home.map(|home| format!("{}/", home.trim_end_matches('/'))));
    places.extend(["home", "Users", "root"].map(|folder| format!("/{folder}/")));
    places
}

/// Where many systems keep what is soon forgotten; in two halves, or this file would break the rule.
const TEMPORARY: &str = concat!("/t", "mp/");

#[test]
fn a_crates_own_bans_repeat_the_roots() {
    // Clippy reads a crate's own file instead of the root's.
    let bans = crate::read("clippy.toml");
    let bans: Vec<&str> = bans.lines().filter(|line| line.contains("path = ")).collect();
    assert!(!bans.is_empty());
    let own = crate::files().into_iter().filter(|path| path.ends_with("/clippy.toml"));
    let mut missing = Vec::new();
    for path in own {
        let text = crate::read(&path);
        let absent = bans.iter().filter(|ban| !text.contains(**ban));
        missing.extend(absent.map(|ban| format!("{path}: {}", ban.trim())));
    }
    crate::none("every ban holds everywhere", &missing);
}

/// A sitting.
const LINES_MAX: usize = 400;

/// A screen.
const FUNCTION_LINES_MAX: usize = 70;

const NAMELESS: [&str; 12] = [
    "utils", "util", "common", "helpers", "helper", "types", "manager", "managers", "service",
    "services", "misc", "shared",
];

/// A method of the database library's trait, which whoever stands in for a connection has too.
const THEIRS: &str = "get_database_backend";

const VAGUE: [&str; 4] = ["get_", "handle_", "process_", "manage_"];
