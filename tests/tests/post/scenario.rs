//! A campaign of two steps, and all that can come back: each answer changes the rows that it is about,
//! and no others.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use mail_parser::MessageParser;
use serde_json::json;
use warmfront_tests::binary::wait_until;
use warmfront_tests::dovecot::Folder;

use super::office::Office;
use super::scene::{Scene, Step};

#[test]
fn whatever_comes_back_changes_the_right_rows() {
    let scene = Scene::of(&MAILBOXES);
    let office = scene.office;
    let late = LetIn(office);
    office.admit(&[AWAY, LATE, REPLIES, COLLEAGUE, OPTS_OUT, SILENT]);
    let now = Timestamp::from_millisecond(scene.installation.now()).expect("a moment");
    let back_on = now.to_zoned(TimeZone::UTC).date() + 10.days();
    office.dovecot.answers_for(AWAY, &format!("I am away and will be back on {back_on}."));
    scene.begin("spring", SPRING.len(), &SPRING, &STEPS);
    scene.begin("autumn", AUTUMN.len(), &AUTUMN, &STEPS);
    scene.run();

    let came = || MAILBOXES.iter().map(|mailbox| office.inbox(mailbox).len()).sum::<usize>();
    wait_until("a bounce, a delay and an automatic answer have come", || came() == 3);
    drop(late);
    office.postfix.rest();
    answer(&scene, REPLIES, "Yes, do call me on Monday.");
    answer(&scene, OPTS_OUT, "Please remove me.");
    office.postfix.rest();
    assert_eq!(came(), 5);

    // Today's targets are reached: nothing but reading is left to do.
    scene.reads_mailboxes();
    scene.run();
    came_back(&scene, "active", &format!("{back_on}T12:00:00Z"));

    scene.import("spring", 20, &SPRING, &STEPS);
    scene.import("autumn", 20, &AUTUMN, &STEPS);
    scene.run();
    office.postfix.rest();
    came_back(&scene, "finished", &format!("{back_on}T12:00:00Z"));
    follow_ups_went_to_whom_they_may(&scene);
}

/// Has somebody answer what came to them from the campaign in spring.
#[track_caller]
fn answer(scene: &Scene, person: &str, words: &str) {
    let id = scene.line("spring", person, 1).message_id.expect("it was sent");
    let received = scene.office.inbox(person);
    let received = received.iter().find(|message| message.contains(&id)).expect("it came");
    scene.office.answer(person, received, words);
}

/// What the books say of each person: but for `late`, who goes on, the same for good.
#[track_caller]
fn came_back(scene: &Scene, late: &str, back_at: &str) {
    check(scene, "spring", GONE, "bounced", &["hard_bounce"]);
    check(scene, "spring", REPLIES, "replied", &["reply"]);
    check(scene, "autumn", COLLEAGUE, "held", &[]);
    check(scene, "spring", OPTS_OUT, "unsubscribed", &["unsubscribe"]);
    check(scene, "autumn", OPTS_OUT, "suppressed", &[]);
    check(scene, "spring", LATE, late, &["delayed"]);
    check(scene, "spring", AWAY, "active", &["auto_reply"]);
    assert_eq!(scene.enrolment("spring", AWAY)["next"]["not_before"], back_at);

    assert_eq!(scene.line("spring", GONE, 1).state, "bounced");
    let mut suppressed = scene.suppressed();
    suppressed.sort();
    let want = [(GONE, "hard_bounce"), (OPTS_OUT, "unsubscribed")];
    assert_eq!(suppressed, want.map(|(who, why)| (who.to_owned(), why.to_owned())));
    scene.mailboxes_are_well();

    let report = scene.told("report spring");
    let first = &report["campaigns"][0]["by_step"][0];
    let figures = ["accepted", "bounced", "rejected", "in_doubt", "replied", "auto_replied"];
    assert_eq!(
        figures.map(|figure| first[figure].as_u64()),
        [6, 1, 0, 0, 1, 1].map(Some),
        "{report}"
    );

    /// The state of an enrolment, and what came in about its first message.
    #[track_caller]
    fn check(scene: &Scene, campaign: &str, person: &str, state: &str, inbound: &[&str]) {
        let told = scene.enrolment(campaign, person);
        let came = told["messages"][0]["inbound"].as_array().expect("a list");
        let came: Vec<&str> = came.iter().filter_map(|one| one["kind"].as_str()).collect();
        assert_eq!((told["state"].as_str(), came.as_slice()), (Some(state), inbound), "{told}");
    }
}

#[track_caller]
fn follow_ups_went_to_whom_they_may(scene: &Scene) {
    let office = scene.office;
    let have = [AWAY, LATE, REPLIES, COLLEAGUE, OPTS_OUT, SILENT];
    let have = have.map(|person| (person, office.inbox(person).len()));
    let want = [(AWAY, 1), (LATE, 2), (REPLIES, 1), (COLLEAGUE, 1), (OPTS_OUT, 2), (SILENT, 2)];
    assert_eq!(have, want);
    for person in [LATE, SILENT] {
        is_in_thread(scene, person);
        assert_eq!(scene.enrolment("spring", person)["state"], "finished");
    }
    let told = scene.told("campaign status spring");
    let states = json!({"active": 1, "bounced": 1, "finished": 2, "replied": 1, "unsubscribed": 1});
    assert_eq!(told["enrolments"], states, "{told}");

    // Every mail of ours has its copy, and none was taken for one written by hand.
    let mut sent = BTreeMap::new();
    for line in scene.installation.ledger().into_iter().filter(|line| line.message_id.is_some()) {
        *sent.entry(line.mailbox).or_insert(0) += 1;
    }
    let copies = |mailbox: &str| office.dovecot.count(mailbox, Folder::Sent);
    assert_eq!(sent, MAILBOXES.iter().map(|&one| (one.to_owned(), copies(one))).collect());
    assert_eq!(sent.values().sum::<usize>(), 10);
}

/// The second message answers the first, for whoever reads it and for their mail program.
#[track_caller]
fn is_in_thread(scene: &Scene, person: &str) {
    let first = scene.line("spring", person, 1).message_id.expect("it was sent");
    let second = scene.line("spring", person, 2).message_id.expect("it was sent");
    let bare = |id: &str| id.trim_matches(['<', '>']).to_owned();
    let parser = MessageParser::default();
    let inbox = scene.office.inbox(person);
    let found = inbox.iter().filter_map(|text| parser.parse(text.as_bytes()));
    let found = found.map(|mail| (mail.message_id().expect("an id").to_owned(), mail));
    let found: BTreeMap<_, _> = found.collect();
    let follow_up = &found[&bare(&second)];
    assert_eq!(follow_up.in_reply_to().as_text(), Some(bare(&first).as_str()));
    assert_eq!(follow_up.subject(), Some("Re: A question"));
    assert_eq!(found.len(), 2);
}

/// Mail for `late.` waits until this is dropped, and with it whoever waits for an empty queue: it goes on
/// if this test does not, too.
struct LetIn<'a>(&'a Office);

impl Drop for LetIn<'_> {
    fn drop(&mut self) {
        self.0.postfix.let_the_late_in(&self.0.dovecot);
    }
}

const STEPS: [Step; 2] =
    [(None, "Subject: A question\n\nMay I ask?\n"), (Some("0h"), "Did you see this?\n")];

const MAILBOXES: [&str; 2] = ["ann@sender1.example", "bob@sender2.example"];

/// Known to Postfix, but not to Dovecot: it bounces.
const GONE: &str = "gwen@moved.example";
const AWAY: &str = "cara@away.example";
const LATE: &str = "pat@late.example";
const REPLIES: &str = "rita@works.example";
const COLLEAGUE: &str = "rob@works.example";
const OPTS_OUT: &str = "uma@leaves.example";
const SILENT: &str = "quin@still.example";

const SPRING: [&str; 6] = [GONE, AWAY, LATE, REPLIES, OPTS_OUT, SILENT];
const AUTUMN: [&str; 2] = [COLLEAGUE, OPTS_OUT];
