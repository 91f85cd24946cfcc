//! `mailbox resume`: let a paused mailbox work again.

use super::changed;
use crate::app::App;
use crate::exit::{Done, Failure};
use crate::print;

pub(super) async fn resume(app: &App, address: &str) -> Done {
    let row = app.mailbox(address).await?;
    if row.state != "paused" {
        return Err(Failure::Usage(format!("{} is not paused", row.address)));
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
