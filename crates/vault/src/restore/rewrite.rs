//! Chunks become a disk again: written by workers in any order, a few at a time, while a reader follows each disk.

use std::thread;

use super::{compare, disk::Disk};
use crate::{
    blob_reader::{BlobReader, Proof},
    error::VaultError,
    id::Id,
    index::Index,
    layout::{self, CHUNK},
    meter::{Failure, Meter, workers},
    pack::Kind,
    repository::Vault,
};

/// Writes the disks that are new and compares all of them; returns each one's SHA-256.
pub(super) fn write_and_compare(
    vault: Option<(&Vault, &Index)>,
    disks: &[&Disk],
    meter: &Meter,
) -> Result<Vec<[u8; 32]>, VaultError> {
    let failure = Failure::default();
    let watch = |work: &mut dyn FnMut() -> Result<(), VaultError>| {
        failure.watch(work);
        if failure.is_set() {
            disks.iter().for_each(|disk| disk.wake());
        }
    };
    let (watch, failure) = (&watch, &failure);
    let mut sums = vec![None; disks.len()];
    thread::scope(|scope| {
        for (disk, sum) in disks.iter().zip(&mut sums) {
            let prove = move |number: u64, id: &Id| match vault {
                Some((vault, index)) => Worker::new(vault, index)?.prove(disk, number, id),
                None => Ok(()),
            };
            scope.spawn(move || watch(&mut || compare::flush(disk, failure)));
            scope.spawn(move || {
                watch(&mut || {
                    *sum = compare::compare(disk, meter, failure, &prove)?;
                    Ok(())
                });
            });
        }
        if let Some((vault, index)) = vault {
            for first in 0..workers() {
                scope.spawn(move || {
                    watch(&mut || Worker::new(vault, index)?.work(disks, first, failure));
                });
            }
        }
    });
    let all = || sums.into_iter().collect::<Option<Vec<_>>>();
    match failure.first() {
        Some(error) => Err(error),
        None => all().ok_or(VaultError::Internal("a disk was not compared")),
    }
}

struct Worker<'a> {
    vault: &'a Vault,
    index: &'a Index,
    reader: BlobReader,
}

impl<'a> Worker<'a> {
    fn new(vault: &'a Vault, index: &'a Index) -> Result<Self, VaultError> {
        Ok(Self {
            vault,
            index,
            reader: BlobReader::new(vault)?,
        })
    }

    /// Takes turns of the disks, a different one first than its fellows.
    fn work(&mut self, disks: &[&Disk], first: usize, failure: &Failure) -> Result<(), VaultError> {
        let mut at = first;
        loop {
            let taken = (0..disks.len()).find_map(|step| {
                let disk = disks.get((at + step) % disks.len())?;
                disk.take().map(|turn| (disk, turn))
            });
            let Some((disk, turn)) = taken else {
                return Ok(());
            };
            for (number, id) in disk.chunks(&(turn..turn + 1)) {
                if failure.is_set() {
                    return Ok(());
                }
                self.write(disk, number, id)?;
            }
            disk.finish(turn);
            at += 1;
        }
    }

    fn write(&mut self, disk: &Disk, number: u64, id: &Id) -> Result<(), VaultError> {
        // Whether it hashes to its id shows when it is read back: hashing it here as well would only cost time.
        let plain = self.read(disk, number, id, Proof::Later)?;
        disk.with_image("write", |image| image.write(plain, number * CHUNK))
    }

    /// Says whether it is the vault that is wrong about a chunk.
    fn prove(&mut self, disk: &Disk, number: u64, id: &Id) -> Result<(), VaultError> {
        self.read(disk, number, id, Proof::Now).map(|_| ())
    }

    /// Reads a chunk from the vault: of its length, and as whoever has the key encrypted it.
    fn read(
        &mut self,
        disk: &Disk,
        number: u64,
        id: &Id,
        proof: Proof,
    ) -> Result<&[u8], VaultError> {
        let of_disk = |why: String| VaultError::Damaged(format!("disk {}: {why}", disk.name));
        let Self {
            vault,
            index,
            reader,
        } = self;
        let plain =
            reader
                .read(vault, index, (Kind::Data, id), proof)
                .map_err(|error| match error {
                    VaultError::Damaged(why) => of_disk(why),
                    error => error,
                })?;
        if plain.len() != layout::chunk_length(disk.stored.size, number) {
            return Err(of_disk(format!("chunk {id} is not of its length")));
        }
        Ok(plain)
    }
}
