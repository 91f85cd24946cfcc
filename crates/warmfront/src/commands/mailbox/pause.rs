//! `mailbox pause`: stop a mailbox until it is resumed.

use super::changed;
use crate::app::App;
use crate::exit::{Done, Failure};

pub(super) async fn pause(app: &App, address: &str, because: &str) -> Done {
    let row = app.mailbox(address).await?;
    if row.state != "active" {
        let because = row.paused_because.as_deref();
        let because = because.unwrap_or("it is gone from the configuration");
        let (address, state) = (&row.address, &row.state);
        return Err(Failure::Usage(format!("{address} is {state} already: {because}")));
    }
    app.store.pause_mailbox(row.id, because, app.now()).await?;
    changed(app, address, "paused").await
}
