//! A folder in, a campaign or every problem of it out.

use std::fs;

use tempfile::TempDir;
use warmfront_core::span::HOUR;

use super::*;

const MANIFEST_TEXT: &str = r#"name = "Spring"
daily_target = 10
mailboxes = ["*@example.com"]
list_source = "Fair"
window = { opens = "0 0 9 * * Mon-Fri", length = "8h" }
[[step]]
template = "steps/1-intro.hbs"
[[step]]
template = "steps/2-nudge.hbs"
wait = "3d"
"#;

const GOOD: [(&str, &str); 4] = [
    ("campaign.toml", MANIFEST_TEXT),
    (
        "prospects.csv",
        "email,first_name,city\na@x.example,Ann,Köln\nb@x.example,,Ulm\nc@x.example,Cy,\n",
    ),
    ("steps/1-intro.hbs", "Subject: Hi {{default first_name \"there\"}}\n\nHow is {{city}}?\n"),
    ("steps/2-nudge.hbs", "Still there, {{first_name}}?\n"),
];

/// A folder called `spring` with the good files, some replaced, some added; an empty one is left out.
fn folder(changed: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("spring");
    fs::create_dir_all(dir.join("steps")).unwrap();
    for (name, text) in GOOD.iter().chain(changed) {
        let path = dir.join(name);
        if text.is_empty() {
            fs::remove_file(path).unwrap()
        } else {
            fs::write(path, text).unwrap()
        }
    }
    (home, dir)
}

fn loaded(dir: &Path) -> (Option<Campaign>, Vec<Problem>) {
    let sender =
        Sender { legal_name: "Example Ltd".into(), postal_address: "1 Main Street".into() };
    load(dir, &Terms { sender: &sender, person_gap: 48 * HOUR, encoding: None })
}

#[track_caller]
fn check(changed: &[(&str, &str)], want: &[&str]) {
    let (_home, dir) = folder(changed);
    let (campaign, problems) = loaded(&dir);
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), want);
    assert_eq!(campaign.is_some(), !warmfront_core::problem::any_error(&problems));
}

#[test]
fn a_good_folder_is_a_campaign() {
    let (_home, dir) = folder(&[]);
    let (campaign, problems) = loaded(&dir);
    assert_eq!(problems, []);
    let campaign = campaign.unwrap();
    assert_eq!(campaign.slug, "spring");
    assert_eq!(campaign.columns.names().collect::<Vec<_>>(), ["email", "first_name", "city"]);
    let variant = &campaign.steps[0].variants[0];
    assert_eq!((variant.file.as_str(), variant.text_line), ("steps/1-intro.hbs", 3));
    assert_eq!(variant.source.subject.as_deref(), Some("Hi {{default first_name \"there\"}}"));
    assert_eq!(campaign.steps[1].wait, Some(Wait::Days(3)));
    assert_eq!(campaign.steps[1].variants[0].source.subject, None);
}

#[test]
fn a_renderer_made_from_stored_sources_says_the_same() {
    let (_home, dir) = folder(&[("steps/2-nudge.html.hbs", "<p>{{first_name}}</p>")]);
    let campaign = loaded(&dir).0.unwrap();
    let kept = serde_json::to_string(&(campaign.sources(), &campaign.footer)).unwrap();
    let (sources, footer): (Vec<StepSource>, Footer) = serde_json::from_str(&kept).unwrap();
    let again = Renderer::from_sources(&sources, footer).unwrap();
    let address = Address::parse("ann@example.com").unwrap();
    let mailbox = Mailbox { name: "Ann", address: &address };
    let mut compared = 0;
    prospects::read(&campaign.prospects(), None, |row| {
        let Row::Accepted { prospect, .. } = row else { return };
        for position in 1..=2 {
            let say = |renderer: &Renderer| renderer.render(position, "a", &prospect, mailbox);
            assert_eq!(say(&campaign.renderer().unwrap()), say(&again));
            compared += 1;
        }
    })
    .unwrap();
    assert_eq!(compared, 6);
}

#[test]
fn variants_are_found_by_their_names() {
    let (_home, dir) = folder(&[
        ("steps/1-intro.hbs", ""),
        ("steps/1-intro.b.hbs", "Subject: B\n\nb"),
        ("steps/1-intro.a.hbs", "Subject: A\n\na"),
        ("steps/1-intro.a.html.hbs", "<p>a</p>"),
    ]);
    let (campaign, problems) = loaded(&dir);
    assert_eq!(problems, []);
    let campaign = campaign.unwrap();
    let variants = &campaign.steps[0].variants;
    let names: Vec<_> =
        variants.iter().map(|v| (v.source.variant.as_str(), v.source.html.is_some())).collect();
    assert_eq!(names, [("a", true), ("b", false)]);
    let renderer = campaign.renderer().unwrap();
    assert_eq!(renderer.variants(1).collect::<Vec<_>>(), ["a", "b"]);
    let to = Address::parse("a@x.example").unwrap();
    assert_eq!(renderer.variant_for("spring", 1, &to), renderer.variant_for("spring", 1, &to));
    assert_eq!(renderer.variant_for("spring", 3, &to), None);
}

#[test]
fn all_problems_of_a_folder_are_found_in_one_run() {
    check(
        &[
            ("campaign.toml", &MANIFEST_TEXT.replace("Fair", "").replace("10\n", "0\n")),
            ("prospects.csv", "mail,first_name\n"),
        ],
        &[
            "campaign.toml:2: `daily_target` must be a whole number from 1 to 1000000, not the number 0",
            "campaign.toml:4: `list_source`: is empty; say it in a few words",
            "prospects.csv:1: there is no column `email`; column 1 is `mail`: rename it to `email`",
        ],
    );
    check(
        &[
            ("prospects.csv", "mail\n"),
            ("steps/1-intro.hbs", "Subject: Re: {{x\n\nHi\n{a|b}\n"),
            ("steps/2-nudge.hbs", "\n\n{{#if a}}"),
        ],
        &[
            "prospects.csv:1: there is no column `email`; column 1 is `mail`: rename it to `email`",
            "steps/1-intro.hbs:1: `{{` is not closed in its line; end the tag with `}}`",
            "steps/1-intro.hbs:4: `{a|b}` is spintax: shuffled words deceive filters, not readers, and are refused; \
             write variants as `.a.hbs` and `.b.hbs` and compare them honestly",
            "steps/2-nudge.hbs:3: `{{#if}}` is never closed",
        ],
    );
}

#[test]
fn names_the_list_does_not_have_are_found_with_their_line() {
    check(
        &[(
            "steps/1-intro.hbs",
            "Subject: Hi {{frist_name}}\n\nHow\nis {{citty}}? {{default nick \"you\"}}\n",
        )],
        &[
            "steps/1-intro.hbs:1: nothing is known as `frist_name`; did you mean `first_name`?",
            "steps/1-intro.hbs:4: nothing is known as `citty`; did you mean `city`?",
            "steps/1-intro.hbs:4: warning: `nick` is never there; the list has no such column",
        ],
    );
    check(
        &[("steps/2-nudge.html.hbs", "<p>\n{{companny}}</p>")],
        &["steps/2-nudge.html.hbs:2: nothing is known as `companny`; the list has no such column"],
    );
}

#[test]
fn missing_and_surplus_files_are_named() {
    check(
        &[("steps/2-nudge.hbs", ""), ("steps/2-nugde.hbs", "x")],
        &[
            "campaign.toml:8: there is no `steps/2-nudge.hbs`; did you mean `steps/2-nugde.hbs`?",
            "steps/2-nugde.hbs: warning: no [[step]] uses this file",
        ],
    );
    check(
        &[("steps/1-intro.a.hbs", "Subject: x\n\ny")],
        &[
            "campaign.toml:6: both `steps/1-intro.hbs` and its variant `1-intro.a.hbs` are there; keep the one or the others",
            "steps/1-intro.a.hbs: warning: no [[step]] uses this file",
            "steps/1-intro.hbs: warning: no [[step]] uses this file",
        ],
    );
    check(
        &[("steps/2-nudge.b.html.hbs", "<p>x</p>")],
        &["steps/2-nudge.b.html.hbs: warning: no [[step]] uses this file"],
    );
    check(
        &[("steps/1-intro.hbs", "Hi\n")],
        &[
            "steps/1-intro.hbs:1: the first step needs a subject: begin the file with `Subject: …` and a blank line",
        ],
    );
    check(
        &[("steps/1-intro.hbs", &format!("Subject: x\n\n{}", "x".repeat(70_000)))],
        &["steps/1-intro.hbs: is larger than 64 KiB; that is no letter"],
    );
    let (_home, dir) = folder(&[("prospects.csv", ""), ("campaign.toml", "")]);
    let problems = loaded(&dir).1;
    assert_eq!(problems.len(), 2);
    assert!(problems.iter().all(|problem| problem.what.contains("No such file")), "{problems:?}");
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let (home, dir) = folder(&[("steps/2-nudge.hbs", "")]);
    fs::write(home.path().join("secret"), "root:x").unwrap();
    std::os::unix::fs::symlink(home.path().join("secret"), dir.join("steps/2-nudge.hbs")).unwrap();
    let problems = loaded(&dir).1;
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["steps/2-nudge.hbs: leads out of the campaign's folder; copy the file into it"]
    );
}

#[test]
fn the_folder_names_the_campaign_and_the_sender_must_be_known() {
    let (home, dir) = folder(&[]);
    let other = home.path().join("Spring 2026");
    fs::rename(dir, &other).unwrap();
    let sender = Sender { legal_name: " ".into(), postal_address: String::new() };
    let (campaign, problems) =
        load(&other, &Terms { sender: &sender, person_gap: 0, encoding: None });
    let what: Vec<_> = problems.iter().map(|problem| problem.what.as_str()).collect();
    assert!(campaign.is_none());
    assert_eq!(
        what,
        [
            "the folder's name becomes the campaign's: `Spring 2026` must be lower-case letters, digits, `-` and `_`, at most 60",
            "`legal_name` is missing in [sender]: no message leaves without it",
            "`postal_address` is missing in [sender]: no message leaves without it",
        ]
    );
    let (campaign, problems) = loaded(&home.path().join("gone"));
    assert!(campaign.is_none() && problems.iter().any(|p| p.what.contains("no such folder")));
}

#[test]
fn a_check_names_who_cannot_be_written_to_and_why() {
    let (_home, dir) = folder(&[]);
    let campaign = loaded(&dir).0.unwrap();
    let address = Address::parse("ann@example.com").unwrap();
    let check = super::check(&campaign, None, Mailbox { name: "Ann", address: &address }).unwrap();
    assert_eq!((check.report.accepted, check.blocked), (3, 2));
    let told: Vec<String> =
        check.details.iter().map(|b| format!("{} {} {}", b.line, b.address, b.why)).collect();
    assert_eq!(
        told,
        [
            "3 b@x.example step 2 (a), text line 1: `first_name` is empty for this person; fill it in, or write `{{default first_name \"…\"}}`",
            "4 c@x.example step 1 (a), text line 1: `city` is empty for this person; fill it in, or write `{{default city \"…\"}}`",
        ]
    );
}

#[test]
fn a_check_counts_all_and_names_the_first() {
    let list: String = (0..1_200).map(|n| format!("p{n}@x.example,,\n")).collect();
    let (_home, dir) = folder(&[("prospects.csv", &format!("email,first_name,city\n{list}"))]);
    let campaign = loaded(&dir).0.unwrap();
    let address = Address::parse("ann@example.com").unwrap();
    let check = super::check(&campaign, None, Mailbox { name: "Ann", address: &address }).unwrap();
    assert_eq!((check.blocked, check.details.len()), (1_200, DETAILS_MAX));
}
