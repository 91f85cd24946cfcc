//! `suppress add|remove|import|list`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use warmfront_core::address::Address;
use warmfront_core::problem::Problem;
use warmfront_store::Scope;

use crate::app::App;
use crate::cli::{Global, Suppress};
use crate::exit::{Done, Failure};
use crate::print;

pub(crate) async fn suppress(global: &Global, command: Suppress) -> Done {
    let app = App::open(global).await?;
    match command {
        Suppress::Add { entries, reason } => {
            let entries = parsed(&entries)?;
            let new = app.store.suppress_all(&entries, &reason, app.now()).await?;
            told(&app, "added", new, entries.len() - new)
        }
        Suppress::Remove { entries } => {
            let mut gone = 0;
            let entries = parsed(&entries)?;
            for (scope, value) in &entries {
                gone += usize::from(app.store.unsuppress(*scope, value, app.now()).await?);
            }
            told(&app, "removed", gone, entries.len() - gone)?;
            if gone > 0 && !app.json {
                print::note(
                    "whoever was stopped by them stays stopped; new imports are free again",
                );
            }
            Ok(())
        }
        Suppress::Import { file, reason } => {
            let entries = read(&file)?;
            let new = app.store.suppress_all(&entries, &reason, app.now()).await?;
            told(&app, "added", new, entries.len() - new)
        }
        Suppress::List => list(&app).await,
    }
}

fn told(app: &App, what: &str, changed: usize, unchanged: usize) -> Done {
    if app.json {
        print::say_json(&json!({ what: changed, "unchanged": unchanged }));
    } else {
        print::say(format!("{changed} {what}, {unchanged} as they were"));
    }
    Ok(())
}

async fn list(app: &App) -> Done {
    let all = app.store.suppressions().await?;
    if app.json {
        for entry in &all {
            print::say_json(&json!({
                "scope": entry.scope, "value": entry.value, "reason": entry.reason,
                "since": print::rfc3339(entry.created_at),
            }));
        }
        return Ok(());
    }
    let rows = all.iter().map(|entry| {
        let since = print::local(&app.fleet.timezone, entry.created_at);
        vec![entry.value.clone(), entry.scope.clone(), entry.reason.clone(), since]
    });
    print::say(print::table(&["value", "scope", "reason", "since"], &[], rows.collect()));
    Ok(())
}

fn parsed(entries: &[String]) -> Result<Vec<(Scope, String)>, Failure> {
    entries.iter().map(|entry| parse(entry).map_err(Failure::Usage)).collect()
}

/// An address, or a domain with or without `@` or `*@` before it.
fn parse(text: &str) -> Result<(Scope, String), String> {
    let text = text.trim();
    let domain = text.strip_prefix("*@").or(text.strip_prefix('@')).unwrap_or(text);
    if domain.contains('*') {
        return Err(format!("`{text}`: write a whole address, or a domain for everybody there"));
    }
    if domain.contains('@') {
        let address = Address::parse(text).map_err(|e| format!("`{text}`: {e}"))?;
        return Ok((Scope::Address, address.to_string()));
    }
    // Whatever is a domain is one behind an @ too.
    let address = Address::parse(&format!("x@{domain}"))
        .map_err(|_| format!("`{text}` is neither an address nor a domain"))?;
    Ok((Scope::Domain, address.domain().to_owned()))
}

/// Reads a list; all bad lines are said at once, and then nothing is taken over.
fn read(file: &Path) -> Result<Vec<(Scope, String)>, Failure> {
    let name = file.display().to_string();
    let problem = |line, what: String| Problem::error(&name, line, what);
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::Problems(vec![problem(None, format!("cannot be read: {error}"))])
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        Failure::Problems(vec![problem(
            Some(line + 1),
            "is no UTF-8; save the file as UTF-8".into(),
        )])
    })?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let (mut column, mut entries, mut problems) = (0, BTreeSet::new(), Vec::new());
    for (index, record) in reader.records().enumerate() {
        let record =
            record.map_err(|error| Failure::Problems(vec![problem(None, error.to_string())]))?;
        let line = record.position().map(|position| line_of(&text, position));
        let heading = record.iter().position(|field| field.eq_ignore_ascii_case("email"));
        if let (0, Some(place)) = (index, heading) {
            column = place;
            continue;
        }
        let field = record.get(column).unwrap_or_default();
        if field.is_empty() || field.starts_with('#') {
            continue;
        }
        match parse(field) {
            Ok((scope, value)) => {
                entries.insert((scope == Scope::Domain, value));
            }
            Err(what) => problems.push(problem(line, what)),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Problems(problems));
    }
    let scope = |is_domain| if is_domain { Scope::Domain } else { Scope::Address };
    Ok(entries.into_iter().map(|(is_domain, value)| (scope(is_domain), value)).collect())
}

/// The line a record begins on: the reader counts the empty ones before it to it.
fn line_of(text: &str, position: &csv::Position) -> usize {
    let begins = text.trim_start_matches('\u{feff}').as_bytes();
    let begins = begins.get(position.byte() as usize..).unwrap_or_default();
    let empty = begins.iter().take_while(|byte| byte.is_ascii_whitespace());
    position.line() as usize + empty.filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        #[track_caller]
        fn check(text: &str, want: Option<(Scope, &str)>) {
            let got = parse(text).ok();
            assert_eq!(got, want.map(|(scope, value)| (scope, value.to_owned())), "{text}");
        }
        check("Ann@Example.com", Some((Scope::Address, "ann@example.com")));
        check("@example.com", Some((Scope::Domain, "example.com")));
        check("EXAMPLE.com", Some((Scope::Domain, "example.com")));
        check("*@example.com", Some((Scope::Domain, "example.com")));
        check("ann*@example.com", None);
        check("nonsense", None);
        check("a b@example.com", None);
    }
}
