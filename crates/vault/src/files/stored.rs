//! A disk in a vault, read anywhere: chunks are found by their ids, proved by them, and the last few are kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::device::Device;
use crate::{
    blob_reader::{BlobReader, Proof},
    block_map::ZeroIds,
    error::VaultError,
    id::Id,
    index::Index,
    layout::{self, CHUNK},
    pack::Kind,
    repository::Vault,
    tree::StoredDisk,
};

/// Chunks that are kept: 24 MiB a shelf.
const KEPT: usize = 24;

/// What loading a chunk costs, in about microseconds.
const LOADING: u64 = 2_000;

/// The chunks of a vault that the disks of one snapshot share.
pub(crate) struct Shelf {
    pub(crate) vault: Vault,
    /// Replaced when other jobs have changed it.
    index: RwLock<Arc<Index>>,
    state: Mutex<State>,
    zeros: ZeroIds,
}

struct State {
    reader: BlobReader,
    /// The most recent last.
    chunks: Vec<(Id, Arc<[u8]>)>,
}

impl Shelf {
    pub(crate) fn new(vault: Vault, index: Arc<Index>) -> Result<Self, VaultError> {
        let state = State {
            reader: BlobReader::new(&vault)?,
            chunks: Vec::with_capacity(KEPT),
        };
        Ok(Self {
            vault,
            index: RwLock::new(index),
            state: Mutex::new(state),
            zeros: ZeroIds::new(),
        })
    }

    /// Goes on with an index that was read anew.
    pub(crate) fn renew(&self, index: Arc<Index>) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        self.state().reader.close();
    }

    pub(crate) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chunk's bytes, and what they cost.
    fn chunk(&self, id: &Id) -> Result<(Arc<[u8]>, u64), VaultError> {
        let mut state = self.state();
        if let Some(at) = state.chunks.iter().position(|(kept, _)| kept == id) {
            // Its turn to go comes last.
            state.chunks[at..].rotate_left(1);
            let kept = state.chunks.last().map(|(_, chunk)| Arc::clone(chunk));
            return kept
                .map(|chunk| (chunk, 1))
                .ok_or(VaultError::Internal("a chunk that is kept is gone"));
        }
        let index = self.index();
        let blob = (Kind::Data, id);
        let plain = state.reader.read(&self.vault, &index, blob, Proof::Now)?;
        let chunk: Arc<[u8]> = plain.into();
        if state.chunks.len() >= KEPT {
            state.chunks.remove(0);
        }
        state.chunks.push((*id, Arc::clone(&chunk)));
        Ok((chunk, LOADING))
    }
}

/// A disk of a snapshot.
pub(crate) struct Stored {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) disk: StoredDisk,
}

impl Device for Stored {
    fn size(&self) -> u64 {
        self.disk.size
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<u64, VaultError> {
        let (mut at, mut rest, mut cost) = (offset, buffer, 1);
        while !rest.is_empty() {
            let (number, within) = (at / CHUNK, (at % CHUNK) as usize);
            let length = layout::chunk_length(self.disk.size, number);
            let id = self.disk.ids.get(number as usize);
            let (Some(id), true) = (id, within < length) else {
                return Err(VaultError::Internal("a read beyond a disk's end"));
            };
            let now = rest.len().min(length - within);
            let (piece, later) = rest.split_at_mut(now);
            if *id == self.shelf.zeros.full {
                piece.fill(0);
            } else {
                let (chunk, spent) = self.shelf.chunk(id)?;
                let bytes = chunk.get(within..within + now).ok_or_else(|| {
                    VaultError::Damaged(format!("chunk {id} is not of {length} bytes"))
                })?;
                piece.copy_from_slice(bytes);
                cost += spent;
            }
            cost += (now >> 12) as u64;
            at += now as u64;
            rest = later;
        }
        Ok(cost)
    }
}
