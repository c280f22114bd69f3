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
    job::Sample,
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
    /// What is read although it is called unchanged, where not all is.
    pub(crate) proof: Option<Proof>,
}

/// A share of the chunks that are called unchanged: what is read there has to be what the parent has.
#[derive(Debug)]
pub(crate) struct Proof {
    chunks: Vec<Range<u64>>,
    /// After so many backups in a row all of them were read.
    pub(crate) of: u32,
    /// Chunks that differ.
    pub(crate) refuted: AtomicU64,
}

impl Proof {
    fn speaks_of(&self, number: u64) -> bool {
        let at = self.chunks.partition_point(|run| run.end <= number);
        self.chunks.get(at).is_some_and(|run| run.contains(&number))
    }
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
            proof: None,
        })
    }

    /// Only `changed` chunks are to be read, a share of the others where they are not known to be zeros (`data` are those
    /// that are not), and those of the parent that the vault lost.
    pub(crate) fn changes(
        source: Source,
        parent: StoredDisk,
        changed: Vec<Range<u64>>,
        data: &[Range<u64>],
        sample: Option<Sample>,
        packer: &Packer<'_>,
    ) -> Self {
        let proof = sample.filter(|sample| sample.of > 0).map(|sample| Proof {
            chunks: share(&layout::difference(data, &changed), sample),
            of: sample.of,
            refuted: AtomicU64::new(0),
        });
        let proved = proof.iter().flat_map(|proof| proof.chunks.iter().cloned());
        let changed: Vec<_> = changed.into_iter().chain(proved).collect();
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
            proof,
        }
    }

    /// What is left to be read once all of `reads` was: nothing, unless what is called unchanged was found to differ. Then
    /// it is the rest of the disk.
    pub(crate) fn read_the_rest(&mut self, zeros: &ZeroIds) -> Result<(), VaultError> {
        let read = std::mem::take(&mut self.reads);
        if self.refuted() == 0 {
            return Ok(());
        }
        let data = self.source.data()?;
        let all = 0..layout::chunk_count(self.source.size);
        let known = layout::union(read.iter().cloned().chain(data.iter().cloned()).collect());
        for number in layout::difference(&[all], &known).into_iter().flatten() {
            self.set(
                number,
                zeros.of_length(layout::chunk_length(self.source.size, number)),
            );
        }
        self.reads = layout::difference(&data, &read);
        self.proof.iter_mut().for_each(|proof| proof.chunks.clear());
        Ok(())
    }

    /// How many chunks that were called unchanged were found to differ.
    pub(crate) fn refuted(&self) -> u64 {
        let refuted = self
            .proof
            .as_ref()
            .map(|proof| proof.refuted.load(Ordering::Relaxed));
        refuted.unwrap_or_default()
    }

    /// Bytes that are called unchanged and are read all the same.
    pub(crate) fn bytes_to_compare(&self) -> u64 {
        let chunks = self.proof.as_ref().map(|proof| proof.chunks.as_slice());
        layout::bytes_in(chunks.unwrap_or_default(), self.source.size)
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
            if let Some(proof) = &self.proof
                && *slot != id
                && proof.speaks_of(number)
            {
                proof.refuted.fetch_add(1, Ordering::Relaxed);
            }
            *slot = id;
        }
    }
}

/// The chunks of `runs` whose turn it is: of a disk, each number in its turn.
fn share(runs: &[Range<u64>], sample: Sample) -> Vec<Range<u64>> {
    let of = u64::from(sample.of);
    let turn = u64::from(sample.turn) % of;
    let first = |run: &Range<u64>| run.start + (turn + of - run.start % of) % of;
    let chunks = runs
        .iter()
        .flat_map(|run| (first(run)..run.end).step_by(sample.of as usize));
    layout::union(chunks.map(|chunk| chunk..chunk + 1).collect())
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
