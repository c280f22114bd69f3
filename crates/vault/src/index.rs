//! Which blobs a vault has, and where: its index files, in memory.
//!
//! About 50 bytes a chunk, so a TiB of distinct data takes some 50 MiB. Packs that a prune has marked for removal do not
//! count: to a writer their blobs are not there.

use std::collections::HashMap;

use rustic_core::FileType;
use serde::{Deserialize, Serialize};

use crate::{
    error::VaultError,
    id::Id,
    pack::{self, Blob, Kind},
    repository::Vault,
};

/// An index file's document.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct IndexDocument {
    pub(crate) packs: Vec<PackDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PackDocument {
    pub(crate) id: Id,
    pub(crate) blobs: Vec<BlobDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BlobDocument {
    id: Id,
    #[serde(rename = "type")]
    kind: Kind,
    offset: u32,
    length: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uncompressed_length: Option<u32>,
}

impl From<&Blob> for BlobDocument {
    fn from(blob: &Blob) -> Self {
        let Blob {
            id,
            kind,
            offset,
            length,
            raw,
        } = *blob;
        Self {
            id,
            kind,
            offset,
            length,
            uncompressed_length: raw,
        }
    }
}

impl From<&BlobDocument> for Blob {
    fn from(document: &BlobDocument) -> Self {
        let BlobDocument {
            id,
            kind,
            offset,
            length,
            uncompressed_length,
        } = *document;
        Self {
            id,
            kind,
            offset,
            length,
            raw: uncompressed_length.filter(|raw| *raw > 0),
        }
    }
}

/// Every blob of a vault, sorted by id.
#[derive(Debug, Default)]
pub(crate) struct Index {
    packs: Vec<Id>,
    blobs: Vec<(Blob, u32)>,
}

impl Index {
    /// Reads the index. Blobs whose pack is not on disk in its full size are left out: a backup stores them again instead
    /// of referring to what is lost, and a restore finds the copy that one has stored since.
    pub(crate) fn load(vault: &Vault) -> Result<Self, VaultError> {
        let sizes: HashMap<Id, u64> = vault.store().list(FileType::Pack)?.into_iter().collect();
        let mut index = Self::default();
        for (id, _) in vault.store().list(FileType::Index)? {
            let document: IndexDocument = vault.document(FileType::Index, &id)?;
            for pack in document.packs {
                let blobs: Vec<Blob> = pack.blobs.iter().map(Blob::from).collect();
                if sizes.get(&pack.id) == Some(&pack::file_size(&blobs)) {
                    index.add(pack.id, blobs)?;
                }
            }
        }
        index
            .blobs
            .sort_unstable_by_key(|(blob, _)| (blob.id, blob.kind as u8));
        Ok(index)
    }

    fn add(&mut self, pack: Id, blobs: Vec<Blob>) -> Result<(), VaultError> {
        let number = u32::try_from(self.packs.len())
            .map_err(|_| VaultError::Internal("an index of 2^32 packs"))?;
        self.packs.push(pack);
        self.blobs
            .extend(blobs.into_iter().map(|blob| (blob, number)));
        Ok(())
    }

    /// Where a blob is: its pack, and its place there.
    pub(crate) fn find(&self, kind: Kind, id: &Id) -> Option<(&Id, &Blob)> {
        let at = self
            .blobs
            .binary_search_by_key(&(*id, kind as u8), |(blob, _)| (blob.id, blob.kind as u8))
            .ok()?;
        let (blob, pack) = self.blobs.get(at)?;
        Some((self.packs.get(*pack as usize)?, blob))
    }
}
