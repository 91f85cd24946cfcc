//! What the world's tests share: letters as the engine makes them, and an executor that can stop.

mod answers;
mod drops;
mod limits;
mod people;
mod stories;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use warmfront_core::address::Address;
use warmfront_core::inbound::Inbound;
use warmfront_core::reading::Bookmarks;
use warmfront_core::span::{DAY, MINUTE, Millis};
use warmfront_mail::compose::{Draft, compose};
use warmfront_mail::inbox::{Inbox as _, Unreadable};
use warmfront_mail::submit::{Halt, Letter, Outcome, Progress, Stage, Submit as _, Trouble};

use crate::{WayOut, World, WorldInbox};

/// 2026-11-02, 09:00 UTC.
const T0: Millis = 1_793_610_000_000;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn ann() -> Address {
    address("ann@example.com")
}

fn bob() -> Address {
    address("bob@acme.example")
}

/// The step of a thread from 1: each answers all before it.
fn letter(from: &Address, to: &Address, step: usize) -> Letter {
    let id = |step: usize| format!("<{step}.{}.{}@example.com>", from.local(), to.local());
    let references: Vec<String> = (1..step).map(id).collect();
    let bytes = compose(&Draft {
        from,
        from_name: Some("Ann Lee"),
        to,
        to_name: None,
        subject: "A question about something that takes so many words that it has to be folded",
        text: "Hello,\n.\nwhat about it?\n",
        html: None,
        message_id: &id(step),
        in_reply_to: references.last().map(String::as_str),
        references: &references,
        list_unsubscribe_mailto: None,
        date: T0,
    });
    Letter { from: from.clone(), to: to.clone(), bytes: bytes.unwrap() }
}

/// Writes down the stages, and halts at one.
#[derive(Default)]
struct Watch {
    stages: Vec<Stage>,
    halt_at: Option<Stage>,
}

impl Progress for Watch {
    async fn reached(&mut self, stage: Stage) -> Result<(), Halt> {
        self.stages.push(stage);
        if self.halt_at == Some(stage) { Err(Halt("disk full".to_owned())) } else { Ok(()) }
    }
}

/// Polls a future at most so often, then drops it.
fn run_for<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

fn run<F: Future>(future: F) -> F::Output {
    run_for(1_000, future).expect("the world never waits for anything")
}

fn send(way_out: &mut WayOut, letter: &Letter, now: Millis) -> Outcome {
    run(way_out.submit(letter, now, &mut Watch::default()))
}

fn read(inbox: &mut WorldInbox, now: Millis) -> Result<Vec<Inbound>, Unreadable> {
    let reading = run(inbox.read(&Bookmarks::default(), now))?;
    Ok(reading.arrivals.into_iter().map(|arrived| arrived.inbound).collect())
}

/// The code of the answer, or what happened instead.
fn end(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answer) => answer.code.to_string(),
        Outcome::NotSent(trouble) => format!("not sent: {trouble}"),
        Outcome::InDoubt { why } => format!("in doubt: {why}"),
    }
}

/// A campaign of three steps, three days apart, by two mailboxes to forty people each; what was
/// surely not taken is tried again, ten minutes later, three times.
fn campaign(world: &World, mailboxes: [&str; 2]) {
    let mailboxes = mailboxes.map(address);
    let mut ways = mailboxes.clone().map(|mailbox| world.way_out(&mailbox));
    for (day, step) in [(0, 1), (3, 2), (6, 3)] {
        for person in 0..40 {
            for (mailbox, way_out) in mailboxes.iter().zip(&mut ways) {
                let to = address(&format!("p{person}@{}.example", mailbox.local()));
                let letter = letter(mailbox, &to, step);
                let mut attempts = (0..4).map(|nth| T0 + day * DAY + (person * 4 + nth) * TEN);
                attempts.find(|&at| is_over(&send(way_out, &letter, at)));
            }
        }
    }
}

fn is_over(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => answer.code / 100 == 2,
        Outcome::NotSent(_) => false,
        Outcome::InDoubt { .. } => true,
    }
}

/// Ten minutes.
const TEN: Millis = 10 * MINUTE;
