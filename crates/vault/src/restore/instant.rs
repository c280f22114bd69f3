//! A disk out of its snapshot file: copied or shared, and hashed on the way, so that it can be compared as if it came from
//! the vault.

use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use super::disk::Disk;
use crate::{
    error::VaultError,
    id::Id,
    job::DiskFormat,
    layout::{self, CHUNK},
    meter::{Failure, Meter, workers},
    source::Source,
    target::Target,
};

/// Chunks that a worker takes at a time.
const TURN: u64 = 8;

/// Has the file system share a raw snapshot's blocks with a raw target; whether it could.
pub(super) fn share(source: &Source, target: &Target, format: DiskFormat) -> bool {
    target.is_new()
        && format == DiskFormat::Raw
        && source
            .raw_file()
            .is_some_and(|file| rustix::fs::ioctl_ficlone(&target.file, file).is_ok())
}

/// Reads the snapshot file and writes what the target does not have yet; returns the chunks' ids.
pub(super) fn fill(source: &Source, disk: &Disk, meter: &Meter) -> Result<Vec<Id>, VaultError> {
    let added = AtomicU64::new(0);
    let filled = read(source, disk, &|bytes| {
        added.fetch_add(bytes, Ordering::Relaxed);
        meter.add(bytes);
    });
    // What is in holes, and what is not read any more: the disk is gone through all the same.
    meter.add(source.size.saturating_sub(added.into_inner()));
    filled
}

fn read(
    source: &Source,
    disk: &Disk,
    passed: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Id>, VaultError> {
    let write = disk.target.is_new() && !disk.shared;
    let turns = turns(&source.data()?);
    let ids = Mutex::new(disk.stored.ids.clone());
    let next = AtomicUsize::new(0);
    let failure = Failure::default();
    let worker = || -> Result<(), VaultError> {
        let mut buffer = vec![0; CHUNK as usize];
        while let Some(turn) = turns.get(next.fetch_add(1, Ordering::Relaxed)) {
            for number in turn.clone() {
                if failure.is_set() {
                    return Ok(());
                }
                let length = layout::chunk_length(source.size, number);
                let chunk = &mut buffer[..length];
                source.read(chunk, number * CHUNK)?;
                let id = Id::of(chunk);
                if write {
                    disk.with_image("write", |image| image.write(chunk, number * CHUNK))?;
                }
                let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = ids.get_mut(number as usize) {
                    *slot = id;
                }
                drop(ids);
                passed(length as u64);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| failure.watch(worker));
        }
    });
    if let Some(error) = failure.first() {
        return Err(error);
    }
    source.check_untouched()?;
    Ok(ids.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn turns(runs: &[Range<u64>]) -> Vec<Range<u64>> {
    let turns = runs.iter().flat_map(|run| {
        let starts = run.clone().step_by(TURN as usize);
        starts.map(|start| start..(start + TURN).min(run.end))
    });
    turns.collect()
}
