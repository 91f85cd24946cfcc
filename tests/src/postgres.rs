//! A PostgreSQL server of the tests' own: nobody else's data is near, and it ends with the process.
//!
//! Installs the server where it is missing and it may; names the line to type where it may not.
//! Includable by itself, with `machine.rs` beside it: the store's tests cannot depend on this package.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::machine::{Software, free_port, install, is_root, provide, run};

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
        let port = free_port();
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

    /// Holds every process of the server where it is, as a machine that freezes would: connections
    /// stay open, and nobody answers. Until the guard is dropped.
    #[must_use]
    pub fn freeze(&self) -> Frozen<'_> {
        // The first, which starts all others, before them.
        let first = self.process().expect("a server that runs").to_string();
        self.signal("STOP", std::slice::from_ref(&first));
        let all = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
        let all = String::from_utf8(all.expect("a list of processes").stdout).expect("numbers");
        let child = |line: &str| {
            let (pid, parent) = line.trim().split_once(' ')?;
            (parent.trim() == first).then(|| pid.to_owned())
        };
        let children: Vec<String> = all.lines().filter_map(child).collect();
        self.signal("STOP", &children);
        Frozen { cluster: self, processes: [vec![first], children].concat() }
    }

    fn signal(&self, signal: &str, processes: &[String]) {
        run(as_server(Path::new("kill")).arg(format!("-{signal}")).args(processes));
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

/// A server that stands still.
#[derive(Debug)]
pub struct Frozen<'a> {
    cluster: &'a Cluster,
    processes: Vec<String>,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.cluster.signal("CONT", &self.processes);
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
    // Whoever is frozen hears nothing.
    let stop = "cat; kill -CONT $(head -n 1 \"$2/data/postmaster.pid\"); \"$1/pg_ctl\" stop -m immediate -D \"$2/data\"; rm -rf \"$2\"";
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

/// The folder of the newest server's programs; installs them where there are none.
fn programs() -> PathBuf {
    provide(&POSTGRESQL, newest, install).unwrap_or_else(|why| panic!("{why}"))
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

/// The user that Debian's package makes.
const SERVER_USER: &str = "postgres";

/// The oldest server the product takes.
const OLDEST: u32 = 15;

/// Without the server that Debian's package would start.
const POSTGRESQL: Software = Software {
    name: "PostgreSQL 15 or later",
    packages: "postgresql",
    before: "mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/warmfront.conf",
    by_hand: "sudo apt-get install -y --no-install-recommends postgresql",
};
