//! A restore: disks of a snapshot become files, whole and compared, or nothing does.
//!
//! A disk is written beside its place under a hidden name, read back from there, compared chunk by chunk, and given its
//! name only then and only if nothing has it. A job that is run again after a crash throws away what it had half done, and
//! proves again what it had finished: the file says which job made it.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{
    error::VaultError,
    event::Event,
    index::Index,
    job::{DiskTarget, RestoreTask},
    layout::CHUNK,
    lock::Lock,
    meter::Meter,
    repository::Vault,
    rewrite::{self, Disk},
    snapshot,
    target::{Found, Target},
    tree,
};

/// Disks that are restored side by side.
const ABREAST: usize = 4;

pub(crate) fn run(
    vault: &Vault,
    job: &str,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    check_task(task)?;
    let _lock = Lock::shared(vault.path())?;
    let snapshot = snapshot::find(vault, &task.snapshot)?;
    let index = Index::load(vault)?;
    let mut decoder = vault.decoder()?;
    let machine = tree::machine(vault, &index, &mut decoder, &snapshot.tree, &task.vm)?;
    let mut found = Vec::new();
    for DiskTarget { name, path, .. } in &task.disks {
        let stored = tree::disk(vault, &index, &mut decoder, &machine, name)?;
        let stored = stored.ok_or_else(|| VaultError::DiskNotFound {
            snapshot: task.snapshot.clone(),
            vm: task.vm.clone(),
            disk: name.clone(),
        })?;
        found.push((name, stored, Found::at(path, job)?));
        emit(Event::Disk {
            name: name.clone(),
            size: found.last().map_or(0, |(_, disk, _)| disk.size),
        });
    }
    preflight(
        found
            .iter()
            .map(|(_, disk, found)| (found, rewrite::bytes_of_data(disk))),
    )?;
    let meter = Meter::new(found.iter().map(|(_, disk, _)| disk.size).sum());
    let mut disks = Vec::new();
    for (name, stored, found) in found {
        let target = Target::open(found, stored.size, job)?;
        disks.push(Disk::new(name, stored, target));
    }
    for group in disks.chunks_mut(ABREAST) {
        let sums = meter.watch(emit, || {
            rewrite::write_and_compare(vault, &index, group, &meter)
        })?;
        for (disk, sum) in group.iter_mut().zip(sums) {
            disk.target.keep()?;
            emit(Event::Restored {
                disk: disk.name.clone(),
                bytes: disk.stored.size,
                sha256: hex::encode(sum),
            });
        }
    }
    Ok(())
}

fn check_task(task: &RestoreTask) -> Result<(), VaultError> {
    let mut paths: Vec<&PathBuf> = task.disks.iter().map(|disk| &disk.path).collect();
    paths.sort_unstable();
    paths.dedup();
    if task.disks.is_empty() || paths.len() != task.disks.len() {
        return Err(VaultError::InvalidJob(
            "a restore needs disks, each with a path of its own".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses to begin what cannot end: whether each file system has room for what will be written there.
fn preflight<'a>(disks: impl Iterator<Item = (&'a Found, u64)>) -> Result<(), VaultError> {
    let mut needs: BTreeMap<u64, (&Path, u64)> = BTreeMap::new();
    for (found, bytes) in disks {
        if let Found::Nothing { directory, .. } = found {
            let metadata = std::fs::metadata(directory)
                .map_err(|source| VaultError::io("look at", directory, source))?;
            needs.entry(metadata.dev()).or_insert((directory, 0)).1 += bytes;
        }
    }
    for (directory, needed) in needs.into_values() {
        let volume = rustix::fs::statvfs(directory)
            .map_err(|errno| VaultError::io("look at", directory, errno))?;
        let free = volume.f_bavail.saturating_mul(volume.f_frsize);
        if free < needed.saturating_add(CHUNK) {
            return Err(VaultError::TooSmall {
                path: directory.to_owned(),
                needed,
                free,
            });
        }
    }
    Ok(())
}
