//! A scrub of a whole vault beside `restic check --read-data` of the same one: 1.5 GiB used, half of it compressible, both
//! from the disk and not from the page cache; the best of three.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Result, ensure};
use kluis_vault::{Event, ScrubTask, Task};

use crate::{
    disks::{MIB, make_disk, settle},
    figures::{goal, time, time_of},
    tools::{Kluis, Restic, succeed},
};

const ROUNDS: usize = 3;

/// Measures and prints.
pub(crate) fn run(place: &Path) -> Result<()> {
    let place = place.join("scrub");
    let disk = place.join("source/disk.raw");
    make_disk(&disk)?;
    let restic = Restic {
        place: place.clone(),
    };
    let kluis = Kluis::new(&place)?;
    settle(&disk)?;
    kluis.back_up("first", &disk, None)?;
    fs::remove_file(&disk)?;
    let (mut theirs, mut ours, mut memory) = (Duration::MAX, Duration::MAX, 0);
    for round in 1..=ROUNDS {
        evict(&kluis.vault)?;
        let checked = time(|| restic.check(&kluis.vault))?;
        evict(&kluis.vault)?;
        let (scrubbed, (events, peak)) = time_of(|| kluis.run("scrub", task()))?;
        let is_clean = |event: &Event| {
            matches!(
                event,
                Event::Damage {
                    packs: 0,
                    blobs: 0,
                    ..
                }
            )
        };
        ensure!(events.iter().any(is_clean), "the scrub found damage");
        eprintln!("round {round} of {ROUNDS}: restic {checked:?}, ours {scrubbed:?}");
        theirs = theirs.min(checked);
        ours = ours.min(scrubbed);
        memory = memory.max(peak);
    }
    println!("bench scrub {:.2} s", ours.as_secs_f64());
    println!("bench restic-check {:.2} s", theirs.as_secs_f64());
    goal(
        "scrub-time-ratio",
        ours.as_secs_f64() / theirs.as_secs_f64(),
        "x",
        1.0,
    );
    goal(
        "scrub-peak-memory",
        memory as f64 / MIB as f64,
        "MiB",
        128.0,
    );
    fs::remove_dir_all(place)?;
    Ok(())
}

/// All of the vault, as fast as it goes.
fn task() -> Task {
    Task::Scrub(ScrubTask {
        now: jiff::Timestamp::UNIX_EPOCH,
        parts: 1,
        least: 0,
        bytes_per_second: None,
    })
}

/// Has the kernel forget what it holds of the vault's packs.
fn evict(vault: &Path) -> Result<()> {
    succeed(&mut Command::new("sync"))?;
    for folder in fs::read_dir(vault.join("data"))? {
        for pack in fs::read_dir(folder?.path())? {
            let mut pack_argument = std::ffi::OsString::from("if=");
            pack_argument.push(pack?.path());
            let dd = ["iflag=nocache", "count=0", "status=none"];
            succeed(Command::new("dd").arg(pack_argument).args(dd))?;
        }
    }
    Ok(())
}
