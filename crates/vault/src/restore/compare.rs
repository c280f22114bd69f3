//! A restored disk is read back and compared, in its own order, behind the workers that write it.
//!
//! One thread waits until a stretch of the disk is complete, has it written out and drops it from the cache; the next reads
//! it again and compares each chunk with its id. The ids together are hashed into the disk's sum: the SHA-256 over the
//! SHA-256 of each MiB, so that no byte is hashed twice and a hole costs nothing. A plain SHA-256 of a TiB of zeros takes ten
//! minutes.

use std::{num::NonZeroU64, ops::Range};

use rustix::fs::Advice;
use sha2::{Digest, Sha256};

use super::disk::{Disk, TURN};
use crate::{
    error::VaultError,
    id::Id,
    layout::{self, CHUNK, ZEROS},
    meter::{Failure, Meter},
};

/// Turns that are written out and read back together: 64 MiB.
const STRETCH: usize = 8;

/// Has a disk written out behind its workers, and dropped from the cache, so that it can be read from where it lies.
pub(super) fn flush(disk: &Disk, failure: &Failure) -> Result<(), VaultError> {
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

/// Reads a disk back and compares it, and returns its sum; `None` if anything else failed. `prove` says whether the vault is
/// to blame.
pub(super) fn compare(
    disk: &Disk,
    meter: &Meter,
    failure: &Failure,
    prove: &dyn Fn(u64, &Id) -> Result<(), VaultError>,
) -> Result<Option<[u8; 32]>, VaultError> {
    let Disk { stored, target, .. } = disk;
    let damaged = |how: String| VaultError::TargetDamaged {
        path: target.path.clone(),
        how,
    };
    let differs = |number: u64, length: usize| {
        let offset = number * CHUNK;
        damaged(format!(
            "the {length} bytes from {offset} on are not the disk's"
        ))
    };
    let mut buffer = vec![0; CHUNK as usize];
    let mut compared = 0;
    for stretch in stretches(disk) {
        if !disk.wait_flushed(stretch.end, failure) {
            return Ok(None);
        }
        advise(disk, &stretch, Advice::WillNeed);
        for (number, id) in disk.chunks(&stretch) {
            if failure.is_set() {
                return Ok(None);
            }
            let length = layout::chunk_length(stored.size, number);
            let chunk = &mut buffer[..length];
            disk.with_image("read back", |image| image.read(chunk, number * CHUNK))?;
            if Id::of(chunk) != *id {
                prove(number, id)?;
                return Err(differs(number, length));
            }
            meter.add(length as u64);
            compared += length as u64;
        }
    }
    if !disk.wait_flushed(disk.turn_count(), failure) {
        return Ok(None);
    }
    let size = disk.with_image("look at", crate::image::Image::size)?;
    if size != stored.size {
        return Err(damaged(format!("it has {size} bytes, not {}", stored.size)));
    }
    // What is none of its data must be none of the file's either: holes, or zeros that have to be looked at.
    for run in disk.with_image("read back", |image| image.data(stored.size))? {
        for number in run.filter(|number| !disk.is_data(*number)) {
            if failure.is_set() {
                return Ok(None);
            }
            let length = layout::chunk_length(stored.size, number);
            let chunk = &mut buffer[..length];
            disk.with_image("read back", |image| image.read(chunk, number * CHUNK))?;
            if *chunk != ZEROS[..length] {
                return Err(differs(number, length));
            }
        }
    }
    meter.add(stored.size - compared);
    if target.is_new() {
        let synced = target.file.sync_all();
        synced.map_err(|source| VaultError::io("write", &target.path, source))?;
        if let Some(wrong) = disk.check_format()? {
            return Err(damaged(wrong));
        }
    }
    let mut sum = Sha256::new();
    for id in &stored.ids {
        sum.update(id.bytes());
    }
    Ok(Some(sum.finalize().into()))
}

fn stretches(disk: &Disk) -> impl Iterator<Item = Range<usize>> {
    let turns = disk.turn_count();
    (0..turns)
        .step_by(STRETCH)
        .map(move |first| first..(first + STRETCH).min(turns))
}

/// A wish to the kernel about the bytes of these turns; some file systems do not hear it.
fn advise(disk: &Disk, turns: &Range<usize>, advice: Advice) {
    let mut chunks = disk.chunks(turns).map(|(number, _)| number);
    let Some(first) = chunks.next() else { return };
    let last = chunks.last().unwrap_or(first);
    // Far apart, they are not worth a walk over all that lies between: the cache forgets them by itself.
    if last - first > 8 * (STRETCH * TURN) as u64 && advice == Advice::WillNeed {
        return;
    }
    let (Some(from), Some(last)) = (disk.place_of(first * CHUNK), disk.place_of(last * CHUNK))
    else {
        return;
    };
    let length = NonZeroU64::new(last + CHUNK - from);
    let _ = rustix::fs::fadvise(&disk.target.file, from, length, advice);
}
