//! What a vault holds beside what its owner knows of: for an owner whose own records are older than the vault, or newer.

use std::{collections::BTreeSet, path::Path};

use rustic_core::FileType;

use crate::{
    error::{VaultError, describe},
    id::Id,
    index::Index,
    key::MasterKey,
    lock::Lock,
    proof,
    repository::Vault,
    snapshot::{self, Snapshot},
};

/// A vault's snapshots beside those that are known.
#[derive(Debug, Default)]
pub struct Survey {
    /// The ids of all that are there, known or not.
    pub present: BTreeSet<String>,
    /// Those that are not known and are complete: every chunk of each is where the index says. The oldest first.
    pub unknown: Vec<Unknown>,
    /// Those that are not known and can't be used, each with the reason.
    pub unusable: Vec<(String, String)>,
}

/// A complete snapshot that its owner does not know.
#[derive(Debug)]
pub struct Unknown {
    pub snapshot: Snapshot,
    /// The machine's name in it.
    pub vm: String,
    /// Its disks, with their sizes in bytes.
    pub disks: Vec<(String, u64)>,
}

/// The ids of the snapshots that are in the vault at `path`. Nobody is waited for, and no snapshot is read.
///
/// # Errors
/// When the vault can't be opened or listed.
pub fn snapshot_names(path: &Path, key: &MasterKey) -> Result<BTreeSet<String>, VaultError> {
    let vault = Vault::open(path, key.clone())?;
    let all = vault.store().list(FileType::Snapshot)?;
    Ok(all.into_iter().map(|(id, _)| id.to_string()).collect())
}

/// Lists the snapshots of the vault at `path`, and reads and proves those that are not `known`, without reading their data.
///
/// # Errors
/// When the vault can't be opened or listed; what is wrong with one snapshot is that one's.
pub fn survey(
    path: &Path,
    key: &MasterKey,
    known: &BTreeSet<String>,
) -> Result<Survey, VaultError> {
    let vault = Vault::open(path, key.clone())?;
    let _lock = Lock::shared(path)?;
    let all = vault.store().list(FileType::Snapshot)?;
    let mut survey = Survey::default();
    let mut index = None;
    for (id, _) in all {
        let name = id.to_string();
        survey.present.insert(name.clone());
        if known.contains(&name) {
            continue;
        }
        let index = match &mut index {
            Some(index) => index,
            none => none.insert(Index::load(&vault)?),
        };
        match look_at(&vault, index, &id) {
            Ok(Some(unknown)) => survey.unknown.push(unknown),
            Ok(None) => {}
            Err(error) => survey.unusable.push((name, describe(&error))),
        }
    }
    survey.unknown.sort_by_key(|found| found.snapshot.time);
    Ok(survey)
}

/// A snapshot that was saved last of its backup, and so is whole; `None` for one of files, which are no machine's.
fn look_at(vault: &Vault, index: &Index, id: &Id) -> Result<Option<Unknown>, VaultError> {
    let snapshot = snapshot::load(vault, id)?;
    if snapshot.folder {
        return Ok(None);
    }
    let (vm, disks) = proof::machine(vault, index, &snapshot)?;
    Ok(Some(Unknown {
        snapshot,
        vm,
        disks,
    }))
}
