//! A letter through the product's own look-ups, checks and composition, against the library that fills
//! in templates, bare.

use std::collections::BTreeMap;
use std::hint::black_box;

use handlebars::Handlebars;
use warmfront_campaigns::prospects::Prospect;
use warmfront_campaigns::templates::{Footer, Mailbox, OPT_OUT, Renderer, StepSource};
use warmfront_core::address::Address;
use warmfront_mail::compose::{Draft, compose};

use crate::bench::Bench;
use crate::failure::Failure;
use crate::product::LETTER;
use crate::rounds::{Reading, Results, Side, by_turns};
use crate::rows::Measured;
use crate::stopwatch::Stopwatch;
use crate::table::Line;

/// One after the other, on one core.
pub(crate) fn render(bench: &Bench) -> Measured {
    let results = rounds(bench).unwrap_or_else(Results::failed);
    let (ours, peer) = (results.samples(OURS, 0), results.samples(BARE, 0));
    let lines = vec![Line::beside("render/handlebars", ours, BARE, peer)];
    Measured { lines, notes: results.notes }
}

fn rounds(bench: &Bench) -> Result<Results, Failure> {
    let count = bench.size(100_000, 5_000);
    let (subject, text) = parts();
    let renderer = renderer(subject, text)?;
    let mut bare = Handlebars::new();
    bare.set_strict_mode(true);
    bare.register_escape_fn(handlebars::no_escape);
    // Whole, as the product sends it: with the lines it appends.
    let whole = format!("{text}\n{{{{legal_name}}}}\n{{{{postal_address}}}}\n\n{{{{opt_out}}}}\n");
    for (name, template) in [("subject", subject), ("text", &whole)] {
        bare.register_template_string(name, template).map_err(|e| Failure::of(BARE, e))?;
    }
    let (prospect, mailbox) = (prospect()?, address("ann@sender.example")?);
    let values = values(&prospect);
    let ours = || timed(count, || written(&renderer, &prospect, &mailbox));
    let peer = || {
        timed(count, || {
            let subject = bare.render("subject", black_box(&values));
            let text = bare.render("text", black_box(&values));
            let length = subject.and_then(|subject| Ok(subject.len() + text?.len()));
            length.map_err(|error| Failure::of(BARE, error))
        })
    };
    let sides = vec![Side::new(OURS, ours), Side::new(BARE, peer)];
    Ok(by_turns(bench, "render", sides))
}

/// What the sender does between the books and the server.
fn written(renderer: &Renderer, to: &Prospect, from: &Address) -> Result<usize, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::of("a letter", error);
    let to = black_box(to);
    let variant = renderer.variant_for("bench", 1, &to.address).unwrap_or_default();
    let mailbox = Mailbox { name: "Ann Lee", address: from };
    let letter = renderer.render(1, variant, to, mailbox).map_err(|e| broken(&e))?;
    let subject = letter.subject.unwrap_or_default();
    let draft = Draft {
        from,
        from_name: Some("Ann Lee"),
        to: &to.address,
        to_name: Some("Pat Müller"),
        subject: &subject,
        text: &letter.text,
        html: None,
        message_id: "<0123456789abcdef0123456789abcdef@sender.example>",
        in_reply_to: None,
        references: &[],
        list_unsubscribe_mailto: Some("ann@sender.example?subject=unsub-0123456789abcdef"),
        date: 1_790_000_000_000,
    };
    Ok(compose(&draft).map_err(|e| broken(&e))?.len())
}

fn timed(
    count: usize,
    mut act: impl FnMut() -> Result<usize, Failure>,
) -> Result<Reading, Failure> {
    let begun = Stopwatch::start();
    for _ in 0..count {
        black_box(act()?);
    }
    Ok(vec![count as f64 / begun.seconds()])
}

/// The subject's template and the text's.
fn parts() -> (&'static str, &'static str) {
    let (subject, text) = LETTER.split_once("\n\n").unwrap_or_default();
    (subject.trim_start_matches("Subject: "), text)
}

fn renderer(subject: &str, text: &str) -> Result<Renderer, Failure> {
    let source = StepSource {
        position: 1,
        variant: "a".to_owned(),
        subject: Some(subject.to_owned()),
        text: text.to_owned(),
        html: None,
    };
    let footer = Footer {
        legal_name: LEGAL_NAME.to_owned(),
        postal_address: POSTAL_ADDRESS.to_owned(),
        opt_out: OPT_OUT.to_owned(),
    };
    Renderer::from_sources(&[source], footer).map_err(|problems| {
        Failure::Broken(problems.first().map_or_else(String::new, |problem| problem.what.clone()))
    })
}

fn prospect() -> Result<Prospect, Failure> {
    let attributes = [
        ("topic", "solar roofs"),
        ("city", "Gdańsk"),
        ("team_size", "120"),
        ("note", "we met at the fair in March"),
    ];
    Ok(Prospect {
        address: address("pat.1@company-1.example")?,
        first_name: "Pat".to_owned(),
        last_name: "Müller".to_owned(),
        company: "Müller & Sons, No. 1".to_owned(),
        title: "Head of Sales".to_owned(),
        country: String::new(),
        timezone: "Europe/Berlin".to_owned(),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    })
}

/// The same values for the bare library.
fn values(prospect: &Prospect) -> BTreeMap<&str, &str> {
    let known = [
        ("first_name", prospect.first_name.as_str()),
        ("last_name", &prospect.last_name),
        ("company", &prospect.company),
        ("title", &prospect.title),
        ("legal_name", LEGAL_NAME),
        ("postal_address", POSTAL_ADDRESS),
        ("opt_out", OPT_OUT),
    ];
    let listed = prospect.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    listed.chain(known).collect()
}

fn address(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::of(text, error))
}

const LEGAL_NAME: &str = "Example Ltd";
const POSTAL_ADDRESS: &str = "1 Main Street, Springfield, IL 62701, USA";

const OURS: &str = "warmfront";
const BARE: &str = "handlebars";
