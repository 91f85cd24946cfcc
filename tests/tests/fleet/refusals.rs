//! Servers and clocks that books cannot rest on: `run` ends at once, sends nothing, and says what to
//! do. Once that is done it sends.

use warmfront_tests::binary::{Fleet, Scene};
use warmfront_tests::postgres::Cluster;

use super::pair::UNTIL_IDLE;

/// A scene with work, in a database of its own.
struct Story<'a> {
    cluster: &'a Cluster,
    database: String,
    scene: Scene,
}

impl<'a> Story<'a> {
    fn begin(cluster: &'a Cluster) -> Self {
        let database = cluster.database(None);
        let scene = Scene::with(&Fleet { store: Some(cluster.url(&database)), ..Fleet::of(1) });
        scene.begin("spring", PEOPLE);
        Self { cluster, database, scene }
    }

    fn sql(&self, text: &str) {
        let text = text.replace("DATABASE", &format!("DATABASE {}", self.database));
        self.cluster.run_sql(&self.database, &[text]);
    }

    /// Has a function of PostgreSQL's own answer otherwise to whoever connects from now on.
    fn shadow(&self, function: &str) {
        self.sql(&format!("CREATE SCHEMA IF NOT EXISTS shadow; CREATE FUNCTION shadow.{function}"));
        // The books stay where they are, before both.
        self.sql("ALTER DATABASE SET search_path = public, shadow, pg_catalog");
    }

    #[track_caller]
    fn is_refused(&self, words: &[&str]) {
        let refused = self.scene.installation.run(&UNTIL_IDLE).said(3, words);
        let last = refused.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("refused: ") && refused.out.is_empty(), "{refused}");
        assert_eq!(self.scene.sink.accepted_count(), 0);
    }

    #[track_caller]
    fn sends(&self) {
        let _ = self.scene.installation.run(&UNTIL_IDLE).done();
        assert_eq!(self.scene.sink.accepted_count(), PEOPLE);
    }
}

#[test]
fn a_server_that_does_not_wait_for_its_disk_is_refused() {
    let story = Story::begin(Cluster::shared());
    story.sql("ALTER DATABASE SET synchronous_commit = off");
    story.is_refused(&[
        &format!("the PostgreSQL server at {}", shown(&story)),
        "has `synchronous_commit` off",
        "mail would be sent twice",
        "Set `synchronous_commit = on` in postgresql.conf (or for this user or database",
    ]);
    story.sql("ALTER DATABASE RESET synchronous_commit");
    story.sends();

    let cluster = Cluster::start();
    let story = Story::begin(&cluster);
    let set = |fsync: &str| {
        story.sql(&format!("ALTER SYSTEM SET fsync = {fsync}"));
        cluster.crash();
        cluster.begin();
    };
    set("off");
    story.is_refused(&["has `fsync` off", "Set `fsync = on` in postgresql.conf"]);
    set("on");
    story.sends();
}

/// Only the newest server is installed where tests run, so one says of itself that it is older.
#[test]
fn a_server_that_is_too_old_is_refused() {
    let story = Story::begin(Cluster::shared());
    story.shadow(
        "current_setting(name TEXT) RETURNS TEXT LANGUAGE sql AS $$ SELECT CASE name
             WHEN 'server_version_num' THEN '140019' WHEN 'server_version' THEN '14.19'
             ELSE pg_catalog.current_setting(name) END $$",
    );
    story.is_refused(&[
        "need PostgreSQL 15 or later",
        &format!("the server at {} is 14.19; upgrade it", shown(&story)),
    ]);
    story.sql("DROP FUNCTION shadow.current_setting");
    story.sends();
}

/// Nobody can set the clock of the machine that runs this, so the server's goes wrong.
#[test]
fn a_clock_that_is_not_the_servers_is_refused() {
    let story = Story::begin(Cluster::shared());
    for (skew, words) in [("9 s", "s behind that of the database"), ("-9 s", "s ahead of that of")]
    {
        story.shadow(&format!(
            "clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE sql AS
             $$ SELECT pg_catalog.clock_timestamp() + INTERVAL '{skew}' $$"
        ));
        story.is_refused(&["the clock of this machine is ", words, "keep both by NTP"]);
        story.sql("DROP FUNCTION shadow.clock_timestamp");
    }
    story.sends();
}

/// The story's URL as people are shown it.
fn shown(story: &Story<'_>) -> String {
    story.cluster.url(&story.database).replace("postgres@", "…@")
}

const PEOPLE: usize = 3;
