//! Rendering: compiled steps, one person's values, and what blocks a message.

use std::collections::BTreeMap;
use std::io::{self, Write};

use handlebars::{Context, Handlebars, RenderError, RenderErrorReason};
use warmfront_core::address::Address;
use warmfront_core::problem::Problem;
use warmfront_core::text::is_out_of_line;

use super::compile::Compiles;
use super::lint::{Compiled, Use};
use super::proof::Proof;
use super::{
    Footer, Mailbox, Part, RenderProblem, Rendered, SENDER_NAMES, StepSource, footer, honest,
    variant_index, words,
};
use crate::prospects::Prospect;

/// The steps of one campaign, compiled once.
pub struct Renderer {
    plain: Handlebars<'static>,
    html: Handlebars<'static>,
    footer: Footer,
    steps: BTreeMap<u32, BTreeMap<String, Prepared>>,
}

/// A variant that may be rendered: for each part what it uses, and when all of them succeed.
struct Prepared {
    subject: Option<Vec<Use>>,
    text: Vec<Use>,
    html: Option<Vec<Use>>,
    proofs: Option<Vec<Proof>>,
}

impl Renderer {
    /// Compiles the steps; the problems name a step as `step 1 (a), text`.
    pub fn from_sources(sources: &[StepSource], footer: Footer) -> Result<Self, Vec<Problem>> {
        let mut renderer = Self {
            plain: registry(handlebars::no_escape),
            html: registry(handlebars::html_escape),
            footer,
            steps: BTreeMap::new(),
        };
        let mut problems = Vec::new();
        for source in sources {
            match Compiles::of(source) {
                Ok(compiled) => renderer.add(source, compiled),
                Err(flaws) => problems.extend(flaws.into_iter().map(|(part, flaw)| {
                    let file = format!("step {} ({}), {part}", source.position, source.variant);
                    Problem {
                        file,
                        line: Some(flaw.line),
                        severity: flaw.severity,
                        what: flaw.what,
                    }
                })),
            }
        }
        if problems.is_empty() { Ok(renderer) } else { Err(problems) }
    }

    /// The variants of a step, in order; none if there is no such step.
    pub fn variants(&self, position: u32) -> impl Iterator<Item = &str> {
        self.steps.get(&position).into_iter().flat_map(|step| step.keys().map(String::as_str))
    }

    /// The variant of a step that a person gets: always the same one.
    #[must_use]
    pub fn variant_for(&self, campaign: &str, position: u32, to: &Address) -> Option<&str> {
        let variants: Vec<&str> = self.variants(position).collect();
        variants.get(variant_index(campaign, position, to, variants.len())).copied()
    }

    /// Why one person cannot be written to: the first of their messages that fails, if one does.
    #[must_use]
    pub fn unwritable(
        &self,
        campaign: &str,
        to: &Prospect,
        from: Mailbox<'_>,
    ) -> Option<RenderProblem> {
        self.steps.iter().find_map(|(&position, variants)| {
            let variant = match variants.len() {
                1 => variants.keys().next(),
                count => variants.keys().nth(variant_index(campaign, position, &to.address, count)),
            }?;
            if self.is_proved(position, variant, to, from) {
                return None;
            }
            self.render(position, variant, to, from).err()
        })
    }

    /// Whether a step is sure to succeed for a person; where it is not, rendering says.
    pub(super) fn is_proved(
        &self,
        position: u32,
        variant: &str,
        to: &Prospect,
        from: Mailbox<'_>,
    ) -> bool {
        let prepared = self.steps.get(&position).and_then(|step| step.get(variant));
        prepared.and_then(|prepared| prepared.proofs.as_ref()).is_some_and(|proofs| {
            proofs.iter().all(|proof| proof.holds(|name| self.value(name, to, from)))
        })
    }

    /// Writes a step to one person.
    pub fn render(
        &self,
        position: u32,
        variant: &str,
        to: &Prospect,
        from: Mailbox<'_>,
    ) -> Result<Rendered, RenderProblem> {
        let problem = |part, what: &str| RenderProblem {
            position,
            variant: variant.to_owned(),
            part,
            line: None,
            variable: None,
            what: what.to_owned(),
        };
        let prepared = self
            .steps
            .get(&position)
            .and_then(|step| step.get(variant))
            .ok_or_else(|| problem(Part::Text, "the campaign has no such step"))?;
        let values = self.values(to, from);
        let context = Context::wraps(&values)
            .map_err(|error| problem(Part::Text, &format!("the values are no texts: {error}")))?;
        let part = |part: Part, uses: &[Use]| {
            let registry = if part == Part::Html { &self.html } else { &self.plain };
            let mut out = Bounded(Vec::new());
            let name = template_name(position, variant, part);
            match registry.render_with_context_to_write(&name, &context, &mut out) {
                Ok(()) => Ok(String::from_utf8(out.0).unwrap_or_default()),
                Err(error) => Err(RenderProblem {
                    position,
                    variant: variant.to_owned(),
                    ..blocked(part, &error, uses, &values)
                }),
            }
        };
        let subject =
            prepared.subject.as_ref().map(|uses| part(Part::Subject, uses)).transpose()?;
        let subject = subject
            .map(|subject| proper_subject(&subject).map_err(|what| problem(Part::Subject, &what)));
        Ok(Rendered {
            subject: subject.transpose()?,
            text: part(Part::Text, &prepared.text)?,
            html: prepared.html.as_ref().map(|uses| part(Part::Html, uses)).transpose()?,
        })
    }

    fn add(&mut self, source: &StepSource, compiled: Compiles) {
        let name = |part| template_name(source.position, &source.variant, part);
        let keep = |registry: &mut Handlebars<'static>, part, compiled: Compiled| {
            registry.register_template(&name(part), compiled.template);
            compiled.uses
        };
        let parts = [
            (Part::Subject, compiled.subject.as_ref()),
            (Part::Text, Some(&compiled.text)),
            (Part::Html, compiled.html.as_ref()),
        ];
        let there = parts.into_iter().filter_map(|(part, compiled)| Some((part, compiled?)));
        let prepared = Prepared {
            proofs: there.map(|(part, compiled)| Proof::of(part, &compiled.template)).collect(),
            subject: compiled.subject.map(|subject| keep(&mut self.plain, Part::Subject, subject)),
            text: keep(&mut self.plain, Part::Text, compiled.text),
            html: compiled.html.map(|html| keep(&mut self.html, Part::Html, html)),
        };
        self.steps.entry(source.position).or_default().insert(source.variant.clone(), prepared);
    }

    /// What a template can name. An empty value is not there at all, so that `Hi {{first_name}},`
    /// never becomes `Hi ,`.
    fn values<'a>(&'a self, to: &'a Prospect, from: Mailbox<'a>) -> BTreeMap<&'a str, &'a str> {
        let listed = to.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all = listed.chain(known(to)).chain(self.sender(from));
        all.filter(|(_, value)| !value.trim().is_empty()).collect()
    }

    /// One of the [`values`](Self::values).
    fn value<'a>(&'a self, name: &str, to: &'a Prospect, from: Mailbox<'a>) -> Option<&'a str> {
        let is_there = |value: &&str| !value.trim().is_empty();
        let named = |(known, value): (&str, &'a str)| {
            Some(value).filter(|_| known == name).filter(is_there)
        };
        let own = self.sender(from).into_iter().find_map(named);
        own.or_else(|| known(to).into_iter().find_map(named))
            .or_else(|| to.attributes.get(name).map(String::as_str).filter(is_there))
    }

    fn sender<'a>(&'a self, from: Mailbox<'a>) -> [(&'a str, &'a str); SENDER_NAMES.len()] {
        let footer = &self.footer;
        [
            (SENDER_NAMES[0], from.name),
            (SENDER_NAMES[1], from.address.as_str()),
            (footer::LEGAL_NAME, &footer.legal_name),
            (footer::POSTAL_ADDRESS, &footer.postal_address),
            (footer::OPT_OUT_NAME, &footer.opt_out),
        ]
    }
}

fn known(to: &Prospect) -> [(&str, &str); 7] {
    [
        ("email", to.address.as_str()),
        ("first_name", &to.first_name),
        ("last_name", &to.last_name),
        ("company", &to.company),
        ("title", &to.title),
        ("country", &to.country),
        ("timezone", &to.timezone),
    ]
}

/// What a subject may be; gives it trimmed.
fn proper_subject(subject: &str) -> Result<String, String> {
    let subject = subject.trim();
    let length = subject.chars().count();
    if subject.is_empty() {
        Err("the subject comes out empty".to_owned())
    } else if subject.contains(is_out_of_line) {
        Err("the subject would hold a line break or another control character; a value with several \
             lines does not belong there"
            .to_owned())
    } else if length > SUBJECT_MAX {
        Err(format!("the subject comes out {length} characters long; {SUBJECT_MAX} is the most"))
    } else {
        honest::false_reply(subject).map_or_else(|| Ok(subject.to_owned()), Err)
    }
}

/// What a failed rendering means for the person.
fn blocked(
    part: Part,
    error: &RenderError,
    uses: &[Use],
    values: &BTreeMap<&str, &str>,
) -> RenderProblem {
    let missing = |name: &str| !values.contains_key(name);
    let (variable, what) = match error.reason() {
        RenderErrorReason::MissingVariable(name) => {
            // Within nested words the name gets lost; the walk over the template knows it.
            let named = name.clone().filter(|name| missing(name));
            let used = uses.iter().find(|used| !used.provided_for && missing(&used.name));
            let name = named.or_else(|| used.map(|used| used.name.clone()));
            let what = match &name {
                Some(name) => format!(
                    "`{name}` is empty for this person; fill it in, or write \
                     `{{{{default {name} \"…\"}}}}`"
                ),
                None => "a value is empty for this person".to_owned(),
            };
            (name, what)
        }
        RenderErrorReason::IOError(error) => (None, error.to_string()),
        other => (None, other.to_string()),
    };
    let line = error.line_no.filter(|_| part != Part::Subject);
    RenderProblem { position: 0, variant: String::new(), part, line, variable, what }
}

fn registry(escape: fn(&str) -> String) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(escape);
    // Those that loop, reach around or write to the log; and columns may bear their names.
    for name in ["each", "with", "lookup", "raw", "log", "len", "gt", "gte", "lt", "lte"] {
        registry.unregister_helper(name);
    }
    for (name, word) in words::WORDS {
        registry.register_helper(name, Box::new(word));
    }
    registry
}

fn template_name(position: u32, variant: &str, part: Part) -> String {
    format!("{position}/{variant}/{part}")
}

/// A sink that takes no more than a message may hold.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.0.len() + piece.len() > OUTPUT_MAX {
            return Err(io::Error::other("the message comes out larger than 512 KiB"));
        }
        self.0.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) const OUTPUT_MAX: usize = 512 << 10;

/// RFC 5322 lets a header be folded, but long subjects are cut by every reader and folded wrongly by
/// some libraries.
pub(super) const SUBJECT_MAX: usize = 200;
