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
use warmfront_core::span::{MINUTE, Millis};
use warmfront_engine::tokens::Duty;
use warmfront_mail::{imap, smtp};

use crate::app::App;
use crate::cli::Verify;
use crate::config::Mailbox;
use crate::exit::{Done, Failure};
use crate::logins::Logins;
use crate::wiring;
use finding::{Findings, Standing, conclusion};

pub(super) async fn verify(app: &App, asked: &Verify) -> Done {
    let seed = asked.send_to.as_deref().map(seed).transpose()?;
    let chosen = chosen(app, &asked.addresses, seed.as_ref())?;
    let visitor = wiring::owner(app.now());
    let round = Round { app, logins: wiring::logins(app, &visitor, Duty::Looks), visitor };
    let looks = chosen.into_iter().map(|mailbox| round.one(mailbox, seed.as_ref()));
    let mut looks = futures_util::stream::iter(looks).buffered(AT_ONCE);
    let mut all = Vec::new();
    while let Some(found) = looks.next().await {
        let found = found?;
        found.tell(app.json);
        all.push(found);
    }
    round.logins.keeper().finish().await;
    conclusion(&all, app.json)
}

/// What all looks go by.
struct Round<'a> {
    app: &'a App,
    logins: Logins,
    /// Who is looking, to the books.
    visitor: String,
}

impl Round<'_> {
    /// Looks, while nobody else does: all of ours together hold no more sessions than a provider
    /// allows.
    async fn one(&self, mailbox: &Mailbox, seed: Option<&Address>) -> Result<Findings, Failure> {
        let mut found = Findings::of(&mailbox.address);
        let row = self.app.mailbox(mailbox.address.as_str()).await?;
        let store = &self.app.store;
        if !store.visit(row.id, &self.visitor, self.app.now(), VISIT_MAX).await? {
            let says = "Somebody looks at it just now; try again in a minute.";
            found.add("visit", Standing::Unseen, says, None);
            return Ok(found);
        }
        let looked = self.look(mailbox, seed, &mut found).await;
        store.leave(row.id, &self.visitor).await?;
        looked.map(|()| found)
    }

    async fn look(
        &self,
        mailbox: &Mailbox,
        seed: Option<&Address>,
        found: &mut Findings,
    ) -> Result<(), Failure> {
        let sends = look::sending(self, mailbox, found).await;
        look::reading(self, mailbox, found).await;
        match seed {
            Some(seed) if sends => test_mail::send(self, mailbox, seed, found).await,
            Some(_) | None => Ok(()),
        }
    }

    /// A mailbox's way out.
    fn submission(&self, mailbox: &Mailbox) -> Result<smtp::Account, String> {
        let account = wiring::submission(mailbox, &self.logins)?;
        Ok(smtp::Account { deadlines: look::SMTP, ..account })
    }

    /// A mailbox's way in.
    fn inbox(&self, mailbox: &Mailbox) -> Result<imap::Account, String> {
        let server = mailbox.imap.as_ref().ok_or("it has no `imap`")?;
        let account = wiring::inbox(mailbox, server, &self.logins)?;
        Ok(imap::Account { deadlines: look::IMAP, ..account })
    }
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

/// Longer than a look with its test takes, whatever the servers do; whoever is killed blocks others for
/// no longer.
const VISIT_MAX: Millis = 10 * MINUTE;

/// Mailboxes looked at side by side.
const AT_ONCE: usize = 8;
