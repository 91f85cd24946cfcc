//! Messages in doubt, and what a real Sent folder says of them.

use std::sync::Arc;

use warmfront_core::span::{HOUR, MINUTE};
use warmfront_engine::failpoint::Failpoint;
use warmfront_engine::{Loops, Ways};
use warmfront_mail::imap::Imap;
use warmfront_mail::server::Tls;
use warmfront_tests::dovecot::{Dovecot, Folder};
use warmfront_tests::simulation::{Play, WatchedOut};

use super::follow_up::{Polled, pass};
use super::reader::PASSWORD;
use super::scene::{FIRST, scenario};

/// Of three messages the second is in doubt; so many of the three are filed, and nobody sends.
async fn settled(filed: &[usize]) -> String {
    let mut scenario = scenario(1, 3, &[FIRST]);
    scenario.mailboxes[0].gap = MINUTE;
    let mut play = Play::begin(scenario).await;
    let dovecot = Arc::new(Dovecot::start());
    let user = play.scenario.mailboxes[0].address.to_string();
    dovecot.admit(&user, PASSWORD);
    let (mut office, clock) = play.office();
    office.failpoint = Failpoint::parse(Some("after_dot:2:error")).expect("a failpoint");
    let server = Arc::clone(&dovecot);
    let ways: Ways<WatchedOut, Polled> = Ways {
        out: play.ways(None).out,
        inbox: Arc::new(move |mailbox| {
            let account = server.account(mailbox.address.as_str(), PASSWORD, Tls::Implicit);
            Some(Polled(Imap::new(account)))
        }),
    };
    let mut loops = Loops::new(office, ways);
    play.now += HOUR;
    pass(&mut play, &mut loops, &clock, 30 * MINUTE).await;
    let mut lines = play.store.ledger(None, 0, 10).await.expect("books");
    lines.sort_by_key(|line| line.settled_at);
    let states: Vec<&str> = lines.iter().map(|line| line.state.as_str()).collect();
    assert_eq!(states, ["accepted", "in_doubt", "accepted"]);

    let campaign = play.store.campaigns().await.expect("books")[0].id;
    play.store.pause_campaign(campaign, "a holiday", play.now).await.expect("books");
    for &nr in filed {
        let (id, rcpt) = (lines[nr].message_id.as_ref(), lines[nr].rcpt.as_ref());
        let (id, rcpt) = (id.expect("it was claimed"), rcpt.expect("nobody is erased"));
        let copy = format!("Message-ID: {id}\r\nTo: {rcpt}\r\nSubject: Hi\r\n\r\nHello.\r\n");
        dovecot.deliver(&user, Folder::Sent, &copy);
    }
    pass(&mut play, &mut loops, &clock, 3 * HOUR).await;
    let doubtful = lines[1].message_id.clone();
    let lines = play.store.ledger(None, 0, 10).await.expect("books");
    let line = lines.into_iter().find(|line| line.message_id == doubtful).expect("it is kept");
    format!("{}: {}", line.state, line.why.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubt_is_settled_by_the_sent_folder_though_its_campaign_is_paused() {
    for (filed, want) in [
        (&[0, 1, 2][..], "accepted: its copy lies in the Sent folder"),
        (&[0, 2], "planned: the Sent folder proves that it was not sent"),
        (&[0], "in_doubt: "),
    ] {
        let settled = settled(filed).await;
        assert!(settled.starts_with(want), "{filed:?}: {settled}");
    }
}
