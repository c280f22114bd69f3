//! The proof that a snapshot can be restored, as far as that shows without reading its data.
//!
//! The content of packs is proved when they are written. Here the snapshot is read from the vault as a restore would find
//! it: each disk there, each chunk in a pack that is on disk in its full size, each of the length that its place asks for.

use crate::{
    error::VaultError,
    folder,
    index::Index,
    pack::Kind,
    repository::Vault,
    snapshot::{self, Saved, Snapshot},
    tree::{self, Tree},
};

/// Proves all disks of a snapshot, by the index as it is on disk now.
pub(crate) fn prove(vault: &Vault, saved: &Saved) -> Result<(), VaultError> {
    prove_in(vault, &Index::load(vault)?, saved)
}

/// Proves all disks of a snapshot.
pub(crate) fn prove_in(vault: &Vault, index: &Index, saved: &Saved) -> Result<(), VaultError> {
    let snapshot = snapshot::find(vault, &saved.snapshot)?;
    if snapshot.folder {
        return folder::prove(vault, index, saved);
    }
    machine(vault, index, &snapshot).map(drop)
}

/// Proves all disks of a machine's snapshot: the machine's name in it, and each disk's name and size in bytes.
pub(crate) fn machine(
    vault: &Vault,
    index: &Index,
    snapshot: &Snapshot,
) -> Result<(String, Vec<(String, u64)>), VaultError> {
    let saved = &snapshot.saved;
    let damaged = |why: String| VaultError::Damaged(format!("snapshot {}: {why}", saved.snapshot));
    let mut decoder = vault.decoder()?;
    let root = Tree::load(vault, index, &mut decoder, &snapshot.tree)?;
    let (mut vm, mut disks) = (String::new(), Vec::new());
    for node in &root.nodes {
        let Some(machine) = node.subtree else {
            continue;
        };
        vm.clone_from(&node.name);
        let machine = Tree::load(vault, index, &mut decoder, &machine)?;
        for name in tree::disk_names(&machine) {
            let disk = tree::disk(vault, index, &mut decoder, &machine, name)?;
            let disk = disk.ok_or_else(|| damaged(format!("disk {name} is missing")))?;
            if let Some(lost) = disk
                .ids
                .iter()
                .find(|id| index.find(Kind::Data, id).is_none())
            {
                return Err(damaged(format!("chunk {lost} of disk {name} is missing")));
            }
            disks.push((name.to_owned(), disk.size));
        }
    }
    let logical: u64 = disks.iter().map(|(_, size)| size).sum();
    if logical != saved.logical {
        return Err(damaged(format!(
            "its disks have {logical} bytes, not {}",
            saved.logical
        )));
    }
    Ok((vm, disks))
}
