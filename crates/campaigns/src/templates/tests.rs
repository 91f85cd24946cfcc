use super::*;
use crate::prospects::Prospect;

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

/// What is wrong with a text, the first of it.
#[track_caller]
fn refused(text: &str, want: &str) {
    let why = render(source(Some("Hi"), text, None), &[("first_name", "Bob")]).unwrap_err();
    assert_eq!(why.lines().next(), Some(want), "{text}");
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
fn hostile_and_broken_templates_are_refused_with_their_line() {
    let at = |line: usize, what: &str| format!("step 1 (a), text:{line}: {what}");
    let partial = "a partial takes text from elsewhere, and a step must be whole in its own file; write \
                   the text here";
    let inline = "decorators and inline partials are refused; write the text here";
    refused("x\n{{> footer}}", &at(2, partial));
    refused("{{~> footer}}", &at(1, partial));
    refused("{{#> layout}}x{{/layout}}", &at(1, partial));
    refused("{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", &at(1, inline));
    refused("{{* inline}}", &at(1, inline));
    refused(
        "{{#each items}}x{{/each}}",
        &at(1, "`#each` has nothing to repeat: every value is a single text"),
    );
    refused(
        "{{#with a}}x{{/with}}",
        &at(1, "`#with` has nothing to enter: every value is a single text"),
    );
    refused("{{#fi a}}x{{/fi}}", &at(1, "`#fi` is no block; did you mean `#if`?"));
    refused(
        "{{{first_name}}}",
        &at(
            1,
            "`{{{` puts a value into HTML as it stands, so that a list could write the page; use `{{ }}`",
        ),
    );
    refused(
        "{{{{raw}}}}x{{{{/raw}}}}",
        &at(
            1,
            "`{{{` puts a value into HTML as it stands, so that a list could write the page; use `{{ }}`",
        ),
    );
    refused("{{&first_name}}", &at(1, "`{{&` puts a value into HTML as it stands; use `{{ }}`"));
    refused("{{lookup this \"x\"}}", &at(1, "`lookup` is no word templates know"));
    refused("{{log first_name}}", &at(1, "`log` is no word templates know"));
    refused("{{env \"HOME\"}}", &at(1, "`env` is no word templates know"));
    refused(
        "{{uper first_name}}",
        &at(1, "`uper` is no word templates know; did you mean `upper`?"),
    );
    refused("{{upper}}", &at(1, "`upper` needs values to work on"));
    refused("{{default first_name}}", &at(1, "`default` takes 2 values"));
    refused("{{upper first_name x=\"y\"}}", &at(1, "`upper` takes 1 value"));
    refused(
        "{{eq first_name \"x\"}}",
        &at(1, "`eq` answers a question; ask it in `{{#if (eq …)}}`"),
    );
    refused(
        "{{#if first_name company}}x{{/if}}",
        &at(1, "`#if` takes one value; ask for several with `(and a b)` or `(or a b)`"),
    );
    refused(
        "{{prospect.first_name}}",
        &at(
            1,
            "`prospect.first_name` goes into a value, and values are plain texts; write `first_name`",
        ),
    );
    refused(
        "{{@root.first_name}}",
        &at(
            1,
            "`@root.first_name` goes into a value, and values are plain texts; write `first_name`",
        ),
    );
    refused(
        "{{../first_name}}",
        &at(1, "`../first_name` goes into a value, and values are plain texts; write `first_name`"),
    );
    refused("{{this}}", &at(1, "`this` is no column"));
    refused("{{@index}}", &at(1, "`@index` is no column"));
    refused("{{default first_name 7}}", &at(1, "write values as texts in quotes"));
    refused("{{}}", &at(1, "an empty tag; write a column's name between the braces"));
    refused("a\n{{first_name\n}}", &at(2, "`{{` is not closed in its line; end the tag with `}}`"));
    refused("{{first_name}", &at(1, "`{{` is not closed in its line; end the tag with `}}`"));
    refused(
        "{{default first_name \"x}}",
        &at(1, "`{{` is not closed in its line; end the tag with `}}`"),
    );
    refused(
        "{{first_name {{company}}",
        &at(1, "`{` inside a tag; a value is named by its column and nothing else"),
    );
    refused(
        "{{[first name]}}",
        &at(1, "`[` inside a tag; a value is named by its column and nothing else"),
    );
    refused(
        "\\{{first_name}}",
        &at(1, "a backslash before `{{` turns a tag into plain text; leave it out"),
    );
    refused("a\n{{#if first_name}}\nb", &at(2, "`{{#if}}` is never closed"));
    refused(
        "{{#if first_name}}\n{{/unless}}",
        &at(2, "`{{/unless}}` closes the `{{#if}}` of line 1"),
    );
    refused("{{/if}}", &at(1, "`{{/if}}` closes nothing"));
    refused("{{else}}", &at(1, "`{{else}}` outside any `{{#if}}`"));
    refused("{{!-- never {{/if}} closed", &at(1, "this comment is never closed"));
    refused(
        "Hi {first_name},",
        &at(
            1,
            "`{first_name}` would be sent as it stands; a value takes two braces: `{{first_name}}`",
        ),
    );
    refused(
        "Hi\n{Hello|Hi|Hey {{first_name}}},",
        &at(
            2,
            "`{Hello|Hi|Hey  }` is spintax: shuffled words deceive filters, not readers, and are \
               refused; write variants as `.a.hbs` and `.b.hbs` and compare them honestly",
        ),
    );
}

#[test]
fn bombs_are_bounded_before_anything_recurses() {
    let nested = |n: usize| format!("{}x{}", "{{#if a}}".repeat(n), "{{/if}}".repeat(n));
    assert!(render(source(None, &nested(20), None), &[]).is_ok());
    refused(&nested(21), "step 1 (a), text:1: blocks nest deeper than 20");
    refused(&nested(2_000), "step 1 (a), text:1: blocks nest deeper than 20");
    // Closing tags that the parser does not see must not make blocks look closed.
    for veil in
        ["\\{{/if}}", "{{!-- {{/if}} --}}", "{{! -- {{/if}} --}}", "{{default a \"{{/if}}\"}}"]
    {
        let text = format!("{{{{#if a}}}}{veil}").repeat(1_000);
        assert!(render(source(None, &text, None), &[]).is_err());
    }
    let chain = format!("{{{{#if a}}}}x{}{{{{/if}}}}", "{{else if a}}x".repeat(2_000));
    refused(&chain, "step 1 (a), text:1: blocks nest deeper than 20");
    let chain = format!("{{{{#if a}}}}x{}{{{{/if}}}}", "{{^if a}}x".repeat(2_000));
    refused(&chain, "step 1 (a), text:1: blocks nest deeper than 20");
    let calls = format!("{{{{upper {}a{}}}}}", "(upper ".repeat(5_000), ")".repeat(5_000));
    refused(&calls, "step 1 (a), text:1: more than 8 parentheses in one tag");
    refused(&"{{a}}".repeat(2_501), "step 1 (a), text:1: more than 2500 tags; that is no letter");
    refused(
        &"x".repeat(65 << 10),
        "step 1 (a), text:1: the template is longer than 64 KiB; that is no letter",
    );
    let large = "x".repeat(60_000);
    let why = render(source(None, &"{{a}}".repeat(9), None), &[("a", &large)]).unwrap_err();
    assert_eq!(why, "step 1 (a), text line 1: the message comes out larger than 512 KiB");
}

#[test]
fn no_jumble_of_tags_brings_the_parser_down() {
    let tags = [
        "{{#if a}}",
        "{{/if}}",
        "{{else}}",
        "{{else if b}}",
        "{{~^~}}",
        "{{a}}",
        "{{~a~}}",
        "{{!--",
        "--}}",
        "\\",
        "\\\\",
        "{",
        "}",
        "\n",
        " ",
        "text",
        "{{default a \"b\"}}",
        "{{#unless (not a)}}",
        "{{/unless}}",
        "{{> p}}",
        "{{!x}}",
        "\"",
        "'",
        "~",
        "(",
        "{{elsewhere}}",
        "{{ # if a }}",
        "{{/ if }}",
    ];
    let mut state = 7_u64;
    for round in 0..20_000 {
        let mut text = String::new();
        for _ in 0..1 + round % 12 {
            // Knuth's multiplier; the same jumble in every run.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text += tags[usize::try_from(state >> 33).unwrap() % tags.len()];
        }
        let _ = render(source(None, &text, None), &[("a", "1")]);
    }
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
