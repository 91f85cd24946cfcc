//! The flows against an identity provider that others wrote: `oidc-provider` from npm, which keeps to
//! the standards more strictly than most, where Node.js is installed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use warmfront_tests::binary::{Installation, SENDER};
use warmfront_tests::identity::{CLIENT_ID, CLIENT_SECRET};

use crate::world::{ANN, Waiting};

/// A running provider; it ends with this value.
struct Provider {
    child: Child,
    url: String,
    /// It warns of what is for tests only, and would end if nobody were there to hear it.
    _said: BufReader<ChildStdout>,
}

impl Provider {
    /// `None` where there is no Node.js.
    fn start() -> Option<Self> {
        if !Command::new("node").arg("--version").output().is_ok_and(|said| said.status.success()) {
            // Past what catches the words of tests that pass.
            let told = "Node.js is not installed: nothing was tried against oidc-provider\n";
            std::io::stderr().write_all(told.as_bytes()).expect("somebody listens");
            return None;
        }
        let folder = installed();
        std::fs::write(folder.join("provider.mjs"), include_str!("provider.mjs")).expect("a file");
        let mut child = Command::new("node")
            .arg("provider.mjs")
            .args([CLIENT_ID, CLIENT_SECRET])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js starts");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let url = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).expect("text") > 0, "it ended");
            if let Some(url) = line.strip_prefix("at ") {
                break url.trim().to_owned();
            }
        };
        Some(Self { child, url, _said: said })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder that npm has put it into, beside what cargo builds.
fn installed() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it lies");
    let tagged = |folder: &&Path| folder.join("CACHEDIR.TAG").exists();
    let target = test.ancestors().find(tagged).expect("cargo tags its target folder");
    let folder = target.join("oidc-provider");
    if !folder.join("node_modules/oidc-provider").exists() {
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n").expect("a file");
        let npm = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", VERSION])
            .current_dir(&folder)
            .output()
            .expect("npm comes with Node.js");
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
    }
    folder
}

/// Of 2025; it runs on Node.js 18 and later.
const VERSION: &str = "oidc-provider@8.8.1";

fn configure(installation: &Installation, url: &str, flow: &str) {
    installation.write(
        "warmfront.toml",
        format!(
            "{SENDER}\n[[mailbox]]\naddress = \"{ANN}\"\nprovider = \"smtp\"\n\
             smtp = {{ host = \"127.0.0.1\", port = 9, tls = \"none\" }}\n\
             imap = {{ host = \"127.0.0.1\", port = 9, tls = \"none\" }}\n\
             auth = {{ oauth = \"google\", flow = \"{flow}\", client_id = \"{CLIENT_ID}\", \
             secret = {{ env = \"CLIENT_SECRET\" }}, authorize_url = \"{url}/auth\", \
             token_url = \"{url}/token\", device_url = \"{url}/device/auth\", \
             scopes = [\"openid\", \"offline_access\"] }}\n"
        ),
    );
}

#[test]
fn a_provider_that_others_wrote_takes_our_words_as_they_are() {
    let Some(provider) = Provider::start() else { return };
    let mut installation = Installation::empty();
    installation.secret("CLIENT_SECRET", CLIENT_SECRET);
    let login = ["mailbox", "login", ANN, "--json"];

    // In a browser, with PKCE; then a refresh, which rotates the token.
    configure(&installation, &provider.url, "code");
    let mut waiting = Waiting::begin(&installation, &login);
    let url = format!("{}{}", provider.url, waiting.says(&provider.url));
    let allowed = Command::new("node")
        .args(["provider.mjs", "browse", &url])
        .current_dir(installed())
        .output()
        .expect("Node.js starts");
    assert!(allowed.status.success(), "{}", String::from_utf8_lossy(&allowed.stderr));
    let told = waiting.ended().done().json();
    assert_eq!(told["state"], "active");

    // By a device's code.
    configure(&installation, &provider.url, "device");
    let mut waiting = Waiting::begin(&installation, &login);
    let said = waiting.says("type the code ");
    let code = said.split(',').next().expect("a code").to_owned();
    let typed = Command::new("node")
        .args(["provider.mjs", "type", &provider.url, &code])
        .current_dir(installed())
        .output()
        .expect("Node.js starts");
    assert!(typed.status.success(), "{}", String::from_utf8_lossy(&typed.stderr));
    let told = waiting.ended().done().json();
    assert_eq!(told["flow"], "device");
}
