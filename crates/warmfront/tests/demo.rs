//! `demo`, as the README shows it, for a few of its days: the program as it is, and nothing set up.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::process::Command;

use serde_json::Value;

/// What the demonstration says of so many days, on stdout.
#[track_caller]
fn told(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_warmfront"))
        .arg("demo")
        .args(words)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_demonstration_keeps_its_promises_and_tells_the_same_story_twice() {
    let story = told(&["--days", "4", "--json"]);
    let read: Value = serde_json::from_str(&story).unwrap();
    assert_eq!(read["world"]["twice"], 0, "{story}");
    assert_eq!(read["world"]["violations"], 0, "{story}");
    assert_eq!(read["books_add_up"], true, "{story}");
    let (held, accepted) = (&read["world"]["held"], &read["accepted_in_books"]);
    let doubtful = read["messages"]["in_doubt"].as_u64().unwrap_or(0);
    let unsaid = held.as_u64().unwrap() - accepted.as_u64().unwrap();
    assert!(unsaid <= doubtful, "the world holds what the books do not know of: {story}");
    assert!(accepted.as_u64().unwrap() > 100, "{story}");
    assert_eq!(told(&["--days", "4", "--json"]), story);
}

#[test]
fn a_person_is_told_of_the_ramp_and_of_the_proof() {
    let story = told(&["--days", "1", "--seed", "3"]);
    assert_eq!(story.lines().filter(|line| line.starts_with("eve@")).count(), 4, "{story}");
    assert!(story.contains("Sent twice: 0. Over a limit, or after a no: 0. The books add up.\n"));
    assert!(story.contains("Seed 3; the same seed tells the same story.\n"), "{story}");
}

#[test]
fn every_example_campaign_with_a_fleet_of_its_own_runs() {
    for (example, people) in [("twenty-inboxes", 1_000), ("warm-new-mailboxes", 24)] {
        let folder = format!("{}/../../campaigns/{example}", env!("CARGO_MANIFEST_DIR"));
        let story = told(&[&folder, "--days", "2", "--json"]);
        let read: Value = serde_json::from_str(&story).unwrap();
        assert_eq!(read["rows"], people, "{story}");
        assert_eq!(read["books_add_up"], true, "{story}");
        assert!(read["accepted_in_books"].as_u64().unwrap() > 15, "{story}");
    }
}
