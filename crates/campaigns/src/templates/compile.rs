//! From a source to parts that may be rendered: linted, honest, and with their footer.

use super::lint::{self, Compiled};
use super::{Flaw, Part, StepSource, footer, honest};

/// The parts of a source, compiled and completed by the footer.
pub(crate) struct Compiles {
    pub(super) subject: Option<Compiled>,
    pub(super) text: Compiled,
    pub(super) html: Option<Compiled>,
}

impl Compiles {
    /// Compiles a source, or says all that is wrong with its parts.
    pub(crate) fn of(source: &StepSource) -> Result<Self, Vec<(Part, Flaw)>> {
        let mut flaws = Vec::new();
        let mut compiled = |part: Part, text: &str| match prepared(part, text) {
            Ok(compiled) => Some(compiled),
            Err(wrong) => {
                flaws.extend(wrong.into_iter().map(|flaw| (part, flaw)));
                None
            }
        };
        let subject = source.subject.as_ref().map(|subject| compiled(Part::Subject, subject));
        let html = source.html.as_ref().map(|html| compiled(Part::Html, html));
        let text = compiled(Part::Text, &source.text);
        match text {
            Some(text) if flaws.is_empty() => {
                Ok(Self { subject: subject.flatten(), text, html: html.flatten() })
            }
            _ => Err(flaws),
        }
    }

    /// Names used that are not `known`.
    pub(crate) fn unknown(&self, known: &[&str]) -> Vec<(Part, Flaw)> {
        let parts = [
            (Part::Subject, self.subject.as_ref()),
            (Part::Text, Some(&self.text)),
            (Part::Html, self.html.as_ref()),
        ];
        parts
            .into_iter()
            .filter_map(|(part, compiled)| Some((part, compiled?)))
            .flat_map(|(part, compiled)| {
                compiled.unknown(known).into_iter().map(move |flaw| (part, flaw))
            })
            .collect()
    }
}

fn prepared(part: Part, text: &str) -> Result<Compiled, Vec<Flaw>> {
    let compiled = lint::compile(text)?;
    let mut flaws = honest::words(&compiled.outside);
    match part {
        Part::Subject => flaws.extend(honest::false_reply(text).map(|what| Flaw::error(1, what))),
        Part::Text | Part::Html => {}
    }
    if !flaws.is_empty() {
        return Err(flaws);
    }
    match part {
        Part::Subject => Ok(compiled),
        Part::Text => lint::compile(&footer::completed_text(text, &compiled.uses)),
        Part::Html => {
            let complete = lint::compile(&footer::completed_html(text, &compiled.uses))?;
            // The body's end may stand under a condition, and the footer must not.
            let after = footer::appended_html(text, &compiled.uses);
            if footer::is_placed(&complete.uses) { Ok(complete) } else { lint::compile(&after) }
        }
    }
}
