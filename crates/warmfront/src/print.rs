//! What a person or a script reads: lines, tables, JSON.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use comfy_table::{CellAlignment, ContentArrangement, Table};
use jiff::tz::TimeZone;
use warmfront_core::calendar;
use warmfront_core::span::Millis;

/// One line of the answer.
pub(crate) fn say(line: impl std::fmt::Display) {
    match writeln!(anstream::stdout().lock(), "{line}") {
        // Whoever reads has seen enough (`| head`); how it ends is told all the same.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        // An answer that was not written is no answer.
        Err(error) => {
            note(format!("error: the answer cannot be written: {error}"));
            std::process::exit(1)
        }
        Ok(()) => {}
    }
}

/// Words behind a beginning, with commas between them, in lines of at most the terminal's width.
pub(crate) fn say_list(begin: &str, words: &[String]) {
    let mut line = begin.to_owned();
    for (nr, word) in words.iter().enumerate() {
        let comma = if nr + 1 < words.len() { "," } else { "" };
        if line.chars().count() + word.chars().count() + 2 > usize::from(width()) {
            say(&line);
            " ".repeat(begin.len() - begin.trim_start().len() + 2).clone_into(&mut line);
            line.pop();
        }
        line = format!("{line} {word}{comma}");
    }
    say(&line);
}

/// A text behind a beginning, broken between words into lines of at most the terminal's width; all
/// lines but the first are indented as far as the beginning reaches.
pub(crate) fn paragraph(begin: &str, text: &str) {
    let indent = begin.chars().count();
    let mut line = begin.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let length = line.chars().count() + usize::from(!is_empty) + word.chars().count();
        if !is_empty && length > usize::from(width()) {
            say(&line);
            (line, is_empty) = (" ".repeat(indent), true);
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    say(&line);
}

/// One line of the answer; where people read it on a terminal, or say how wide theirs is, as many as it
/// takes.
pub(crate) fn sentence(line: &str) {
    match told_width().is_some() || std::io::stdout().is_terminal() {
        true => paragraph("", line),
        false => say(line),
    }
}

/// One JSON value on a line of its own.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => say(text),
        Err(error) => note(format!("the answer is no JSON: {error}")),
    }
}

/// A problem beside the answer: a line of it, and where people read it on a terminal, or say how wide
/// theirs is, as many as it takes.
pub(crate) fn problem(line: impl std::fmt::Display) {
    let line = line.to_string();
    if told_width().is_none() && !std::io::stderr().is_terminal() {
        return note(line);
    }
    for (nr, part) in broken(&line, usize::from(width()) - 2).iter().enumerate() {
        note(format!("{}{part}", if nr == 0 { "" } else { "  " }));
    }
}

/// A text in lines of at most so many letters, broken between words.
fn broken(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("one at least");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > most {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

/// One line beside the answer, on stderr.
pub(crate) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// A table of at most the terminal's width; in a file or a pipe as wide as it comes, a row a line.
/// Columns named in `numbers` are set to the right.
pub(crate) fn table(header: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    if told_width().is_some() || std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    }
    for row in rows {
        table.add_row(row);
    }
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The terminal's width, as far as the environment tells; 80 where it does not.
pub(crate) fn width() -> u16 {
    told_width().unwrap_or(80)
}

fn told_width() -> Option<u16> {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    told.filter(|&width| width >= 40)
}

/// A moment for scripts: RFC 3339, UTC.
pub(crate) fn rfc3339(moment: Millis) -> String {
    calendar::timestamp(moment).to_string()
}

/// A moment for people: the wall clock of the counting zone, and which that is.
pub(crate) fn local(zone: &TimeZone, moment: Millis) -> String {
    calendar::zoned(zone, moment).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// The same, without the day.
pub(crate) fn clock(zone: &TimeZone, moment: Millis) -> String {
    calendar::civil(zone, moment).strftime("%H:%M").to_string()
}

/// `1 row`, `2 rows`, `2 mailboxes`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    let plural = match count {
        1 => "",
        _ if thing.ends_with('x') => "es",
        _ => "s",
    };
    format!("{count} {thing}{plural}")
}
