//! Figures, and the one form that they are printed in.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::disks::MIB;

/// What one tool needed, or the least of several runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) first: Duration,
    pub(crate) second: Duration,
    pub(crate) restore: Duration,
    /// A backup after scattered writes, and what the vault grew by, in bytes.
    pub(crate) scattered: Duration,
    pub(crate) grown: u64,
    /// Bytes of the vault after the first backup.
    pub(crate) size: u64,
    /// The most memory that any of its processes had, in bytes; 0 where it was not looked at.
    pub(crate) memory: u64,
}

#[derive(Default)]
pub(crate) struct Best {
    restic: Option<Figures>,
    kluis: Option<Figures>,
}

impl Best {
    pub(crate) fn keep(&mut self, [restic, kluis]: &[Figures; 2]) {
        for (best, new) in [(&mut self.restic, restic), (&mut self.kluis, kluis)] {
            let old = best.unwrap_or(*new);
            *best = Some(Figures {
                first: old.first.min(new.first),
                second: old.second.min(new.second),
                restore: old.restore.min(new.restore),
                scattered: old.scattered.min(new.scattered),
                grown: old.grown.max(new.grown),
                size: old.size.max(new.size),
                memory: old.memory.max(new.memory),
            });
        }
    }

    pub(crate) fn print(&self) {
        let (Some(restic), Some(kluis)) = (&self.restic, &self.kluis) else {
            return;
        };
        let seconds =
            |name: &str, time: Duration| println!("bench {name} {:.2} s", time.as_secs_f64());
        seconds("vault-first-backup", kluis.first);
        seconds("restic-first-backup", restic.first);
        seconds("vault-changed-backup", kluis.second);
        seconds("restic-changed-backup", restic.second);
        seconds("vault-restore", kluis.restore);
        seconds("restic-restore", restic.restore);
        seconds("vault-scattered-backup", kluis.scattered);
        seconds("restic-scattered-backup", restic.scattered);
        let mib = |name: &str, bytes: u64| {
            println!("bench {name} {:.1} MiB", bytes as f64 / MIB as f64);
        };
        mib("vault-scattered-growth", kluis.grown);
        mib("restic-scattered-growth", restic.grown);
        let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
        goal(
            "vault-first-backup-ratio",
            ratio(kluis.first, restic.first),
            "x",
            0.75,
        );
        goal(
            "vault-changed-backup-ratio",
            ratio(kluis.second, restic.second),
            "x",
            0.15,
        );
        goal(
            "vault-restore-ratio",
            ratio(kluis.restore, restic.restore),
            "x",
            0.9,
        );
        goal(
            "vault-peak-memory",
            kluis.memory as f64 / MIB as f64,
            "MiB",
            256.0,
        );
        goal(
            "vault-size-ratio",
            kluis.size as f64 / restic.size as f64,
            "x",
            1.0,
        );
    }
}

/// Prints a figure that has a goal.
pub(crate) fn goal(name: &str, value: f64, unit: &str, goal: f64) {
    let verdict = if value <= goal { "ok" } else { "short" };
    println!("bench {name} {value:.3} {unit} goal <= {goal} {verdict}");
}

pub(crate) fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    time_of(work).map(|(time, ())| time)
}

pub(crate) fn time_of<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed(), done))
}
