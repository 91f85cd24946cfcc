//! `run`: the daemon, and the console beside it.

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use warmfront_core::domain::not_asked;
use warmfront_engine::failpoint::Failpoint;
use warmfront_engine::tokens::Duty;
use warmfront_engine::{Office, Until};
use warmfront_mail::dns::Dns;
use warmfront_store::Watermark;
use warmfront_web::{Console, WebError};

use crate::app::App;
use crate::cli::Global;
use crate::exit::{Done, Failure};
use crate::{print, wiring};

pub(crate) async fn run(global: &Global, until_idle: bool) -> Done {
    let failpoint = std::env::var("WARMFRONT_FAILPOINT").ok();
    let failpoint = Failpoint::parse(failpoint.as_deref()).map_err(Failure::Usage)?;
    let app = App::open_to_run(global).await?;
    wiring::refuse_what_is_missing(&app.config)?;
    for (because, unread) in app.config.unread() {
        let mailboxes = unread.len();
        warn!(mailboxes, because, "inboxes go unread; `warmfront check` names them");
    }
    let owner = wiring::owner(app.now());
    app.store.refuse_a_wrong_clock(app.now()).await?;
    // Whoever sees it at work may ask it to end.
    let stop = CancellationToken::new();
    stop_on_signals(&stop).map_err(Failure::failed)?;
    // One daemon a file: the lock also proves that no earlier holder of a lease lives.
    let lock = app.store.lock_for_daemon(&owner)?;
    app.store.end_all_leases(&lock).await?;
    let logins = wiring::logins(&app, &owner, Duty::Works);
    match stop.run_until_cancelled(wiring::take_key(&app, &logins)).await {
        Some(taken) => taken?,
        None => return summary(&app).await,
    }
    let ways = wiring::ways(&app.config, &logins);
    let mut office = Office::new(app.store.clone(), app.fleet.clone(), app.clock.clone(), owner);
    office.failpoint = failpoint;
    office.dns = dns(&app);
    office.watermark = Some(Watermark::beside(&app.config.path));
    let console = open_console(&app, &stop).await?;
    let until = if until_idle { Until::Idle } else { Until::Stopped };
    let ended = warmfront_engine::run(office, ways, until, stop.clone()).await;
    stop.cancel();
    logins.keeper().finish().await;
    if let Some(serving) = console
        && let Err(error) = serving.await
    {
        warn!(%error, "the console had broken");
    }
    ended?;
    summary(&app).await
}

/// How the DNS is asked, where there is a domain to ask about. Sending does not depend on it.
fn dns(app: &App) -> Option<Dns> {
    let looks = app.fleet.domains.is_some();
    let is_asked = |domain: &str| not_asked(domain).is_none();
    if !looks || !app.fleet.sending_domains().into_iter().any(is_asked) {
        return None;
    }
    let dns = wiring::dns(&app.config);
    dns.inspect_err(|error| warn!("sending domains are not looked at: {error:#}")).ok()
}

/// The console, where one is wanted. It is beside the sending and never in its way: where its
/// address cannot be had, the daemon goes on without it.
async fn open_console(
    app: &App,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let Some(web) = &app.config.web else { return Ok(None) };
    let clock = app.clock.clone();
    let (store, zone) = (app.store.clone(), app.fleet.timezone.clone());
    let console = Console::new(store, zone, web.public_url.as_deref(), move || clock.now());
    match console.listen(web.listen).await {
        Ok(listening) => {
            print::note(format!("the console is at http://{}/", listening.address()));
            Ok(Some(tokio::spawn(listening.serve(stop.clone().cancelled_owned()))))
        }
        Err(error @ WebError::NotLoopback(_)) => {
            Err(Failure::Refused(format!("{}: {error}", app.config.path.display())))
        }
        Err(error @ WebError::Unavailable { .. }) => {
            warn!("{error}");
            Ok(None)
        }
    }
}

/// SIGTERM and SIGINT ask for an orderly end; the second time, for an end. The books then settle what
/// was in flight at the next start.
fn stop_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
            signals.recv().await;
            std::process::exit(130);
        });
    }
    Ok(())
}

async fn summary(app: &App) -> Done {
    let today = app.today().to_string();
    let (by_state, _) = app.store.message_counts(&today).await?;
    let accepted: u32 =
        app.store.mailbox_days(&today).await?.iter().map(|(.., accepted)| accepted).sum();
    if app.json {
        let messages: serde_json::Map<_, _> =
            by_state.iter().map(|(state, count)| (state.clone(), json!(count))).collect();
        print::say_json(&json!({
            "ok": true, "day": today, "accepted_today": accepted, "messages": messages,
        }));
    }
    let parts: Vec<String> = by_state.iter().map(|(s, n)| format!("{n} {s}")).collect();
    let all = if parts.is_empty() { "none yet".to_owned() } else { parts.join(", ") };
    print::note(format!("{today}: {accepted} accepted today; all messages: {all}"));
    Ok(())
}
