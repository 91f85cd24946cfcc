//! The console: how everything stands, read from the books by a browser or a script.
//!
//! It reads and never writes, and shows itself to this machine only, for it asks nobody who they
//! are. It stays out of the sending's way: few connections, few reads at once, each with a deadline.
//! Decides nothing, and knows neither the engine nor the clock: whoever starts it says what time it
//! is.

mod door;
mod guard;
mod page;
mod routes;
mod status;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use warmfront_core::span::Millis;
use warmfront_store::Store;

use crate::door::Door;
use crate::guard::Hosts;

/// Why the console is not open.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Other machines could read it.
    #[error(
        "[web] listen = \"{0}\" can be reached from other machines, and the console has no log-in; \
         write \"127.0.0.1:{port}\", and from elsewhere use a tunnel: \
         `ssh -L {port}:127.0.0.1:{port} HOST`",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be had, mostly because another program has it.
    #[error(
        "the console is not open: {address} cannot be listened at ({source}); stop what listens \
         there, or write another port in [web] listen"
    )]
    Unavailable {
        /// The address wanted.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What the console shows, and to whom. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    store: Store,
    zone: TimeZone,
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    hosts: Arc<Hosts>,
    reads: Arc<Semaphore>,
}

impl Console {
    /// A console over these books. `zone` is the one whose civil date counts; besides the names of
    /// this machine it answers to the host of `public_url`.
    #[must_use]
    pub fn new(
        store: Store,
        zone: TimeZone,
        public_url: Option<&str>,
        now: impl Fn() -> Millis + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            zone,
            now: Arc::new(now),
            hosts: Arc::new(Hosts::new(public_url)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }
    }

    /// Takes the address, but answers nobody yet.
    pub async fn listen(self, address: SocketAddr) -> Result<Listening, WebError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(WebError::NotLoopback(address));
        }
        let unavailable = |source| WebError::Unavailable { address, source };
        let listener = TcpListener::bind(address).await.map_err(unavailable)?;
        // Port 0 asks the system for any.
        let address = listener.local_addr().map_err(unavailable)?;
        Ok(Listening { console: self, listener, address })
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// A console that has its address.
#[derive(Debug)]
pub struct Listening {
    console: Console,
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`, then finishes the answers begun, for at most two seconds.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) {
        let (told, hears) = oneshot::channel::<()>();
        let stopped = async move {
            stop.await;
            drop(told);
        };
        let routes = routes::routes(self.console);
        let served = axum::serve(Door::new(self.listener), routes).with_graceful_shutdown(stopped);
        let at_last = async {
            // Nothing is ever sent: the other end hears that it is dropped.
            let _ = hears.await;
            tokio::time::sleep(FINISH_MAX).await;
        };
        tokio::select! {
            // The door never fails: what goes wrong with one visitor is over with the visit.
            _ = served.into_future() => {}
            () = at_last => {}
        }
    }
}

/// Answers that read the books at once. The store has four readers, and the sending needs the rest.
const READS_MAX: usize = 2;

/// How long a stop waits for answers begun; the daemon has better things to finish.
const FINISH_MAX: Duration = Duration::from_secs(2);
