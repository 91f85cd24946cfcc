//! The machine: what it is, and what others do on it meanwhile.
//!
//! Reads `/proc` only. A process of ours is one that descends from the bench, or from one of the
//! servers it started that left its family (PostgreSQL's).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::stopwatch::Stopwatch;

/// Looks at what others use between two moments.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    begun: Stopwatch,
    /// Processes of ours that do not descend from the bench.
    adopted: BTreeSet<u32>,
    all: u64,
    ours: u64,
}

impl Watch {
    pub(crate) fn begin(adopted: BTreeSet<u32>) -> Self {
        let (all, ours) = (busy_ticks(), our_ticks(&adopted));
        Self { begun: Stopwatch::start(), adopted, all, ours }
    }

    /// How many cores others kept busy since.
    pub(crate) fn others(self) -> f64 {
        let all = busy_ticks().saturating_sub(self.all);
        let ours = our_ticks(&self.adopted).saturating_sub(self.ours);
        let seconds = self.begun.seconds().max(0.001);
        all.saturating_sub(ours) as f64 / TICKS_A_SECOND / seconds
    }
}

/// Everything but idling and waiting, of all cores.
fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal; guests are counted within user.
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum()
}

struct Process {
    parent: u32,
    ticks: u64,
}

fn our_ticks(adopted: &BTreeSet<u32>) -> u64 {
    let all = processes();
    let mut ours = adopted.clone();
    ours.insert(std::process::id());
    loop {
        let children = all.iter().filter(|(_, process)| ours.contains(&process.parent));
        let more: Vec<u32> = children.map(|(id, _)| *id).filter(|id| !ours.contains(id)).collect();
        if more.is_empty() {
            break;
        }
        ours.extend(more);
    }
    ours.iter().filter_map(|id| all.get(id)).map(|process| process.ticks).sum()
}

fn processes() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Some((id, process(id)?))).collect()
}

fn process(id: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything. Behind it: state parent … utime stime cutime cstime.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().flat_map(|field| field.parse::<u64>()).sum();
    Some(Process { parent: fields.get(1)?.parse().ok()?, ticks })
}

/// A figure of `/proc/ID/status` in MiB: `VmRSS` at present, `VmHWM` at its highest.
pub(crate) fn memory_mib(id: u32, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1_024.0)
}

/// The machine in one line.
pub(crate) fn describe() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split(' ').rev().nth(1));
    let gib = kib.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1_048_576.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    format!(
        "{cores} cores of {}, {gib:.0} GiB, {}, Linux {}",
        model.map_or("an unnamed processor", |(_, name)| name.trim()),
        system.map_or("an unnamed system", |name| name.trim_matches('"')),
        kernel.trim()
    )
}

/// USER_HZ, which Linux fixes at 100 for what it tells programs (proc(5)).
const TICKS_A_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_of_ours_is_nobody_elses() {
        let before = our_ticks(&BTreeSet::new());
        let mut child = std::process::Command::new("sh");
        let ended =
            child.args(["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"]).status();
        assert!(ended.unwrap().success());
        assert!(our_ticks(&BTreeSet::new()) > before);
        assert!(memory_mib(std::process::id(), "VmRSS").unwrap() > 0.5);
    }
}
