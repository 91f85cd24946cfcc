//! What a person wrote themselves: without what they quote, and without their signature.

use warmfront_core::text::folded;

use super::entity::{Entity, html_as_text};

/// The writer's own words, at most so many as a person types.
pub(super) fn of(entities: &[Entity]) -> String {
    let first = |kind: &str| entities.iter().find(|entity| entity.content_type == kind);
    let text = match (first("text/plain").map(Entity::text), first("text/html")) {
        (Some(text), _) if !text.trim().is_empty() => text,
        (_, Some(html)) => html_as_text(unquoted_html(&html.text())),
        (plain, None) => plain.unwrap_or_default(),
    };
    own(&text)
}

/// HTML up to where mail programs begin to quote.
fn unquoted_html(html: &str) -> &str {
    let lower = html.to_ascii_lowercase();
    let quotes = HTML_QUOTES.iter().filter_map(|mark| lower.find(mark));
    &html[..quotes.min().unwrap_or(html.len())]
}

fn own(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim_end();
        // RFC 3676, section 4.3: two dashes and a blank begin a signature.
        if line == "--" || begins_a_quote(&lines[at..]) {
            break;
        }
        let span = attribution(&lines[at..]);
        if span > 0 {
            // Whoever answers between the lines goes on behind them.
            let behind = lines[at + span..].iter().find(|line| !line.trim().is_empty());
            if !behind.is_some_and(|line| line.trim_start().starts_with('>')) {
                break;
            }
            at += span;
            continue;
        }
        if !line.trim_start().starts_with('>') && !is_of_a_device(line) {
            kept.push(line);
        }
        at += 1;
    }
    kept.join("\n").trim().chars().take(CHARS_MAX).collect()
}

/// How many lines "On Monday, Ann wrote:" takes here: none if it does not stand here.
fn attribution(lines: &[&str]) -> usize {
    let mut joined = String::new();
    for (at, line) in lines.iter().take(ATTRIBUTION_LINES).enumerate() {
        if line.trim().is_empty() {
            return 0;
        }
        joined.push_str(line);
        joined.push(' ');
        let folded = folded(&joined);
        if folded.len() > ATTRIBUTION_MAX {
            return 0;
        }
        if folded.ends_with(':') {
            let is_one = ATTRIBUTIONS
                .iter()
                .any(|(start, verb)| folded.starts_with(start) && folded.contains(verb));
            return if is_one { at + 1 } else { 0 };
        }
    }
    0
}

/// A line of dashes with words, or the block of fields with which Outlook begins what it quotes.
fn begins_a_quote(lines: &[&str]) -> bool {
    let line = folded(lines[0]);
    if line.len() >= 20 && line.chars().all(|c| c == '_') {
        return true;
    }
    if line.starts_with("---") && line.ends_with("---") {
        let words = line.trim_matches(['-', ' ']);
        return QUOTES.iter().any(|phrase| words.starts_with(phrase));
    }
    let line = line.trim_start_matches('*');
    let next = lines[1..].iter().take(3).map(|line| folded(line));
    FROMS.iter().any(|from| line.starts_with(from))
        && next
            .into_iter()
            .any(|next| SENTS.iter().any(|sent| next.trim_start_matches('*').starts_with(sent)))
}

fn is_of_a_device(line: &str) -> bool {
    let line = folded(line);
    DEVICES.iter().any(|start| line.starts_with(start))
}

const LINES_MAX: usize = 2_000;
const CHARS_MAX: usize = 16 * 1024;
/// An attribution is folded into three lines at most, and is no paragraph.
const ATTRIBUTION_LINES: usize = 3;
const ATTRIBUTION_MAX: usize = 300;

const HTML_QUOTES: [&str; 7] = [
    "<blockquote",
    "class=\"gmail_quote",
    "class=\"gmail_extra",
    "id=\"appendonsend",
    "id=\"divrplyfwdmsg",
    "class=\"yahoo_quoted",
    "class=\"moz-cite-prefix",
];

/// How an attribution begins, and what stands in it: en, de, fr, es, it, nl, pt, pl, sv, da, nb.
const ATTRIBUTIONS: [(&str, &str); 14] = [
    ("on ", "wrote"),
    ("am ", "schrieb"),
    ("le ", "écrit"),
    ("el ", "escribió"),
    ("il ", "scritto"),
    ("op ", "schreef"),
    ("em ", "escreveu"),
    ("a ", "escreveu"),
    ("w dniu ", "pisze"),
    ("w dniu ", "napisał"),
    ("dnia ", "napisał"),
    ("den ", "skrev"),
    ("på ", "skrev"),
    ("den ", "kirjoitti"),
];

/// Between dashes.
const QUOTES: [&str; 13] = [
    "original message",
    "original appointment",
    "forwarded message",
    "reply message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "weitergeleitete nachricht",
    "message d'origine",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "mensagem original",
    "wiadomość oryginalna",
];

const FROMS: [&str; 8] = ["from:", "von:", "de:", "da:", "van:", "od:", "från:", "fra:"];
const SENTS: [&str; 14] = [
    "sent:",
    "date:",
    "gesendet:",
    "datum:",
    "envoyé",
    "enviado",
    "fecha:",
    "inviato:",
    "data:",
    "verzonden:",
    "wysłano:",
    "skickat:",
    "sendt:",
    "dato:",
];
const DEVICES: [&str; 6] = [
    "sent from my ",
    "get outlook for ",
    "von meinem iphone gesendet",
    "envoyé de mon ",
    "enviado desde mi ",
    "inviato da iphone",
];
