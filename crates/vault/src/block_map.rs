//! A disk's block map: the id of each of its chunks, made by reading only what has to be read.
//!
//! Holes are zeros without being read; with a list of changes from a known parent, chunks that are not in it keep the
//! parent's ids. The disks of a machine are read side by side, in turns of a few chunks, by as many workers as there are
//! cores; each worker reads, hashes, compares with the index, compresses and encrypts.

use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    thread,
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    error::VaultError,
    id::Id,
    layout::{self, CHUNK, ZEROS},
    meter::{Meter, workers},
    pack::{Kind, Pack},
    packer::Packer,
    source::Source,
    tree::StoredDisk,
};

/// Chunks that a worker takes from a disk at a time: long enough for the disk to read ahead.
const TURN: u64 = 4;

/// A disk on its way into the vault.
#[derive(Debug)]
pub(crate) struct BlockMap {
    pub(crate) source: Source,
    /// Chunks that have to be read.
    pub(crate) reads: Vec<Range<u64>>,
    /// The ids as far as they are known; those that are read are filled in.
    ids: Mutex<Vec<Id>>,
    /// The hash over the parent's ids, and the time that goes with them.
    parent: Option<(Id, Timestamp)>,
}

impl BlockMap {
    /// All data of the disk is to be read.
    pub(crate) fn whole(source: Source, parent: Option<&StoredDisk>) -> Result<Self, VaultError> {
        let reads = source.data()?;
        let StoredDisk { ids, .. } = StoredDisk::zeros(source.size, source.mtime);
        Ok(Self {
            source,
            reads,
            ids: Mutex::new(ids),
            parent: parent.map(|disk| (digest(&disk.ids), disk.mtime)),
        })
    }

    /// Only `changed` chunks are to be read, and those of the parent that the vault lost.
    pub(crate) fn changes(
        source: Source,
        parent: StoredDisk,
        changed: Vec<Range<u64>>,
        packer: &Packer<'_>,
    ) -> Self {
        let lost = (0..)
            .zip(&parent.ids)
            .filter(|(_, id)| packer.length(Kind::Data, id).is_none());
        let lost = lost.map(|(number, _)| number..number + 1);
        let reads = layout::union(changed.into_iter().chain(lost).collect());
        let before = Some((digest(&parent.ids), parent.mtime));
        Self {
            source,
            reads,
            ids: Mutex::new(parent.ids),
            parent: before,
        }
    }

    pub(crate) fn bytes_to_read(&self) -> u64 {
        layout::bytes_in(&self.reads, self.source.size)
    }

    /// The whole map, once everything was read. Its time is the parent's if nothing changed, so that an unchanged disk is
    /// the same node in the same tree and takes no space.
    pub(crate) fn finish(self) -> (Source, StoredDisk) {
        let Self {
            source,
            ids,
            parent,
            ..
        } = self;
        let ids = ids.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unchanged = parent.filter(|(before, _)| *before == digest(&ids));
        let mtime = unchanged.map_or(source.mtime, |(_, mtime)| mtime);
        let disk = StoredDisk {
            size: source.size,
            ids,
            mtime,
        };
        (source, disk)
    }

    fn set(&self, number: u64, id: Id) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = ids.get_mut(number as usize) {
            *slot = id;
        }
    }
}

fn digest(ids: &[Id]) -> Id {
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id.bytes());
    }
    Id::from(<[u8; 32]>::from(hash.finalize()))
}

/// The ids of chunks of zeros: a full one, and shorter ones where disks end.
pub(crate) struct ZeroIds {
    pub(crate) full: Id,
}

impl ZeroIds {
    pub(crate) fn new() -> Self {
        Self {
            full: Id::of(&ZEROS),
        }
    }

    pub(crate) fn of_length(&self, length: usize) -> Id {
        if length == ZEROS.len() {
            self.full
        } else {
            Id::of(&ZEROS[..length])
        }
    }
}

/// Whose turn it is: hands out the chunks of all disks, a few of each at a time.
struct Turns<'a> {
    disks: Vec<Cursor<'a>>,
    next: usize,
}

/// How far a disk is: the run that is being handed out, and those after it.
struct Cursor<'a> {
    map: &'a BlockMap,
    run: Range<u64>,
    rest: std::slice::Iter<'a, Range<u64>>,
}

impl<'a> Turns<'a> {
    fn new(maps: &'a [BlockMap]) -> Self {
        let disks = maps
            .iter()
            .map(|map| Cursor {
                map,
                run: 0..0,
                rest: map.reads.iter(),
            })
            .collect();
        Self { disks, next: 0 }
    }

    fn take(&mut self) -> Option<(&'a BlockMap, Range<u64>)> {
        for _ in 0..self.disks.len() {
            let at = self.next % self.disks.len();
            self.next = at + 1;
            let cursor = self.disks.get_mut(at)?;
            if cursor.run.is_empty() {
                let Some(next) = cursor.rest.next() else {
                    continue;
                };
                cursor.run = next.clone();
            }
            let turn = cursor.run.start..cursor.run.end.min(cursor.run.start + TURN);
            cursor.run.start = turn.end;
            return Some((cursor.map, turn));
        }
        None
    }
}

/// Reads what has to be read of all disks and stores what the vault does not have; returns the bytes that were read.
pub(crate) fn fill(
    maps: &[BlockMap],
    zeros: &ZeroIds,
    packer: &Packer<'_>,
    meter: &Meter,
    full: &SyncSender<Pack>,
) -> Result<u64, VaultError> {
    let turns = Mutex::new(Turns::new(maps));
    let read = AtomicU64::new(0);
    let worker = || -> Result<(), VaultError> {
        let mut encoder = packer.encoder()?;
        let mut buffer = vec![0; CHUNK as usize];
        loop {
            let turn = turns.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some((map, chunks)) = turn else {
                return Ok(());
            };
            for number in chunks {
                if packer.failure.is_set() {
                    return Ok(());
                }
                let length = layout::chunk_length(map.source.size, number);
                let chunk = &mut buffer[..length];
                map.source.read(chunk, number * CHUNK)?;
                read.fetch_add(length as u64, Ordering::Relaxed);
                let id = if *chunk == ZEROS[..length] {
                    zeros.of_length(length)
                } else {
                    Id::of(chunk)
                };
                packer.add(Kind::Data, id, chunk, &mut encoder, full)?;
                map.set(number, id);
                meter.add(length as u64);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| packer.failure.watch(worker));
        }
    });
    packer
        .failure
        .first()
        .map_or_else(|| Ok(read.load(Ordering::Relaxed)), Err)
}
