//! `mailbox verify`: logs in wherever a mailbox sends and reads, without sending, and says what must
//! be mended before a campaign finds it out.
//!
//! With `--send-to` one test mail leaves from each, and is read where it arrived.

mod finding;
mod look;
mod test_mail;

use futures_util::StreamExt as _;

use warmfront_core::address::Address;
use warmfront_core::problem;

use crate::app::App;
use crate::cli::Verify;
use crate::config::Mailbox;
use crate::exit::{Done, Failure};
use finding::{Findings, conclusion};

pub(super) async fn verify(app: &App, asked: &Verify) -> Done {
    let seed = asked.send_to.as_deref().map(seed).transpose()?;
    let chosen = chosen(app, &asked.addresses, seed.as_ref())?;
    let looks = chosen.into_iter().map(|mailbox| one(app, mailbox, seed.as_ref()));
    let mut looks = futures_util::stream::iter(looks).buffered(AT_ONCE);
    let mut all = Vec::new();
    while let Some(found) = looks.next().await {
        let found = found?;
        found.tell(app.json);
        all.push(found);
    }
    conclusion(&all, app.json)
}

async fn one(app: &App, mailbox: &Mailbox, seed: Option<&Address>) -> Result<Findings, Failure> {
    let mut found = Findings::of(&mailbox.address);
    let sends = look::sending(app, mailbox, &mut found).await;
    look::reading(app, mailbox, &mut found).await;
    match seed {
        Some(seed) if sends => test_mail::send(app, mailbox, seed, &mut found).await?,
        Some(_) | None => {}
    }
    Ok(found)
}

/// The mailboxes that were named, or all. The one that receives the test writes none to itself,
/// unless it was named.
fn chosen<'a>(
    app: &'a App,
    addresses: &[String],
    seed: Option<&Address>,
) -> Result<Vec<&'a Mailbox>, Failure> {
    let all = &app.config.mailboxes;
    if addresses.is_empty() {
        let others = all.iter().filter(|mailbox| Some(&mailbox.address) != seed);
        let chosen: Vec<&Mailbox> = others.collect();
        if chosen.is_empty() {
            return Err(Failure::Usage("there is no mailbox in the configuration".to_owned()));
        }
        return Ok(chosen);
    }
    addresses
        .iter()
        .map(|address| {
            let wanted = address.trim().to_lowercase();
            all.iter().find(|mailbox| mailbox.address.as_str() == wanted).ok_or_else(|| {
                let known = all.iter().map(|mailbox| mailbox.address.as_str());
                let hint = problem::nearest(&wanted, known).map_or_else(
                    || "`warmfront mailbox list` names them all".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                Failure::Usage(format!("the configuration has no mailbox `{address}`; {hint}"))
            })
        })
        .collect()
}

fn seed(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|why| Failure::Usage(format!("--send-to {text}: {why}")))
}

/// Mailboxes looked at side by side.
const AT_ONCE: usize = 8;
