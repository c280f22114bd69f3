//! A restored disk is read back and compared, in its own order, behind the workers that write it.
//!
//! One thread waits until a stretch of the disk is complete, has it written out and drops it from the cache; the next reads
//! it again and compares each chunk with its id; a third hashes the whole disk, which can only be done from end to end.

use std::{fs::File, num::NonZeroU64, ops::Range, os::unix::fs::FileExt};

use rustix::{
    fs::{Advice, SeekFrom},
    io::Errno,
};
use sha2::{Digest, Sha256};

use crate::{
    block_map::ZeroIds,
    error::VaultError,
    id::Id,
    layout::{self, CHUNK, ZEROS},
    meter::{Failure, Meter},
    rewrite::{Disk, TURN},
};

/// Turns that are written out and read back together: 64 MiB.
const STRETCH: usize = 8;

/// Has a disk written out behind its workers, and dropped from the cache, so that it can be read from where it lies.
pub(crate) fn flush(disk: &Disk, failure: &Failure) -> Result<(), VaultError> {
    let target = &disk.target;
    for stretch in stretches(disk) {
        if !disk.wait(&stretch, failure) {
            return Ok(());
        }
        if target.is_new() {
            target
                .file
                .sync_data()
                .map_err(|source| VaultError::io("write", &target.path, source))?;
        }
        advise(disk, &stretch, Advice::DontNeed);
        disk.set_flushed(stretch.end);
    }
    Ok(())
}

/// Reads a disk back and compares it; stops early if anything else failed. `prove` says whether the vault is to blame.
pub(crate) fn compare(
    disk: &Disk,
    meter: &Meter,
    failure: &Failure,
    prove: &dyn Fn(u64, &Id) -> Result<(), VaultError>,
) -> Result<(), VaultError> {
    let Disk { stored, target, .. } = disk;
    let io = |doing| move |source| VaultError::io(doing, &target.path, source);
    let size = target.file.metadata().map_err(io("look at"))?.len();
    let damaged = |how: String| VaultError::TargetDamaged {
        path: target.path.clone(),
        how,
    };
    if size != stored.size {
        return Err(damaged(format!("it has {size} bytes, not {}", stored.size)));
    }
    let zeros = ZeroIds::new();
    let mut buffer = vec![0; CHUNK as usize];
    for stretch in stretches(disk) {
        if !disk.wait_flushed(stretch.end, failure) {
            return Ok(());
        }
        advise(disk, &stretch, Advice::WillNeed);
        for (number, id) in disk.chunks(stretch) {
            if failure.is_set() {
                return Ok(());
            }
            let (offset, length) = (number * CHUNK, layout::chunk_length(size, number));
            let zero = *id == zeros.of_length(length);
            let same = if zero && is_hole(&target.file, offset, length as u64) {
                true
            } else {
                let chunk = &mut buffer[..length];
                target
                    .file
                    .read_exact_at(chunk, offset)
                    .map_err(io("read back"))?;
                if zero {
                    *chunk == ZEROS[..length]
                } else {
                    Id::of(chunk) == *id
                }
            };
            if !same {
                prove(number, id)?;
                return Err(damaged(format!(
                    "the {length} bytes from {offset} on are not the vault's"
                )));
            }
            meter.add(length as u64);
        }
    }
    if target.is_new() {
        target.file.sync_all().map_err(io("write"))?;
    }
    Ok(())
}

fn stretches(disk: &Disk) -> impl Iterator<Item = Range<usize>> {
    let turns = disk.turn_count();
    (0..turns)
        .step_by(STRETCH)
        .map(move |first| first..(first + STRETCH).min(turns))
}

/// A wish to the kernel; some file systems do not hear it.
fn advise(disk: &Disk, turns: &Range<usize>, advice: Advice) {
    let length = NonZeroU64::new((turns.len() * TURN) as u64 * CHUNK);
    let _ = rustix::fs::fadvise(
        &disk.target.file,
        (turns.start * TURN) as u64 * CHUNK,
        length,
        advice,
    );
}

/// The SHA-256 of a disk as a reader of its file sees it, or `None` if anything else failed. It need not wait for the disk:
/// that what it reads is also what lies there, [`compare`] proves.
pub(crate) fn sum(disk: &Disk, failure: &Failure) -> Result<Option<[u8; 32]>, VaultError> {
    let Disk { stored, target, .. } = disk;
    let zeros = ZeroIds::new();
    let mut whole = Sha256::new();
    let mut buffer = vec![0; CHUNK as usize];
    for turn in 0..disk.turn_count() {
        let mut written = false;
        for (number, id) in disk.chunks(turn..turn + 1) {
            let length = layout::chunk_length(stored.size, number);
            if *id == zeros.of_length(length) {
                whole.update(&ZEROS[..length]);
                continue;
            }
            written = written || disk.wait(&(turn..turn + 1), failure);
            if !written || failure.is_set() {
                return Ok(None);
            }
            let chunk = &mut buffer[..length];
            let read = target.file.read_exact_at(chunk, number * CHUNK);
            read.map_err(|source| VaultError::io("read back", &target.path, source))?;
            whole.update(&*chunk);
        }
    }
    Ok(Some(whole.finalize().into()))
}

/// Whether the file system knows that there is nothing but zeros.
fn is_hole(file: &File, offset: u64, length: u64) -> bool {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(data) => data >= offset + length,
        Err(Errno::NXIO) => true,
        Err(_) => false,
    }
}
