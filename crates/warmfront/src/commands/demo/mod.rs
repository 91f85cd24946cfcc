//! `demo`: the example campaign through simulated weeks, by the very code that sends, against a
//! pretend world. Needs nothing and touches nothing but a temporary folder.

mod chart;
mod people;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::{Date, date};
use warmfront_campaigns::folder::{self, Terms};
use warmfront_core::calendar;
use warmfront_core::span::{DAY, HOUR, Millis};
use warmfront_engine::clock::Clock;
use warmfront_engine::import::{self, Outcome, Request};
use warmfront_engine::{Loops, Office, Ways};
use warmfront_store::{Durability, Store};
use warmfront_world::{Temper, WayOut, Weather, World, WorldInbox};

use crate::cli::Demo;
use crate::config::{self, Config};
use crate::exit::{Done, Failure};
use crate::{app, print, wiring};

/// Runs the demonstration.
pub(crate) async fn demo(options: &Demo, json: bool) -> Done {
    let temporary = std::env::temp_dir().join(format!("warmfront-demo-{}", std::process::id()));
    let dir = options.keep.as_deref().unwrap_or(&temporary);
    let told = stage(options, json, dir).await;
    if options.keep.is_none() {
        // Whatever is left of it is in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&temporary);
    }
    told
}

async fn stage(options: &Demo, json: bool, dir: &Path) -> Done {
    if dir.exists() {
        let what = format!("{} is there already; name another folder", dir.display());
        return Err(Failure::Usage(what));
    }
    let (config, campaign) = match &options.folder {
        Some(folder) => copy_folder(folder, dir)?,
        None => write_folder(options, dir)?,
    };
    // The books of a demonstration need not survive a power cut, nor, unless somebody asks for
    // them, the demonstration. What is on no disk is read and written in half the time.
    let url = if options.keep.is_some() { config.store_url.as_str() } else { IN_MEMORY };
    let store = Store::open(url, Durability::None).await?;
    let start = calendar::day_span(&config.timezone, FIRST_DAY).start();
    let clock = Clock::simulated(start);
    let fleet = Arc::new(wiring::fleet(&config, wiring::Readers::World));
    let seed = i64::try_from(options.seed).unwrap_or(i64::MAX);
    store.write_settings(&fleet.settings(seed)).await?;
    store.write_fleet(&fleet.specs(), &FIRST_DAY.to_string(), start).await?;
    let imported = import_campaign(&store, &config, &campaign, start).await?;
    store.start_campaign(imported.imported.campaign, start).await?;
    let refused_company = warmfront_store::Scope::Domain;
    store.suppress(refused_company, people::SUPPRESSED, "asked us never to write", start).await?;

    let world = World::new(options.seed, WEATHER, Temper::ordinary());
    let mut office = Office::new(store.clone(), Arc::clone(&fleet), clock, "demo".to_owned());
    // Nobody else works on these books; an hour is soon enough to see a pause end.
    office.poll = HOUR;
    office.lease_ttl = DAY;
    let mut loops = Loops::new(office, ways(&world));
    simulate(&mut loops, &store, &config, options.days, json).await?;
    let story = report::gather(&store, &world, &config, options, &imported).await?;
    if json {
        print::say_json(&story.json())
    } else {
        story.tell()
    }
    Ok(())
}

/// Copies a campaign folder that brings its own fleet, so that nothing is written into it.
fn copy_folder(folder: &Path, dir: &Path) -> Result<(Config, PathBuf), Failure> {
    let name = folder.canonicalize().ok().and_then(|path| path.file_name().map(ToOwned::to_owned));
    let name =
        name.ok_or_else(|| Failure::Usage(format!("{}: no such folder", folder.display())))?;
    let campaign = dir.join("campaigns").join(name);
    copy_all(folder, &campaign)
        .with_context(|| format!("{} cannot be copied", folder.display()))
        .map_err(Failure::Failed)?;
    let config = config::load(&campaign.join("warmfront.toml")).map_err(Failure::Problems)?;
    Ok((config, campaign))
}

/// Copies what a campaign is made of; books and other files stay where they are.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        let kind = path.extension().and_then(std::ffi::OsStr::to_str);
        if path.is_dir() && path.file_name().is_some_and(|name| name == "steps") {
            copy_all(&path, &target)?;
        } else if path.is_file() && matches!(kind, Some("toml" | "csv" | "hbs" | "pem")) {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Writes the fleet, the campaign and its people as an operator would have them.
fn write_folder(options: &Demo, dir: &Path) -> Result<(Config, PathBuf), Failure> {
    let campaign = dir.join("campaigns/demo");
    let write = |path: &Path, text: &str| {
        let folder = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(path, text))
            .with_context(|| format!("{} cannot be written", path.display()))
            .map_err(Failure::Failed)
    };
    let config = dir.join("warmfront.toml");
    write(&config, &people::configuration())?;
    for (name, text) in CAMPAIGN {
        write(&campaign.join(name), text)?;
    }
    write(&campaign.join("prospects.csv"), &people::list(PROSPECTS, options.seed, options.days))?;
    Ok((config::load(&config).map_err(Failure::Problems)?, campaign))
}

async fn import_campaign(
    store: &Store,
    config: &Config,
    campaign: &Path,
    now: Millis,
) -> Result<Outcome, Failure> {
    let sender = app::sender(config)?;
    let terms = Terms { sender: &sender, person_gap: config.limits.person_gap, encoding: None };
    let (campaign, problems) = folder::load(campaign, &terms);
    let campaign = campaign.ok_or(Failure::Problems(problems))?;
    let request = Request { campaign: &campaign, encoding: None, update: false, rehearse: false };
    Ok(import::import(store, request, now).await?)
}

fn ways(world: &World) -> Ways<WayOut, WorldInbox> {
    let (out, inbox) = (world.clone(), world.clone());
    Ways {
        out: Arc::new(move |mailbox| Ok(out.way_out(&mailbox.address))),
        inbox: Arc::new(move |mailbox| Some(inbox.inbox(&mailbox.address))),
    }
}

/// Moves time on from one thing that is due to the next.
async fn simulate(
    loops: &mut Loops<WayOut, WorldInbox>,
    store: &Store,
    config: &Config,
    days: u32,
    json: bool,
) -> Done {
    let bar = if json { ProgressBar::hidden() } else { progress(days) };
    let start = calendar::day_span(&config.timezone, FIRST_DAY).start();
    let end = start + Millis::from(days) * DAY;
    let (mut now, mut told) = (start, None);
    while now < end {
        let wake = loops.tick(now).await?;
        now = wake.max(now + 1);
        let day = calendar::day_of(&config.timezone, now);
        if told != Some(day) {
            told = Some(day);
            bar.set_position(u64::try_from((now - start) / DAY).unwrap_or(0));
            bar.set_message(format!("{day}  {} accepted", store.accepted_in_all().await?));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn progress(days: u32) -> ProgressBar {
    let bar = ProgressBar::new(days.into());
    if let Ok(style) = ProgressStyle::with_template("day {pos:>2}/{len} {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar
}

const IN_MEMORY: &str = "sqlite::memory:";

/// Rates in ten-thousandths: a fleet that is mostly well, so that the ramp shows, with a deferral
/// here and there, so that easing does too.
const WEATHER: Weather = Weather {
    unreachable: 20,
    greylisted: 200,
    deferred_after_dot: 8,
    sender_refused: 2,
    lost_after_dot_kept: 2,
    lost_after_dot_lost: 2,
    ..Weather::calm()
};

/// A Monday with no holiday near it.
const FIRST_DAY: Date = date(2026, 1, 12);

const CAMPAIGN: [(&str, &str); 5] = [
    ("campaign.toml", include_str!("../../../../../campaigns/demo/campaign.toml")),
    ("steps/1-intro.a.hbs", include_str!("../../../../../campaigns/demo/steps/1-intro.a.hbs")),
    ("steps/1-intro.b.hbs", include_str!("../../../../../campaigns/demo/steps/1-intro.b.hbs")),
    ("steps/2-nudge.hbs", include_str!("../../../../../campaigns/demo/steps/2-nudge.hbs")),
    ("steps/3-last-word.hbs", include_str!("../../../../../campaigns/demo/steps/3-last-word.hbs")),
];

const PROSPECTS: &str = include_str!("../../../../../campaigns/demo/prospects.csv");
