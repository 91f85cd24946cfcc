//! Mailboxes for which somebody has to log in: what says so, what ends it, and what does not.

use serde_json::json;
use warmfront_tests::binary::{Answer, list, terminate, wait_until};

use super::machines::{BOB, Machines};
use super::world::ANN;

/// What a daemon makes of mailboxes for which nobody has logged in.
fn worked_until_paused(machines: &Machines) {
    let daemon = machines.all[0].start(&["run"]);
    let is_paused = |mailbox| machines.standing(mailbox).0 == "paused";
    wait_until("both are paused", || is_paused(ANN) && is_paused(BOB));
    terminate(&daemon);
    let _ = Answer::from(daemon.wait_with_output().expect("it ends")).done();
}

#[test]
fn whoever_verifies_before_the_first_log_in_is_told_so_and_pauses_nothing() {
    let machines = Machines::one();
    let _ = machines.all[0].run(&["status"]).done();
    let verified = machines.all[0].run(&["mailbox", "verify", ANN]);
    assert_eq!(verified.code, Some(3), "{verified}");
    let told = verified.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("nobody has logged in for it yet"), "{verified}");
    assert!(told.contains(&format!("warmfront mailbox login {ANN}")), "{verified}");
    assert_eq!(machines.standing(ANN), ("active".to_owned(), String::new()));
    assert_eq!(machines.log_in(0, ANN, &[]).done().json()["resumed"], json!(false));
}

#[test]
fn a_mailbox_that_waits_for_its_log_in_goes_on_by_nothing_else() {
    let machines = Machines::one();
    worked_until_paused(&machines);
    let (_, why) = machines.standing(ANN);
    assert!(why.contains("nobody has logged in for it yet"), "{why}");
    let resumed = machines.all[0].run(&["mailbox", "resume", ANN]);
    let to_do = format!("`warmfront mailbox login {ANN}`");
    let _ = resumed.said(3, &["refused: ", "somebody must log in", &to_do]);
    assert_eq!(machines.standing(ANN).0, "paused");
    assert_eq!(machines.log_in(0, ANN, &[]).done().json()["resumed"], json!(true));
    // Whoever needs tokens no more needs nobody's log-in.
    machines.all[0].write("warmfront.toml", {
        let file = machines.all[0].file("warmfront.toml");
        let config = std::fs::read_to_string(file).expect("the configuration");
        let auth = machines.identity.auth("microsoft", "device");
        config.replace(&auth, "auth = { password = { env = \"CLIENT_SECRET\" } }")
    });
    assert_eq!(machines.standing(BOB).0, "paused");
    let _ = machines.all[0].run(&["mailbox", "resume", BOB]).done();
}

#[test]
fn a_mailbox_whose_application_asks_for_itself_waits_for_nobody() {
    let machines = Machines::one();
    worked_until_paused(&machines);
    let machine = &machines.all[0];
    let ours = std::fs::read_to_string(machine.file("warmfront.toml")).expect("a file");
    machine.write("warmfront.toml", ours.replace("flow = \"device\"", "flow = \"app\""));
    // Whoever looks makes no key, and says that there is none.
    let verified = machine.run(&["mailbox", "verify", ANN]);
    let told = verified.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("warmfront.key cannot be read"), "{verified}");
    assert!(told.contains("`warmfront run` makes it"), "{verified}");
    assert_eq!(machines.key(0), None);
    let _ = machine.run(&["mailbox", "resume", ANN]).done();
    machines.identity.at_browser(ANN);
    let _ = machine.run(&["mailbox", "login", ANN]).done();
    assert!(machines.key(0).is_some());
    assert_eq!(machines.standing(ANN).0, "active");
}

#[test]
fn a_log_in_with_one_application_is_none_with_another_and_comes_back_with_it() {
    let machines = Machines::one();
    let _ = machines.log_in(0, ANN, &[]).done();
    let spent = machines.spent();
    let ours = std::fs::read_to_string(machines.all[0].file("warmfront.toml")).expect("a file");
    let client = format!("client_id = \"{}\"", warmfront_tests::identity::CLIENT_ID);
    let others = ours.replace(&client, "client_id = \"another\"");
    machines.all[0].write("warmfront.toml", &others);
    let verified = machines.all[0].run(&["mailbox", "verify", ANN]);
    assert_eq!(verified.code, Some(3), "{verified}");
    assert_eq!(machines.standing(ANN).0, "active");
    let told = machines.all[0].run(&["check"]).done();
    assert!(told.err.contains("nobody has logged in with this application yet"), "{told}");
    worked_until_paused(&machines);
    let (_, why) = machines.standing(ANN);
    assert!(why.contains("nobody has logged in with this application yet"), "{why}");
    let _ = machines.all[0].run(&["mailbox", "resume", ANN]).said(3, &["mailbox login"]);
    assert_eq!(machines.spent(), spent, "nobody else's token was shown");

    // It was a slip of the pen, and nothing is lost.
    machines.all[0].write("warmfront.toml", &ours);
    let _ = machines.all[0].run(&["mailbox", "resume", ANN]).done();
    assert_eq!(machines.standing(ANN).0, "active");
}

#[test]
fn whose_only_mailboxes_wait_for_a_log_in_it_is_said_that_one_helps() {
    let machines = Machines::one();
    worked_until_paused(&machines);
    let machine = &machines.all[0];
    machine.write(
        "campaigns/spring/campaign.toml",
        "name = \"Spring\"\ndaily_target = 10\nmailboxes = [\"*@sender.example\"]\n\
         list_source = \"made up for a test\"\ntimezone = \"UTC\"\n\
         window = { opens = \"0 0 0 * * *\", length = \"24h\" }\n\
         [[step]]\ntemplate = \"steps/1.hbs\"\n",
    );
    machine.write("campaigns/spring/prospects.csv", list("spring", 1));
    let text = "Subject: A question, {{first_name}}\n\nHello {{first_name}}.\n";
    machine.write("campaigns/spring/steps/1.hbs", text);
    let _ = machine.run(&["campaign", "import", "campaigns/spring"]).done();
    let _ = machine.run(&["campaign", "start", "spring"]).done();
    let _ = machine.run(&["run", "--until-idle"]).done();
    let told = machine.run(&["why", "p0@spring-0.example", "--json"]).done().json();
    let reason = &told["enrolments"][0]["next"]["reasons"][0];
    assert_eq!(reason["reason"], "needs_login", "{told}");
    assert_eq!(reason["cure"], "`warmfront mailbox login ADDRESS`", "{told}");
    assert_eq!(reason["clears"], "operator", "{told}");
    let plan = machine.run(&["plan"]).done();
    let told = plan.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&format!("`warmfront mailbox login {ANN}`")), "{plan}");
}
