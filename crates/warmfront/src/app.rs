//! What most commands need: the configuration, the books, the clock.

use std::path::Path;
use std::sync::Arc;

use warmfront_campaigns::folder::Sender;
use warmfront_core::calendar;
use warmfront_core::problem::{self, Problem};
use warmfront_core::span::Millis;
use warmfront_engine::clock::Clock;
use warmfront_engine::fleet::Fleet;
use warmfront_store::{CampaignRow, Durability, MailboxRow, Store, StoreError, Watermark};

use crate::cli::Global;
use crate::config::{self, Config};
use crate::exit::Failure;
use crate::{print, wiring};

/// A configuration with its books open.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) store: Store,
    pub(crate) json: bool,
    pub(crate) clock: Clock,
}

/// Loads the configuration; what it warns of is for the caller to say.
pub(crate) fn configuration(global: &Global) -> Result<Config, Failure> {
    config::load(&global.config).map_err(Failure::Problems)
}

/// Twenty mailboxes may warn of the same thing: one command tells them all, the others that there
/// are some.
fn note_warnings(config: &Config) {
    match config.warnings.as_slice() {
        [] => {}
        [one] => print::note(one),
        many => print::note(format!(
            "{}: {}; `warmfront check` tells them",
            config.path.display(),
            print::counted(many.len() as u64, "warning")
        )),
    }
}

/// Who opens the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opener {
    /// Looks, or changes something, and ends.
    Command,
    /// Works by its configuration as long as it runs.
    Daemon,
}

impl App {
    /// Loads the configuration, opens the books and writes the fleet into them, unless a daemon
    /// works by another.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        Self::open_as(Opener::Command, global).await
    }

    /// The same for a daemon: of those that share books, the last to begin says what the fleet is.
    pub(crate) async fn open_to_run(global: &Global) -> Result<Self, Failure> {
        Self::open_as(Opener::Daemon, global).await
    }

    async fn open_as(opener: Opener, global: &Global) -> Result<Self, Failure> {
        let config = configuration(global)?;
        note_warnings(&config);
        let app = Self::on_books(global, config).await?;
        app.write_configuration(opener).await?;
        Ok(app)
    }

    /// The books, whatever else is wrong with the configuration: whoever wants to look, or to stop
    /// something, must not have to mend a file first.
    pub(crate) async fn open_anyway(global: &Global) -> Result<Self, Failure> {
        let (config, problems) = config::load_all(&global.config);
        let Some(config) = config.filter(|_| problem::any_error(&problems)) else {
            return Self::open(global).await;
        };
        problems.iter().for_each(print::note);
        print::note(
            "going on with what the books hold; nothing of the configuration is taken over",
        );
        let mut app = Self::on_books(global, config).await?;
        if let Some(settings) = app.store.settings().await?
            && let Ok(zone) = calendar::zone(&settings.zone)
        {
            let fleet = Fleet::clone(&app.fleet);
            app.fleet = Arc::new(Fleet { timezone: zone, timezone_name: settings.zone, ..fleet });
        }
        Ok(app)
    }

    async fn on_books(global: &Global, config: Config) -> Result<Self, Failure> {
        let fleet = Arc::new(wiring::fleet(&config, wiring::Readers::Imap));
        let fresh = Store::file(&config.store_url)
            .filter(|file| file.metadata().map_or(true, |known| known.len() == 0));
        let store = Store::open(&config.store_url, Durability::Full).await?;
        // Whoever meant other books must not take an empty answer for theirs.
        if let Some(file) = fresh {
            print::note(format!("a new, empty database was made: {}", file.display()));
        }
        // The first ones opened are the only ones: a command opens its books once.
        let store = global.books.get_or_init(|| store).clone();
        Ok(Self { config, fleet, store, json: global.json, clock: Clock::Wall })
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The counting day.
    pub(crate) fn today(&self) -> jiff::civil::Date {
        calendar::day_of(&self.fleet.timezone, self.now())
    }

    /// Why nothing is sent from these books, where they are an older copy of what has sent since.
    pub(crate) async fn outdated(&self) -> Result<Option<String>, Failure> {
        let watermark = Watermark::beside(&self.config.path);
        for looked in
            [self.store.refuse_if_outdated().await, self.store.refuse_if_restored(&watermark).await]
        {
            match looked {
                Err(error @ (StoreError::Outdated { .. } | StoreError::Restored { .. })) => {
                    return Ok(Some(error.to_string()));
                }
                // Whoever wants to send is told; whoever looks may.
                Ok(()) | Err(StoreError::Replaced { .. } | StoreError::Watermark { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The sender, without whom no campaign loads.
    pub(crate) fn sender(&self) -> Result<Sender, Failure> {
        sender(&self.config)
    }

    /// The campaign of that name.
    pub(crate) async fn campaign(&self, slug: &str) -> Result<CampaignRow, Failure> {
        // The shell completes folders; their last part is the name.
        let slug = slug.trim_end_matches('/').rsplit('/').next().unwrap_or(slug);
        if let Some(row) = self.store.campaign(slug).await? {
            return Ok(row);
        }
        let known: Vec<String> =
            self.store.campaigns().await?.into_iter().map(|c| c.slug).collect();
        let near = warmfront_core::problem::nearest(slug, known.iter().map(String::as_str));
        let hint = near.map_or_else(
            || "`warmfront campaign list` names them all".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Err(Failure::Usage(format!("there is no campaign `{slug}` in the books; {hint}")))
    }

    /// The mailbox of that address.
    pub(crate) async fn mailbox(&self, address: &str) -> Result<MailboxRow, Failure> {
        let rows = self.store.mailboxes().await?;
        let wanted = address.trim().to_lowercase();
        let near = {
            let known = rows.iter().map(|row| row.address.as_str());
            warmfront_core::problem::nearest(&wanted, known).map(str::to_owned)
        };
        rows.into_iter().find(|row| row.address == wanted).ok_or_else(|| {
            let hint = near.map_or_else(
                || "`warmfront mailbox list` names them all".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Failure::Usage(format!("there is no mailbox `{address}`; {hint}"))
        })
    }

    async fn write_configuration(&self, opener: Opener) -> Result<(), Failure> {
        let known = self.store.settings().await?;
        if let Some(known) = &known
            && known.zone != self.fleet.timezone_name
            && !self.config.timezone_override
        {
            return Err(Failure::Refused(format!(
                "days were counted in {} so far and [defaults] says {}: limits of the day could be \
                 passed; set it back, or write `override = true` in [defaults]",
                known.zone, self.fleet.timezone_name
            )));
        }
        let settings = self.fleet.settings(known.as_ref().map_or_else(new_seed, |s| s.seed));
        let specs = self.fleet.specs();
        if known.as_ref() == Some(&settings) && self.store.fleet_is(&specs).await? {
            return Ok(());
        }
        if let Some(owner) = self.works_by_another(opener).await? {
            print::note(format!(
                "{} is not what {owner}, works by; that goes on by its own until it is started again",
                self.config.path.display()
            ));
            return Ok(());
        }
        if known.as_ref() != Some(&settings) {
            self.store.write_settings(&settings).await?;
        }
        Ok(self.store.write_fleet(&specs, &self.today().to_string(), self.now()).await?)
    }

    /// A daemon whose configuration must stand. Whoever looks from a machine with an older one would
    /// otherwise take mailboxes away from it.
    async fn works_by_another(&self, opener: Opener) -> Result<Option<String>, Failure> {
        if let Some(owner) = self.store.daemon()? {
            return Ok(Some(owner));
        }
        match opener {
            Opener::Daemon => Ok(None),
            Opener::Command => {
                let workers = self.store.workers(self.now()).await?;
                Ok(workers.into_iter().next().map(|worker| worker.owner))
            }
        }
    }
}

/// Tells whoever looks that nothing is sent.
pub(crate) fn say_outdated(outdated: Option<&str>) {
    if let Some(why) = outdated {
        print::paragraph("nothing is sent: ", why);
    }
}

/// A problem of a file in the campaign folder `dir`, its path written out.
pub(crate) fn placed(dir: &Path, problem: &Problem) -> Problem {
    let mut placed = problem.clone();
    // The folder itself may be to blame.
    if Path::new(&problem.file) != dir {
        placed.file = dir.join(&problem.file).display().to_string();
    }
    placed
}

/// The sender, without whom no campaign loads.
pub(crate) fn sender(config: &Config) -> Result<Sender, Failure> {
    let sender = config.sender.as_ref().ok_or_else(|| {
        Failure::Refused(format!(
            "{}: no [sender]; a campaign names who writes: add `legal_name` and `postal_address`",
            config.path.display()
        ))
    })?;
    Ok(Sender {
        legal_name: sender.legal_name.clone(),
        postal_address: sender.postal_address.clone(),
    })
}

/// The seed of a new installation's plans.
fn new_seed() -> i64 {
    use rand::TryRng as _;
    // Plans need no secrecy; where the machine gives no randomness, any number serves.
    rand::rngs::SysRng.try_next_u32().map_or(1, i64::from)
}
