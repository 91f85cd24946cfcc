//! `classify smtp`: what an answer of a mail server means, and what Warmfront does about it.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, WriterBuilder};
use serde_json::json;
use warmfront_core::answer::{self, Answer, Phase, Verdict};
use warmfront_core::provider::Presets;

use crate::cli::SmtpAnswer;
use crate::exit::{Done, Failure};
use crate::print;

pub(crate) fn smtp(asked: &SmtpAnswer, json: bool) -> Done {
    match &asked.csv {
        Some(file) => file_of_answers(file, json),
        None => one(asked, json),
    }
}

fn one(asked: &SmtpAnswer, json: bool) -> Done {
    let words = asked.answer.join(" ");
    let given = Answer::parse(asked.phase, &words);
    let provider = asked.provider.as_deref();
    if let Some(name) = provider.filter(|name| !answer::is_provider(name)) {
        return Err(Failure::Usage(no_provider(name)));
    }
    let verdict = answer::classify(&given, provider);
    if json {
        print::say_json(&as_json(&given, provider, &verdict));
        return Ok(());
    }
    let (scope, action, rule) = (verdict.scope, verdict.action, verdict.rule);
    let known = if verdict.is_unknown() { " (no rule knows this answer)" } else { "" };
    print::say(format!("concerns  {}", scope.as_str()));
    print::say(format!("asks for  {}{known}", action.as_str()));
    print::paragraph("follows   ", &answer::consequence(&given, &verdict).to_string());
    print::say(format!("rule      {}", rule.name));
    print::paragraph("source    ", &rule.source);
    if let Some(cure) = answer::cure(&given, provider) {
        print::paragraph("wrong     ", &cure.wrong);
        print::paragraph("to do     ", &cure.to_do(None));
        print::paragraph("says      ", &cure.source);
    }
    Ok(())
}

fn no_provider(name: &str) -> String {
    let hint = match answer::nearest_provider(name) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let presets = Presets::load();
            let known: Vec<&str> = presets.iter().map(|preset| preset.name.as_str()).collect();
            format!("known are {}; leave it out for any other", known.join(", "))
        }
    };
    format!("`{name}` is no provider; {hint}")
}

fn as_json(given: &Answer, provider: Option<&str>, verdict: &Verdict) -> serde_json::Value {
    let cure = answer::cure(given, provider);
    json!({
        "provider": provider,
        "phase": given.phase.as_str(),
        "code": given.code,
        "enhanced": given.enhanced.map(|code| code.to_string()),
        "text": given.text,
        "scope": verdict.scope.as_str(),
        "action": verdict.action.as_str(),
        "mark": verdict.rule.mark.map(answer::Mark::as_str),
        "unknown": verdict.is_unknown(),
        "follows": answer::consequence(given, verdict).to_string(),
        "rule": verdict.rule.name,
        "source": verdict.rule.source,
        "wrong": cure.map(|cure| &cure.wrong),
        "cure": cure.map(|cure| cure.to_do(None)),
    })
}

/// Prints a file back with two columns more behind all others: `scope` and `action`, whatever columns
/// of these names it has. As JSON: a line for each row.
fn file_of_answers(file: &Path, json: bool) -> Done {
    let broken = |what: String| Failure::Failed(anyhow::anyhow!("{}: {what}", file.display()));
    let source = std::fs::File::open(file).map_err(|error| broken(error.to_string()))?;
    let mut rows = ReaderBuilder::new().flexible(true).from_reader(source);
    let headings = rows.byte_headers().map_err(|error| broken(error.to_string()))?.clone();
    let columns = Columns::find(&headings).map_err(broken)?;
    let mut out = WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut write = |row: &ByteRecord, scope: &str, action: &str| {
        // A row that is too short is filled up, or the new cells would stand in the wrong columns.
        let missing = headings.len().saturating_sub(row.len());
        let filled = row.iter().chain(std::iter::repeat_n(&b""[..], missing));
        let cells = filled.chain([scope.as_bytes(), action.as_bytes()]);
        out.write_record(cells).map_err(|error| broken(error.to_string()))
    };
    write(&headings, "scope", "action")?;
    let (mut count, mut unknown) = (0, 0);
    let mut strange = BTreeMap::new();
    for row in rows.byte_records() {
        let row = row.map_err(|error| broken(error.to_string()))?;
        let (given, provider) = columns.read(&row);
        if let Some(word) = columns.strange_phase(&row) {
            *strange.entry(word).or_insert(0) += 1;
        }
        let verdict = answer::classify(&given, Some(&provider));
        count += 1;
        unknown += u64::from(verdict.is_unknown());
        if json {
            print::say_json(&as_json(&given, Some(&provider), &verdict));
        }
        write(&row, verdict.scope.as_str(), verdict.action.as_str())?;
    }
    if !json {
        let text = out.into_inner().map_err(|error| broken(error.to_string()))?;
        print::say(String::from_utf8_lossy(&text).trim_end());
    }
    for (word, rows) in strange {
        let rows = print::counted(rows, "row");
        print::note(format!(
            "{rows}: `{word}` is no phase of SMTP, judged as what a report quotes; the phases are {}",
            Phase::ALL.map(Phase::as_str).join(", ")
        ));
    }
    let count = print::counted(count, "answer");
    print::note(match unknown {
        0 => format!("{count}, each known to a rule"),
        unknown => format!("{count}, {unknown} of them unknown"),
    });
    Ok(())
}

/// Where in a row the answer stands.
struct Columns {
    provider: Option<usize>,
    phase: Option<usize>,
    answer: usize,
}

impl Columns {
    fn find(headings: &ByteRecord) -> Result<Self, String> {
        let find = |name: &str| {
            let is_it = |cell: &[u8]| {
                let cell = String::from_utf8_lossy(cell);
                cell.trim_start_matches('\u{feff}').trim().eq_ignore_ascii_case(name)
            };
            headings.iter().position(is_it)
        };
        let answer = find("text_example").ok_or(
            "has no column `text_example`; write a heading with `provider,phase,text_example`",
        )?;
        Ok(Self { provider: find("provider"), phase: find("phase"), answer })
    }

    /// What stands where a phase should, if it is none.
    fn strange_phase(&self, row: &ByteRecord) -> Option<String> {
        let word = String::from_utf8_lossy(row.get(self.phase?)?).into_owned();
        (!word.trim().is_empty() && Phase::from_word(&word).is_none()).then_some(word)
    }

    /// A phase nobody knows is that of a report: the answer to what is not known.
    fn read(&self, row: &ByteRecord) -> (Answer, String) {
        let cell = |column: Option<usize>| {
            let cell = column.and_then(|column| row.get(column)).unwrap_or_default();
            String::from_utf8_lossy(cell).into_owned()
        };
        let phase = Phase::from_word(&cell(self.phase)).unwrap_or(Phase::Ndr);
        (Answer::parse(phase, &cell(Some(self.answer))), cell(self.provider))
    }
}
