//! A restored disk is read back and compared, in its own order, behind the workers that write it.
//!
//! It waits until a stretch of the disk is complete, has it written out, drops it from the cache, reads it again, compares
//! each chunk with its id, and carries on the hash of the whole disk.

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

/// Reads a disk back and compares it; its SHA-256, or `None` if the work was given up.
pub(crate) fn compare(
    disk: &Disk,
    meter: &Meter,
    failure: &Failure,
) -> Result<Option<[u8; 32]>, VaultError> {
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
    let mut whole = Sha256::new();
    let mut buffer = vec![0; CHUNK as usize];
    let turns = stored.ids.len().div_ceil(TURN);
    for first in (0..turns).step_by(STRETCH) {
        let stretch = first..(first + STRETCH).min(turns);
        if !disk.wait(stretch.clone(), failure) {
            return Ok(None);
        }
        if target.is_new() {
            target.file.sync_data().map_err(io("write"))?;
        }
        let (from, to) = (
            (stretch.start * TURN) as u64 * CHUNK,
            ((stretch.end * TURN) as u64 * CHUNK).min(size),
        );
        let _ = rustix::fs::fadvise(
            &target.file,
            from,
            NonZeroU64::new(to - from),
            Advice::DontNeed,
        );
        for number in stretch.start * TURN..(stretch.end * TURN).min(stored.ids.len()) {
            if failure.is_set() {
                return Ok(None);
            }
            let (Some(id), offset) = (stored.ids.get(number), number as u64 * CHUNK) else {
                break;
            };
            let length = layout::chunk_length(size, number as u64);
            let zero = *id == zeros.of_length(length);
            let same = if zero && is_hole(&target.file, offset, length as u64) {
                whole.update(&ZEROS[..length]);
                true
            } else {
                let chunk = &mut buffer[..length];
                target
                    .file
                    .read_exact_at(chunk, offset)
                    .map_err(io("read back"))?;
                whole.update(&*chunk);
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
