//! Chunks become files again: written by many workers, a few chunks of a file at a time, then brought to disk together, read
//! back, compared chunk by chunk, and only then given their owners, modes and times.

use std::{
    fs::File,
    num::NonZeroU64,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender},
    },
};

use rustix::{
    fs::{Advice, XattrFlags},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{PART, node::Node};
use crate::{
    blob_reader::{BlobReader, Proof},
    error::VaultError,
    id::Id,
    index::Index,
    layout::{CHUNK, ZEROS},
    meter::{Failure, Meter},
    pack::{Blob, Kind},
    repository::Vault,
    restore_files::{self, Told},
};

/// Files that are proved together, and their bytes: each batch costs a pass over all that the file system has to write, so
/// that small files are worth gathering. Every file of a batch is open.
const FILES: usize = 1024;
const BYTES: u64 = 256 << 20;

/// Files that are open beside those of the provers' batches: what is being written, packs, directories.
const OTHERS: u64 = 512;

/// A file that is asked for whole before it is read back.
const SMALL: u64 = 1 << 20;

/// What is looked at for zeros, and left a hole.
const PIECE: usize = 64 << 10;

/// How many files a prover may gather, where so many provers do: as many as a batch has if the process may open that many,
/// else what it may. The limit is raised as far as the system lets anyone raise it.
pub(super) fn batch_files(provers: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // A batch of each, and one that waits for them.
    let batches = provers.max(1) as u64 + 1;
    let wanted = OTHERS + FILES as u64 * batches;
    let most = limit.maximum.unwrap_or(wanted).min(wanted);
    let mut may = limit.current.unwrap_or(u64::MAX);
    if may < most {
        let raised = Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            may = most;
        }
    }
    let share = may.saturating_sub(OTHERS) / batches;
    usize::try_from(share).unwrap_or(FILES).clamp(1, FILES)
}

/// A file that is being written. It is open until it is proved.
pub(super) struct Target {
    file: File,
    path: PathBuf,
    node: Node,
    /// Where each of its chunks begins.
    chunks: Vec<(Id, u64)>,
    parts_left: AtomicUsize,
}

/// A few chunks of a file.
pub(super) struct Work {
    pub(super) target: Arc<Target>,
    pub(super) part: usize,
}

impl Target {
    /// Refuses a file whose chunks the vault lost, or that do not make its size.
    pub(super) fn new(
        file: File,
        path: PathBuf,
        mut node: Node,
        index: &Index,
    ) -> Result<Self, VaultError> {
        let damaged = |why: String| VaultError::Damaged(format!("{}: {why}", path.display()));
        let mut size = 0;
        let mut chunks = Vec::new();
        for id in node.content.take().unwrap_or_default() {
            let (_, blob) = index
                .find(Kind::Data, &id)
                .ok_or_else(|| damaged(format!("chunk {id} is missing")))?;
            chunks.push((id, size));
            size += u64::from(Blob::plain_length(blob));
        }
        if size != node.size {
            return Err(damaged(format!(
                "its chunks have {size} bytes, and it {}",
                node.size
            )));
        }
        let parts_left = AtomicUsize::new(chunks.len().div_ceil(PART));
        Ok(Self {
            file,
            path,
            node,
            chunks,
            parts_left,
        })
    }

    pub(super) fn parts(&self) -> usize {
        self.chunks.len().div_ceil(PART)
    }

    /// The chunks of a part, each with its place and its length.
    fn part(&self, part: usize) -> impl Iterator<Item = (&Id, u64, usize)> {
        let first = part * PART;
        (first..self.chunks.len().min(first + PART)).filter_map(|number| {
            let (id, start) = self.chunks.get(number)?;
            let end = self
                .chunks
                .get(number + 1)
                .map_or(self.node.size, |(_, at)| *at);
            Some((id, *start, (end - start) as usize))
        })
    }
}

/// What the workers share.
pub(super) struct Outlet<'a> {
    pub(super) vault: &'a Vault,
    pub(super) index: &'a Index,
    pub(super) meter: &'a Meter,
    pub(super) told: &'a Told,
    pub(super) failure: &'a Failure,
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Outlet<'_> {
    /// Writes until there is no more; after a failure the queue is still emptied.
    pub(super) fn write(&self, works: &Mutex<Receiver<Work>>, written: &SyncSender<Arc<Target>>) {
        let mut reader = None;
        loop {
            let next = works.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(work) = next else { return };
            if self.failure.is_set() {
                continue;
            }
            self.failure.watch(|| {
                let reader = match &mut reader {
                    Some(reader) => reader,
                    none => none.insert(BlobReader::new(self.vault)?),
                };
                self.part(&work, reader)?;
                if work.target.parts_left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.hand_on(work.target, written)?;
                }
                Ok(())
            });
        }
    }

    /// A file whose chunks are all written.
    pub(super) fn hand_on(
        &self,
        target: Arc<Target>,
        written: &SyncSender<Arc<Target>>,
    ) -> Result<(), VaultError> {
        target
            .file
            .set_len(target.node.size)
            .map_err(|source| VaultError::io("size", &target.path, source))?;
        written
            .send(target)
            .map_err(|_| VaultError::Internal("the provers ended before the work did"))
    }

    fn part(&self, work: &Work, reader: &mut BlobReader) -> Result<(), VaultError> {
        let target = &*work.target;
        for (id, start, length) in target.part(work.part) {
            // Whether it hashes to its id shows when it is read back.
            let plain = reader.read(self.vault, self.index, (Kind::Data, id), Proof::Later)?;
            if plain.len() != length {
                return Err(VaultError::Damaged(format!(
                    "chunk {id} is not of its length"
                )));
            }
            let mut at = 0;
            while at < length {
                // What is not zeros is written in one go.
                let run = plain[at..]
                    .chunks(PIECE)
                    .take_while(|piece| **piece != ZEROS[..piece.len()])
                    .map(<[u8]>::len)
                    .sum::<usize>();
                target
                    .file
                    .write_all_at(&plain[at..at + run], start + at as u64)
                    .map_err(|source| VaultError::io("write", &target.path, source))?;
                at += run + PIECE;
            }
            // The disk writes a large file while the rest of it is unpacked: nothing else makes the kernel begin so early.
            if length as u64 == CHUNK {
                let _ = rustix::fs::fadvise(
                    &target.file,
                    start,
                    NonZeroU64::new(CHUNK),
                    Advice::DontNeed,
                );
            }
        }
        Ok(())
    }

    /// Proves until there is no more; after a failure the queue is still emptied.
    pub(super) fn prove(&self, written: &Mutex<Receiver<Arc<Target>>>, files: usize) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        loop {
            let next = written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv()
                .ok();
            let last = next.is_none();
            if let Some(target) = next {
                bytes += target.node.size;
                batch.push(target);
            }
            if last || batch.len() >= files || bytes >= BYTES {
                let full = std::mem::take(&mut batch);
                bytes = 0;
                if !self.failure.is_set() && !full.is_empty() {
                    self.failure.watch(|| self.prove_batch(&full));
                }
            }
            if last {
                return;
            }
        }
    }

    fn prove_batch(&self, batch: &[Arc<Target>]) -> Result<(), VaultError> {
        let io = |target: &Target| {
            let path = target.path.clone();
            move |source| VaultError::io("write", path, source)
        };
        // A few are brought to disk one by one; for many it is cheaper to bring all there is.
        match batch {
            [first, _, _, _, _, ..] => rustix::fs::syncfs(&first.file)
                .map_err(std::io::Error::from)
                .map_err(io(first))?,
            few => {
                for target in few {
                    target.file.sync_data().map_err(io(target))?;
                }
            }
        }
        // What is read back comes from the disk, not from memory. Small files would each wait for the disk; asked for
        // together, they come as fast as large ones.
        for target in batch {
            let _ = rustix::fs::fadvise(&target.file, 0, None, Advice::DontNeed);
        }
        for target in batch {
            let advice = if target.node.size <= SMALL {
                Advice::WillNeed
            } else {
                Advice::Sequential
            };
            let _ = rustix::fs::fadvise(&target.file, 0, None, advice);
        }
        let mut buffer = Vec::new();
        for target in batch {
            for part in 0..target.parts() {
                for (id, start, length) in target.part(part) {
                    if self.failure.is_set() {
                        return Ok(());
                    }
                    buffer.resize(length, 0);
                    target
                        .file
                        .read_exact_at(&mut buffer, start)
                        .map_err(|source| VaultError::io("read back", &target.path, source))?;
                    if Id::of(&buffer) != *id {
                        return Err(self.whose_fault(target, id, start));
                    }
                    self.meter.add(length as u64);
                }
            }
            for (name, value) in target.node.attributes() {
                if rustix::fs::fsetxattr(&target.file, name, &value, XattrFlags::empty()).is_err() {
                    self.told.note(format!(
                        "{} is without its attribute {name}, which cannot be set here.",
                        target.path.display()
                    ));
                }
            }
            restore_files::finish(&target.file, &target.path, &target.node.plain(), self.told)?;
            self.files.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(target.node.size, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether it is the vault that is wrong about a chunk, or the target's disk.
    fn whose_fault(&self, target: &Target, id: &Id, start: u64) -> VaultError {
        let again = BlobReader::new(self.vault).and_then(|mut reader| {
            let chunk = (Kind::Data, id);
            reader
                .read(self.vault, self.index, chunk, Proof::Now)
                .map(|_| ())
        });
        match again {
            Ok(()) => VaultError::TargetDamaged {
                path: target.path.clone(),
                how: format!("the bytes from {start} on are not the vault's"),
            },
            Err(error) => error,
        }
    }
}
