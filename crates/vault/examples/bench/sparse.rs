//! What holes cost: 1 GiB of data on a disk of its own, and the same on a disk of 1 TiB.

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    disks::{MIB, make_spread, same_spread, settle},
    figures::{goal, time_of},
    tools::{Kluis, succeed},
};

const ALONE: u64 = 1024 * MIB;
const SPARSE: u64 = 1024 * 1024 * MIB;
const ROUNDS: usize = 3;

/// What one disk needed, or the least of several runs; memory is the most.
#[derive(Debug, Clone, Copy)]
struct Needed {
    first: Duration,
    restore: Duration,
    memory: u64,
}

/// Measures and prints.
pub(crate) fn run(place: &Path) -> Result<()> {
    let disks = [ALONE, SPARSE].map(|size| (size, place.join(format!("spread-{size}.raw"))));
    let mut best: [Option<Needed>; 2] = [None; 2];
    for (size, path) in &disks {
        make_spread(path, *size)?;
    }
    for round in 1..=ROUNDS {
        for ((size, path), best) in disks.iter().zip(&mut best) {
            let new = measure(&place.join(format!("spread-{round}-{size}")), path, *size)?;
            eprintln!("round {round} of {ROUNDS}: {} GiB: {new:?}", size >> 30);
            let old = best.unwrap_or(new);
            *best = Some(Needed {
                first: old.first.min(new.first),
                restore: old.restore.min(new.restore),
                memory: old.memory.max(new.memory),
            });
        }
    }
    if let [Some(alone), Some(sparse)] = best {
        let ratio = |name: &str, sparse: Duration, alone: Duration| {
            println!("bench {name} {:.2} s", sparse.as_secs_f64());
            println!("bench {name}-alone {:.2} s", alone.as_secs_f64());
            let ratio = sparse.as_secs_f64() / alone.as_secs_f64();
            goal(&format!("{name}-ratio"), ratio, "x", 2.0);
        };
        ratio("sparse-1tib-first", sparse.first, alone.first);
        ratio("sparse-1tib-restore", sparse.restore, alone.restore);
        let memory = sparse.memory as f64 / MIB as f64;
        goal("sparse-1tib-peak-memory", memory, "MiB", 256.0);
    }
    Ok(())
}

fn measure(place: &Path, disk: &Path, size: u64) -> Result<Needed> {
    let kluis = Kluis::new(place)?;
    warm(disk, size)?;
    let (first, (snapshot, memory)) = time_of(|| kluis.back_up("first", disk, None))?;
    let restored = place.join("restored/disk.raw");
    succeed(&mut std::process::Command::new("sync"))?;
    let (restore, more) = time_of(|| kluis.restore(&snapshot, &restored))?;
    ensure!(
        fs::metadata(&restored)?.len() == size && same_spread(disk, &restored, size)?,
        "{} is not the disk",
        restored.display()
    );
    fs::remove_dir_all(place)?;
    Ok(Needed {
        first,
        restore,
        memory: memory.max(more),
    })
}

/// Brings the data into the page cache, and no holes: reading a TiB of them takes minutes.
fn warm(disk: &Path, size: u64) -> Result<()> {
    if size == ALONE {
        return settle(disk);
    }
    same_spread(disk, disk, size)?;
    succeed(&mut std::process::Command::new("sync"))
}
