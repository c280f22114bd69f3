//! Chunks become a disk again: written by workers in any order, a few at a time, while a reader follows each disk.

use std::{collections::HashMap, fs::File, os::unix::fs::FileExt, thread};

use rustic_core::FileType;

use super::{compare, disk::Disk};
use crate::{
    codec::Decoder,
    error::VaultError,
    id::Id,
    index::Index,
    layout::{self, CHUNK},
    meter::{Failure, Meter, workers},
    pack::Kind,
    repository::Vault,
};

/// Packs that a worker keeps open.
const OPEN_PACKS: usize = 8;

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
    decoder: Decoder,
    sealed: Vec<u8>,
    packs: HashMap<Id, File>,
}

impl<'a> Worker<'a> {
    fn new(vault: &'a Vault, index: &'a Index) -> Result<Self, VaultError> {
        Ok(Self {
            vault,
            index,
            decoder: vault.decoder()?,
            sealed: Vec::new(),
            packs: HashMap::new(),
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
        let plain = self.read(disk, number, id)?;
        disk.with_image("write", |image| image.write(plain, number * CHUNK))
    }

    /// Says whether it is the vault that is wrong about a chunk.
    fn prove(&mut self, disk: &Disk, number: u64, id: &Id) -> Result<(), VaultError> {
        if Id::of(self.read(disk, number, id)?) == *id {
            return Ok(());
        }
        Err(VaultError::Damaged(format!(
            "chunk {id} of disk {} is not what was written",
            disk.name
        )))
    }

    /// Reads a chunk from the vault: of its length, and as whoever has the key encrypted it.
    fn read(&mut self, disk: &Disk, number: u64, id: &Id) -> Result<&[u8], VaultError> {
        let lost =
            |why: &str| VaultError::Damaged(format!("chunk {id} of disk {} {why}", disk.name));
        let (pack, blob) = self
            .index
            .find(Kind::Data, id)
            .ok_or_else(|| lost("is in no pack that is there and in its full size"))?;
        if !self.packs.contains_key(pack) {
            if self.packs.len() >= OPEN_PACKS {
                self.packs.clear();
            }
            let file =
                self.vault
                    .store()
                    .open(FileType::Pack, pack)
                    .map_err(|error| match error {
                        VaultError::Io { source, .. }
                            if source.kind() == std::io::ErrorKind::NotFound =>
                        {
                            lost(&format!("is in pack {pack}, which is gone"))
                        }
                        error => error,
                    })?;
            self.packs.insert(*pack, file);
        }
        let Some(file) = self.packs.get(pack) else {
            return Err(VaultError::Internal("an open pack is not open"));
        };
        self.sealed.resize(blob.length as usize, 0);
        file.read_exact_at(&mut self.sealed, u64::from(blob.offset))
            .map_err(|error| lost(&format!("cannot be read from pack {pack} ({error})")))?;
        let plain = self.decoder.open_unnamed(&mut self.sealed, blob.raw);
        let plain = plain.ok_or_else(|| lost(&format!("is damaged in pack {pack}")))?;
        if plain.len() != layout::chunk_length(disk.stored.size, number) {
            return Err(lost("is not of its length"));
        }
        Ok(plain)
    }
}
