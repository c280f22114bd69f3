//! A disk on its way back: which of its chunks have to be written, and how far its writers and its reader are.

use std::{
    ops::Range,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::Advice;

use crate::{
    error::VaultError, id::Id, image::Image, job::DiskFormat, meter::Failure, new_qcow2::NewQcow2,
    target::Target, tree::StoredDisk,
};

/// Chunks that a worker takes at a time.
pub(super) const TURN: usize = 8;

/// A disk and where it goes.
pub(super) struct Disk {
    pub(super) name: String,
    pub(super) stored: StoredDisk,
    pub(super) target: Target,
    format: DiskFormat,
    /// The open target.
    image: Image,
    /// The chunks that are not zeros: all that is written, and all that is read back.
    data: Vec<u64>,
    /// Whether they are there already, because the file system shares them.
    pub(super) shared: bool,
    state: Mutex<State>,
    changed: Condvar,
}

/// How far a disk is.
#[derive(Debug, Default)]
struct State {
    /// The turn that the next worker takes.
    next: usize,
    /// Turns that are written.
    done: Vec<bool>,
    /// Turns, from the first on, that lie on the target's disk and no longer in the cache.
    flushed: usize,
}

impl Disk {
    /// Opens the target's image: an empty one with room for the chunks in `data`, or the finished one for reading.
    pub(super) fn new(
        name: &str,
        format: DiskFormat,
        stored: StoredDisk,
        target: Target,
        shared: bool,
        data: &[Range<u64>],
    ) -> Result<Self, VaultError> {
        let image = image(format, &target, stored.size, data)?;
        let mut disk = Self {
            name: name.to_owned(),
            stored,
            target,
            format,
            image,
            data: Vec::new(),
            shared,
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        disk.plan(!disk.target.is_new());
        Ok(disk)
    }

    /// Takes over what a snapshot file's chunks are; they are written already.
    pub(super) fn filled(&mut self, ids: Vec<Id>) {
        self.stored.ids = ids;
        self.plan(true);
    }

    /// Empties the target, which is new, so that it is written out of the vault.
    pub(super) fn start_over(&mut self, stored: StoredDisk) -> Result<(), VaultError> {
        let io = |source| VaultError::io("empty", &self.target.path, source);
        self.target.file.set_len(0).map_err(io)?;
        if self.format == DiskFormat::Raw {
            self.target.file.set_len(stored.size).map_err(io)?;
        }
        self.image = image(self.format, &self.target, stored.size, &stored.data())?;
        self.stored = stored;
        self.shared = false;
        self.plan(false);
        Ok(())
    }

    fn plan(&mut self, written: bool) {
        self.data = self.stored.data().into_iter().flatten().collect();
        let count = self.turn_count();
        self.state = Mutex::new(State {
            next: if written { count } else { 0 },
            done: vec![written; count],
            flushed: 0,
        });
    }

    pub(super) fn turn_count(&self) -> usize {
        self.data.len().div_ceil(TURN)
    }

    /// The chunks of `turns`, with their numbers.
    pub(super) fn chunks(&self, turns: &Range<usize>) -> impl Iterator<Item = (u64, &Id)> {
        let end = (turns.end * TURN).min(self.data.len());
        let numbers = self.data.get(turns.start * TURN..end).unwrap_or_default();
        numbers
            .iter()
            .filter_map(|number| Some((*number, self.stored.ids.get(*number as usize)?)))
    }

    /// Whether a chunk is one of those that are not zeros.
    pub(super) fn is_data(&self, number: u64) -> bool {
        self.data.binary_search(&number).is_ok()
    }

    /// Does something with the open target.
    pub(super) fn with_image<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Image) -> std::io::Result<T>,
    ) -> Result<T, VaultError> {
        work(&self.image).map_err(|source| VaultError::io(doing, &self.target.path, source))
    }

    /// Where in the target's file a byte of the disk lies, as far as that is known.
    pub(super) fn place_of(&self, offset: u64) -> Option<u64> {
        match &self.image {
            Image::Raw(_) => Some(offset),
            Image::Qcow2 { .. } => None,
            Image::NewQcow2(new) => new.place_of(offset),
        }
    }

    /// What is wrong with a new image beside the bytes in it, by the word of the image's own tools.
    pub(super) fn check_format(&self) -> Result<Option<String>, VaultError> {
        match &self.image {
            Image::NewQcow2(new) => {
                let _ = rustix::fs::fadvise(&self.target.file, 0, None, Advice::DontNeed);
                new.check(self.target.place())
            }
            Image::Raw(_) | Image::Qcow2 { .. } => Ok(None),
        }
    }

    /// Lets everybody who waits see that something failed. With the lock held, or one that is about to wait would miss it.
    pub(super) fn wake(&self) {
        let _held = self.state();
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Option<usize> {
        let mut state = self.state();
        let turn = state.next;
        (turn < state.done.len()).then(|| {
            state.next += 1;
            turn
        })
    }

    pub(super) fn finish(&self, turn: usize) {
        if let Some(done) = self.state().done.get_mut(turn) {
            *done = true;
        }
        self.changed.notify_all();
    }

    /// Says that all turns before `turn` are on the target's disk.
    pub(super) fn set_flushed(&self, turn: usize) {
        self.state().flushed = turn;
        self.changed.notify_all();
    }

    /// Waits until all turns before `turn` are on the target's disk; false if they never will be.
    pub(super) fn wait_flushed(&self, turn: usize, failure: &Failure) -> bool {
        self.wait_until(failure, |state| state.flushed >= turn)
    }

    /// Waits until all of `turns` are written; false if they never will be.
    pub(super) fn wait(&self, turns: &Range<usize>, failure: &Failure) -> bool {
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

/// Opens a target's image: an empty one with room for the chunks in `data`, or the finished one for reading.
fn image(
    format: DiskFormat,
    target: &Target,
    size: u64,
    data: &[Range<u64>],
) -> Result<Image, VaultError> {
    let io = |source| VaultError::io("open", &target.path, source);
    let file = || target.file.try_clone().map_err(io);
    match (format, target.is_new()) {
        (DiskFormat::Raw, _) => file().map(Image::Raw),
        (DiskFormat::Qcow2, false) => Image::qcow2(target.place(), None),
        (DiskFormat::Qcow2, true) => {
            let new = NewQcow2::lay_out(file()?, size, data);
            new.map(Image::NewQcow2)
                .map_err(|source| VaultError::io("lay out", &target.path, source))
        }
    }
}
