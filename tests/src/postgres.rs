//! A PostgreSQL server of the tests' own: nobody else's data is near, and it ends with the process.
//!
//! Installs the server where it is missing and it may; names the line to type where it may not.
//! Includable by itself: the store's tests cannot depend on this package.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// A running server with its files. Its commits wait for the disk, as the product asks.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    /// Ends the server when this process does, in whatever way: its standard input closes then.
    watchdog: Child,
    /// Databases that nobody needs any more.
    spent: Mutex<Vec<String>>,
}

impl Cluster {
    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one test's own, which it may stop.
    ///
    /// # Panics
    ///
    /// If there is no server to be had: no test can go on then.
    #[must_use]
    pub fn start() -> Self {
        // In memory where the machine offers it: hundreds of tests make a database each.
        let memory = PathBuf::from("/dev/shm");
        Self::start_in(&if memory.is_dir() { memory } else { std::env::temp_dir() })
    }

    /// The same with its files in a folder that the server's own user can reach.
    ///
    /// # Panics
    ///
    /// If there is no server to be had.
    #[must_use]
    pub fn start_in(home: &Path) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("warmfront-pg-").tempdir_in(home);
        let folder = folder.expect("a folder").keep();
        if is_root() {
            run(Command::new("chown").arg(SERVER_USER).arg(&folder));
        }
        let data = folder.join("data");
        let initdb =
            ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        run(as_server(&programs.join("initdb")).args(initdb).arg("-D").arg(&data));
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = port.expect("a free port").port();
        let watchdog = watchdog(&programs, &folder);
        let cluster = Self { folder, programs, port, watchdog, spent: Mutex::default() };
        cluster.begin();
        cluster
    }

    /// Starts the server's processes.
    pub fn begin(&self) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=400 -c autovacuum=off",
            self.port,
            self.folder.display()
        );
        run(self.control("start").arg("-w").arg("-o").arg(options));
    }

    /// The first of the server's processes.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        file.lines().next()?.parse().ok()
    }

    /// Stops them without a word to whoever is connected, as a crash would.
    pub fn crash(&self) {
        run(self.control("stop").args(["-w", "-m", "immediate"]));
    }

    /// Makes a database, empty or as a copy of another, and gives its name.
    #[must_use]
    pub fn database(&self, template: Option<&str>) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("books_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let template = template.unwrap_or("template1");
        let spent = std::mem::take(&mut *self.spent.lock().expect("no panic in between"));
        let mut texts = vec![format!("CREATE DATABASE {name} TEMPLATE {template}")];
        texts.extend(spent.iter().map(|spent| format!("DROP DATABASE {spent} WITH (FORCE)")));
        self.run_sql("postgres", &texts);
        name
    }

    /// Drops a database, when the next is made.
    pub fn drop_later(&self, name: &str) {
        self.spent.lock().expect("no panic in between").push(name.to_owned());
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL in a database, as its administrator.
    pub fn run_sql(&self, database: &str, texts: &[String]) {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-q", "-v", "ON_ERROR_STOP=1"]);
        run(psql.args(texts.iter().flat_map(|text| ["-c", text])).arg(self.url(database)));
    }

    fn control(&self, what: &str) -> Command {
        let mut command = as_server(&self.programs.join("pg_ctl"));
        command.arg(what).arg("-D").arg(self.folder.join("data"));
        command.arg("-l").arg(self.folder.join("log"));
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// A shell that waits for its standard input to end; in a group of its own, so that what ends the
/// tests from the keyboard leaves it to its work.
fn watchdog(programs: &Path, folder: &Path) -> Child {
    let stop = "cat; \"$1/pg_ctl\" stop -m immediate -D \"$2/data\"; rm -rf \"$2\"";
    as_server(Path::new("/bin/sh"))
        .args(["-c", stop, "watchdog"])
        .args([programs, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a watchdog")
}

/// The server refuses to run as root.
fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={SERVER_USER}"), &format!("--regid={SERVER_USER}")]);
    command.arg("--clear-groups").arg(program).current_dir("/");
    command
}

fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| {
        let id = Command::new("id").arg("-u").output();
        id.is_ok_and(|id| id.stdout == b"0\n")
    })
}

/// The folder of the newest server's programs; installs them where there are none.
fn programs() -> PathBuf {
    newest().unwrap_or_else(|| {
        install();
        newest().unwrap_or_else(|| panic!("PostgreSQL {OLDEST} or later is missing; {BY_HAND}"))
    })
}

fn newest() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = debian.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.filter(|version| *version >= OLDEST).max();
    let elsewhere = || {
        let asked = Command::new("pg_config").arg("--bindir").output().ok()?;
        Some(PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim()))
    };
    newest
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
        .or_else(elsewhere)
        .filter(|folder| folder.join("initdb").exists())
}

/// With Debian's package manager, and without the server that the package would start.
fn install() {
    let script = "set -e
        mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/warmfront.conf
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends postgresql \
            || { apt-get update && apt-get install -y --no-install-recommends postgresql; }";
    let mut command = if is_root() { Command::new("sh") } else { Command::new("sudo") };
    if !is_root() {
        command.args(["-n", "sh"]);
    }
    let installed = command.args(["-c", script]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        panic!("PostgreSQL is missing and cannot be installed from here; {BY_HAND}");
    }
}

/// Runs a program and says all that it said where it fails. Not by `output`: the server would keep
/// the pipe open for as long as it runs.
fn run(command: &mut Command) {
    let mut said = tempfile::tempfile().expect("a file");
    let out = said.try_clone().and_then(|out| Ok((out, said.try_clone()?))).expect("a file");
    let status = command.stdin(Stdio::null()).stdout(out.0).stderr(out.1).status();
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        let mut text = String::new();
        let _ = std::io::Seek::rewind(&mut said).and_then(|()| said.read_to_string(&mut text));
        panic!("{command:?}: {status:?}\n{text}");
    }
}

/// The user that Debian's package makes.
const SERVER_USER: &str = "postgres";

/// The oldest server the product takes.
const OLDEST: u32 = 15;

const BY_HAND: &str = "type: sudo apt-get install -y --no-install-recommends postgresql";
