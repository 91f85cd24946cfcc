//! What a letter must not do, seen from its words alone, and what would be sent by mistake.

use super::Flaw;

/// Spintax, and the placeholders of other tools, which would go out as they stand. `outside` is the
/// text without its tags.
pub(super) fn words(outside: &str) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for (line, text) in (1..).zip(outside.split('\n')) {
        for (at, _) in text.match_indices('{') {
            let inner = &text[at + 1..];
            let Some(inner) = inner.find('}').map(|end| &inner[..end]) else { continue };
            let plain = !inner.is_empty()
                && inner.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ' '));
            if inner.contains('|') {
                flaws.push(Flaw::error(line, format!(
                    "`{{{inner}}}` is spintax: shuffled words deceive filters, not readers, and are \
                     refused; write variants as `.a.hbs` and `.b.hbs` and compare them honestly"
                )));
            } else if plain {
                flaws.push(Flaw::error(
                    line,
                    format!(
                        "`{{{inner}}}` would be sent as it stands; a value takes two braces: \
                     `{{{{{inner}}}}}`"
                    ),
                ));
            }
        }
    }
    flaws
}

/// What is wrong with a subject that pretends to go on a conversation.
pub(super) fn false_reply(subject: &str) -> Option<String> {
    let mark = reply_mark(subject)?;
    Some(format!(
        "`{mark}:` pretends to go on a conversation and is refused; a step without a `Subject:` \
         replies in the thread, and gets its `Re:` by right"
    ))
}

fn reply_mark(subject: &str) -> Option<&str> {
    let subject = subject.trim_start();
    let end = subject.find([':', '：'])?;
    // `Re[2]:` and `RE (3):` count their lies.
    let mark = subject[..end].trim_end_matches(|c: char| c.is_ascii_digit() || " ()[]".contains(c));
    REPLY_MARKS.iter().any(|known| known.eq_ignore_ascii_case(mark)).then_some(mark)
}

/// Reply and forward marks of mail programs in many languages.
const REPLY_MARKS: [&str; 27] = [
    "re", "fw", "fwd", "aw", "wg", "antw", "antwort", "sv", "vs", "vb", "tr", "rv", "res", "enc",
    "rif", "i", "r", "odp", "pd", "ynt", "ilt", "atb", "bls", "doorst", "转发", "回复", "答复",
];
