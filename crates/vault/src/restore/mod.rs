//! A restore: disks of a snapshot become files, whole and compared, or nothing does.
//!
//! A disk is written beside its place under a hidden name, read back from there, compared chunk by chunk, and given its
//! name only then and only if nothing has it. A job that is run again after a crash throws away what it had half done, and
//! proves again what it had finished: the file says which job made it. A disk comes from the vault or, while there is one,
//! from the snapshot file that the vault's copy was made of.

mod compare;
mod disk;
mod instant;
mod rewrite;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use crate::{
    error::VaultError,
    event::Event,
    index::Index,
    job::{DiskFormat, DiskTarget, RestoreTask},
    layout,
    lock::Lock,
    meter::Meter,
    repository::Vault,
    room, snapshot,
    source::Source,
    target::{Found, Target},
    tree::{self, StoredDisk},
};

use disk::Disk;

/// Disks that are restored side by side.
const ABREAST: usize = 4;

/// Where a disk's bytes come from.
enum Origin {
    Vault(StoredDisk),
    Instant(Box<Source>),
}

impl Origin {
    /// The disk's size in bytes.
    fn size(&self) -> u64 {
        match self {
            Self::Vault(stored) => stored.size,
            Self::Instant(source) => source.size,
        }
    }

    /// The most that its file will take, in bytes.
    fn bytes_of_data(&self) -> Result<u64, VaultError> {
        Ok(match self {
            Self::Vault(stored) => layout::bytes_in(&stored.data(), stored.size),
            Self::Instant(source) => layout::bytes_in(&source.data()?, source.size),
        })
    }
}

/// Whether the vault is needed at all: some disk has no snapshot file, or has one no longer.
pub(crate) fn needs_vault(task: &RestoreTask) -> bool {
    let from_vault = |disk: &DiskTarget| match &disk.instant {
        Some(path) => !path.exists() && !task.snapshot.is_empty(),
        None => true,
    };
    task.disks.iter().any(from_vault)
}

/// Restores the disks that are listed. `vault` may be left out if it is not needed.
pub(crate) fn run(
    vault: Option<&Vault>,
    job: &str,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    check_task(task)?;
    let _lock = vault.map(|vault| Lock::shared(vault.path())).transpose()?;
    let index = vault.map_or_else(|| Ok(Index::default()), Index::load)?;
    let vault = vault.map(|vault| (vault, &index));
    let mut disks = open(vault, job, task, emit)?;
    // What comes from a snapshot file is gone through twice.
    let work = |(disk, source): &(Disk, Option<Source>)| {
        disk.stored.size * if source.is_some() { 2 } else { 1 }
    };
    let meter = Meter::new(disks.iter().map(work).sum());
    for group in disks.chunks_mut(ABREAST) {
        let sums = meter.watch(emit, || {
            for (disk, source) in group.iter_mut() {
                if let Some(source) = source {
                    instant::fill(source, disk, &meter)?;
                }
            }
            let disks: Vec<&Disk> = group.iter().map(|(disk, _)| disk).collect();
            rewrite::write_and_compare(vault, &disks, &meter)
        })?;
        for ((disk, _), sum) in group.iter_mut().zip(sums) {
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
    let paths: BTreeSet<_> = task.disks.iter().map(|disk| &disk.path).collect();
    if task.disks.is_empty() || paths.len() != task.disks.len() {
        return Err(VaultError::InvalidJob(
            "a restore needs disks, each with a path of its own".to_owned(),
        ));
    }
    Ok(())
}

/// Finds all disks, their places and the room for them before a byte of any is written.
fn open(
    vault: Option<(&Vault, &Index)>,
    job: &str,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<(Disk, Option<Source>)>, VaultError> {
    let mut found = Vec::new();
    for (disk, origin) in task.disks.iter().zip(origins(vault, task, emit)?) {
        emit(Event::Disk {
            name: disk.name.clone(),
            size: origin.size(),
        });
        found.push((disk, origin, Found::at(&disk.path, job)?));
    }
    let mut opened = Vec::new();
    let mut needs: BTreeMap<u64, (PathBuf, u64)> = BTreeMap::new();
    for (disk, origin, found) in found {
        let size = match disk.format {
            DiskFormat::Raw => origin.size(),
            DiskFormat::Qcow2 => 0,
        };
        let target = Target::open(found, size, job)?;
        let shared = matches!(&origin, Origin::Instant(source) if instant::share(source, &target, disk.format));
        if target.is_new() && !shared {
            let metadata = target.file.metadata();
            let device =
                metadata.map_err(|source| VaultError::io("look at", &disk.path, source))?;
            let need = needs
                .entry(device.dev())
                .or_insert((target.place().to_owned(), 0));
            need.1 += origin.bytes_of_data()?;
        }
        opened.push((disk, origin, target, shared));
    }
    for (place, needed) in needs.into_values() {
        room::check(place.parent().unwrap_or(&place), needed)?;
    }
    let disks = opened.into_iter().map(|(disk, origin, target, shared)| {
        let (stored, source) = match origin {
            Origin::Vault(stored) => (stored, None),
            Origin::Instant(source) => {
                (StoredDisk::zeros(source.size, source.mtime), Some(*source))
            }
        };
        let disk = Disk::new(&disk.name, disk.format, stored, target, shared)?;
        Ok((disk, source))
    });
    disks.collect()
}

/// Finds each disk: in its snapshot file if it has one, else in the vault's snapshot.
fn origins(
    vault: Option<(&Vault, &Index)>,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<Origin>, VaultError> {
    let mut machine = None;
    let mut found = Vec::new();
    for disk in &task.disks {
        if let Some(path) = &disk.instant {
            match Source::of_snapshot(&disk.name, path) {
                Ok(source) => {
                    found.push(Origin::Instant(Box::new(source)));
                    continue;
                }
                Err(VaultError::SourceUnreadable { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && vault.is_some() =>
                {
                    let message = format!(
                        "The snapshot of disk {} is gone: it is restored from the vault.",
                        disk.name
                    );
                    emit(Event::Note { message });
                }
                Err(error) => return Err(error),
            }
        }
        let (vault, index) = vault.ok_or(VaultError::Internal("a restore without a vault"))?;
        // Opened and dropped for each disk: a large disk's list of chunks is large, and a decoder keeps it.
        let mut decoder = vault.decoder()?;
        let machine = match &mut machine {
            Some(machine) => machine,
            none => {
                let snapshot = snapshot::find(vault, &task.snapshot)?;
                none.insert(tree::machine(
                    vault,
                    index,
                    &mut decoder,
                    &snapshot.tree,
                    &task.vm,
                )?)
            }
        };
        let stored = tree::disk(vault, index, &mut decoder, machine, &disk.name)?;
        found.push(Origin::Vault(stored.ok_or_else(|| {
            VaultError::DiskNotFound {
                snapshot: task.snapshot.clone(),
                vm: task.vm.clone(),
                disk: disk.name.clone(),
            }
        })?));
    }
    Ok(found)
}
