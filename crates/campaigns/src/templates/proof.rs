//! Whether a part can be written to a person, seen from the values alone.
//!
//! An import asks that of every person and every step, and to render a message only to throw it away
//! costs twenty times as much. A proof that does not hold says nothing: then the part is rendered,
//! and that alone says why a person is blocked.

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Path, PathSeg};
use warmfront_core::text::is_out_of_line;

use super::renderer::{OUTPUT_MAX, SUBJECT_MAX};
use super::words::Word;
use super::{Part, honest};

/// What the values must be like for a part to succeed.
#[derive(Debug)]
pub(super) struct Proof {
    part: Part,
    names: Vec<Name>,
    /// Bytes of text and literals.
    length: usize,
    /// Whether values may hold a colon: its first one stands in the words before them.
    bears_colons: bool,
}

#[derive(Debug)]
struct Name {
    name: String,
    /// How often it may be written.
    times: usize,
    /// Whether nothing is provided for its absence.
    is_needed: bool,
}

impl Proof {
    /// `None` where only rendering can say.
    pub(super) fn of(part: Part, template: &Template) -> Option<Self> {
        let mut proof = Self { part, names: Vec::new(), length: 0, bears_colons: true };
        proof.template(template)?;
        if part == Part::Subject {
            proof.bears_colons = proof.subject(template)?;
        }
        Some(proof)
    }

    /// Whether the part is sure to succeed with these values, none of which is blank.
    pub(super) fn holds<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        let mut length = self.length;
        let all_fit = self.names.iter().all(|name| match value(&name.name) {
            Some(value) => {
                length += name.times * value.len();
                self.part != Part::Subject || self.fits_a_subject(value)
            }
            None => !name.is_needed,
        });
        all_fit
            && match self.part {
                Part::Subject => length <= SUBJECT_MAX,
                Part::Text | Part::Html => length <= OUTPUT_MAX / GROWTH,
            }
    }

    fn fits_a_subject(&self, text: &str) -> bool {
        !text.contains(|c| is_out_of_line(c) || (!self.bears_colons && is_colon(c)))
    }

    fn template(&mut self, template: &Template) -> Option<()> {
        template.elements.iter().try_for_each(|element| match element {
            TemplateElement::RawString(text) => {
                self.length += text.len();
                Some(())
            }
            TemplateElement::Comment(_) => Some(()),
            TemplateElement::Expression(shown) => self.shown(shown),
            TemplateElement::HelperBlock(block) => {
                let [condition] = block.params.as_slice() else { return None };
                if let Parameter::Subexpression(inner) = condition {
                    answers(inner.as_element())?;
                } else {
                    named(condition)?;
                }
                block.template.iter().chain(&block.inverse).try_for_each(|t| self.template(t))
            }
            _ => None,
        })
    }

    fn shown(&mut self, shown: &HelperTemplate) -> Option<()> {
        if shown.params.is_empty() {
            self.name(named(&shown.name)?, true);
            return Some(());
        }
        let word = Word::named(shown.name.as_name()?).filter(|word| !word.asks())?;
        let literal = |param: &Parameter| match param {
            Parameter::Literal(literal) => literal.as_str().map(str::len).filter(|len| *len > 0),
            _ => None,
        };
        let is_provided =
            word == Word::Default && shown.params.iter().any(|p| literal(p).is_some());
        for param in &shown.params {
            match literal(param) {
                Some(length) => self.length += length,
                None => self.name(named(param)?, !is_provided),
            }
        }
        Some(())
    }

    fn name(&mut self, name: &str, is_needed: bool) {
        match self.names.iter_mut().find(|known| known.name == name) {
            Some(known) => {
                known.times += 1;
                known.is_needed |= is_needed;
            }
            None => self.names.push(Name { name: name.to_owned(), times: 1, is_needed }),
        }
    }

    /// A subject of plain words and values that cannot come out empty; whether its first colon, if
    /// it has one, stands in its first words.
    fn subject(&self, template: &Template) -> Option<bool> {
        let mut says_something = false;
        let mut colons = false;
        for element in &template.elements {
            match element {
                TemplateElement::RawString(text) => {
                    colons |= text.contains(is_colon);
                    says_something |= !text.trim().is_empty();
                    (!text.contains(is_out_of_line)).then_some(())?;
                }
                TemplateElement::Expression(shown) if shown.params.is_empty() => {
                    says_something = true;
                }
                _ => return None,
            }
        }
        let first = match template.elements.first() {
            Some(TemplateElement::RawString(text)) if text.contains(is_colon) => Some(text),
            _ => None,
        };
        let is_honest = match first {
            Some(text) => honest::false_reply(text).is_none(),
            None => !colons,
        };
        (says_something && is_honest).then_some(first.is_some())
    }
}

/// A question whose answer is yes or no whatever is missing.
fn answers(element: &TemplateElement) -> Option<()> {
    let TemplateElement::Expression(call) = element else { return None };
    Word::named(call.name.as_name()?).filter(|word| word.asks())?;
    call.params.iter().try_for_each(|param| match param {
        Parameter::Subexpression(inner) => answers(inner.as_element()),
        Parameter::Literal(_) => Some(()),
        name => named(name).map(|_| ()),
    })
}

fn named(param: &Parameter) -> Option<&str> {
    match param {
        Parameter::Name(name) => Some(name),
        Parameter::Path(Path::Relative((segments, _))) => match segments.as_slice() {
            [PathSeg::Named(name)] => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn is_colon(c: char) -> bool {
    matches!(c, ':' | '：')
}

/// How much longer a value may come out: `"` takes six bytes in HTML, and a letter at most three
/// capitals.
const GROWTH: usize = 18;
