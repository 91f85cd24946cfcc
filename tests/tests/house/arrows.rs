//! The arrows between crates, and who may name which library, over `cargo metadata` and the lock.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What each crate of ours is built on, all of it and nothing else. A new arrow is a decision of its
/// own: it is drawn in ARCHITECTURE.md and here, in the commit that needs it.
const ARROWS: [(&str, &[&str]); 10] = [
    ("warmfront-core", &[]),
    ("warmfront-campaigns", &["warmfront-core"]),
    ("warmfront-mail", &["warmfront-core"]),
    ("warmfront-migrations", &[]),
    ("warmfront-store", &["warmfront-core", "warmfront-migrations"]),
    (
        "warmfront-engine",
        &["warmfront-campaigns", "warmfront-core", "warmfront-mail", "warmfront-store"],
    ),
    ("warmfront-web", &["warmfront-campaigns", "warmfront-core", "warmfront-store"]),
    ("warmfront-world", &["warmfront-core", "warmfront-mail"]),
    (
        "warmfront",
        &[
            "warmfront-campaigns",
            "warmfront-core",
            "warmfront-engine",
            "warmfront-mail",
            "warmfront-store",
            "warmfront-web",
            "warmfront-world",
        ],
    ),
    (
        BENCH,
        &[
            "warmfront-campaigns",
            "warmfront-core",
            "warmfront-engine",
            "warmfront-mail",
            "warmfront-store",
            "warmfront-tests",
        ],
    ),
];

/// The package that measures: the program from outside, and parts of it beside bare libraries.
const BENCH: &str = "warmfront-bench";

/// The package whose tests cross crates: it may use all of them except the bare schema.
const TESTS: &str = "warmfront-tests";

/// Libraries that stand for an outside thing, and the only packages that may name them, in any kind
/// of dependency. The binary names rustls to choose the process's cryptography; the tests run a TLS
/// server and a name server of their own, and damage databases as only a stranger to the store would.
/// The bench runs a TLS server too, and names what it measures the product against.
const WARDS: [(&str, &[&str]); 21] = [
    ("anyhow", &["warmfront"]),
    ("askama", &["warmfront-web"]),
    ("axum", &["warmfront-web"]),
    ("chacha20poly1305", &["warmfront-engine"]),
    ("chrono", &["warmfront-core"]),
    ("clap", &["warmfront"]),
    ("cron", &["warmfront-core"]),
    ("handlebars", &["warmfront-campaigns", BENCH]),
    ("hickory-resolver", &["warmfront-mail", TESTS]),
    ("keyring", &["warmfront"]),
    ("lettre", &["warmfront-mail"]),
    ("mail-auth", &["warmfront-mail"]),
    ("oauth2", &["warmfront-mail"]),
    ("reqwest", &["warmfront-mail"]),
    ("ring", &["warmfront-mail"]),
    ("rustix", &["warmfront"]),
    ("rustls", &["warmfront-mail", "warmfront", TESTS, BENCH]),
    ("sea-orm", &["warmfront-store", BENCH]),
    ("sea-orm-migration", &["warmfront-store", "warmfront-migrations"]),
    ("sqlx", &["warmfront-store", TESTS]),
    ("tokio-rustls", &["warmfront-mail", TESTS, BENCH]),
];

/// What core must not be built on at any depth: it has no outside.
const NOT_IN_CORE: [&str; 6] = ["axum", "lettre", "sea-orm", "sqlx", "tokio", "tracing"];

/// As built on this machine; without the network, for cargo has fetched what it builds.
fn metadata() -> Metadata {
    let here = ["--offline", "--filter-platform", "host-tuple"].map(str::to_owned);
    MetadataCommand::new()
        .manifest_path(crate::root().join("Cargo.toml"))
        .other_options(here)
        .exec()
        .expect("cargo describes the workspace")
}

fn is_ours(name: &str) -> bool {
    name == "warmfront" || name.starts_with("warmfront-")
}

/// Our crates that a package names, in dependencies of these kinds.
fn arrows<'a>(package: &'a Package, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    let named = package.dependencies.iter().filter(|named| kinds.contains(&named.kind));
    named.map(|named| named.name.as_str()).filter(|name| is_ours(name)).collect()
}

#[test]
fn every_arrow_between_crates_is_drawn() {
    let metadata = metadata();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.as_str(), arrows(package, &[DependencyKind::Normal])))
        .collect();
    let tests = found.remove(TESTS).expect("the package of tests is there");
    assert!(!tests.contains("warmfront-migrations"), "only the store knows the bare schema");
    let drawn = ARROWS.into_iter().map(|(from, to)| (from, to.iter().copied().collect())).collect();
    assert_eq!(found, drawn, "found on the left, drawn on the right");
}

#[test]
fn no_crate_crosses_to_another_for_its_tests() {
    let metadata = metadata();
    let mut breaches = Vec::new();
    for package in metadata.workspace_packages() {
        let drawn = arrows(package, &[DependencyKind::Normal]);
        let others = [DependencyKind::Development, DependencyKind::Build];
        for to in arrows(package, &others).difference(&drawn) {
            breaches.push(format!("{} -> {to}", package.name));
        }
    }
    crate::none("what crosses crates is tested in the package `tests`", &breaches);
}

#[test]
fn only_its_keeper_names_a_library() {
    let metadata = metadata();
    let mut breaches = Vec::new();
    for package in metadata.workspace_packages() {
        for named in &package.dependencies {
            let keepers: Option<&[&str]> = match named.name.as_str() {
                imap if imap.contains("imap") => Some(&["warmfront-mail"]),
                name => WARDS.iter().find(|(ward, _)| *ward == name).map(|(_, keepers)| *keepers),
            };
            if keepers.is_some_and(|keepers| !keepers.contains(&package.name.as_str())) {
                breaches.push(format!("{} names {}", package.name, named.name));
            }
        }
    }
    crate::none("a library is named by the crate that owns its outside thing", &breaches);
    let named: BTreeSet<&str> = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(|package| package.dependencies.iter().map(|named| named.name.as_str()))
        .collect();
    let unknown: Vec<String> = WARDS
        .iter()
        .filter(|(ward, _)| !named.contains(ward))
        .map(|(ward, _)| (*ward).to_owned())
        .collect();
    crate::none("a library nobody names needs no keeper", &unknown);
}

#[test]
fn core_is_built_on_nothing_that_reaches_outside() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("metadata with dependencies");
    let core =
        metadata.workspace_packages().into_iter().find(|package| package.name == "warmfront-core");
    let mut reached = BTreeSet::from([core.expect("core is there").id.clone()]);
    let mut waiting: Vec<_> = reached.iter().cloned().collect();
    while let Some(id) = waiting.pop() {
        for needed in &resolve[&id].deps {
            let built = needed.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if built && reached.insert(needed.pkg.clone()) {
                waiting.push(needed.pkg.clone());
            }
        }
    }
    let names: BTreeSet<&str> = reached.iter().map(|id| metadata[id].name.as_str()).collect();
    assert!(names.contains("jiff"), "the walk saw only {names:?}");
    let found: Vec<String> =
        NOT_IN_CORE.into_iter().filter(|name| names.contains(name)).map(str::to_owned).collect();
    crate::none("core has no outside", &found);
}

#[test]
fn there_are_no_features_to_switch() {
    let metadata = metadata();
    let breaches: Vec<String> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| !package.features.is_empty())
        .map(|package| format!("{}: {:?}", package.name, package.features))
        .collect();
    crate::none("a feature doubles what must be tested", &breaches);
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    let metadata = metadata();
    let breaches: Vec<String> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| {
            let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
            !manifest.contains("[lints]\nworkspace = true\n")
        })
        .map(|package| package.name.to_string())
        .collect();
    crate::none("a manifest says `[lints] workspace = true`", &breaches);
}

#[test]
fn there_is_one_of_each_foundation_and_no_openssl() {
    let lock = crate::read("Cargo.lock");
    let locked: Vec<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    for foundation in ["sqlx", "rustls", "tokio"] {
        let versions = locked.iter().filter(|name| **name == foundation).count();
        assert_eq!(versions, 1, "versions of {foundation} in Cargo.lock");
    }
    let foreign = ["openssl-sys", "native-tls", "aws-lc"];
    let breaches: Vec<String> = locked
        .into_iter()
        .filter(|name| foreign.iter().any(|foreign| name.starts_with(foreign)))
        .map(str::to_owned)
        .collect();
    crate::none("cryptography is rustls over ring, and needs no C toolchain of its own", &breaches);
}
