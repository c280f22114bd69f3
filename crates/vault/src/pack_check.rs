//! Whether a pack is what was written: its name is the hash of all its bytes, and each blob in it is what its id says.

use std::{collections::BTreeSet, fs::File, io, io::Read, os::unix::fs::FileExt};

use rustic_core::FileType;
use rustix::fs::Advice;

use crate::{
    codec::Decoder,
    damage::{DamagedPack, Defect},
    error::VaultError,
    id::Id,
    key::Cipher,
    pack::{self, Blob},
    repository::Vault,
};

/// What was found of a pack.
#[derive(Debug)]
pub(crate) enum Found {
    Sound,
    Damaged(DamagedPack),
    /// The pack is what was written, and an index that says otherwise is not.
    OtherThanIndexed,
}

/// Reads packs one after another, and keeps its buffers: a pack's size, and that of a blob.
pub(crate) struct PackChecker<'a> {
    vault: &'a Vault,
    decoder: Decoder,
    cipher: Cipher,
    bytes: Vec<u8>,
}

impl<'a> PackChecker<'a> {
    pub(crate) fn new(vault: &'a Vault) -> Result<Self, VaultError> {
        Ok(Self {
            vault,
            decoder: vault.decoder()?,
            cipher: vault.key().cipher(),
            bytes: Vec::new(),
        })
    }

    /// Reads a pack whole, from its disk as far as the kernel grants that, and compares it with its name and with what the
    /// index says is in it. Returns the bytes that were read, too.
    ///
    /// # Errors
    /// What says nothing of the pack: rights, too many open files.
    pub(crate) fn check(&mut self, id: &Id, blobs: &[Blob]) -> Result<(Found, u64), VaultError> {
        let path = self.vault.store().path(FileType::Pack, id);
        let lost = |defect| {
            let blobs = None;
            Ok((Found::Damaged(DamagedPack { defect, blobs }), 0))
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(source) => match Defect::of(&source) {
                Some(defect) => return lost(defect),
                None => return Err(VaultError::io("open", path, source)),
            },
        };
        // What is in memory may be better than what is on the disk.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        self.bytes.clear();
        let read = (&file)
            .take(u64::from(u32::MAX))
            .read_to_end(&mut self.bytes);
        // Nobody else is waiting for these bytes.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        let length = self.bytes.len() as u64;
        let found = match read {
            Ok(_) if Id::of(&self.bytes) == *id => self.sound(blobs),
            Ok(_) => self.altered(blobs),
            Err(source) => match Defect::of(&source) {
                Some(defect) => self.unreadable(&file, defect, blobs),
                None => return Err(VaultError::io("read", path, source)),
            },
        };
        Ok((found, length))
    }

    /// The pack is what was written; whether the index is, too.
    fn sound(&mut self, blobs: &[Blob]) -> Found {
        let Some(mut own) = self.header() else {
            return self.altered(blobs);
        };
        let by_place = |blobs: &mut Vec<Blob>| blobs.sort_unstable_by_key(|blob| blob.offset);
        let mut indexed = blobs.to_vec();
        by_place(&mut own);
        by_place(&mut indexed);
        let bad = self.bad(&own);
        if !bad.is_empty() {
            let blobs = Some(bad);
            let defect = Defect::Altered;
            return Found::Damaged(DamagedPack { defect, blobs });
        }
        if own == indexed {
            Found::Sound
        } else {
            Found::OtherThanIndexed
        }
    }

    fn altered(&mut self, blobs: &[Blob]) -> Found {
        let defect = if blobs.is_empty() || pack::file_size(blobs) == self.bytes.len() as u64 {
            Defect::Altered
        } else {
            Defect::Truncated
        };
        let own;
        let blobs = if blobs.is_empty() {
            own = self.header().unwrap_or_default();
            own.as_slice()
        } else {
            blobs
        };
        let blobs = if blobs.is_empty() {
            None
        } else {
            Some(self.bad(blobs))
        };
        Found::Damaged(DamagedPack { defect, blobs })
    }

    /// Where a pack cannot be read as a whole, some of its blobs may be.
    fn unreadable(&mut self, file: &File, defect: Defect, blobs: &[Blob]) -> Found {
        let mut sealed = Vec::new();
        let mut bad = BTreeSet::new();
        for blob in blobs {
            sealed.resize(blob.length as usize, 0);
            let read = file.read_exact_at(&mut sealed, u64::from(blob.offset));
            if read.is_err() || !self.decoder.proves(&blob.id, &mut sealed, blob.raw) {
                bad.insert(blob.id);
            }
        }
        let blobs = (!blobs.is_empty()).then_some(bad);
        Found::Damaged(DamagedPack { defect, blobs })
    }

    /// The blobs of these that are not what they should be. Opens each in its place, once.
    fn bad(&mut self, blobs: &[Blob]) -> BTreeSet<Id> {
        let Self { bytes, decoder, .. } = self;
        let mut bad = BTreeSet::new();
        for blob in blobs {
            let start = blob.offset as usize;
            let end = start.checked_add(blob.length as usize);
            let sealed = end.and_then(|end| bytes.get_mut(start..end));
            if !sealed.is_some_and(|sealed| decoder.proves(&blob.id, sealed, blob.raw)) {
                bad.insert(blob.id);
            }
        }
        bad
    }

    fn header(&self) -> Option<Vec<Blob>> {
        let (rest, length) = self.bytes.split_last_chunk::<4>()?;
        let start = rest
            .len()
            .checked_sub(u32::from_le_bytes(*length) as usize)?;
        let mut sealed = rest.get(start..)?.to_vec();
        let blobs = pack::header(&mut sealed, &self.cipher)?;
        (pack::file_size(&blobs) == self.bytes.len() as u64).then_some(blobs)
    }
}

/// The sealed bytes of a blob of a pack, for a copy of it; `None` if they cannot be read or are not what they should be.
pub(crate) fn copy_of(
    vault: &Vault,
    pack: &Id,
    blob: &Blob,
    decoder: &mut Decoder,
) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(vault.store().path(FileType::Pack, pack))?;
    let mut sealed = vec![0; blob.length as usize];
    file.read_exact_at(&mut sealed, u64::from(blob.offset))?;
    let copy = sealed.clone();
    Ok(decoder
        .proves(&blob.id, &mut sealed, blob.raw)
        .then_some(copy))
}
