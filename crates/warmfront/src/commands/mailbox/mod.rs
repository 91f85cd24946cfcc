//! `mailbox …`: one file for each verb.

mod list;
mod login;
mod pause;
mod resume;
mod verify;

use serde_json::json;
use warmfront_engine::tokens::SealedBy;

use crate::app::App;
use crate::cli::{Global, Mailbox};
use crate::exit::Done;
use crate::print;

pub(crate) async fn mailbox(global: &Global, command: Mailbox) -> Done {
    match command {
        Mailbox::List => list::list(&App::open_anyway(global).await?).await,
        Mailbox::Login { address, refresh_token, new_key } => {
            let app = App::open(global).await?;
            let by = if new_key { SealedBy::NewKey } else { SealedBy::BooksKey };
            login::login(&app, &address, refresh_token.as_deref(), by).await
        }
        Mailbox::Verify(asked) => verify::verify(&App::open(global).await?, &asked).await,
        Mailbox::Pause { address, because } => {
            pause::pause(&App::open_anyway(global).await?, &address, &because).await
        }
        Mailbox::Resume { address } => resume::resume(&App::open(global).await?, &address).await,
    }
}

async fn changed(app: &App, address: &str, what: &str) -> Done {
    let row = app.mailbox(address).await?;
    if app.json {
        print::say_json(&json!({ "address": row.address, "state": row.state }));
    } else if row.probe && row.state == "active" {
        print::say(format!(
            "{} {what}: back on warm day {}, one message first",
            row.address, row.warm_days
        ));
    } else {
        let gone = if row.state == "disabled" { "; it is in no configuration" } else { "" };
        print::say(format!("{} {what}{gone}", row.address));
    }
    Ok(())
}
