//! Templates and people in, messages or reasons out.

use super::*;
use crate::prospects::Prospect;

mod hostile;
mod proofs;

fn footer() -> Footer {
    Footer {
        legal_name: "Example Ltd".into(),
        postal_address: "1 Main Street, Springfield".into(),
        opt_out: "Say stop and I stop.".into(),
    }
}

fn person(values: &[(&str, &str)]) -> Prospect {
    let value = |wanted: &str| {
        values.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value).to_owned()
    };
    let known = ["first_name", "last_name", "company", "title", "country", "timezone"];
    let others = values.iter().filter(|(name, _)| !known.contains(name));
    Prospect {
        address: Address::parse("bob@acme.example").unwrap(),
        first_name: value("first_name"),
        last_name: value("last_name"),
        company: value("company"),
        title: value("title"),
        country: value("country"),
        timezone: value("timezone"),
        attributes: others.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

fn source(subject: Option<&str>, text: &str, html: Option<&str>) -> StepSource {
    StepSource {
        position: 1,
        variant: "a".into(),
        subject: subject.map(str::to_owned),
        text: text.into(),
        html: html.map(str::to_owned),
    }
}

fn render(source: StepSource, values: &[(&str, &str)]) -> Result<Rendered, String> {
    let renderer = Renderer::from_sources(&[source], footer()).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    let address = Address::parse("ann@example.com").unwrap();
    let mailbox = Mailbox { name: "Ann Lee", address: &address };
    renderer.render(1, "a", &person(values), mailbox).map_err(|problem| problem.to_string())
}

const END: &str = "\n\nSay stop and I stop.\n\nExample Ltd\n1 Main Street, Springfield\n";

/// Renders a text for Bob of Acme.
#[track_caller]
fn check(text: &str, want: &str) {
    let bob =
        [("first_name", "Bob"), ("company", "mcDonald & sons"), ("city", "Köln"), ("title", "CTO")];
    let got = render(source(Some("Hi"), text, None), &bob).map(|rendered| rendered.text);
    let got = got.as_deref().map(|text| text.strip_suffix(END).unwrap_or(text));
    assert_eq!(got.unwrap_or_else(|why| why), want, "{text}");
}

#[test]
fn values_and_words() {
    check("Hi {{first_name}},", "Hi Bob,");
    check("{{ first_name }} & {{~company~}} !", "Bob &mcDonald & sons!");
    check("{{default last_name \"there\"}}", "there");
    check("{{default first_name \"there\"}}", "Bob");
    check("{{default last_name first_name}}", "Bob");
    check("{{default (upper last_name) \"THERE\"}}", "THERE");
    check("{{upper city}} {{lower first_name}} {{capitalize company}}", "KÖLN bob McDonald & Sons");
    check("{{title}} {{sender_name}} <{{sender_address}}>", "CTO Ann Lee <ann@example.com>");
    check("{{#if last_name}}a{{else}}b{{/if}}", "b");
    check("{{#if last_name}}a{{else if city}}{{city}}{{else}}b{{/if}}", "Köln");
    check("{{#unless last_name}}a{{/unless}}", "a");
    check("{{#if (eq city \"Köln\")}}a{{/if}}{{#if (eq last_name \"x\")}}b{{/if}}", "a");
    check("{{#if (and city (not last_name))}}a{{/if}}{{#if (or last_name country)}}b{{/if}}", "a");
    check("{{!-- not {{/if}} said --}}x{{! nor this }}", "x");
    check("a\n{{#if city}}\nb\n{{/if}}\nc", "a\nb\nc");
    check("{{default first_name \"}} {{/if}}\"}}", "Bob");
}

#[test]
fn a_value_is_never_read_as_a_template() {
    let evil = [("first_name", "{{legal_name}}{{#if")];
    let rendered = render(source(Some("S"), "Hi {{first_name}}", None), &evil).unwrap();
    assert!(rendered.text.starts_with("Hi {{legal_name}}{{#if\n"));
}

#[test]
fn a_missing_or_empty_value_blocks_the_person_and_never_leaves_a_hole() {
    let blocked = |text: &str, values: &[(&str, &str)]| {
        let renderer = Renderer::from_sources(&[source(Some("S"), text, None)], footer()).unwrap();
        let address = Address::parse("ann@example.com").unwrap();
        let mailbox = Mailbox { name: "Ann Lee", address: &address };
        let problem = renderer.render(1, "a", &person(values), mailbox).unwrap_err();
        (problem.variable.clone().unwrap(), problem.line.unwrap())
    };
    assert_eq!(blocked("Hi\n\n{{company}}", &[]), ("company".into(), 3));
    assert_eq!(blocked("Hi\n{{company}}", &[("company", " \n ")]), ("company".into(), 2));
    assert_eq!(blocked("{{upper (lower company)}}", &[]), ("company".into(), 1));
    assert_eq!(blocked("{{default city company}}", &[]), ("company".into(), 1));
    assert_eq!(
        blocked("{{#if city}}\n{{company}}\n{{/if}}", &[("city", "x")]),
        ("company".into(), 2)
    );
    check(
        "{{last_name}}",
        "step 1 (a), text line 1: `last_name` is empty for this person; fill it in, or write \
         `{{default last_name \"…\"}}`",
    );
}

#[test]
fn subjects_are_one_honest_line() {
    #[track_caller]
    fn check(subject: &str, value: &str, want: Result<&str, &str>) {
        let got = render(source(Some(subject), "x", None), &[("a", value)]);
        let got = got.map(|rendered| rendered.subject.unwrap());
        assert_eq!(got.as_deref().map_err(String::as_str), want, "{subject}");
    }
    check(" Hello {{a}} ", "B & C", Ok("Hello B & C"));
    check("About re: search", "", Ok("About re: search"));
    check("Ref: your order", "", Ok("Ref: your order"));
    check(
        "{{a}}",
        "two\nlines",
        Err(
            "step 1 (a), subject: the subject would hold a line break or another control character; a \
             value with several lines does not belong there",
        ),
    );
    check(
        "{{a}}",
        &"x".repeat(201),
        Err("step 1 (a), subject: the subject comes out 201 characters long; 200 is the most"),
    );
    check("{{#if b}}x{{/if}}", "", Err("step 1 (a), subject: the subject comes out empty"));
    let reply = |place: &str, mark: &str| {
        format!(
            "step 1 (a), subject{place} `{mark}:` pretends to go on a conversation and is refused; a \
             step without a `Subject:` replies in the thread, and gets its `Re:` by right"
        )
    };
    check("Re: our call", "", Err(&reply(":1:", "Re")));
    check("FWD : our call", "", Err(&reply(":1:", "FWD")));
    check("re[2]: our call", "", Err(&reply(":1:", "re")));
    check("AW: unser Gespräch", "", Err(&reply(":1:", "AW")));
    check("回复：你好", "", Err(&reply(":1:", "回复")));
    check("{{a}} our call", "Re:", Err(&reply(":", "Re")));
    check(
        "{{missing}}",
        "",
        Err(
            "step 1 (a), subject: `missing` is empty for this person; fill it in, or write `{{default missing \"…\"}}`",
        ),
    );
}

#[test]
fn no_message_leaves_without_its_footer() {
    let text = |text: &str| render(source(None, text, None), &[("company", "Acme")]).unwrap().text;
    assert_eq!(text("Hi"), format!("Hi{END}"));
    assert_eq!(
        text("Hi\n{{opt_out}}\n"),
        "Hi\nSay stop and I stop.\n\nExample Ltd\n1 Main Street, Springfield\n"
    );
    assert_eq!(
        text("{{legal_name}}, {{postal_address}}: {{opt_out}}"),
        "Example Ltd, 1 Main Street, Springfield: Say stop and I stop."
    );
    // What stands under a condition is not surely there.
    assert_eq!(text("{{#if company}}{{opt_out}}{{/if}}").matches("Say stop").count(), 2);
    assert_eq!(text("{{!-- {{opt_out}} --}}Hi").matches("Say stop").count(), 1);
}

#[test]
fn html_escapes_every_value_and_has_its_footer_within_the_body() {
    let html = "<html><body><p>Hi {{first_name}} {{upper first_name}}</p></BODY></html>";
    let rendered = render(source(None, "Hi", Some(html)), &[("first_name", "<b>\"M&S\"")]).unwrap();
    assert_eq!(
        rendered.html.unwrap(),
        "<html><body><p>Hi &lt;b&gt;&quot;M&amp;S&quot; &lt;B&gt;&quot;M&amp;S&quot;</p>\
         <p>Say stop and I stop.<br>\nExample Ltd<br>\n1 Main Street, Springfield</p>\n</BODY></html>"
    );
}

#[test]
fn a_page_whose_end_stands_under_a_condition_has_its_footer_all_the_same() {
    let html = "<body>Hi{{#if company}}</body>{{/if}}";
    let rendered = render(source(None, "Hi", Some(html)), &[]).unwrap();
    assert_eq!(
        rendered.html.unwrap(),
        "<body>Hi<p>Say stop and I stop.<br>\nExample Ltd<br>\n1 Main Street, Springfield</p>\n"
    );
}

#[test]
fn unknown_names_are_found_before_anybody_is_written_to() {
    let known = ["first_name", "company", "opt_out", "legal_name", "postal_address"];
    let compiled = Compiles::of(&source(
        Some("{{frist_name}}"),
        "a\n{{default compny \"you\"}}{{#if zzzzzz}}x{{/if}}\n{{qqqqqq}}",
        None,
    ));
    let unknown = compiled.ok().unwrap().unknown(&known);
    let told: Vec<String> = unknown
        .iter()
        .map(|(part, flaw)| format!("{part}:{} {:?} {}", flaw.line, flaw.severity, flaw.what))
        .collect();
    assert_eq!(
        told,
        [
            "subject:1 Error nothing is known as `frist_name`; did you mean `first_name`?",
            "text:2 Warning `compny` is never there; did you mean `company`?",
            "text:2 Warning `zzzzzz` is never there; the list has no such column",
            "text:3 Error nothing is known as `qqqqqq`; the list has no such column",
        ]
    );
}

#[test]
fn a_person_always_gets_the_same_variant_and_all_variants_are_got() {
    let to = |n: u32| Address::parse(&format!("p{n}@x.example")).unwrap();
    // Written down once: a change here would show people both variants of a running campaign.
    let first: Vec<usize> = (0..12).map(|n| variant_index("spring", 1, &to(n), 3)).collect();
    assert_eq!(first, [0, 0, 2, 2, 1, 0, 0, 0, 0, 1, 1, 1]);
    let count = (0..3_000).filter(|n| variant_index("spring", 1, &to(*n), 3) == 2).count();
    assert!((900..1_100).contains(&count), "{count}");
    assert_eq!(variant_index("spring", 1, &to(1), 0), 0);
}

#[test]
fn a_fingerprint_tells_texts_and_their_places_apart() {
    let hash = |subject, text: &str, html| source(subject, text, html).content_hash();
    assert_eq!(hash(None, "a", None).len(), 64);
    assert_eq!(hash(Some("s"), "a", None), hash(Some("s"), "a", None));
    assert_ne!(hash(Some("a"), "b", None), hash(Some("ab"), "", None));
    assert_ne!(hash(None, "a", None), hash(Some(""), "a", None));
    assert_ne!(hash(None, "a", None), hash(None, "a", Some("")));
}

#[test]
fn step_files() {
    #[track_caller]
    fn check(file: &str, want: &str) {
        let got = match step_file::parse(file.as_bytes()) {
            Ok(step) => format!("{:?} {}:{:?}", step.subject, step.text_line, step.text),
            Err(flaws) => {
                let told = flaws.iter().map(|flaw| format!("{}: {}", flaw.line, flaw.what));
                told.collect::<Vec<_>>().join("\n")
            }
        };
        assert_eq!(got, want, "{file}");
    }
    check("Subject: Hi {{a}}\n\nText\n", "Some((1, \"Hi {{a}}\")) 3:\"Text\\n\"");
    check("\u{feff}subject:Hi\r\n\r\n\r\nText", "Some((1, \"Hi\")) 4:\"Text\"");
    check("Text\nmore", "None 1:\"Text\\nmore\"");
    check("\n\nText", "None 3:\"Text\"");
    check("Hello:\n\nText", "None 1:\"Hello:\\n\\nText\"");
    check("Subject: Hi\nText", "2: a blank line must stand between the subject and the text");
    check("Subject: Hi\n\n", "3: the step has no text");
    check("", "1: the step has no text");
    check("Subject:\n\nText", "1: the subject is empty; leave the line out to reply in thread");
    check(
        "Subject: a\nSubject: b\n\nText",
        "2: a second `Subject:` after line 1; to compare subjects write variants, `.a.hbs` and `.b.hbs`",
    );
    check("Subejct: a\n\nText", "1: `Subejct:` is no header of a step; did you mean `Subject:`?");
    check(
        "Subject: a\nBcc: v@y.example\n\nText",
        "2: `Bcc:` cannot be set in a step; the one header here is `Subject:`, the rest comes from the mailbox and the list",
    );
    check("Subject: a\u{0}b\n\nText", "1: a control character, which no mail may hold; delete it");
    assert_eq!(step_file::parse(b"a\nb\xFF").unwrap_err()[0].line, 2);
    assert!(step_file::parse_html(b"Subject: x\n\n<p>").is_err());
}
