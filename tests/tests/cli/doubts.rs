//! Messages in doubt, and the operator's word on them.

use warmfront_tests::binary::Scene;

use crate::run;

/// Two messages that were sent, and whose answers were lost.
fn two_in_doubt() -> Scene {
    let scene = Scene::of(1);
    for campaign in ["spring", "summer"] {
        scene.begin(campaign, 1);
        let mut command = scene.installation.command(&["run", "--until-idle"]);
        let ended = command.env("WARMFRONT_FAILPOINT", "after_250:1:error").output();
        assert!(ended.expect("it starts").status.success());
    }
    scene
}

#[test]
fn a_doubt_is_listed_with_what_is_missing_and_how_to_settle_it() {
    let scene = two_in_doubt();
    let told = run(&scene, "reconcile").done();
    let want =
        "The database is no older than what was sent.\n\n2 messages in doubt:\n  1  p0@spring-0";
    assert!(told.out.starts_with(want), "{told}");
    for words in [
        "    missing: nobody reads this mailbox (no `imap`): look into it yourself",
        "    warmfront reconcile --as accepted|planned 1",
    ] {
        assert!(told.out.contains(words), "{told}");
    }
    assert!(told.out.lines().all(|line| line.chars().count() <= 80), "{told}");
    let json = run(&scene, "reconcile --json").done().json();
    let doubt = &json["doubts"][0];
    let keys: Vec<&String> = doubt.as_object().expect("fields").keys().collect();
    let want = [
        "campaign",
        "evidence",
        "id",
        "mailbox",
        "message_id",
        "missing",
        "rcpt",
        "settle",
        "since",
        "step",
    ];
    assert_eq!(keys, want);
    assert_eq!(
        (&doubt["id"], &doubt["step"], &doubt["campaign"]),
        (&1.into(), &1.into(), &"spring".into())
    );
    assert_eq!((&json["older"], &json["up_to_date"]), (&false.into(), &true.into()));
}

#[test]
fn the_operator_settles_a_doubt_by_its_id_or_its_message_id() {
    let scene = two_in_doubt();
    let doubts = run(&scene, "reconcile --json").done().json()["doubts"].clone();
    let message_id = doubts[1]["message_id"].as_str().expect("it was claimed").to_owned();
    let _ = run(&scene, "reconcile --as accepted 1 99").said(2, &["there is no message `99`"]);
    let _ = run(&scene, "reconcile --as sent 1").said(2, &["it is `accepted` or `planned`"]);
    let _ = run(&scene, "reconcile --as accepted").said(2, &["<ID>"]);
    let _ = run(&scene, "reconcile 1").said(2, &["--as"]);
    assert_eq!(run(&scene, "reconcile --json").json()["doubts"], doubts, "nothing was settled");

    let told = run(&scene, "reconcile --as accepted 1 --json").done();
    assert_eq!(told.out, "{\"as\":\"accepted\",\"ok\":true,\"settled\":[1]}\n");
    let _ = run(&scene, "reconcile --as planned 1")
        .said(3, &["message 1 is accepted and not in doubt; nothing was settled"]);
    let planned = run(&scene, &format!("reconcile --as planned {message_id}")).done();
    assert!(planned.err.contains("its reader gets it twice"), "{planned}");
    assert!(run(&scene, "reconcile").done().out.contains("No message is in doubt."));

    let _ = run(&scene, "run --until-idle").done();
    let states: Vec<String> =
        scene.installation.ledger().into_iter().map(|line| line.state).collect();
    assert_eq!(states, ["accepted", "planned"], "the next day's plan takes it in");
    let _ = run(&scene, "audit").done();
}

#[test]
fn what_a_killed_daemon_left_on_its_way_is_told_before_the_next_run_and_after() {
    let scene = Scene::of(1);
    scene.begin("spring", 2);
    let mut command = scene.installation.command(&["run", "--until-idle"]);
    let ended = command.env("WARMFRONT_FAILPOINT", "after_250:1:abort").output();
    assert!(!ended.expect("it starts").status.success());
    let told = run(&scene, "reconcile").done();
    let words = "No message is in doubt.\n1 message on the way when a daemon was killed:";
    assert!(told.out.contains(words), "{told}");
    assert!(told.out.lines().all(|line| line.chars().count() <= 80), "{told}");
    assert_eq!(run(&scene, "reconcile --json").done().json()["in_flight"], 1);

    let _ = run(&scene, "run --until-idle").done();
    assert_eq!(run(&scene, "reconcile --json").done().json()["in_flight"], 0);
    let told = run(&scene, "status").done();
    assert!(told.out.contains("1 message in doubt: `warmfront reconcile` tells"), "{told}");
}
