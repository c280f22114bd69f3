//! A restore: disks of a snapshot become files, whole and compared, or nothing does.
//!
//! A disk is written beside its place under a hidden name, read back from there, compared chunk by chunk, and given its
//! name only then and only if nothing has it. A job that is run again after a crash throws away what it had half done, and
//! proves again what it had finished: the file says which job made it.

mod compare;
mod disk;
mod instant;
mod origin;
mod rewrite;

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use crate::{
    error::{VaultError, describe},
    event::Event,
    job::{DiskFormat, RestoreTask},
    meter::Meter,
    repository::Vault,
    room,
    source::Source,
    target::{Found, Target},
    tree::StoredDisk,
};

use disk::Disk;
use origin::{Opened, Origin};

/// Disks that are restored side by side.
const ABREAST: usize = 4;

/// A disk on its way, and the snapshot file that it comes from, if it does, with what the vault has of it.
struct Work {
    disk: Disk,
    source: Option<Source>,
    proof: Option<StoredDisk>,
}

impl Work {
    /// What is gone through for it: what comes from a snapshot file is twice.
    fn bytes(&self) -> u64 {
        self.disk.stored.size * if self.source.is_some() { 2 } else { 1 }
    }

    /// Fills the disk out of its snapshot file; leaves it to the vault if that is not what the vault has, and returns why.
    fn fill(&mut self, meter: &Meter) -> Result<Option<String>, VaultError> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let filled = instant::fill(source, &self.disk, meter);
        let Some(proof) = self.proof.take() else {
            self.disk.filled(filled?);
            return Ok(None);
        };
        let why = match filled {
            Ok(ids) if ids == proof.ids => {
                self.disk.filled(ids);
                return Ok(None);
            }
            Ok(_) => "it has other bytes".to_owned(),
            Err(error) if origin::is_of_source(&error) => describe(&error),
            Err(error) => return Err(error),
        };
        self.disk.start_over(proof)?;
        Ok(Some(why))
    }
}

/// Restores the disks that are listed. `open` opens the vault, if it is needed.
pub(crate) fn run(
    open: impl FnOnce() -> Result<Vault, VaultError>,
    job: &str,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    check_task(task)?;
    let opened = Opened::of_task(open, task, emit)?;
    let vault = opened.as_ref().map(|opened| (&opened.vault, &opened.index));
    let mut disks = find(opened.as_ref(), job, task, emit)?;
    let meter = Meter::new(disks.iter().map(Work::bytes).sum());
    for group in disks.chunks_mut(ABREAST) {
        let (sums, fell_back) = meter.watch(emit, || {
            let mut fell_back = Vec::new();
            for work in group.iter_mut() {
                if let Some(why) = work.fill(&meter)? {
                    fell_back.push((work.disk.name.clone(), why));
                }
            }
            let disks: Vec<&Disk> = group.iter().map(|work| &work.disk).collect();
            let sums = rewrite::write_and_compare(vault, &disks, &meter)?;
            Ok((sums, fell_back))
        })?;
        for (disk, why) in fell_back {
            origin::fell_back(&disk, &why, emit);
        }
        for (Work { disk, .. }, sum) in group.iter_mut().zip(sums) {
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
fn find(
    opened: Option<&Opened>,
    job: &str,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<Work>, VaultError> {
    let mut found = Vec::new();
    for (disk, origin) in task.disks.iter().zip(origin::origins(opened, task, emit)?) {
        emit(Event::Disk {
            name: disk.name.clone(),
            size: origin.size(),
        });
        found.push((disk, origin, Found::at(&disk.path, job)?));
    }
    let mut targets = Vec::new();
    let mut needs: BTreeMap<u64, (PathBuf, u64)> = BTreeMap::new();
    for (disk, mut origin, found) in found {
        let size = match disk.format {
            DiskFormat::Raw => origin.size(),
            DiskFormat::Qcow2 => 0,
        };
        let target = Target::open(found, size, job)?;
        if !target.is_new() {
            origin = origin.of_finished();
        }
        let shared = matches!(&origin, Origin::Instant { source, .. } if instant::share(source, &target, disk.format));
        if target.is_new() && !shared {
            let metadata = target.file.metadata();
            let device =
                metadata.map_err(|source| VaultError::io("look at", &disk.path, source))?;
            let need = needs
                .entry(device.dev())
                .or_insert((target.place().to_owned(), 0));
            need.1 += origin.bytes_of_data()?;
        }
        targets.push((disk, origin, target, shared));
    }
    for (place, needed) in needs.into_values() {
        room::check(place.parent().unwrap_or(&place), needed)?;
    }
    let work = targets.into_iter().map(|(disk, origin, target, shared)| {
        let (stored, data, source, proof) = match origin {
            Origin::Vault(stored) => {
                let data = stored.data();
                (stored, data, None, None)
            }
            Origin::Instant { source, proof } => {
                let zeros = StoredDisk::zeros(source.size, source.mtime);
                (zeros, source.data()?, Some(*source), proof)
            }
        };
        Ok(Work {
            disk: Disk::new(&disk.name, disk.format, stored, target, shared, &data)?,
            source,
            proof,
        })
    });
    work.collect()
}
