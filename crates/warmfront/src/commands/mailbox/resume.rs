//! `mailbox resume`: let a paused mailbox work again.

use super::changed;
use crate::app::App;
use crate::exit::{Done, Failure};
use crate::{logins, print};

pub(super) async fn resume(app: &App, address: &str) -> Done {
    let row = app.mailbox(address).await?;
    if row.state != "paused" {
        return Err(Failure::Usage(format!("{} is not paused", row.address)));
    }
    if row.needs_login() && waits_for_somebody(app, &row.address).await? {
        let (address, because) = (&row.address, row.paused_because.unwrap_or_default());
        return Err(Failure::Refused(format!(
            "{address} is paused: {because}; somebody must log in: `warmfront mailbox login \
             {address}`, and it goes on"
        )));
    }
    if row.unproven {
        app.store.refuse_if_outdated().await?;
        print::note(format!(
            "the books do not know what {} has sent since they were copied: from now on \
             whoever it wrote to then may get the same again, and you have said that this \
             is right",
            row.address
        ));
    }
    app.store.resume_mailbox(row.id, app.now()).await?;
    changed(app, address, "resumed").await
}

async fn waits_for_somebody(app: &App, address: &str) -> Result<bool, Failure> {
    let mailbox = app.config.mailboxes.iter().find(|one| one.address.as_str() == address);
    let tokens = app.store.tokens(address).await?;
    let both = mailbox.zip(tokens);
    Ok(both.is_some_and(|(mailbox, tokens)| logins::waits_for_somebody(mailbox, &tokens)))
}
