//! A whole job beside restic: what a person waits for, from the request to its end, with the snapshot, the transfer, the proof and all
//! that the service does around them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::figure::Figure;
use super::machine_disk::{Format, change, make, settle};
use crate::place::scratch;
use crate::portal::Portal;
use crate::process::run;
use crate::qemu;
use crate::service::{Service, Setup};
use crate::world::Estate;

/// Each figure is the best of so many rounds.
const ROUNDS: u64 = 3;

/// How long each step took.
#[derive(Debug, Clone, Copy)]
struct Took {
    first: Duration,
    /// After 1 % of the disk was written anew.
    second: Duration,
    restore: Duration,
}

impl Took {
    fn best(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            second: self.second.min(other.second),
            restore: self.restore.min(other.restore),
        }
    }
}

/// Measures jobs on a raw and on a qcow2 disk, or on one of them alone, and prints one line a figure: times as multiples of restic's.
///
/// # Errors
/// When a part does not start, a job does not end well, or what is restored is not the disk.
pub fn run_jobs(only: Option<&str>) -> Result<()> {
    let all = [(Format::Raw, 0.5), (Format::Qcow2, 0.15)];
    let wanted = |(format, _): &(Format, f64)| only.is_none_or(|only| only == format.word());
    for (format, second) in all.into_iter().filter(wanted) {
        let mut best: Option<[Took; 2]> = None;
        for round in 1..=ROUNDS {
            let dir = scratch("bench-job")?;
            let [restic, ours] = measure(dir.path(), format, round)?;
            eprintln!(
                "{} {round} of {ROUNDS}: restic {restic:?}, ours {ours:?}",
                format.word()
            );
            best = Some(best.map_or([restic, ours], |[theirs, known]| {
                [theirs.best(restic), known.best(ours)]
            }));
        }
        let [restic, ours] = best.context("nothing was measured")?;
        let tell = |step: &str, ours: Duration, theirs: Duration, goal| {
            Figure {
                name: format!("job-{}-{step}", format.word()),
                value: ours.as_secs_f64() / theirs.as_secs_f64(),
                unit: "x",
                goal: Some(goal),
            }
            .tell();
        };
        tell("first", ours.first, restic.first, 0.65);
        tell("changed", ours.second, restic.second, second);
        tell("restore", ours.restore, restic.restore, 0.7);
    }
    Ok(())
}

/// One round: both, step by step in turn.
fn measure(dir: &Path, format: Format, round: u64) -> Result<[Took; 2]> {
    let disk = dir.join(format!("os.{}", format.word()));
    make(&disk, format)?;
    let inventory = dir.join("inventory.yaml");
    fs::write(&inventory, inventory_of(&disk)).context("writing the inventory")?;
    let portal = Portal {
        service: Service::start(Setup {
            virtual_clock: false,
            ..Setup::new(dir, &inventory)
        })?,
        estate: Estate {
            inventory,
            disks: vec![disk.clone()],
            files: 0,
        },
    };
    portal.protect()?;
    let restic = Restic::new(dir)?;
    let back_up = || {
        settle(&disk)?;
        let theirs = timed(|| restic.back_up(&disk))?;
        settle(&disk)?;
        let ours = timed(|| portal.back_up().map(drop))?;
        Ok::<_, anyhow::Error>((theirs, ours))
    };
    let first = back_up()?;
    change(&disk, format, round)?;
    let second = back_up()?;
    settle(&disk)?;
    let theirs = timed(|| restic.restore())?;
    let point = portal.newest_point()?;
    settle(&disk)?;
    let ours = timed(|| {
        let job = portal.begin_restore(&point, "shop-restored")?;
        portal.completed(&job).map(drop)
    })?;
    let made = fs::read_dir(dir.join("restored/shop-restored"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    let is_disk = |path: &&PathBuf| path.extension().is_some_and(|end| end == format.word());
    let made: Vec<_> = made.iter().filter(is_disk).collect();
    ensure!(made.len() == 1, "restored: {made:?}");
    qemu::same(&disk, made[0])?;
    let took = |first, second, restore| Took {
        first,
        second,
        restore,
    };
    Ok([
        took(first.0, second.0, theirs),
        took(first.1, second.1, ours),
    ])
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

fn inventory_of(disk: &Path) -> String {
    format!(
        "resourceGroups:\n  shop-rg:\n    location: westeurope\n    storageAccounts:\n      stagingweu: {{}}\n    virtualMachines:\n      \
         web-1: {{ os: Linux, disks: [{{ path: {} }}] }}\n  shop-restored:\n    location: westeurope\n",
        disk.display()
    )
}

/// A repository of stock restic's own, and the folder that it restores into.
struct Restic {
    dir: PathBuf,
}

impl Restic {
    fn new(dir: &Path) -> Result<Self> {
        let dir = dir.join("restic");
        fs::create_dir_all(&dir)?;
        let restic = Self { dir };
        run(restic.command().arg("init"))?;
        Ok(restic)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("restic");
        command
            .env("RESTIC_PASSWORD", "bench")
            .arg("--quiet")
            .arg("-r");
        command.arg(self.dir.join("repository"));
        command.arg("--cache-dir").arg(self.dir.join("cache"));
        command
    }

    fn back_up(&self, disk: &Path) -> Result<()> {
        run(self.command().arg("backup").arg(disk)).map(drop)
    }

    /// The newest snapshot, down to the disk: a restore of ours is there when it is done.
    fn restore(&self) -> Result<()> {
        let to = self.dir.join("restored");
        run(self
            .command()
            .args(["restore", "latest", "--target"])
            .arg(&to))?;
        run(Command::new("sync").arg("-f").arg(&to)).map(drop)
    }
}
