//! An identity provider for tests (RFC 6749): codes with PKCE, device codes, refresh tokens that are
//! good for one use, an application's own tokens, and the introspection by which mail servers ask
//! (RFC 7662). On loopback, in the clear, on a thread of its own; strict where the standards are, and
//! as faulty as it is told.

mod answers;
mod http;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running identity provider.
#[derive(Debug)]
pub struct IdentityServer {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where a mail server asks what a token is good for (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// The address, with what the mail server logs in by if that is wanted.
    pub url: String,
    /// What names the token's user in the answer.
    pub user_in: &'static str,
}

/// What goes wrong with every request for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It answers with this status, and asks to be left alone for so many seconds if any.
    Status(u16, Option<u32>),
    /// It answers so much later.
    Slow(Duration),
    /// It ends the connection without a word.
    Silent,
}

/// What was asked of an identity provider so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Asked {
    /// Requests for tokens, by their grant.
    pub grants: BTreeMap<String, usize>,
    /// Refreshes that succeeded, by user.
    pub refreshed: BTreeMap<String, usize>,
    /// Refresh tokens that were shown though they had been used.
    pub reused: usize,
    /// The most requests for tokens that were under way at once.
    pub at_once: usize,
    /// Requests for tokens that were answered by a trouble.
    pub in_trouble: usize,
}

pub(crate) type Shared = Arc<Mutex<State>>;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) lives: Duration,
    /// The application's.
    pub(crate) secret: String,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) asked: Asked,
    pub(crate) under_way: usize,
    pub(crate) made: u64,
    /// Every token that was ever given.
    pub(crate) given: Vec<String>,
    /// Access tokens and whose they are.
    pub(crate) access: BTreeMap<String, String>,
    /// Refresh tokens, whose they are, and whether they are used.
    pub(crate) refresh: BTreeMap<String, (String, bool)>,
    pub(crate) codes: BTreeMap<String, Code>,
    /// Device codes with the code that a person types, and who has typed it.
    pub(crate) devices: BTreeMap<String, (String, Option<String>)>,
    /// Who stands at a browser, and allows everything.
    pub(crate) at_browser: Option<String>,
}

/// A code that a browser carries.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) user: String,
    pub(crate) challenge: String,
    pub(crate) redirect: String,
}

/// The application that it knows.
pub const CLIENT_ID: &str = "warmfront-tests";

/// And its secret.
pub const CLIENT_SECRET: &str = "an application's secret";

impl IdentityServer {
    /// Starts one whose access tokens live so long.
    ///
    /// # Panics
    ///
    /// If no port is to be had: no test can go on then.
    #[must_use]
    pub fn start(lives: Duration) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let addr = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Mutex::new(State {
            lives,
            secret: CLIENT_SECRET.to_owned(),
            trouble: None,
            asked: Asked::default(),
            under_way: 0,
            made: 0,
            given: Vec::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            codes: BTreeMap::new(),
            devices: BTreeMap::new(),
            at_browser: None,
        }));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    () = http::serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { addr, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// What a mailbox's `auth` says to log in here by this flow.
    #[must_use]
    pub fn auth(&self, identity: &str, flow: &str) -> String {
        let base = self.url("");
        format!(
            "auth = {{ oauth = \"{identity}\", flow = \"{flow}\", client_id = \"{CLIENT_ID}\", \
             secret = {{ env = \"CLIENT_SECRET\" }}, tenant = \"t\", \
             authorize_url = \"{base}/authorize\", token_url = \"{base}/token\", \
             device_url = \"{base}/device\" }}"
        )
    }

    /// The address of something here.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// A refresh token of somebody's.
    #[must_use]
    pub fn consent(&self, user: &str) -> String {
        self.state().refresh_token(user)
    }

    /// Somebody stands at a browser, and allows everything.
    pub fn at_browser(&self, user: &str) {
        self.state().at_browser = Some(user.to_owned());
    }

    /// Somebody types a device's code.
    ///
    /// # Panics
    ///
    /// If no device has shown it.
    pub fn type_code(&self, code: &str, user: &str) {
        let mut state = self.state();
        let device = state.devices.values_mut().find(|(shown, _)| shown == code);
        device.expect("a code that was given").1 = Some(user.to_owned());
    }

    /// Takes back all that somebody has allowed.
    pub fn revoke(&self, user: &str) {
        let mut state = self.state();
        state.access.retain(|_, whose| whose != user);
        state.refresh.retain(|_, (whose, _)| whose != user);
    }

    /// Ends every access token before its time, as a change of password does at some.
    pub fn spoil(&self) {
        self.state().access.clear();
    }

    /// Gives the application another secret.
    pub fn change_secret(&self, secret: &str) {
        secret.clone_into(&mut self.state().secret);
    }

    /// From now on every request for tokens meets this; or none does.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    /// What was asked of it so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.state().asked.clone()
    }

    /// Every token it has ever given: what must be read nowhere.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.state().given.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().expect("no panic in between")
    }
}

impl Drop for IdentityServer {
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
