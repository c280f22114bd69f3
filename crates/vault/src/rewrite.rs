//! Chunks become a disk again: written by workers in any order, a few at a time, while a reader follows each disk.

use std::{
    collections::HashMap,
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustic_core::FileType;

use crate::{
    block_map::ZeroIds,
    codec::Decoder,
    compare,
    error::VaultError,
    id::Id,
    index::Index,
    layout::{self, CHUNK, ZEROS},
    meter::{Failure, Meter, workers},
    pack::Kind,
    repository::Vault,
    target::Target,
    tree::StoredDisk,
};

/// Chunks that a worker takes at a time.
pub(crate) const TURN: usize = 8;

/// What is looked at for zeros within a chunk, and left a hole: fine enough for file systems, coarse enough for few pieces.
const PIECE: usize = 64 << 10;

/// Packs that a worker keeps open.
const OPEN_PACKS: usize = 8;

/// A disk and where it goes.
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) stored: StoredDisk,
    pub(crate) target: Target,
    state: Mutex<State>,
    changed: Condvar,
}

/// How far a disk is.
#[derive(Debug)]
struct State {
    /// The turn that the next worker takes.
    next: usize,
    /// Turns that are written.
    done: Vec<bool>,
    /// Turns, from the first on, that lie on the target's disk and no longer in the cache.
    flushed: usize,
}

impl Disk {
    pub(crate) fn new(name: &str, stored: StoredDisk, target: Target) -> Self {
        let count = stored.ids.len().div_ceil(TURN);
        let next = if target.is_new() { 0 } else { count };
        let state = State {
            next,
            done: vec![!target.is_new(); count],
            flushed: 0,
        };
        Self {
            name: name.to_owned(),
            stored,
            target,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn turn_count(&self) -> usize {
        self.stored.ids.len().div_ceil(TURN)
    }

    /// The chunks of `turns`, with their numbers.
    pub(crate) fn chunks(&self, turns: Range<usize>) -> impl Iterator<Item = (u64, &Id)> {
        let ids = self.stored.ids.iter().enumerate();
        let length = (turns.end - turns.start) * TURN;
        ids.skip(turns.start * TURN)
            .take(length)
            .map(|(number, id)| (number as u64, id))
    }

    /// Lets everybody who waits see that something failed. With the lock held, or one that is about to wait would miss it.
    fn wake(&self) {
        let _held = self.state();
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<usize> {
        let mut state = self.state();
        let turn = state.next;
        (turn < state.done.len()).then(|| {
            state.next += 1;
            turn
        })
    }

    fn finish(&self, turn: usize) {
        if let Some(done) = self.state().done.get_mut(turn) {
            *done = true;
        }
        self.changed.notify_all();
    }

    /// Says that all turns before `turn` are on the target's disk.
    pub(crate) fn set_flushed(&self, turn: usize) {
        self.state().flushed = turn;
        self.changed.notify_all();
    }

    /// Waits until all turns before `turn` are on the target's disk; false if they never will be.
    pub(crate) fn wait_flushed(&self, turn: usize, failure: &Failure) -> bool {
        self.wait_until(failure, |state| state.flushed >= turn)
    }

    /// Waits until all of `turns` are written; false if they never will be.
    pub(crate) fn wait(&self, turns: &Range<usize>, failure: &Failure) -> bool {
        self.wait_until(failure, |state| {
            state
                .done
                .get(turns.clone())
                .is_none_or(|done| done.iter().all(|done| *done))
        })
    }

    fn wait_until(&self, failure: &Failure, ready: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state();
        while !failure.is_set() {
            if ready(&state) {
                return true;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        false
    }
}

/// Bytes of a disk's chunks that are not all zeros: the most that its file will take.
pub(crate) fn bytes_of_data(disk: &StoredDisk) -> u64 {
    let zeros = ZeroIds::new();
    let data = (0..)
        .zip(&disk.ids)
        .map(|(number, id)| (layout::chunk_length(disk.size, number), id));
    data.filter(|(length, id)| **id != zeros.of_length(*length))
        .map(|(length, _)| length as u64)
        .sum()
}

/// Writes the disks that are new and compares all of them; returns each one's SHA-256.
pub(crate) fn write_and_compare(
    vault: &Vault,
    index: &Index,
    disks: &[Disk],
    meter: &Meter,
) -> Result<Vec<[u8; 32]>, VaultError> {
    let failure = Failure::default();
    let watch = |work: &mut dyn FnMut() -> Result<(), VaultError>| {
        failure.watch(work);
        if failure.is_set() {
            disks.iter().for_each(Disk::wake);
        }
    };
    let (watch, failure) = (&watch, &failure);
    let mut sums = vec![None; disks.len()];
    thread::scope(|scope| {
        for (disk, sum) in disks.iter().zip(&mut sums) {
            let prove =
                move |number: u64, id: &Id| Worker::new(vault, index)?.prove(disk, number, id);
            scope.spawn(move || watch(&mut || compare::flush(disk, failure)));
            scope.spawn(move || watch(&mut || compare::compare(disk, meter, failure, &prove)));
            scope.spawn(move || {
                watch(&mut || {
                    *sum = compare::sum(disk, failure)?;
                    Ok(())
                });
            });
        }
        for first in 0..workers() {
            scope.spawn(move || {
                watch(&mut || Worker::new(vault, index)?.work(disks, first, failure));
            });
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
    zeros: ZeroIds,
    sealed: Vec<u8>,
    packs: HashMap<Id, File>,
}

impl<'a> Worker<'a> {
    fn new(vault: &'a Vault, index: &'a Index) -> Result<Self, VaultError> {
        let (decoder, zeros) = (vault.decoder()?, ZeroIds::new());
        Ok(Self {
            vault,
            index,
            decoder,
            zeros,
            sealed: Vec::new(),
            packs: HashMap::new(),
        })
    }

    /// Takes turns of the disks, a different one first than its fellows.
    fn work(&mut self, disks: &[Disk], first: usize, failure: &Failure) -> Result<(), VaultError> {
        let mut at = first;
        loop {
            let taken = (0..disks.len()).find_map(|step| {
                let disk = disks.get((at + step) % disks.len())?;
                disk.take().map(|turn| (disk, turn))
            });
            let Some((disk, turn)) = taken else {
                return Ok(());
            };
            for (number, id) in disk.chunks(turn..turn + 1) {
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
        if *id
            == self
                .zeros
                .of_length(layout::chunk_length(disk.stored.size, number))
        {
            return Ok(());
        }
        // Whether it hashes to its id shows when it is read back: hashing it here as well would only cost time.
        let plain = self.read(disk, number, id)?;
        write_pieces(&disk.target.file, plain, number * CHUNK)
            .map_err(|source| VaultError::io("write", &disk.target.path, source))
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

/// Writes the pieces of a chunk that are not zeros, neighbours together.
fn write_pieces(file: &File, chunk: &[u8], offset: u64) -> std::io::Result<()> {
    let is_data = |piece: &[u8]| *piece != ZEROS[..piece.len()];
    let mut start = None;
    for (at, piece) in (0..).step_by(PIECE).zip(chunk.chunks(PIECE)) {
        match (start, is_data(piece)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                file.write_all_at(&chunk[from..at], offset + from as u64)?;
                start = None;
            }
            _ => {}
        }
    }
    start.map_or(Ok(()), |from| {
        file.write_all_at(&chunk[from..], offset + from as u64)
    })
}
