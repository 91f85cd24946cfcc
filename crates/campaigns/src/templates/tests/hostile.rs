//! Templates that mean harm, and those that only do it.

use super::*;

/// What is wrong with a text, the first of it.
#[track_caller]
fn refused(text: &str, want: &str) {
    let why = render(source(Some("Hi"), text, None), &[("first_name", "Bob")]).unwrap_err();
    assert_eq!(why.lines().next(), Some(want), "{text}");
}

/// A flaw of the text as it is told.
fn at(line: usize, what: &str) -> String {
    format!("step 1 (a), text:{line}: {what}")
}

#[test]
fn what_reaches_outside_or_repeats_is_refused_with_its_line() {
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
}

#[test]
fn words_and_values_that_templates_do_not_know_are_refused_with_their_line() {
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
}

#[test]
fn tags_that_are_broken_are_refused_with_their_line() {
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
