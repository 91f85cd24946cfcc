//! `suppress add|remove|import|list`.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use serde_json::json;
use warmfront_campaigns::prospects;
use warmfront_core::address::Address;
use warmfront_core::problem::Problem;
use warmfront_store::Scope;

use crate::app::App;
use crate::cli::{Global, Suppress};
use crate::exit::{Done, Failure};
use crate::print;

pub(crate) async fn suppress(global: &Global, command: Suppress) -> Done {
    let app = App::open_anyway(global).await?;
    match command {
        Suppress::Add { entries, reason } => {
            let (good, bad): (Vec<_>, Vec<_>) =
                entries.iter().map(|entry| parse(entry)).partition(Result::is_ok);
            let entries: Vec<_> = good.into_iter().flatten().collect();
            let new = app.store.suppress_all(&entries, &reason, app.now()).await?;
            let wrong: Vec<String> = bad.into_iter().filter_map(Result::err).collect();
            if wrong.is_empty() {
                return told(&app, "added", "as they were", new, entries.len() - new);
            }
            // Whoever can be put on the list is on it, whatever else was mistyped.
            print::note(format!("{new} added, {} as they were", entries.len() - new));
            Err(Failure::Usage(wrong.join("; ")))
        }
        Suppress::Remove { entries } => {
            let mut gone = 0;
            let entries = parsed(&entries)?;
            for (scope, value) in &entries {
                gone += usize::from(app.store.unsuppress(*scope, value, app.now()).await?);
            }
            told(&app, "removed", "were not listed", gone, entries.len() - gone)?;
            if gone > 0 && !app.json {
                print::note(
                    "whoever was stopped by them stays stopped; new imports are free again",
                );
            }
            Ok(())
        }
        Suppress::Import { file, reason, encoding } => {
            import(&app, &file, &reason, encoding.as_deref()).await
        }
        Suppress::List => list(&app).await,
    }
}

fn told(app: &App, what: &str, rest: &str, changed: usize, unchanged: usize) -> Done {
    if app.json {
        print::say_json(&json!({ what: changed, "unchanged": unchanged }));
    } else {
        print::say(format!("{changed} {what}, {unchanged} {rest}"));
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

pub(super) fn parsed(entries: &[String]) -> Result<Vec<(Scope, String)>, Failure> {
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

/// What a file of suppressions holds: the good lines, and what is wrong with the others.
struct List {
    entries: Vec<(Scope, String)>,
    problems: Vec<Problem>,
}

/// Reads a list, decoded as prospect lists are. One bad line keeps nobody else off the list: whoever
/// asked not to be written to must not wait until it is mended.
fn read(file: &Path, encoding: Option<&str>) -> Result<List, Failure> {
    let name = file.display().to_string();
    let problem = |line, what: String| Problem::error(&name, line, what);
    let rows = File::open(file)
        .map_err(|error| problem(None, format!("cannot be read: {error}")))
        .and_then(|source| prospects::table(&name, source, encoding));
    let rows = rows.map_err(|problem| Failure::Problems(vec![problem]))?;
    let (mut column, mut entries, mut problems) = (0, BTreeSet::new(), Vec::new());
    for (index, row) in rows.iter().enumerate() {
        let heading = row.cells.iter().position(|cell| cell.eq_ignore_ascii_case("email"));
        if let (0, Some(place)) = (index, heading) {
            column = place;
            continue;
        }
        let cell = row.cells.get(column).map_or("", String::as_str);
        let is_blank = row.cells.iter().all(String::is_empty);
        if is_blank || row.cells[0].starts_with('#') {
            continue;
        }
        match (row.torn, parse(cell)) {
            (None, Ok((scope, value))) => {
                entries.insert((scope == Scope::Domain, value));
            }
            (None, Err(_)) if cell.is_empty() => {
                let what = "has no address; write one, or leave the line out".to_owned();
                problems.push(problem(Some(row.line), what));
            }
            (None, Err(what)) => problems.push(problem(Some(row.line), what)),
            (Some(cell), _) => {
                let what = format!("cell {cell} goes on behind its closing quote");
                problems.push(problem(Some(row.line), what));
            }
        }
    }
    let scope = |is_domain| if is_domain { Scope::Domain } else { Scope::Address };
    let entries = entries.into_iter().map(|(is_domain, value)| (scope(is_domain), value)).collect();
    Ok(List { entries, problems })
}

/// Takes the good lines of a file over and tells the others.
async fn import(app: &App, file: &Path, reason: &str, encoding: Option<&str>) -> Done {
    let List { entries, problems } = read(file, encoding)?;
    let new = app.store.suppress_all(&entries, reason, app.now()).await?;
    let unchanged = entries.len() - new;
    let code = u8::from(!problems.is_empty());
    if app.json {
        let outcome = match (problems.is_empty(), entries.is_empty()) {
            (true, _) => "accept",
            (false, false) => "partial",
            (false, true) => "reject",
        };
        let mut answer = json!({ "added": new, "unchanged": unchanged, "outcome": outcome });
        if !problems.is_empty() {
            let errors: Vec<String> = problems.iter().map(ToString::to_string).collect();
            answer["ok"] = false.into();
            answer["errors"] = errors.into();
            answer["exit"] = code.into();
        }
        print::say_json(&answer);
    } else {
        told(app, "added", "as they were", new, unchanged)?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.iter().for_each(print::note);
    print::note(format!(
        "{} not taken over; mend them and import the file again",
        print::counted(problems.len() as u64, "line")
    ));
    Err(Failure::Said(code))
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
