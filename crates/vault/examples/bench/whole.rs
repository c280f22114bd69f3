//! A disk of 4 GiB with 1.5 GiB used: the first backup, one after 1 % changed, a restore, and one after scattered writes.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

use crate::{
    disks::{change, make_disk, same, scatter, settle, size},
    figures::{Best, Figures, time, time_of},
    tools::{Kluis, Restic},
};

const ROUNDS: usize = 3;

/// Measures and prints.
pub(crate) fn run(place: &Path) -> Result<()> {
    let disk = place.join("source/disk.raw");
    make_disk(&disk)?;
    let mut best = Best::default();
    for round in 1..=ROUNDS {
        let figures = measure(&place.join(round.to_string()), &disk, round as u64)?;
        eprintln!(
            "round {round} of {ROUNDS}: restic {:?}\n              ours {:?}",
            figures[0], figures[1]
        );
        best.keep(&figures);
    }
    best.print();
    fs::remove_file(disk)?;
    Ok(())
}

/// One round: both tools, step by step in turn.
fn measure(place: &Path, disk: &Path, round: u64) -> Result<[Figures; 2]> {
    fs::create_dir_all(place)?;
    let restic = Restic {
        place: place.to_owned(),
    };
    restic.run(&["init"])?;
    let kluis = Kluis::new(place)?;

    settle(disk)?;
    let restic_first = time(|| restic.back_up(disk))?;
    settle(disk)?;
    let (kluis_first, (snapshot, mut memory)) = time_of(|| kluis.back_up("first", disk, None))?;
    let sizes = [size(&restic.repository())?, size(&kluis.vault)?];

    let changed = change(disk, round)?;
    settle(disk)?;
    let restic_second = time(|| restic.back_up(disk))?;
    settle(disk)?;
    let (kluis_second, (snapshot, second)) =
        time_of(|| kluis.back_up("second", disk, Some((snapshot, changed))))?;
    memory = memory.max(second);

    settle(disk)?;
    let restored = [place.join("by-restic"), place.join("by-kluis")];
    let restic_restore = time(|| restic.restore(disk, &restored[0]))?;
    settle(disk)?;
    let (kluis_restore, third) =
        time_of(|| kluis.restore(&snapshot, &restored[1].join("disk.raw")))?;
    memory = memory.max(third);

    for copy in [
        restored[0].join(disk.strip_prefix("/")?),
        restored[1].join("disk.raw"),
    ] {
        ensure!(same(disk, &copy)?, "{} is not the disk", copy.display());
    }

    let changed = scatter(disk, round)?;
    settle(disk)?;
    let before = size(&restic.repository())?;
    let restic_scattered = time(|| restic.back_up(disk))?;
    let restic_grown = size(&restic.repository())? - before;
    settle(disk)?;
    let before = size(&kluis.vault)?;
    let (kluis_scattered, (_, fourth)) =
        time_of(|| kluis.back_up("scattered", disk, Some((snapshot, changed))))?;
    let kluis_grown = size(&kluis.vault)? - before;
    memory = memory.max(fourth);
    restic.check(&kluis.vault)?;
    fs::remove_dir_all(place)?;
    Ok([
        Figures {
            first: restic_first,
            second: restic_second,
            restore: restic_restore,
            scattered: restic_scattered,
            grown: restic_grown,
            size: sizes[0],
            memory: 0,
        },
        Figures {
            first: kluis_first,
            second: kluis_second,
            restore: kluis_restore,
            scattered: kluis_scattered,
            grown: kluis_grown,
            size: sizes[1],
            memory,
        },
    ])
}
