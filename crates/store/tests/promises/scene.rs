//! Books with a day begun: a fleet, a campaign, people, a plan, leases.

use tokio::sync::mpsc;
use warmfront_core::health::Blow;
use warmfront_store::{
    Claim, DayPlan, Fate, ImportRow, Imported, Lease, MailboxSpec, NewCampaign, NewMessage,
    PlanEntry, SavedMailboxDay, Settlement, StepText,
};

use crate::books::{Books, DAY, HOUR, MINUTE, NOW, TODAY};

/// A day begun.
pub(crate) struct Scene {
    pub(crate) books: Books,
    pub(crate) campaign: i64,
    /// In order of address: ann, bea.
    pub(crate) mailboxes: Vec<i64>,
    pub(crate) leases: Vec<Lease>,
    /// The first steps, one a person, even ones from ann, odd ones from bea.
    pub(crate) messages: Vec<i64>,
}

/// Two colleagues, one more, two strangers, one nobody's.
pub(crate) const PEOPLE: [&str; 6] = [
    "ada@acme.test",
    "bob@acme.test",
    "cay@acme.test",
    "dee@brix.test",
    "eva@corp.test",
    "fay@free.test",
];

/// The lease of the scene, in milliseconds.
const TTL: i64 = 30 * DAY;

impl Scene {
    /// Everybody's first step is due now.
    pub(crate) async fn begin(books: Books) -> Self {
        Self::begin_with(books, &PEOPLE).await
    }

    pub(crate) async fn begin_with(books: Books, people: &[&str]) -> Self {
        books.fleet(&["ann@one.test", "bea@one.test"]).await;
        let campaign = books.import("spring", 2, people).await.campaign;
        books.store.start_campaign(campaign, NOW).await.unwrap();
        let mut scene =
            Self { books, campaign, mailboxes: vec![], leases: vec![], messages: vec![] };
        scene.mailboxes = scene.books.mailboxes().await;
        let mut messages = Vec::new();
        for (index, address) in people.iter().enumerate() {
            messages.push(scene.first_step(address, index % 2).await);
        }
        let plan = scene.plan(TODAY, messages);
        assert!(scene.books.store.save_plan(plan).await.unwrap());
        for address in people {
            scene.messages.push(scene.message(address, 1).await);
        }
        for &mailbox in &scene.mailboxes {
            scene.leases.push(scene.books.lease(mailbox, NOW).await);
        }
        scene
    }

    /// A plan of the scene's campaign and fleet.
    pub(crate) fn plan(&self, day: &str, messages: Vec<NewMessage>) -> DayPlan {
        let planned = u32::try_from(messages.len()).unwrap();
        let mailbox_day = |&mailbox_id: &i64| SavedMailboxDay {
            mailbox_id,
            cap: 50,
            allowance: 40,
            ceiling: 40,
            allotted: 20,
            warm_days: 3,
            first_at: None,
            last_at: None,
        };
        DayPlan {
            day: day.to_owned(),
            now: NOW,
            seed: 7,
            mailboxes: self.mailboxes.iter().map(mailbox_day).collect(),
            reckoned_by: vec![],
            domains: vec![("one.test".to_owned(), 80)],
            tenants: vec![("lab".to_owned(), 90)],
            campaigns: vec![PlanEntry {
                campaign_id: self.campaign,
                target: planned,
                planned,
                shortfalls: vec![],
            }],
            messages,
        }
    }

    /// The first step to somebody, from a mailbox of the scene: due now, and for more than a year.
    pub(crate) async fn first_step(&self, address: &str, mailbox: usize) -> NewMessage {
        NewMessage {
            message_id: None,
            enrolment_id: self.enrolment(address).await,
            campaign_id: self.campaign,
            step: 1,
            mailbox_id: self.mailboxes[mailbox],
            due_at: NOW,
            closes_at: NOW + 400 * DAY,
        }
    }

    /// The second step to the first person, from the mailbox of their thread.
    pub(crate) async fn follow_up(&self, due_at: i64, closes_at: i64) -> NewMessage {
        NewMessage { step: 2, due_at, closes_at, ..self.first_step(PEOPLE[0], 0).await }
    }

    pub(crate) async fn enrolment(&self, address: &str) -> i64 {
        let (campaign, books) = (self.campaign, &self.books);
        books
            .number(&format!(
                "SELECT e.id FROM enrolments e JOIN prospects p ON p.id = e.prospect_id
                 WHERE p.address = '{address}' AND e.campaign_id = {campaign}"
            ))
            .await
    }

    pub(crate) async fn message(&self, address: &str, position: u32) -> i64 {
        let enrolment = self.enrolment(address).await;
        self.books
            .number(&format!(
                "SELECT id FROM messages WHERE enrolment_id = {enrolment} AND position = {position}"
            ))
            .await
    }

    /// The claim of a message today at `now`, under its mailbox's lease.
    pub(crate) fn claim_of(&self, message: usize, now: i64) -> Claim {
        Claim {
            message: self.messages[message],
            epoch: self.leases[message % 2].epoch,
            now,
            day: TODAY.to_owned(),
            rfc_message_id: format!("<{message}@one.test>"),
            unsubscribe_token: format!("token-{message}"),
            revision: 1,
            subject: "Hello".to_owned(),
        }
    }

    pub(crate) async fn claim(&self, message: usize, now: i64) -> bool {
        self.books.store.claim(self.claim_of(message, now)).await.unwrap()
    }

    /// The same by plain SQL, which asks nothing first.
    pub(crate) fn raw_claim(&self, message: usize, now: i64) -> String {
        let (id, epoch) = (self.messages[message], self.leases[message % 2].epoch);
        format!(
            "UPDATE messages SET state = 'sending', changed_at = {now}, sending_since = {now},
                    sending_on = '{TODAY}', lease_epoch = {epoch}, attempts = attempts + 1,
                    rfc_message_id = coalesce(rfc_message_id, '<raw-{id}>'),
                    unsubscribe_token = coalesce(unsubscribe_token, 'raw-{id}'),
                    revision_id = 1, settled_at = NULL WHERE id = {id}"
        )
    }

    pub(crate) async fn settle(
        &self,
        message: usize,
        now: i64,
        fate: Fate,
        blow: Option<Blow>,
    ) -> bool {
        let settlement = Settlement {
            message: self.messages[message],
            epoch: self.leases[message % 2].epoch,
            now,
            fate,
            blow,
            smtp_code: None,
            enhanced_status: None,
            unknown: None,
        };
        self.books.store.settle(settlement).await.unwrap()
    }

    /// Claims a message and settles it a moment later.
    pub(crate) async fn send(&self, message: usize, now: i64, fate: Fate, blow: Option<Blow>) {
        assert!(self.claim(message, now).await, "message {message} was not claimed");
        assert!(self.settle(message, now + 1_000, fate, blow).await);
    }

    /// Gives every mailbox room again, as the next plan does.
    pub(crate) async fn plan_again(&self) {
        assert!(self.books.store.save_plan(self.plan(TODAY, vec![])).await.unwrap());
    }

    /// The state of a message.
    pub(crate) async fn state(&self, message: usize) -> String {
        let id = self.messages[message];
        self.books.row(&format!("SELECT state FROM messages WHERE id = {id}")).await
    }
}

impl Books {
    pub(crate) async fn fleet(&self, addresses: &[&str]) {
        let fleet: Vec<_> = addresses.iter().map(|address| spec(address)).collect();
        self.store.write_fleet(&fleet, TODAY, NOW).await.unwrap();
    }

    pub(crate) async fn mailboxes(&self) -> Vec<i64> {
        self.store.mailboxes().await.unwrap().iter().map(|mailbox| mailbox.id).collect()
    }

    pub(crate) async fn lease(&self, mailbox: i64, now: i64) -> Lease {
        self.store.lease(mailbox, "here", now, TTL).await.unwrap().expect("nobody holds it")
    }

    pub(crate) async fn import(&self, slug: &str, steps: u32, people: &[&str]) -> Imported {
        let rows = people.iter().enumerate().map(|(line, address)| row(line, address)).collect();
        self.import_rows(&campaign(slug, steps), rows).await.expect("the list has a last word")
    }

    /// Imports rows; the last word comes after them.
    pub(crate) async fn import_rows(
        &self,
        campaign: &NewCampaign,
        rows: Vec<ImportRow>,
    ) -> Option<Imported> {
        let (sender, receiver) = mpsc::channel(2);
        sender.send(Some(rows)).await.unwrap();
        sender.send(None).await.unwrap();
        self.store.import(campaign, receiver, NOW).await.unwrap()
    }
}

pub(crate) fn spec(address: &str) -> MailboxSpec {
    MailboxSpec {
        address: address.to_owned(),
        domain: address.split_once('@').unwrap().1.to_owned(),
        tenant: Some("lab".to_owned()),
        provider: "smtp".to_owned(),
        cap: 50,
        gap_ms: 4 * MINUTE,
        warm_days: 20,
        plateau: 23,
    }
}

pub(crate) fn campaign(slug: &str, steps: u32) -> NewCampaign {
    NewCampaign {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        daily_target: 100,
        manifest: "{}".to_owned(),
        waits: (1..=steps).map(|step| (step > 1).then(|| "3d".to_owned())).collect(),
        texts: (1..=steps).map(|step| text(step, "first")).collect(),
        file: "prospects.csv".to_owned(),
        update: false,
    }
}

pub(crate) fn text(position: u32, hash: &str) -> StepText {
    StepText {
        id: 0,
        position,
        variant: "a".to_owned(),
        subject: (position == 1).then(|| "Hello".to_owned()),
        text: format!("The {hash} text."),
        html: None,
        hash: hash.to_owned(),
    }
}

pub(crate) fn row(line: usize, address: &str) -> ImportRow {
    let domain = address.split_once('@').unwrap().1.to_owned();
    ImportRow::Prospect {
        line: line as u64 + 2,
        address: address.to_owned(),
        company: (domain != "free.test").then(|| domain.clone()),
        domain,
        attributes: "{}".to_owned(),
        zone: String::new(),
        blocked: None,
    }
}

pub(crate) fn accepted() -> Fate {
    Fate::Accepted { final_message_id: None, next: Some((2, NOW + 3 * DAY)) }
}

pub(crate) fn finished() -> Fate {
    Fate::Accepted { final_message_id: None, next: None }
}

pub(crate) fn rejected(verdict: &'static str) -> Fate {
    Fate::Rejected { verdict, why: "the server said so".to_owned() }
}

pub(crate) fn deferred(now: i64) -> Fate {
    let retry_at = now + HOUR;
    Fate::Deferred {
        for_recipient: false,
        retry_at,
        closes_at: Some(retry_at + DAY),
        why: "busy".to_owned(),
    }
}

pub(crate) fn not_sent(now: i64) -> Fate {
    Fate::NotSent {
        since: None,
        retry_at: now,
        closes_at: Some(now + DAY),
        why: "the line went dead".to_owned(),
    }
}

pub(crate) fn in_doubt() -> Fate {
    Fate::InDoubt { why: "no answer to the final dot".to_owned() }
}
