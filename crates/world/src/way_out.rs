//! The client's side of a submission: the order of the dialogue, with a pause before each command,
//! so that it can be given up at every one.

use warmfront_core::address::Address;
use warmfront_core::span::Millis;
use warmfront_mail::submit::{Letter, Outcome, Progress, Stage, Submit, Trouble};

use crate::connection::Connection;
use crate::dialogue::Dialogue;
use crate::pause::pause;
use crate::world::World;

/// One mailbox's way out into the world.
pub struct WayOut {
    world: World,
    mailbox: Address,
    connection: Option<Connection>,
}

impl WayOut {
    pub(crate) fn new(world: World, mailbox: Address) -> Self {
        Self { world, mailbox, connection: None }
    }

    /// The connection there is, while it is fresh, or a new one. While it is in use it is out of
    /// `self`, so that a future dropped half-way takes it along.
    async fn usable(&mut self, now: Millis) -> Result<Connection, Trouble> {
        if let Some(connection) = self.connection.take_if(|there| there.is_fresh(now)) {
            return Ok(connection);
        }
        self.connection = None;
        pause().await;
        let mut connection = Connection::open(&self.world, &self.mailbox, now)?;
        pause().await;
        connection.log_in()?;
        Ok(connection)
    }
}

impl Submit for WayOut {
    fn is_open(&self, now: Millis) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_fresh(now))
    }

    async fn ready(&mut self, now: Millis) -> Result<(), Trouble> {
        let connection = self.usable(now).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn submit<P: Progress>(
        &mut self,
        letter: &Letter,
        now: Millis,
        progress: &mut P,
    ) -> Outcome {
        let connection = match self.usable(now).await {
            Ok(connection) => connection,
            Err(trouble) => return Outcome::NotSent(trouble),
        };
        let dialogue = Dialogue::new(&self.world, &self.mailbox, letter, now);
        let outcome = deliver(dialogue, progress).await;
        self.connection = survives(&outcome).then(|| connection.used(now));
        outcome
    }

    async fn close(&mut self) {
        self.connection = None;
    }
}

async fn deliver<P: Progress>(mut dialogue: Dialogue<'_>, progress: &mut P) -> Outcome {
    match offer(&mut dialogue, progress).await {
        Ok(()) => finish(dialogue, progress).await,
        Err(Trouble::Refused(answer)) => Outcome::Answered(answer),
        Err(
            trouble @ (Trouble::Lost { .. }
            | Trouble::Unsafe(_)
            | Trouble::NeedsLogin(_)
            | Trouble::NoToken(_)
            | Trouble::NoSecret(_)
            | Trouble::Halted(_)),
        ) => Outcome::NotSent(trouble),
    }
}

/// Everything up to the dot.
async fn offer<P: Progress>(dialogue: &mut Dialogue<'_>, progress: &mut P) -> Result<(), Trouble> {
    pause().await;
    dialogue.mail()?;
    reach(dialogue, progress, Stage::Mail).await?;
    pause().await;
    dialogue.rcpt()?;
    reach(dialogue, progress, Stage::Rcpt).await?;
    pause().await;
    dialogue.data()?;
    pause().await;
    reach(dialogue, progress, Stage::BodyWritten).await?;
    pause().await;
    dialogue.last_look()
}

/// The dot and its answer.
async fn finish<P: Progress>(mut dialogue: Dialogue<'_>, progress: &mut P) -> Outcome {
    dialogue.dot();
    pause().await;
    if let Err(halt) = progress.reached(Stage::DotWritten).await {
        return Outcome::InDoubt { why: Trouble::Halted(halt.0).to_string() };
    }
    pause().await;
    dialogue.answer()
}

async fn reach<P: Progress>(
    dialogue: &mut Dialogue<'_>,
    progress: &mut P,
    stage: Stage,
) -> Result<(), Trouble> {
    progress.reached(stage).await.map_err(|halt| dialogue.halt(halt))
}

/// Whether a connection can carry another letter. After a 421 it is over (RFC 5321, section 3.8).
fn survives(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => answer.code != 421,
        Outcome::NotSent(_) | Outcome::InDoubt { .. } => false,
    }
}
