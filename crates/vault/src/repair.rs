//! Repairing: what a later backup has stored again takes the place of what was damaged, in the index and on the disk.
//!
//! Stock restic knows nothing of our list of damage: an entry of a pack that is gone, or that is not what it was, is an error
//! to its check and ends its prune. A pack goes when each of its damaged blobs has a whole copy elsewhere or is wanted by no
//! snapshot; its other blobs are copied first. Until then it stays as it is, in case its disk gives it back. Packs that no
//! index names are named again, so that an index file that is lost or damaged costs nothing.
//!
//! Each step leaves a vault that is whole: copies, then the new index files, then the old ones and the packs go.

use std::collections::{HashMap, HashSet};

use rustic_core::FileType;

use crate::{
    damage::{self, Damage, DamagedPack, Defect},
    damaged_points,
    error::VaultError,
    id::Id,
    index::{self, Index, IndexDocument, IndexFiles, PackDocument},
    lock::Lock,
    pack::{self, Blob},
    pack_check,
    packer::Packer,
    repository::Vault,
};

/// Repairs what can be repaired. `_alone`: nobody else is using the vault. Whether all damage is gone from it.
pub(crate) fn repair(vault: &Vault, _alone: &Lock) -> Result<bool, VaultError> {
    let files = IndexFiles::read(vault)?;
    let sizes = index::sizes(vault)?;
    let named = Named::of(vault, &files, &sizes)?;
    let damage = Damage::load(vault);
    let mut go: HashSet<Id> = HashSet::new();
    if !damage.is_empty() {
        let index = Index::for_reading(vault)?;
        let lost = damaged_points::find(vault, &index)?.lost;
        let may_go = |(pack, _): &(&Id, &DamagedPack)| {
            let blobs = named.blobs.get(*pack);
            let mut blobs = blobs.into_iter().flatten();
            blobs.all(|blob| !(damage.has(pack, &blob.id) && lost.contains(&blob.id)))
        };
        go.extend(damage.packs.iter().filter(may_go).map(|(pack, _)| *pack));
        let index = index.without(&go);
        let mut copies: Vec<(Id, Blob)> = Vec::new();
        for pack in &go {
            for blob in named.blobs.get(pack).into_iter().flatten() {
                let is_whole = !damage.has(pack, &blob.id);
                if is_whole && index.find(blob.kind, &blob.id).is_none() {
                    copies.push((*pack, *blob));
                }
            }
        }
        copy(vault, &index, &copies, &mut go)?;
    }
    rewrite(vault, &files, &named, &go)?;
    for pack in &go {
        vault.store().remove(FileType::Pack, pack)?;
        damage::settle(vault, pack, None)?;
    }
    Ok(damage.packs.len() == go.len())
}

/// What is in each pack, and which packs the index files are wrong about.
struct Named {
    blobs: HashMap<Id, Vec<Blob>>,
    /// Packs that are on disk, and that no index file names as they are.
    anew: HashSet<Id>,
}

impl Named {
    fn of(vault: &Vault, files: &IndexFiles, sizes: &HashMap<Id, u64>) -> Result<Self, VaultError> {
        let mut blobs: HashMap<Id, Vec<Blob>> = HashMap::new();
        for (_, document) in &files.documents {
            for pack in &document.packs {
                blobs.insert(pack.id, pack.blobs());
                if !sizes.contains_key(&pack.id) {
                    let (defect, blobs) = (Defect::Missing, None);
                    damage::note(vault, pack.id, DamagedPack { defect, blobs })?;
                }
            }
        }
        let mut anew = HashSet::new();
        for (pack, size) in sizes {
            let fits = blobs.get(pack).map(|blobs| pack::file_size(blobs) == *size);
            if fits == Some(true) {
                continue;
            }
            if let Some(own) = pack::read_header(vault, pack, *size)? {
                anew.insert(*pack);
                blobs.insert(*pack, own);
            } else if fits == Some(false) {
                let defect = Defect::Truncated;
                damage::note(
                    vault,
                    *pack,
                    DamagedPack {
                        defect,
                        blobs: None,
                    },
                )?;
            }
        }
        Ok(Self { blobs, anew })
    }
}

/// Copies blobs out of packs that go. A pack with one that cannot be read after all stays.
fn copy(
    vault: &Vault,
    index: &Index,
    copies: &[(Id, Blob)],
    go: &mut HashSet<Id>,
) -> Result<(), VaultError> {
    if copies.is_empty() {
        return Ok(());
    }
    let packer = Packer::new(vault, index);
    let mut decoder = vault.decoder()?;
    let copied = packer.while_writing(|full| {
        for (pack, blob) in copies {
            match pack_check::copy_of(vault, pack, blob, &mut decoder) {
                Ok(Some(bytes)) => packer.add_copy(blob, &bytes, full)?,
                Ok(None) | Err(_) => {
                    damage::note_blob(vault, pack, &blob.id, Defect::Altered);
                    go.remove(pack);
                }
            }
        }
        Ok(())
    });
    copied.inspect_err(|_| packer.discard())?;
    packer.seal()?;
    Ok(())
}

/// Writes the index files that are wrong about a pack again, without those that go.
fn rewrite(
    vault: &Vault,
    files: &IndexFiles,
    named: &Named,
    go: &HashSet<Id>,
) -> Result<(), VaultError> {
    let is_wrong = |pack: &PackDocument| go.contains(&pack.id) || named.anew.contains(&pack.id);
    let (mut old, mut kept) = (files.damaged.clone(), Vec::new());
    for (id, document) in &files.documents {
        if document.packs.iter().any(is_wrong) {
            old.push(*id);
            let right = document.packs.iter().filter(|pack| !is_wrong(pack));
            kept.push(
                right
                    .map(|pack| PackDocument::new(pack.id, &pack.blobs()))
                    .collect(),
            );
        }
    }
    let anew = named.anew.iter().filter(|pack| !go.contains(*pack));
    let anew = anew.filter_map(|pack| Some(PackDocument::new(*pack, named.blobs.get(pack)?)));
    kept.push(anew.collect());
    for packs in kept.into_iter().filter(|packs: &Vec<_>| !packs.is_empty()) {
        let json = serde_json::to_vec(&IndexDocument { packs })
            .map_err(|_| VaultError::Internal("an index that is no JSON"))?;
        vault.write_document(FileType::Index, &json)?;
    }
    for id in old {
        vault.store().remove(FileType::Index, &id)?;
    }
    Ok(())
}
