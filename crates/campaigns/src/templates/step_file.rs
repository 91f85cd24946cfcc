//! A step file: a message as people know one. `Subject:` line, a blank line, the text.

use warmfront_core::problem::nearest;

use super::Flaw;

/// The parts of a step file and the lines they begin on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepFile {
    pub(crate) subject: Option<(usize, String)>,
    pub(crate) text: String,
    /// The line the text begins on.
    pub(crate) text_line: usize,
}

/// Takes a step file apart. A file that does not begin with `Subject:` is all text.
pub(crate) fn parse(bytes: &[u8]) -> Result<StepFile, Vec<Flaw>> {
    let whole = decoded(bytes)?;
    let mut flaws = Vec::new();
    let mut subject: Option<(usize, String)> = None;
    let mut text_line = 1;
    let mut rest = whole.as_str();
    while let Some((line, after)) = Some(rest.split_once('\n').unwrap_or((rest, ""))) {
        let Some((name, value)) = header(line, after, text_line == 1) else { break };
        if !name.eq_ignore_ascii_case("subject") {
            let what = match nearest(&name.to_ascii_lowercase(), ["subject"]) {
                Some(_) => format!("`{name}:` is no header of a step; did you mean `Subject:`?"),
                None => format!(
                    "`{name}:` cannot be set in a step; the one header here is `Subject:`, the rest \
                     comes from the mailbox and the list"
                ),
            };
            flaws.push(Flaw::error(text_line, what));
        } else if let Some((first, _)) = &subject {
            let what = format!(
                "a second `Subject:` after line {first}; to compare subjects write variants, \
                 `.a.hbs` and `.b.hbs`"
            );
            flaws.push(Flaw::error(text_line, what));
        } else if value.is_empty() {
            let what = "the subject is empty; leave the line out to reply in thread";
            flaws.push(Flaw::error(text_line, what));
        } else {
            subject = Some((text_line, value.to_owned()));
        }
        text_line += 1;
        rest = after;
    }
    if text_line > 1 && !rest.is_empty() && !rest.starts_with('\n') {
        flaws.push(Flaw::error(
            text_line,
            "a blank line must stand between the subject and the text",
        ));
    }
    let text = rest.trim_start_matches('\n');
    text_line += rest.len() - text.len();
    if text.trim().is_empty() {
        flaws.push(Flaw::error(text_line, "the step has no text"));
    }
    if flaws.is_empty() {
        Ok(StepFile { subject, text: text.to_owned(), text_line })
    } else {
        Err(flaws)
    }
}

/// An HTML twin: all of it is the page.
pub(crate) fn parse_html(bytes: &[u8]) -> Result<String, Vec<Flaw>> {
    let whole = decoded(bytes)?;
    if whole.trim_start().get(..8).is_some_and(|start| start.eq_ignore_ascii_case("subject:")) {
        let what = "the subject stands in the text file of the step, not in its HTML";
        return Err(vec![Flaw::error(1, what)]);
    }
    Ok(whole)
}

/// A header line, if this is one. A letter may well begin with `Hello:`, so only a known name counts,
/// or, on the first line before a blank one, something near to `Subject`.
fn header<'a>(line: &'a str, after: &str, first: bool) -> Option<(&'a str, &'a str)> {
    let (name, value) = line.split_once(':')?;
    let lower = name.to_ascii_lowercase();
    let misspelt = || first && after.starts_with('\n') && nearest(&lower, ["subject"]).is_some();
    (MAIL_HEADERS.contains(&lower.as_str()) || lower.starts_with("x-") || misspelt())
        .then(|| (name, value.trim()))
}

fn decoded(bytes: &[u8]) -> Result<String, Vec<Flaw>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let line_of = |end: usize| bytes[..end].iter().filter(|byte| **byte == b'\n').count() + 1;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let what = "this is not UTF-8; save the step as UTF-8";
        vec![Flaw::error(line_of(error.valid_up_to()), what)]
    })?;
    let text = text.replace("\r\n", "\n");
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    match text.find(control) {
        Some(at) => {
            let line = text[..at].matches('\n').count() + 1;
            Err(vec![Flaw::error(line, "a control character, which no mail may hold; delete it")])
        }
        None => Ok(text),
    }
}

const MAIL_HEADERS: [&str; 13] = [
    "subject",
    "from",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "sender",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "preheader",
    "content-type",
];
