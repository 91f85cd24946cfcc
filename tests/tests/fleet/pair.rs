//! Two daemons, each from a folder of its own, on one database.

use warmfront_tests::binary::{Daemon, Fleet, Installation, Scene};
use warmfront_tests::postgres::Cluster;

/// A fleet that two machines share.
pub(crate) struct Pair {
    /// One machine, and the mail server.
    pub(crate) scene: Scene,
    /// The other.
    pub(crate) elsewhere: Installation,
}

impl Pair {
    /// On an empty database of the cluster.
    pub(crate) fn new(cluster: &Cluster, fleet: Fleet) -> Self {
        let url = cluster.url(&cluster.database(None));
        let scene = Scene::with(&Fleet { store: Some(url), ..fleet });
        let elsewhere = scene.elsewhere();
        Self { scene, elsewhere }
    }

    /// Starts both at once.
    pub(crate) fn run(&self, words: &[&str]) -> [Daemon; 2] {
        [self.one(0, words), self.one(1, words)]
    }

    /// Starts one of them.
    pub(crate) fn one(&self, which: usize, words: &[&str]) -> Daemon {
        let folder = if which == 0 { &self.scene.installation } else { &self.elsewhere };
        Daemon::start(folder, words, None)
    }
}

/// Asks daemons to end, which they must do well.
#[track_caller]
pub(crate) fn terminate_all(daemons: &mut [Daemon], story: &str) {
    daemons.iter().for_each(Daemon::terminate);
    for daemon in daemons {
        daemon.ended_well(story);
    }
}

/// The words of a daemon that ends when nothing is left for today.
pub(crate) const UNTIL_IDLE: [&str; 2] = ["run", "--until-idle"];
