//! An identity provider that others wrote: `oidc-provider` from npm, which keeps to the standards more
//! strictly than most, where Node.js is installed and npm can fetch it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use warmfront_tests::identity::{Asked, CLIENT_ID, CLIENT_SECRET, Introspection};
use warmfront_tests::machine::turn;

use super::identity::Identity;

/// A running provider; it ends with this value.
pub(crate) struct OpenId {
    child: Child,
    pub(crate) url: String,
    pipes: Mutex<Pipes>,
}

/// What it is told, and what it says.
struct Pipes {
    told: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl OpenId {
    /// `None` where it is not at hand, which is said.
    pub(crate) fn start(lives: Duration) -> Option<Self> {
        if let Err(why) = folder() {
            // Past what catches the words of tests that pass.
            let told = format!("nothing was tried against oidc-provider: {why}\n");
            std::io::stderr().write_all(told.as_bytes()).expect("somebody listens");
            return None;
        }
        let setup = json!({
            "lives": lives.as_secs(),
            "client": { "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET },
            "mailServer": { "client_id": MAIL_SERVER, "client_secret": MAIL_SERVER },
        });
        let mut child = script(&[&setup.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js starts");
        let told = child.stdin.take().expect("it is piped");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut pipes = Pipes { told, said };
        let url = pipes.says("at ");
        Some(Self { child, url, pipes: Mutex::new(pipes) })
    }

    /// Somebody follows an address in a browser, logs in and allows everything.
    pub(crate) fn browses(&self, url: &str, user: &str) {
        assert!(url.starts_with(&self.url), "{url} is not here");
        finish(&mut script(&["browse", url, user]));
    }

    /// Somebody types a device's code, logs in and allows everything.
    pub(crate) fn types(&self, code: &str, user: &str) {
        finish(&mut script(&["type", &self.url, code, user]));
    }

    /// Does what a test says.
    fn obeys<T: DeserializeOwned>(&self, word: &str, value: impl Into<Value>) -> T {
        let line = json!({ "word": word, "value": value.into() });
        let mut pipes = self.pipes.lock().expect("no panic in between");
        writeln!(pipes.told, "{line}").expect("it listens");
        serde_json::from_str(&pipes.says("= ")).expect("what was asked for")
    }
}

impl Pipes {
    /// What follows `begin` on the next line that begins so: it also warns of what is for tests only.
    fn says(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).expect("text") > 0, "it ended");
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.trim().to_owned();
            }
        }
    }
}

impl Identity for OpenId {
    fn auth(&self, flow: &str) -> String {
        let (url, token_url) = (&self.url, self.token_url());
        format!(
            "auth = {{ oauth = \"google\", flow = \"{flow}\", client_id = \"{CLIENT_ID}\", \
             secret = {{ env = \"CLIENT_SECRET\" }}, authorize_url = \"{url}/auth\", \
             token_url = \"{token_url}\", device_url = \"{url}/device/auth\", \
             scopes = [\"openid\", \"offline_access\"] }}"
        )
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.url)
    }

    fn introspection(&self) -> Introspection {
        let (_, host) = self.url.split_once("//").expect("an address");
        let url = format!("http://{MAIL_SERVER}:{MAIL_SERVER}@{host}/token/introspection");
        Introspection { url, user_in: "sub" }
    }

    fn consent(&self, user: &str) -> String {
        self.obeys("consent", user)
    }

    fn revoke(&self, user: &str) {
        self.obeys("revoke", user)
    }

    fn spoil(&self) {
        self.obeys("spoil", ())
    }

    fn fail(&self, status: Option<u16>) {
        self.obeys("trouble", status)
    }

    fn asked(&self) -> Asked {
        self.obeys("asked", ())
    }

    fn secrets(&self) -> Vec<String> {
        self.obeys("secrets", ())
    }
}

impl AsRef<dyn Identity> for OpenId {
    fn as_ref(&self) -> &(dyn Identity + 'static) {
        self
    }
}

impl Drop for OpenId {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our script for Node.js, with these words.
fn script(words: &[&str]) -> Command {
    let mut command = Command::new("node");
    let folder = folder().as_ref().expect("it was asked for before");
    command.arg("provider.mjs").args(words).current_dir(folder);
    command
}

/// Where it is, or why it is not at hand.
fn folder() -> &'static Result<PathBuf, String> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOLDER.get_or_init(installed)
}

fn finish(command: &mut Command) {
    let ended = command.output().expect("it starts");
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// The folder that npm has put it into, beside what cargo builds, and our script beside it.
fn installed() -> Result<PathBuf, String> {
    let is_there = |name: &str| {
        Command::new(name).arg("--version").output().is_ok_and(|said| said.status.success())
    };
    if !is_there("node") || !is_there("npm") {
        return Err("Node.js with npm is not installed".to_owned());
    }
    let test = std::env::current_exe().expect("a test knows where it lies");
    let tagged = |folder: &&Path| folder.join("CACHEDIR.TAG").exists();
    let target = test.ancestors().find(tagged).expect("cargo tags its target folder");
    let folder = target.join("oidc-provider");
    std::fs::create_dir_all(&folder).expect("a folder");
    // Another test process may be at it, and one that was ended half-way has left no mark.
    let turn = turn().expect("a file to be locked");
    let mark = folder.join(VERSION);
    if !mark.exists() {
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n").expect("a file");
        let words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", VERSION];
        let npm = Command::new("npm").args(words).current_dir(&folder).output().expect("it starts");
        if !npm.status.success() {
            return Err(format!("npm cannot fetch it: {}", String::from_utf8_lossy(&npm.stderr)));
        }
        std::fs::write(mark, "").expect("a file");
    }
    std::fs::write(folder.join("provider.mjs"), include_str!("provider.mjs")).expect("a file");
    drop(turn);
    Ok(folder)
}

/// Of 2025; it runs on Node.js 18 and later.
const VERSION: &str = "oidc-provider@8.8.1";

/// The mail servers' name there, and their secret.
const MAIL_SERVER: &str = "mail-server";
