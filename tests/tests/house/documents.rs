//! That documents keep their word: links lead somewhere, commands exist, versions agree, licences are
//! there. What figures they print is checked in `figures`.

use std::collections::BTreeSet;
use std::path::Path;

/// The workspace's own documents.
fn documents() -> Vec<String> {
    let documents: Vec<String> =
        crate::files().into_iter().filter(|path| path.ends_with(".md")).collect();
    assert!(documents.iter().any(|path| path == "docs/glossary.md"), "{documents:?}");
    documents
}

/// The lines of a document with fenced blocks left out.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The commands of cargo in the blocks fenced as ```` ```console ````.
fn commands(text: &str) -> Vec<String> {
    let (mut fenced, mut console) = (false, false);
    let mut commands = Vec::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            fenced = !fenced;
            console = fenced && kind.trim() == "console";
        } else if console {
            let command = line.strip_prefix("$ ").unwrap_or(line).trim();
            commands.extend(command.starts_with("cargo ").then(|| command.to_owned()));
        }
    }
    commands
}

/// Where the links of a line lead.
fn links(line: &str) -> Vec<&str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// The anchor a forge gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |(_, line): (usize, &str)| {
        line.starts_with('#').then(|| anchor(line.trim_start_matches('#').trim()))
    };
    prose(text).filter_map(heading).collect()
}

/// What is wrong with a link from `path`, if anything is.
fn broken(path: &str, text: &str, link: &str) -> Option<String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
    let target = Path::new(path).parent().unwrap_or(Path::new("")).join(file);
    let target = crate::root().join(if file.is_empty() { Path::new(path) } else { &target });
    if !target.exists() {
        return Some(format!("there is no {link}"));
    }
    if wanted.is_empty() {
        return None;
    }
    let found = match file {
        "" => anchors(text),
        _ => anchors(&std::fs::read_to_string(&target).unwrap_or_default()),
    };
    (!found.contains(wanted)).then(|| format!("{link}: no heading makes this anchor"))
}

#[test]
fn every_link_leads_somewhere() {
    assert!(broken("docs/glossary.md", "", "nowhere.md").is_some());
    assert!(broken("docs/glossary.md", "# A b", "#c").is_some());
    assert_eq!(broken("docs/glossary.md", "## A `b`, c", "#a-b-c"), None);
    let mut breaches = Vec::new();
    for path in documents() {
        let text = crate::read(&path);
        for (line, prose) in prose(&text) {
            let wrong = links(prose).into_iter().filter_map(|link| broken(&path, &text, link));
            breaches.extend(wrong.map(|what| format!("{path}:{line}: {what}")));
        }
    }
    crate::none("links resolve", &breaches);
}

#[test]
fn the_changelog_knows_the_version() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = crate::read("CHANGELOG.md");
    assert!(changelog.contains(version), "CHANGELOG.md says nothing of {version}");
    assert!(changelog.contains("## [Unreleased]"), "CHANGELOG.md has no place for what comes next");
}

#[test]
fn both_licences_are_there() {
    assert!(crate::read("LICENSE-MIT").contains("The Warmfront authors"));
    assert!(crate::read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
    assert!(crate::read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
}

/// A command that begins with `cargo` is run as it stands by `.ci/run` or by whoever makes a change, or
/// is a `cargo run --` whose first word some test gives to the binary.
#[test]
fn documents_show_only_commands_that_are_run() {
    let ci = crate::read(".ci/run");
    let tests: String = crate::files()
        .iter()
        .filter(|path| path.ends_with(".rs") && path.contains("tests"))
        .filter(|path| !path.starts_with("tests/tests/house/"))
        .map(|path| crate::read(path))
        .collect();
    let is_run = |command: &str| {
        let word = command.split_once(" -- ").and_then(|(_, words)| words.split(' ').next());
        let tried = word.is_some_and(|word| tests.contains(&format!("\"{word}\"")));
        ci.contains(command)
            || BY_HAND.contains(&command)
            || command.starts_with("cargo run ") && tried
    };
    assert!(!is_run("cargo run -- no-such-command") && !is_run("cargo no-such-command"));
    let mut breaches = Vec::new();
    for document in ["README.md", "CONTRIBUTING.md"] {
        let commands = commands(&crate::read(document));
        assert!(!commands.is_empty(), "{document} shows no command in a ```console block");
        let unrun = commands.iter().filter(|command| !is_run(command));
        breaches.extend(unrun.map(|command| format!("{document}: {command}")));
    }
    crate::none("neither .ci/run nor a test runs this", &breaches);
}

/// Run before a change is handed in: they want components that a toolchain may lack.
const BY_HAND: [&str; 2] =
    ["cargo fmt --all --check", "cargo clippy --workspace --all-targets -- -D warnings"];

#[test]
fn examples_write_to_nobody() {
    // RFC 2606, sections 2 and 3; RFC 6761, section 6.4 for `.invalid`.
    let reserved = |domain: &str| {
        let tlds = [".example", ".test", ".invalid", ".localhost"];
        let second = ["example.com", "example.net", "example.org"];
        tlds.iter().any(|tld| domain.ends_with(tld))
            || second.iter().any(|name| domain == *name || domain.ends_with(&format!(".{name}")))
    };
    let shown = |path: &String| {
        ["campaigns/", "docs/"].iter().any(|folder| path.starts_with(folder)) || !path.contains('/')
    };
    let mut breaches = Vec::new();
    assert!(!reserved("example.computer") && reserved("mail.example.com"));
    for path in crate::files().into_iter().filter(shown).filter(|path| path != "Cargo.lock") {
        for (line, text) in (1..).zip(crate::read(&path).lines()) {
            let domains = addresses(text).into_iter().filter(|domain| !reserved(domain));
            breaches.extend(domains.map(|domain| format!("{path}:{line}: @{domain}")));
        }
    }
    crate::none("an example's address belongs to nobody", &breaches);
}

/// The domains of what looks like an address in a line.
fn addresses(line: &str) -> Vec<String> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let mut domains = Vec::new();
    for (at, _) in line.match_indices('@') {
        let named = line[..at].chars().next_back().is_some_and(|c| part(c) || c == '*');
        let domain: String = line[at + 1..].chars().take_while(|c| part(*c)).collect();
        let domain = domain.trim_end_matches(['.', '-']).to_lowercase();
        // A letter at the end tells `host.example` from `action@v4` and `crate@1.2`.
        let is_host = domain.contains('.') && domain.ends_with(char::is_alphabetic);
        if named && is_host {
            domains.push(domain);
        }
    }
    domains
}

#[test]
fn addresses_are_told_from_other_at_signs() {
    assert_eq!(addresses("a@b.example, <c@d.test>."), ["b.example", "d.test"]);
    assert!(addresses("uses: actions/checkout@v4 @media serde@1.0").is_empty());
}

#[test]
fn commands_are_told_from_their_output() {
    let text = "$ cargo a\n```console\n$ cargo b -- c\nb: done\n```\n```toml\ncargo = 1\n```\n";
    assert_eq!(commands(text), ["cargo b -- c"]);
}
