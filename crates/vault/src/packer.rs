//! Blobs become packs, packs become files, files an index: written, read back and compared on the way.
//!
//! Workers hand in sealed blobs; a full pack goes over a bounded queue to writers. A pack gets its name only after it was
//! on disk, was read from there, and every blob in it was decrypted, decompressed and found to be what was read from its
//! source. Index files follow the packs they name, so that a crash leaves at most packs that nothing refers to.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use rustic_core::FileType;

use crate::{
    codec::{Decoder, Encoder, Sealed},
    error::VaultError,
    id::Id,
    index::{Index, IndexDocument, PackDocument},
    meter::Failure,
    pack::{Blob, Kind, Pack},
    repository::Vault,
    tree::Tree,
};

/// Blobs that one index file names, about; some 8 MiB of JSON.
const INDEX_BLOBS: usize = 50_000;

/// Threads that write packs, and full packs that may wait for them: 16 MiB of memory each.
const WRITERS: usize = 2;
const WAITING: usize = 1;

pub(crate) struct Packer<'a> {
    vault: &'a Vault,
    index: &'a Index,
    data: Lane,
    trees: Lane,
    /// Packs that are in the vault and in no index yet.
    pending: Mutex<Vec<(Id, Vec<Blob>)>>,
    stored: AtomicU64,
    pub(crate) failure: Failure,
}

/// Blobs of one kind.
#[derive(Debug, Default)]
struct Lane {
    open: Mutex<Pack>,
    /// New blobs of this run with their plain length; `None` until their pack has been verified.
    new: Mutex<HashMap<Id, Option<u32>>>,
}

impl<'a> Packer<'a> {
    pub(crate) fn new(vault: &'a Vault, index: &'a Index) -> Self {
        Self {
            vault,
            index,
            data: Lane::default(),
            trees: Lane::default(),
            pending: Mutex::default(),
            stored: AtomicU64::new(0),
            failure: Failure::default(),
        }
    }

    /// Stores a blob, unless the vault has it or this run already stored it. Waits when the writers are behind.
    pub(crate) fn add(
        &self,
        kind: Kind,
        id: Id,
        plain: &[u8],
        encoder: &mut Encoder,
        full: &SyncSender<Pack>,
    ) -> Result<(), VaultError> {
        self.add_sealed(kind, id, full, || encoder.seal(plain))
    }

    /// Stores the copy of a blob that lies in another pack, as it is.
    pub(crate) fn add_copy(
        &self,
        blob: &Blob,
        bytes: &[u8],
        full: &SyncSender<Pack>,
    ) -> Result<(), VaultError> {
        let raw = blob.raw;
        self.add_sealed(blob.kind, blob.id, full, || Ok(Sealed { bytes, raw }))
    }

    fn add_sealed<'e>(
        &self,
        kind: Kind,
        id: Id,
        full: &SyncSender<Pack>,
        seal: impl FnOnce() -> Result<Sealed<'e>, VaultError>,
    ) -> Result<(), VaultError> {
        if self.index.find(kind, &id).is_some() {
            return Ok(());
        }
        let lane = self.lane(kind);
        match lock(&lane.new).entry(id) {
            Entry::Occupied(_) => return Ok(()),
            Entry::Vacant(entry) => entry.insert(None),
        };
        let sealed = seal()?;
        let mut open = lock(&lane.open);
        open.add(kind, id, &sealed)?;
        let pack = open.is_full().then(|| std::mem::take(&mut *open));
        drop(open);
        pack.map_or(Ok(()), |pack| send(full, pack))
    }

    /// Stores a directory, unless the vault has it, and returns its id.
    pub(crate) fn add_tree(
        &self,
        tree: &Tree,
        encoder: &mut Encoder,
        full: &SyncSender<Pack>,
    ) -> Result<Id, VaultError> {
        let (id, length) = tree.identify()?;
        self.add_sealed(Kind::Tree, id, full, || {
            encoder.seal_written(length, |to| tree.write(to))
        })?;
        Ok(id)
    }

    /// Does `work`, which adds blobs, with writers beside it; returns after every pack is written and verified.
    pub(crate) fn while_writing<T>(
        &self,
        work: impl FnOnce(&SyncSender<Pack>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let (full, waiting) = mpsc::sync_channel::<Pack>(WAITING);
        let waiting = Mutex::new(waiting);
        let done = thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| self.write(&waiting));
            }
            let done = work(&full).and_then(|done| self.finish(&full).map(|()| done));
            drop(full);
            done
        });
        match (self.failure.first(), done) {
            (Some(first), _) => Err(first),
            (None, done) => done,
        }
    }

    /// Hands over the packs that are not full.
    fn finish(&self, full: &SyncSender<Pack>) -> Result<(), VaultError> {
        for lane in [&self.data, &self.trees] {
            let pack = std::mem::take(&mut *lock(&lane.open));
            if !pack.is_empty() {
                send(full, pack)?;
            }
        }
        Ok(())
    }

    /// A writer's loop: until there is nothing more to write.
    fn write(&self, full: &Mutex<Receiver<Pack>>) {
        let mut decoder = None;
        loop {
            let Ok(pack) = lock(full).recv() else { return };
            // After a failure the queue is still emptied: a worker may be waiting for room in it.
            if !self.failure.is_set() {
                self.failure.watch(|| {
                    let decoder = match &mut decoder {
                        Some(decoder) => decoder,
                        none => none.insert(self.vault.decoder()?),
                    };
                    self.write_pack(pack, decoder)
                });
            }
        }
    }

    fn write_pack(&self, pack: Pack, decoder: &mut Decoder) -> Result<(), VaultError> {
        let (bytes, blobs) = pack.finish(&self.vault.key().cipher())?;
        let id = Id::of(&bytes);
        let store = self.vault.store();
        let staged = store.stage(&bytes)?;
        staged.forget_cache();
        let mut read = Vec::new();
        for blob in &blobs {
            let place = blob.offset as usize..blob.offset as usize + blob.length as usize;
            read.resize(blob.length as usize, 0);
            staged.read_exact_at(&mut read, u64::from(blob.offset))?;
            let same = bytes.get(place).is_some_and(|written| written == read);
            if !same || !decoder.proves(&blob.id, &mut read, blob.raw) {
                return Err(VaultError::Damaged(format!(
                    "a pack does not read back as it was written, at blob {}",
                    blob.id
                )));
            }
        }
        let header = blobs
            .last()
            .map_or(0, |blob| blob.offset as usize + blob.length as usize);
        read.resize(bytes.len() - header, 0);
        staged.read_exact_at(&mut read, header as u64)?;
        if bytes.get(header..) != Some(&read[..]) {
            return Err(VaultError::Damaged(
                "a pack's header does not read back as it was written".to_owned(),
            ));
        }
        staged.publish(store, FileType::Pack, &id)?;
        self.stored.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        for blob in &blobs {
            lock(&self.lane(blob.kind).new).insert(blob.id, Some(blob.plain_length()));
        }
        let mut pending = lock(&self.pending);
        pending.push((id, blobs));
        let enough = pending.iter().map(|(_, blobs)| blobs.len()).sum::<usize>() >= INDEX_BLOBS;
        let packs = if enough {
            std::mem::take(&mut *pending)
        } else {
            Vec::new()
        };
        drop(pending);
        self.write_index(&packs)
    }

    /// Names the remaining packs in the index and returns the bytes that the vault grew by. All writers have ended.
    pub(crate) fn seal(&self) -> Result<u64, VaultError> {
        let packs = std::mem::take(&mut *lock(&self.pending));
        self.write_index(&packs)?;
        Ok(self.stored.load(Ordering::Relaxed))
    }

    fn write_index(&self, packs: &[(Id, Vec<Blob>)]) -> Result<(), VaultError> {
        if packs.is_empty() {
            return Ok(());
        }
        let mut synced = HashSet::new();
        for (id, _) in packs {
            if synced.insert(id.bytes()[0]) {
                self.vault.store().sync_directory(FileType::Pack, id)?;
            }
        }
        let packs = packs
            .iter()
            .map(|(id, blobs)| PackDocument::new(*id, blobs));
        let document = IndexDocument {
            packs: packs.collect(),
        };
        let json = serde_json::to_vec(&document)
            .map_err(|_| VaultError::Internal("an index that is no JSON"))?;
        let (_, size) = self.vault.write_document(FileType::Index, &json)?;
        self.stored.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    /// The length of a blob that is in the vault for certain: indexed before, or verified in this run.
    pub(crate) fn length(&self, kind: Kind, id: &Id) -> Option<u32> {
        match self.index.find(kind, id) {
            Some((_, blob)) => Some(blob.plain_length()),
            None => lock(&self.lane(kind).new).get(id).copied().flatten(),
        }
    }

    pub(crate) fn encoder(&self) -> Result<Encoder, VaultError> {
        self.vault.encoder()
    }

    fn lane(&self, kind: Kind) -> &Lane {
        match kind {
            Kind::Data => &self.data,
            Kind::Tree => &self.trees,
        }
    }

    /// Removes the packs of a run that failed, which no index names, so that a full volume does not stay full.
    pub(crate) fn discard(&self) {
        for (id, _) in std::mem::take(&mut *lock(&self.pending)) {
            if let Err(error) = self.vault.store().remove(FileType::Pack, &id) {
                tracing::warn!(pack = %id, %error, "a pack that nothing refers to stays until the next prune");
            }
        }
    }
}

fn send(full: &SyncSender<Pack>, pack: Pack) -> Result<(), VaultError> {
    full.send(pack)
        .map_err(|_| VaultError::Internal("the writers ended before the work did"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
