//! Answers that no rule knew: one of each kind is kept with its count, and never without end.

use warmfront_core::answer::{Answer, Phase};
use warmfront_store::{Settlement, UnknownAnswer};

use crate::books::{MINUTE, NOW, for_each_database};
use crate::scene::{Scene, accepted, deferred};

impl Scene {
    /// Sends the next message of the first mailbox, `n` gaps after the beginning; the answer is one
    /// that no rule knows.
    async fn puzzle(&self, n: usize, phase: Phase, said: &str) -> bool {
        let now = NOW + 5 * MINUTE * i64::try_from(n).unwrap();
        assert!(self.claim(2 * n, now).await);
        self.settle_puzzle(n, now, phase, said).await
    }

    async fn settle_puzzle(&self, n: usize, now: i64, phase: Phase, said: &str) -> bool {
        let answer = Answer::parse(phase, said);
        let settlement = Settlement {
            message: self.messages[2 * n],
            epoch: self.leases[0].epoch,
            now,
            fate: deferred(now),
            blow: None,
            smtp_code: Some(answer.code),
            enhanced_status: None,
            unknown: Some(answer),
        };
        self.books.store.settle(settlement).await.unwrap()
    }

    async fn puzzles(&self) -> Vec<UnknownAnswer> {
        self.books.store.unknown_answers().await.unwrap()
    }
}

#[tokio::test]
async fn answers_that_no_rule_knew_are_counted_by_what_they_have_in_common() {
    let people: Vec<String> = (0..10).map(|n| format!("p{n}@free.test")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    for_each_database(async |books| {
        let scene = Scene::begin_with(books, &people).await;
        assert!(scene.puzzle(0, Phase::Rcpt, "450 4.9.9 <p0@free.test>: odd letter 4bQ1").await);
        assert!(scene.puzzle(1, Phase::Rcpt, "450 4.9.9 <p2@free.test>: odd letter 9x").await);
        assert!(scene.puzzle(2, Phase::Data, "450 4.9.9 <p4@free.test>: odd letter 9x").await);
        assert!(scene.puzzle(3, Phase::Rcpt, "450 <p6@free.test>: odd letter 9x").await);
        scene.send(8, NOW + 20 * MINUTE, accepted(), None).await;
        let told = scene.puzzles().await;
        let all: Vec<_> =
            told.iter().map(|one| (one.phase.as_str(), &*one.enhanced, one.times)).collect();
        assert_eq!(all, [("rcpt", "4.9.9", 2), ("data", "4.9.9", 1), ("rcpt", "", 1)]);
        let first = &told[0];
        assert_eq!((first.mailbox.as_str(), first.code), ("ann@one.test", 450));
        assert_eq!(first.text, "4.9.9 <@>: odd letter 4bQ1");
        assert_eq!((first.first_at, first.last_at), (NOW, NOW + 5 * MINUTE));
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_what_is_settled_already_is_not_counted() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.puzzle(0, Phase::Rcpt, "450 odd").await);
        assert!(!scene.settle_puzzle(0, NOW, Phase::Rcpt, "450 odd").await);
        assert_eq!(scene.puzzles().await.iter().map(|one| one.times).collect::<Vec<_>>(), [1]);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_says_the_same_twice_fills_no_books() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        assert!(scene.puzzle(0, Phase::Rcpt, "450 odd").await);
        for n in 1..200 {
            let kind = format!("'rcpt', 450, '', 'kind {n}', 'text', 1, 1, 1");
            scene.books.write(&format!("INSERT INTO unknown_answers VALUES (1, {kind})")).await;
        }
        assert!(scene.puzzle(1, Phase::Rcpt, "450 another").await);
        assert!(scene.puzzle(2, Phase::Rcpt, "450 odd").await);
        let kept = "SELECT count(*), max(times) FROM unknown_answers";
        assert_eq!(scene.books.row(kept).await, "200 2");
    })
    .await;
}

#[tokio::test]
async fn answers_of_one_frequency_are_told_in_one_order_whatever_keeps_the_books() {
    for_each_database(async |books| {
        let scene = Scene::begin(books).await;
        for (enhanced, shape) in [("5.7.1", "b"), ("5.7.1", "B"), ("4.2.0", "a"), ("", "c")] {
            let kind = format!("'rcpt', 450, '{enhanced}', '{shape}', 'said {shape}', 1, 1, 1");
            scene.books.write(&format!("INSERT INTO unknown_answers VALUES (1, {kind})")).await;
        }
        let told = scene.puzzles().await;
        let all: Vec<_> = told.iter().map(|one| (&*one.enhanced, &*one.text)).collect();
        let want = [("", "said c"), ("4.2.0", "said a"), ("5.7.1", "said B"), ("5.7.1", "said b")];
        assert_eq!(all, want);
    })
    .await;
}
