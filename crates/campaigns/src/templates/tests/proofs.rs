//! What is proved to succeed must succeed: random templates for random people.

use super::*;

/// Numbers as random as the tests need, the same ones every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.roll(among.len())]
    }

    fn template(&mut self, pieces: &[&'static str], most: usize) -> String {
        (0..=self.roll(most)).map(|_| self.pick(pieces)).collect()
    }
}

const SUBJECTS: [&str; 18] = [
    "\n",
    "Hi ",
    " ",
    "Re",
    "re: ",
    "Aw",
    "A question: ",
    "：",
    ":",
    "{{a}}",
    "{{first_name}}",
    "{{company}}",
    "{{email}}",
    "{{default a \"you\"}}",
    "{{upper a}}",
    "{{#if a}}x{{/if}}",
    "{{~a~}}",
    "a long part of a long subject, of which there may be several, ",
];

const TEXTS: [&str; 26] = [
    "Hi, ",
    "\n",
    "{{a}}",
    "{{first_name}}",
    "{{company}}",
    "{{sender_name}}",
    "{{opt_out}}",
    "{{b}}",
    "{{{a}}}",
    "{{default a \"x\"}}",
    "{{default a b}}",
    "{{default a \"\"}}",
    "{{upper a}}",
    "{{upper \"\"}}",
    "{{lower (default a \"Y\")}}",
    "{{capitalize (upper b)}}",
    "{{default (eq a b) \"z\"}}",
    "{{upper (eq a b)}}",
    "{{#if a}}{{a}}{{/if}}",
    "{{#if a}}{{b}}{{else}}{{first_name}}{{/if}}",
    "{{#unless b}}{{company}}{{/unless}}",
    "{{#if (and a (not b))}}{{upper a}}{{/if}}",
    "{{#if (or (eq a \"\") b)}}x{{/if}}",
    "{{#if (eq (upper a) b)}}y{{/if}}",
    "{{~a~}}",
    "{{! a word aside }}",
];

const VALUES: [&str; 16] = [
    "",
    "",
    " ",
    "Bob",
    "Köln",
    "ß",
    "re: you",
    "Re",
    ": so",
    "two\nlines",
    "\u{202e}turned",
    "\"<&>\"",
    "\u{2028}",
    "false",
    "a value of some length, as they are found in the columns of a list",
    "a value of some length, twice a value of some length, thrice a value of some length, and again",
];

#[test]
fn what_is_proved_is_rendered() {
    let mut dice = Dice(7);
    let address = Address::parse("ann@example.com").unwrap();
    let huge = "ΐ".repeat(100_000);
    let (mut proved, mut failed, mut unproved) = (0, 0, 0);
    for _ in 0..5_000 {
        let subject = (dice.roll(4) > 0).then(|| dice.template(&SUBJECTS, 4));
        let html = (dice.roll(3) == 0).then(|| dice.template(&TEXTS, 6));
        let source = source(subject.as_deref(), &dice.template(&TEXTS, 6), html.as_deref());
        let Ok(renderer) = Renderer::from_sources(std::slice::from_ref(&source), footer()) else {
            continue;
        };
        let name = ["Ann", "", "Re: Ann"][dice.roll(3)];
        let mailbox = Mailbox { name, address: &address };
        for _ in 0..8 {
            let mut values = ["first_name", "company", "a", "b", "sender_name"]
                .map(|name| (name, dice.pick(&VALUES)));
            if dice.roll(20) == 0 {
                values[2].1 = &huge;
            }
            let bob = person(&values);
            let rendered = renderer.render(1, "a", &bob, mailbox);
            match (renderer.is_proved(1, "a", &bob, mailbox), rendered) {
                (true, Err(why)) => panic!("{why}: {source:?} for {values:?}"),
                (true, Ok(_)) => proved += 1,
                (false, Ok(_)) => unproved += 1,
                (false, Err(_)) => failed += 1,
            }
        }
    }
    // All three happen, or the test has nothing to say.
    assert!(proved > 1_000 && failed > 1_000 && unproved > 200, "{proved} {failed} {unproved}");
}

#[test]
fn common_letters_are_proved() {
    let values = [("first_name", "Bob"), ("company", "Acme: the roofs"), ("city", "Köln")];
    let text = "Hi {{default last_name \"there\"}},\n{{#if city}}{{upper city}}{{/if}} {{company}}";
    let source = source(Some("A question: {{company}}"), text, Some("<p>{{first_name}}</p>"));
    let renderer = Renderer::from_sources(&[source], footer()).unwrap();
    let address = Address::parse("ann@example.com").unwrap();
    let mailbox = Mailbox { name: "Ann", address: &address };
    assert!(renderer.is_proved(1, "a", &person(&values), mailbox));
    assert!(!renderer.is_proved(1, "a", &person(&values[..1]), mailbox));
}
