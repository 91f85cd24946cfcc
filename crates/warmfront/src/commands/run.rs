//! `run`: the daemon.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use warmfront_engine::failpoint::Failpoint;
use warmfront_engine::{Office, Until};

use crate::app::App;
use crate::cli::Global;
use crate::exit::{Done, Failure};
use crate::{print, wiring};

pub(crate) async fn run(global: &Global, until_idle: bool) -> Done {
    let failpoint = std::env::var("WARMFRONT_FAILPOINT").ok();
    let failpoint = Failpoint::parse(failpoint.as_deref()).map_err(Failure::Usage)?;
    let app = App::open(global).await?;
    let owner = wiring::owner(app.now());
    // One daemon a database: the lock also proves that no earlier holder of a lease lives.
    let lock = app.store.lock_for_daemon(&owner)?;
    app.store.end_all_leases(&lock).await?;
    let ways = wiring::ways(&app.config);
    let mut office = Office::new(app.store.clone(), app.fleet.clone(), app.clock.clone(), owner);
    office.failpoint = failpoint;
    let stop = CancellationToken::new();
    stop_on_signals(&stop).map_err(Failure::failed)?;
    let until = if until_idle { Until::Idle } else { Until::Stopped };
    warmfront_engine::run(office, ways, until, stop).await?;
    summary(&app).await
}

/// SIGTERM and SIGINT ask for an orderly end.
fn stop_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

async fn summary(app: &App) -> Done {
    let today = app.today().to_string();
    let (by_state, _) = app.store.message_counts(&today).await?;
    let accepted: u32 =
        app.store.mailbox_days(&today).await?.iter().map(|(.., accepted)| accepted).sum();
    let parts: Vec<String> = by_state.iter().map(|(s, n)| format!("{n} {s}")).collect();
    print::note(format!("{today}: {accepted} accepted today; all messages: {}", parts.join(", ")));
    Ok(())
}
