//! A restored disk is read back and compared, in its own order, behind the workers that write it.
//!
//! One reader waits until a stretch of the disk is complete, has it written out, drops it from the cache, reads it again
//! and compares each chunk with its id. Another hashes the whole disk, which nothing can do but one after another.

use std::{fs::File, num::NonZeroU64, os::unix::fs::FileExt};

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

/// Turns that are written out and read back together: 128 MiB.
const STRETCH: usize = 16;

/// Reads a disk back from where it lies and compares it; stops early if anything else failed.
pub(crate) fn compare(disk: &Disk, meter: &Meter, failure: &Failure) -> Result<(), VaultError> {
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
    let turns = disk.turn_count();
    for first in (0..turns).step_by(STRETCH) {
        let stretch = first..(first + STRETCH).min(turns);
        if !disk.wait(stretch.clone(), failure) {
            return Ok(());
        }
        if target.is_new() {
            target.file.sync_data().map_err(io("write"))?;
        }
        let from = (stretch.start * TURN) as u64 * CHUNK;
        let length = NonZeroU64::new(((stretch.end - stretch.start) * TURN) as u64 * CHUNK);
        let _ = rustix::fs::fadvise(&target.file, from, length, Advice::DontNeed);
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
            written = written || disk.wait(turn..turn + 1, failure);
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
