//! A submission server for tests: strict where RFC 5321 is strict, and as faulty as it is told.
//!
//! It runs on a thread of its own over loopback, so that a test may kill the process that sends to
//! it and still ask what arrived. Relays nothing, keeps everything in memory. Bare line ends never
//! end a line or a message here: what was smuggled inside a message stays inside it.

pub(crate) mod certificate;
mod dialogue;
mod fault;
mod record;
mod tap;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use warmfront_core::address::Address;
use warmfront_mail::smtp::{Account, ConnectionLimits, Deadlines, Tls};

pub use certificate::Certificate;
pub use fault::Fault;
pub use record::{Accepted, Line};

use dialogue::Dialogue;
use fault::Faults;
use record::Record;

/// How a sink behaves when it behaves.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Where TLS begins.
    pub tls: Tls,
    /// Who may log in, with what password. Empty: nobody has to, and AUTH is not offered.
    pub users: BTreeMap<String, String>,
    /// The AUTH mechanisms offered.
    pub mechanisms: &'static str,
    /// What the server shows for itself.
    pub certificate: Certificate,
    /// A file that gets one line of JSON for each message, before its 250 goes out.
    pub journal: Option<PathBuf>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            tls: Tls::None,
            users: BTreeMap::new(),
            mechanisms: "PLAIN LOGIN",
            certificate: Certificate::Good,
            journal: None,
        }
    }
}

/// A running server. Dropping it stops it.
pub struct Sink {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The CA that vouches for it, if its certificate is good.
    pub ca_pem: String,
    tls: Tls,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all connections have in common.
struct Shared {
    options: SinkOptions,
    acceptor: TlsAcceptor,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    record: Record,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no dialogue panics")
    }
}

impl Sink {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If the machine has no port, thread or file left: no test can go on then.
    #[must_use]
    pub fn start(options: SinkOptions) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let (acceptor, ca_pem) = certificate::acceptor(options.certificate);
        let record = Record::new(options.journal.as_deref());
        let tls = options.tls;
        let state = Mutex::new(State { faults: Faults::default(), record });
        let shared = Arc::new(Shared { options, acceptor, state });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    served = serve(listener, serving) => served.expect("a listener that accepts"),
                    _ = stopped => {}
                }
            });
        });
        Self { addr, ca_pem, tls, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// From now on the fault strikes with probability `p` wherever it can, drawn from `seed`. A
    /// `p` of 0 mends it.
    pub fn fault(&self, fault: Fault, p: f64, seed: u64) {
        self.shared.state().faults.set(fault, p, seed);
    }

    /// Every message taken so far, whether or not the client was told.
    #[must_use]
    pub fn accepted(&self) -> Vec<Accepted> {
        self.shared.state().record.accepted.clone()
    }

    /// How many they are.
    #[must_use]
    pub fn accepted_count(&self) -> usize {
        self.shared.state().record.accepted.len()
    }

    /// Every command line that came, in order, those of log-ins included.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.shared.state().record.lines.clone()
    }

    /// What came over TCP, before any deciphering, the first [`WIRE_MAX`] octets of it.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        self.shared.state().record.wire.clone()
    }

    /// What has come of a message whose end has not.
    #[must_use]
    pub fn unfinished(&self) -> Vec<u8> {
        self.shared.state().record.unfinished.clone()
    }

    /// How a mailbox reaches this server, without credentials.
    #[must_use]
    pub fn account(&self, mailbox: &Address) -> Account {
        Account {
            address: mailbox.clone(),
            username: mailbox.to_string(),
            credentials: None,
            host: self.addr.ip().to_string(),
            port: self.addr.port(),
            tls: self.tls,
            roots: Some(self.ca_pem.clone().into_bytes()),
            hello: Some("client.example.com".to_owned()),
            limits: ConnectionLimits::default(),
            deadlines: Deadlines::default(),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Both fail only if the thread is gone already, which is what is wanted.
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    for connection in 1.. {
        let (tcp, _) = listener.accept().await?;
        // A small answer behind another must not wait for the client's delayed acknowledgement.
        tcp.set_nodelay(true)?;
        let shared = Arc::clone(&shared);
        // How a connection ends is the client's business.
        tokio::spawn(async move { Dialogue::hold(tcp, shared, connection).await.ok() });
    }
    Ok(())
}

/// The most of the raw traffic that is kept.
pub const WIRE_MAX: usize = 1 << 20;
