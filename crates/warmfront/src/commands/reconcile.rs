//! `reconcile`: messages in doubt, and a database that is older than what was sent.

use serde_json::{Value, json};
use warmfront_engine::tokens::Duty;
use warmfront_engine::{Office, Reconciled, Standing};
use warmfront_store::{Doubt, StrayRow, Verdict, Watermark};

use crate::app::App;
use crate::cli::{Global, Reconcile};
use crate::exit::{Done, Failure};
use crate::{print, wiring};

pub(crate) async fn reconcile(global: &Global, command: &Reconcile) -> Done {
    match command.verdict {
        Some(verdict) => settle(global, verdict, &command.ids).await,
        None => bring_up_to_date(global).await,
    }
}

async fn bring_up_to_date(global: &Global) -> Done {
    let app = App::open(global).await?;
    let now = app.now();
    let owner = format!("a reconciliation ({})", wiring::owner(now));
    // Held to the end: nobody sends meanwhile.
    let lock = app.store.lock_for_daemon(&owner)?;
    if let Some(worker) = app.store.workers(now).await?.into_iter().next() {
        let owner = worker.owner;
        return Err(Failure::Refused(format!("the books are in use by {owner}; stop it first")));
    }
    let watermark = Watermark::beside(&app.config.path);
    let is_older = app.store.begin_reconciling(&watermark, now).await?;
    app.store.end_all_leases(&lock).await?;
    let mailboxes = match is_older {
        true => {
            wiring::refuse_what_is_missing(&app.config)?;
            let logins = wiring::logins(&app, &owner, Duty::Works);
            wiring::take_key(&app, &logins).await?;
            let ways = wiring::ways(&app.config, &logins);
            let read = warmfront_engine::reconcile(&office(&app, owner), &ways).await;
            logins.keeper().finish().await;
            read?
        }
        // A list may have brought the people of strays back.
        false => {
            warmfront_engine::take_up_strays(&office(&app, owner), now).await?;
            Vec::new()
        }
    };
    let is_done = mailboxes.iter().all(|one| !matches!(one.standing, Standing::Unread(_)));
    if is_older && is_done {
        app.store.end_reconciling(&watermark).await?;
    }
    let told = Told {
        is_older,
        is_done,
        mailboxes,
        strays: app.store.strays().await?,
        doubts: app.store.doubts().await?,
        left: app.store.mailboxes_with_orphans(now).await?.len(),
    };
    if app.json {
        print::say_json(&told.json(&app))
    } else {
        told.say(&app)
    }
    if is_done { Ok(()) } else { Err(Failure::Said(1)) }
}

fn office(app: &App, owner: String) -> Office {
    Office::new(app.store.clone(), app.fleet.clone(), app.clock.clone(), owner)
}

/// The operator's word on messages in doubt: on all of them, or on none.
async fn settle(global: &Global, verdict: Verdict, ids: &[String]) -> Done {
    let app = App::open(global).await?;
    let doubts = app.store.doubts().await?;
    let mut settled: Vec<&Doubt> = Vec::new();
    for id in ids {
        let Some((row, state)) = app.store.message_state(id).await? else {
            let hint = "`warmfront reconcile` lists those in doubt";
            return Err(Failure::Usage(format!("there is no message `{id}`; {hint}")));
        };
        let Some(doubt) = doubts.iter().find(|doubt| doubt.id == row) else {
            return Err(Failure::Refused(format!(
                "message {id} is {state} and not in doubt; nothing was settled"
            )));
        };
        if settled.iter().all(|known| known.id != row) {
            settled.push(doubt);
        }
    }
    if verdict == Verdict::Planned {
        print::note(
            "what was delivered after all will be sent again, and its reader gets it twice: you \
             have said that it was not",
        );
    }
    let office = office(&app, wiring::owner(app.now()));
    let word = word(verdict);
    let gone = warmfront_engine::settle_by_operator(&office, &settled, verdict, app.now()).await?;
    if let Some(id) = gone {
        return Err(Failure::Refused(format!(
            "message {id} was settled meanwhile; nothing was settled of the others"
        )));
    }
    if app.json {
        let ids: Vec<i64> = settled.iter().map(|doubt| doubt.id).collect();
        print::say_json(&json!({ "ok": true, "as": word, "settled": ids }));
    } else {
        for doubt in settled {
            print::say(format!("message {} is {word}", doubt.id));
        }
    }
    Ok(())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Planned => "planned",
    }
}

/// What is told.
struct Told {
    is_older: bool,
    is_done: bool,
    mailboxes: Vec<Reconciled>,
    strays: Vec<StrayRow>,
    doubts: Vec<Doubt>,
    /// Messages that were on their way when a daemon ended without a word.
    left: usize,
}

impl Told {
    fn json(&self, app: &App) -> Value {
        let mailboxes = self.mailboxes.iter().map(|one| {
            let (standing, why) = standing(app, one);
            let unshown = one.unshown.iter();
            let unshown = unshown.map(|place| json!({ "folder": place.folder, "uid": place.uid }));
            json!({
                "address": one.address, "standing": standing, "taken_up": one.taken_up, "why": why,
                "unshown": unshown.collect::<Vec<_>>(),
            })
        });
        let strays = self.strays.iter().map(|one| {
            json!({
                "mailbox": one.mailbox, "rcpt": one.address, "message_id": one.rfc_id,
                "subject": one.subject, "sent_at": print::rfc3339(one.sent_at),
            })
        });
        let doubts = self.doubts.iter().map(|doubt| {
            let evidence: Vec<&str> =
                doubt.evidence.split(',').filter(|kind| !kind.is_empty()).collect();
            json!({
                "id": doubt.id, "mailbox": doubt.mailbox, "rcpt": doubt.rcpt,
                "campaign": doubt.campaign, "step": doubt.step, "message_id": doubt.message_id,
                "since": print::rfc3339(doubt.since), "evidence": evidence,
                "missing": missing(app, doubt), "settle": by_hand(doubt),
            })
        });
        json!({
            "ok": self.is_done, "older": self.is_older, "up_to_date": self.is_done,
            "taken_up": self.taken_up(), "mailboxes": mailboxes.collect::<Vec<_>>(),
            "strays": strays.collect::<Vec<_>>(), "doubts": doubts.collect::<Vec<_>>(),
            "in_flight": self.left,
        })
    }

    fn taken_up(&self) -> u32 {
        self.mailboxes.iter().map(|one| one.taken_up).sum()
    }

    fn say(&self, app: &App) {
        if self.is_older {
            self.say_mailboxes(app);
        } else {
            print::say("The database is no older than what was sent.");
        }
        self.say_strays(app);
        self.say_doubts(app);
        if self.left > 0 {
            let left = print::counted(self.left as u64, "message");
            print::paragraph(
                "",
                &format!(
                    "{left} on the way when a daemon was killed: the next `warmfront run` plans \
                     what had not left and puts the others in doubt."
                ),
            );
        }
    }

    fn say_mailboxes(&self, app: &App) {
        print::paragraph("", "The database is an older copy of what has sent since.");
        for one in &self.mailboxes {
            let taken = print::counted(one.taken_up.into(), "message");
            let said = match &one.standing {
                Standing::Proven => format!("{taken} taken up; up to date"),
                Standing::Unproven | Standing::Gone => format!(
                    "paused: {}. Nobody new is written to until `warmfront mailbox resume {}` says \
                     that you answer for it",
                    standing(app, one).1.unwrap_or_default(),
                    one.address
                ),
                Standing::Unread(why) => format!("{taken} taken up; not read to its end: {why}"),
            };
            print::say(format!("  {}", one.address));
            print::paragraph("    ", &said);
            for place in &one.unshown {
                let (folder, uid) = (&place.folder, place.uid);
                print::paragraph(
                    "    ",
                    &format!("its server does not show message {uid} of the folder {folder}"),
                );
            }
        }
        print::paragraph(
            "",
            "What you did by hand since the copy was made is not in it: suppress again whom you \
             suppressed, and pause again what you paused.",
        );
        let taken = print::counted(self.taken_up().into(), "message");
        print::paragraph(
            "",
            &match self.is_done {
                true => format!("{taken} taken up in all. `warmfront run` may start."),
                false => format!(
                    "{taken} taken up so far. Mend what keeps a mailbox from being read, or take \
                     its `imap` out, and run `warmfront reconcile` again: nobody sends before."
                ),
            },
        );
    }

    fn say_strays(&self, app: &App) {
        if self.strays.is_empty() {
            return;
        }
        print::say("");
        print::paragraph(
            "",
            "Sent from here, and in no campaign of this database. Whoever got it is held. Import \
             the campaign again and run `warmfront reconcile`, or see to each by hand \
             (`warmfront person release|stop ADDRESS`):",
        );
        for one in &self.strays {
            let at = print::local(&app.fleet.timezone, one.sent_at);
            print::say(format!("  {} from {}, {at}", one.address, one.mailbox));
            if let Some(subject) = &one.subject {
                print::paragraph("    ", subject);
            }
        }
    }

    fn say_doubts(&self, app: &App) {
        if self.doubts.is_empty() {
            if !self.strays.is_empty() {
                print::say("");
            }
            print::say("No message is in doubt.");
            return;
        }
        let count = print::counted(self.doubts.len() as u64, "message");
        print::say(format!("\n{count} in doubt:"));
        for doubt in &self.doubts {
            let rcpt = doubt.rcpt.as_deref().unwrap_or("somebody erased");
            let since = print::local(&app.fleet.timezone, doubt.since);
            print::say(format!(
                "  {}  {rcpt}, step {} of {}",
                doubt.id, doubt.step, doubt.campaign
            ));
            print::say(format!("    from {} since {since}", doubt.mailbox));
            if !doubt.evidence.is_empty() {
                print::say(format!("    evidence: {}", doubt.evidence));
            }
            print::paragraph("    missing: ", &missing(app, doubt));
            print::say(format!("    {}", by_hand(doubt)));
        }
    }
}

/// The word for scripts, and why.
fn standing<'a>(app: &App, one: &'a Reconciled) -> (&'static str, Option<&'a str>) {
    match &one.standing {
        Standing::Proven => ("up_to_date", None),
        Standing::Unproven if !is_read(app, &one.address) => {
            ("paused", Some("it has no `imap`, so nothing shows what it sent"))
        }
        Standing::Unproven => ("paused", Some("its Sent folder does not show all that it sent")),
        Standing::Gone => (
            "paused",
            Some("it is gone from the configuration, so nobody can look at what it sent"),
        ),
        Standing::Unread(why) => ("unread", Some(why)),
    }
}

/// What would settle it.
fn missing(app: &App, doubt: &Doubt) -> String {
    if !is_read(app, &doubt.mailbox) {
        return "nobody reads this mailbox (no `imap`): look into it yourself".to_owned();
    }
    match doubt.sent_read_at {
        Some(at) => format!(
            "its Sent folder, last read {}, shows neither a copy nor that there is none; a reply \
             or a bounce settles it too",
            print::local(&app.fleet.timezone, at)
        ),
        None => "its Sent folder was not read yet; `warmfront run` does".to_owned(),
    }
}

fn is_read(app: &App, mailbox: &str) -> bool {
    let found = app.config.mailboxes.iter().find(|one| one.address.as_str() == mailbox);
    found.is_some_and(|one| one.imap.is_some())
}

fn by_hand(doubt: &Doubt) -> String {
    format!("warmfront reconcile --as accepted|planned {}", doubt.id)
}
