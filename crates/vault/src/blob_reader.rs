//! A blob out of its pack: found, read, decrypted and decompressed. One that is not what was written is remembered as damaged.

use std::{collections::HashMap, fs::File, os::unix::fs::FileExt};

use rustic_core::FileType;

use crate::{
    codec::Decoder,
    damage::{self, Defect},
    error::VaultError,
    id::Id,
    index::Index,
    pack::{Blob, Kind},
    repository::Vault,
};

/// Packs that a reader keeps open.
const OPEN_PACKS: usize = 8;

/// Reads blobs one after another, and keeps what the next one needs.
pub(crate) struct BlobReader {
    decoder: Decoder,
    sealed: Vec<u8>,
    packs: HashMap<Id, File>,
}

/// Whether a blob is compared with its id when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Now,
    /// The caller compares what it makes of it.
    Later,
}

impl BlobReader {
    pub(crate) fn new(vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self {
            decoder: vault.decoder()?,
            sealed: Vec::new(),
            packs: HashMap::new(),
        })
    }

    /// Forgets the packs that are open: another job may have removed them.
    pub(crate) fn close(&mut self) {
        self.packs.clear();
    }

    /// Reads a blob's plain text.
    pub(crate) fn read(
        &mut self,
        vault: &Vault,
        index: &Index,
        (kind, id): (Kind, &Id),
        proof: Proof,
    ) -> Result<&[u8], VaultError> {
        let Self {
            decoder,
            sealed,
            packs,
        } = self;
        let (pack, blob) = find(index, kind, id)?;
        if !packs.contains_key(pack) {
            if packs.len() >= OPEN_PACKS {
                packs.clear();
            }
            packs.insert(*pack, open(vault, pack, blob)?);
        }
        let file = packs
            .get(pack)
            .ok_or(VaultError::Internal("an open pack is not open"))?;
        unpack(vault, file, (pack, blob), proof, decoder, sealed)
    }
}

/// Reads one blob, for a caller that keeps nothing for the next.
pub(crate) fn read_one<'a>(
    vault: &Vault,
    index: &Index,
    (kind, id): (Kind, &Id),
    decoder: &'a mut Decoder,
    sealed: &'a mut Vec<u8>,
) -> Result<&'a [u8], VaultError> {
    let (pack, blob) = find(index, kind, id)?;
    let file = open(vault, pack, blob)?;
    unpack(vault, &file, (pack, blob), Proof::Now, decoder, sealed)
}

fn find<'a>(index: &'a Index, kind: Kind, id: &Id) -> Result<(&'a Id, &'a Blob), VaultError> {
    index.find(kind, id).ok_or_else(|| {
        lost(
            kind,
            id,
            "is in no pack that is there, in its full size and not known to be damaged",
        )
    })
}

fn open(vault: &Vault, pack: &Id, blob: &Blob) -> Result<File, VaultError> {
    let path = vault.store().path(FileType::Pack, pack);
    File::open(&path).map_err(|source| match Defect::of(&source) {
        Some(defect) => damaged(vault, (pack, blob), defect),
        None => VaultError::io("open", path, source),
    })
}

fn unpack<'a>(
    vault: &Vault,
    file: &File,
    (pack, blob): (&Id, &Blob),
    proof: Proof,
    decoder: &'a mut Decoder,
    sealed: &'a mut Vec<u8>,
) -> Result<&'a [u8], VaultError> {
    sealed.resize(blob.length as usize, 0);
    if let Err(source) = file.read_exact_at(sealed, u64::from(blob.offset)) {
        return Err(match Defect::of(&source) {
            Some(defect) => damaged(vault, (pack, blob), defect),
            None => VaultError::io("read", vault.store().path(FileType::Pack, pack), source),
        });
    }
    let plain = match proof {
        Proof::Now => decoder.open(&blob.id, sealed, blob.raw),
        Proof::Later => decoder.open_unnamed(sealed, blob.raw),
    };
    plain.ok_or_else(|| damaged(vault, (pack, blob), Defect::Altered))
}

fn damaged(vault: &Vault, (pack, blob): (&Id, &Blob), defect: Defect) -> VaultError {
    damage::note_blob(vault, pack, &blob.id, defect);
    let where_and_how = match defect {
        Defect::Missing => format!("is in pack {pack}, which is gone"),
        Defect::Truncated | Defect::Unreadable => format!("cannot be read from pack {pack}"),
        Defect::Altered => format!("is damaged in pack {pack}"),
    };
    lost(blob.kind, &blob.id, &where_and_how)
}

fn lost(kind: Kind, id: &Id, why: &str) -> VaultError {
    let what = match kind {
        Kind::Data => "chunk",
        Kind::Tree => "the tree",
    };
    VaultError::Damaged(format!("{what} {id} {why}"))
}
