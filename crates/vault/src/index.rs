//! Which blobs a vault has, and where: its index files, in memory.
//!
//! About 50 bytes a chunk, so a TiB of distinct data takes some 50 MiB. Packs that a prune has marked for removal do not
//! count: to a writer their blobs are not there. Nor does what is known to be damaged.

use std::collections::{HashMap, HashSet};

use rustic_core::FileType;
use serde::{Deserialize, Serialize};

use crate::{
    damage::{Damage, Defect},
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

impl PackDocument {
    pub(crate) fn new(id: Id, blobs: &[Blob]) -> Self {
        let blobs = blobs.iter().map(BlobDocument::from).collect();
        Self { id, blobs }
    }

    pub(crate) fn blobs(&self) -> Vec<Blob> {
        self.blobs.iter().map(Blob::from).collect()
    }
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

/// A vault's index files as they lie there.
#[derive(Debug, Default)]
pub(crate) struct IndexFiles {
    pub(crate) documents: Vec<(Id, IndexDocument)>,
    /// Those that are not what was written. What they named is found again in the packs' own headers.
    pub(crate) damaged: Vec<Id>,
}

impl IndexFiles {
    pub(crate) fn read(vault: &Vault) -> Result<Self, VaultError> {
        let mut files = Self::default();
        for (id, _) in vault.store().list(FileType::Index)? {
            match vault.document(FileType::Index, &id) {
                Ok(document) => files.documents.push((id, document)),
                Err(VaultError::Damaged(_)) => files.damaged.push(id),
                Err(VaultError::Io { source, .. }) if Defect::of(&source).is_some() => {
                    files.damaged.push(id);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }
}

/// Every blob of a vault, sorted by id.
#[derive(Debug, Default)]
pub(crate) struct Index {
    packs: Vec<Id>,
    blobs: Vec<(Blob, u32)>,
}

impl Index {
    /// Reads the index. Blobs whose pack is not on disk in its full size are left out, and those that are known to be
    /// damaged: a backup stores them again instead of referring to what is lost, and a restore finds the copy that one has
    /// stored since.
    pub(crate) fn load(vault: &Vault) -> Result<Self, VaultError> {
        let files = IndexFiles::read(vault)?;
        let sizes = sizes(vault)?;
        Ok(Self::of(vault, &files, &sizes)?.sorted())
    }

    /// The same for somebody who only reads: packs that no index names, or one names with other blobs than they have, are
    /// asked by their headers. A writer may not lean on those: they may be another's that it is going to remove.
    pub(crate) fn for_reading(vault: &Vault) -> Result<Self, VaultError> {
        let files = IndexFiles::read(vault)?;
        let sizes = sizes(vault)?;
        let mut index = Self::of(vault, &files, &sizes)?;
        let named: HashSet<Id> = index.packs.iter().copied().collect();
        let damage = Damage::load(vault);
        for (pack, size) in sizes.iter().filter(|(pack, _)| !named.contains(*pack)) {
            if let Some(blobs) = pack::read_header(vault, pack, *size)? {
                index.add(*pack, blobs, &damage)?;
            }
        }
        Ok(index.sorted())
    }

    fn of(vault: &Vault, files: &IndexFiles, sizes: &HashMap<Id, u64>) -> Result<Self, VaultError> {
        let damage = Damage::load(vault);
        let mut index = Self::default();
        for (_, document) in &files.documents {
            for pack in &document.packs {
                let blobs = pack.blobs();
                if sizes.get(&pack.id) == Some(&pack::file_size(&blobs)) {
                    index.add(pack.id, blobs, &damage)?;
                }
            }
        }
        Ok(index)
    }

    fn sorted(mut self) -> Self {
        self.blobs
            .sort_unstable_by_key(|(blob, _)| (blob.id, blob.kind as u8));
        self
    }

    fn add(&mut self, pack: Id, blobs: Vec<Blob>, damage: &Damage) -> Result<(), VaultError> {
        let number = u32::try_from(self.packs.len())
            .map_err(|_| VaultError::Internal("an index of 2^32 packs"))?;
        self.packs.push(pack);
        let whole = blobs
            .into_iter()
            .filter(|blob| !damage.has(&pack, &blob.id));
        self.blobs.extend(whole.map(|blob| (blob, number)));
        Ok(())
    }

    /// The same without what these packs have.
    pub(crate) fn without(mut self, packs: &HashSet<Id>) -> Self {
        let names = &self.packs;
        self.blobs.retain(|(_, number)| {
            let pack = names.get(*number as usize);
            pack.is_some_and(|pack| !packs.contains(pack))
        });
        self
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

/// The packs that are on disk, with their sizes in bytes.
pub(crate) fn sizes(vault: &Vault) -> Result<HashMap<Id, u64>, VaultError> {
    Ok(vault.store().list(FileType::Pack)?.into_iter().collect())
}
