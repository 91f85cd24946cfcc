//! Connections that are cut around the final dot, in front of a server that has taken the message, or
//! has not.

use warmfront_tests::cable::{Cable, Cut};
use warmfront_tests::postfix::Door;

use super::office::office;
use super::scene::{Scene, Step};

#[test]
fn a_message_lost_around_its_dot_is_settled_by_its_copy_and_never_sent_twice() {
    let cuts = [(2, Cut::BeforeTheBody), (5, Cut::BeforeTheDot), (7, Cut::AfterTheDot)];
    let cable = Cable::to(office().postfix.port(Door::Clear), &cuts);
    let scene = Scene::through(cable.port(), &["ann@cut.example"]);
    let people: Vec<String> = (0..8).map(|nr| format!("p{nr}@cut-{nr}.example")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    scene.office.admit(&people);
    // One may need to be sent once more today.
    scene.begin("cuts", people.len() + 1, &people, &STEP);
    scene.run();
    scene.office.postfix.rest();

    let made = cable.cuts();
    let [(Cut::BeforeTheBody, unsent), (Cut::BeforeTheDot, lost), (Cut::AfterTheDot, taken)] =
        made.as_slice()
    else {
        panic!("{made:?}")
    };
    let has = |person: &str| scene.office.inbox(person).len();
    let state = |person: &str| scene.line("cuts", person, 1).state;
    assert_eq!((state(unsent).as_str(), has(unsent)), ("accepted", 1), "surely not sent: again");
    assert_eq!((state(lost).as_str(), has(lost)), ("in_doubt", 0));
    assert_eq!((state(taken).as_str(), has(taken)), ("in_doubt", 1));

    scene.reads_mailboxes();
    scene.run();
    scene.office.postfix.rest();
    let settled = scene.line("cuts", taken, 1);
    let why = settled.why.as_deref();
    assert_eq!(
        (settled.state.as_str(), why),
        ("accepted", Some("its copy lies in the Sent folder"))
    );
    // A copy may come late, so its absence proves nothing yet; and nothing is sent by guess.
    assert_eq!((state(lost).as_str(), has(lost)), ("in_doubt", 0));

    let id = scene.line("cuts", lost, 1).message_id.expect("it was claimed");
    let _ = scene.installation.run(&["reconcile", "--as", "planned", &id]).done();
    scene.run();
    scene.office.postfix.rest();
    for line in scene.installation.ledger() {
        let person = line.rcpt.as_deref().expect("nobody was erased");
        let attempts = if person == lost { 2 } else { 1 };
        let stands = (line.state.as_str(), line.attempts, has(person));
        assert_eq!(stands, ("accepted", attempts, 1), "{line:?}");
    }
    scene.mailboxes_are_well();
}

const STEP: [Step; 1] = [(None, "Subject: A question\n\nMay I ask?\n")];
