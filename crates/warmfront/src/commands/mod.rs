//! One file a command: what it was asked, what it does, what it says.

mod audit;
mod campaign;
mod check;
mod classify;
mod demo;
mod doctor;
mod init;
mod ledger;
mod mailbox;
mod person;
mod plan;
mod reconcile;
mod report;
mod run;
mod status;
mod store;
mod suppress;
mod why;

use crate::cli::{Books, Cli, Command, Global};
use crate::exit::{Done, Failure};

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Done {
    let global = &cli.global;
    let done = answer(global, cli.command).await;
    match global.books.get().cloned() {
        Some(books) => done.and(books.close().await.map_err(Failure::from)),
        None => done,
    }
}

async fn answer(global: &Global, command: Command) -> Done {
    match command {
        Command::Init { dir } => init::init(&dir, global.json),
        Command::Demo(demo) => demo::demo(&demo, global.json).await,
        Command::Check { dirs, encoding } => check::check(global, &dirs, encoding.as_deref()).await,
        Command::Doctor { domains } => doctor::doctor(global, &domains).await,
        Command::Mailbox(command) => mailbox::mailbox(global, command).await,
        Command::Campaign(command) => campaign::campaign(global, command).await,
        Command::Plan { date, days } => plan::plan(global, date, days).await,
        Command::Run { until_idle } => run::run(global, until_idle).await,
        Command::Status => status::status(global).await,
        Command::Ledger { campaign } => ledger::ledger(global, campaign.as_deref()).await,
        Command::Why { subject } => why::why(global, &subject).await,
        Command::Report { campaign, since } => {
            report::report(global, campaign.as_deref(), since).await
        }
        Command::Audit => audit::audit(global).await,
        Command::Reconcile(command) => reconcile::reconcile(global, &command).await,
        Command::Classify(command) => classify::classify(command, global.json),
        Command::Suppress(command) => suppress::suppress(global, command).await,
        Command::Person(command) => person::person(global, command).await,
        Command::Store(Books::Move { url }) => store::relocate(global, &url).await,
    }
}
