//! A list of made-up people: thirteen columns, as lists have them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::failure::Failure;

/// The columns, in order.
pub(crate) const LIST_COLUMNS: [&str; 13] = [
    "email",
    "first_name",
    "last_name",
    "company",
    "title",
    "country",
    "timezone",
    "topic",
    "city",
    "team_size",
    "note",
    "source",
    "website",
];

/// Writes a list of `people` rows: each at a company of their own, a few twice in other letters.
pub(crate) fn write_list(path: &Path, people: usize) -> Result<(), Failure> {
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "{}", LIST_COLUMNS.join(","))?;
        for nr in 0..people {
            write_row(&mut file, nr)?;
        }
        file.flush()
    };
    write().map_err(|error| Failure::of("a list", error))
}

fn write_row(file: &mut impl std::io::Write, nr: usize) -> std::io::Result<()> {
    let twice = nr % TWICE_EVERY == TWICE_EVERY - 1;
    let who = if twice { nr - 1 } else { nr };
    let local = if twice { format!("PAT.{who}") } else { format!("pat.{who}") };
    let pick = |of: &[&'static str], salt: usize| of[(nr / 7 + nr * salt) % of.len()];
    writeln!(
        file,
        "{local}@company-{who}.example,{},{},\"{} & Sons, No. {nr}\",{},,{},{},{},{},{},\
         directory of the chamber of commerce,{}",
        pick(&FIRST, 3),
        pick(&LAST, 5),
        pick(&LAST, 11),
        pick(&TITLES, 7),
        pick(&ZONES, 1),
        pick(&TOPICS, 13),
        pick(&CITIES, 17),
        10 + nr % 490,
        if nr.is_multiple_of(3) { "we met at the fair in March" } else { "" },
        format_args!("https://www.company-{who}.example/about-us"),
    )
}

/// One row in so many repeats the one before in capitals.
const TWICE_EVERY: usize = 3_268;

const FIRST: [&str; 8] = ["Pat", "Zoë", "José", "Ann", "Wei", "Ngozi", "Lars", "Amira"];
const LAST: [&str; 8] =
    ["Lee", "Müller", "García", "Okafor", "Nowak", "Haddad", "Lindqvist", "Tanaka"];
const TITLES: [&str; 5] =
    ["Head of Sales", "Managing Director", "Operations Lead", "Founder", "Marketing Manager"];
const TOPICS: [&str; 5] = ["solar roofs", "cold storage", "fleet repair", "payroll", "timber"];
const CITIES: [&str; 6] = ["Springfield", "Lyon", "Osaka", "Lagos", "Gdańsk", "Montréal"];
const ZONES: [&str; 12] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Africa/Lagos",
    "Asia/Dubai",
    "Asia/Tokyo",
    "Australia/Sydney",
];
