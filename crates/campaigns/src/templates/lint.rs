//! Compiling a template, and what it uses: every name with its line.

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Path, PathSeg};
use warmfront_core::problem::{Severity, nearest};

use super::words::{WORDS, Word};
use super::{Flaw, scan};

/// A template that may be rendered.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) template: Template,
    pub(super) uses: Vec<Use>,
    /// The text without its tags, for what concerns only the words.
    pub(super) outside: String,
}

/// One use of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) name: String,
    pub(super) line: usize,
    /// Within `default` or a condition, where a missing value is provided for.
    pub(super) provided_for: bool,
    /// Written whatever the values are: outside any block, by itself.
    pub(super) always: bool,
}

/// Compiles a template, or says all that is wrong with it.
pub(super) fn compile(text: &str) -> Result<Compiled, Vec<Flaw>> {
    let outside = scan::scan(text)?;
    let template = Template::compile(text).map_err(|error| {
        let line = error.pos().map_or(1, |(line, _)| line);
        let what = error.reason().to_string().replace('\n', " ");
        vec![Flaw::error(line, format!("this is no template: {what}"))]
    })?;
    let mut walk = Walk::default();
    walk.template(&template, 1, 0);
    if walk.flaws.is_empty() {
        Ok(Compiled { template, uses: walk.uses, outside })
    } else {
        Err(walk.flaws)
    }
}

impl Compiled {
    /// Names that are neither in `known` nor provided for, and warnings for those that are.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<Flaw> {
        let strangers = self.uses.iter().filter(|used| !known.contains(&used.name.as_str()));
        strangers
            .map(|used| {
                let name = &used.name;
                let hint = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "the list has no such column".to_owned(),
                };
                let (severity, what) = if used.provided_for {
                    (Severity::Warning, format!("`{name}` is never there; {hint}"))
                } else {
                    (Severity::Error, format!("nothing is known as `{name}`; {hint}"))
                };
                Flaw { line: used.line, severity, what }
            })
            .collect()
    }
}

#[derive(Default)]
struct Walk {
    uses: Vec<Use>,
    flaws: Vec<Flaw>,
}

impl Walk {
    /// Depth is bounded by [`scan`].
    fn template(&mut self, template: &Template, line: usize, depth: usize) {
        for (at, element) in template.elements.iter().enumerate() {
            // An `else if` has no place of its own; its `if` is near enough.
            let line = template.mapping.get(at).map_or(line, |place| place.0);
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) => {
                    self.expression(expression, line, depth);
                }
                TemplateElement::HelperBlock(block) => self.block(block, line, depth),
                _ => self.flaw(line, "only values and `{{#if}}` are understood here"),
            }
        }
    }

    fn expression(&mut self, expression: &HelperTemplate, line: usize, depth: usize) {
        if expression.params.is_empty() && expression.hash.is_empty() {
            match &expression.name {
                Parameter::Subexpression(inner) => {
                    if let TemplateElement::Expression(call) = inner.as_element() {
                        self.call(call, line, false, true);
                    }
                }
                name => self.value(name, line, false, depth == 0),
            }
        } else {
            self.call(expression, line, false, true);
        }
    }

    fn block(&mut self, block: &HelperTemplate, line: usize, depth: usize) {
        if block.params.len() != 1 || !block.hash.is_empty() || block.block_param.is_some() {
            self.flaw(
                line,
                "`#if` takes one value; ask for several with `(and a b)` or `(or a b)`",
            );
        }
        for param in &block.params {
            self.value(param, line, true, false);
        }
        for inner in block.template.iter().chain(&block.inverse) {
            self.template(inner, line, depth + 1);
        }
    }

    /// A word with its values; `shown` where the result is written into the text.
    fn call(&mut self, call: &HelperTemplate, line: usize, provided_for: bool, shown: bool) {
        let name = call.name.as_name().unwrap_or_default();
        let Some(word) = Word::named(name) else {
            let hint = nearest(name, WORDS.map(|(known, _)| known))
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return self.flaw(line, format!("`{name}` is no word templates know{hint}"));
        };
        if !word.takes().contains(&call.params.len()) || !call.hash.is_empty() {
            let what = format!(
                "`{name}` takes {} value{}",
                word.takes().start(),
                if *word.takes().start() == 1 { "" } else { "s" }
            );
            self.flaw(line, what);
        }
        if shown && word.asks() {
            self.flaw(
                line,
                format!("`{name}` answers a question; ask it in `{{{{#if ({name} …)}}}}`"),
            );
        }
        for (at, param) in call.params.iter().enumerate() {
            // The last resort of a `default` is what is written when all else is missing.
            let last_resort = word == Word::Default && at + 1 == call.params.len();
            let borne = provided_for || (word.bears_missing() && !last_resort);
            self.value(param, line, borne, false);
        }
    }

    fn value(&mut self, value: &Parameter, line: usize, provided_for: bool, always: bool) {
        match value {
            Parameter::Literal(literal) if literal.is_string() => {
                if always {
                    self.flaw(line, "a text in quotes needs no braces");
                }
            }
            Parameter::Literal(_) => self.flaw(line, "write values as texts in quotes"),
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(call) = inner.as_element() {
                    self.call(call, line, provided_for, false);
                }
            }
            Parameter::Name(name) => self.used(name, line, provided_for, always),
            Parameter::Path(Path::Relative((segments, raw))) => match segments.as_slice() {
                [PathSeg::Named(name)] => self.used(name, line, provided_for, always),
                [.., PathSeg::Named(name)] => {
                    let what = format!(
                        "`{raw}` goes into a value, and values are plain texts; write `{name}`"
                    );
                    self.flaw(line, what);
                }
                _ => self.flaw(line, format!("`{raw}` is no column")),
            },
            _ => {
                let name = value.as_name().unwrap_or_default();
                self.flaw(line, format!("`{name}` is no column"));
            }
        }
    }

    fn used(&mut self, name: &str, line: usize, provided_for: bool, always: bool) {
        if Word::named(name).is_some() || matches!(name, "if" | "unless") {
            self.flaw(line, format!("`{name}` needs values to work on"));
        } else {
            self.uses.push(Use { name: name.to_owned(), line, provided_for, always });
        }
    }

    fn flaw(&mut self, line: usize, what: impl Into<String>) {
        self.flaws.push(Flaw::error(line, what));
    }
}
