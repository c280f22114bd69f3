//! Disks that go straight into the vault, where a snapshot would be a copy: it would be written and then read again, and would
//! restore no faster than the vault does.
//!
//! The machine is held up while its disks are read. A qcow2 image that is written to meanwhile can't be read so, because its
//! tables move: then, and whatever else goes wrong, nothing of it stays, and the disks are copied first.

use std::collections::BTreeSet;

use super::{
    Disk,
    copy::{self, Copied},
    stopped::BetweenScripts,
};
use crate::{
    backup,
    error::VaultError,
    event::{Event, SnapshotMethod},
    job::{BackupTask, DiskSource, StraightTask},
    lock::Lock,
    repository::Vault,
};

/// A vault that was opened and entered, and the backup that is to be made in it.
pub(super) struct Straight<'a> {
    task: &'a StraightTask,
    vault: Vault,
    _lock: Lock,
}

/// Refuses a backup of other disks than those of which snapshots are taken.
pub(super) fn check(backup: &BackupTask, names: &BTreeSet<&String>) -> Result<(), VaultError> {
    let stored: BTreeSet<_> = backup.disks.iter().map(|disk| &disk.name).collect();
    if stored == *names && backup.disks.len() == names.len() {
        return Ok(());
    }
    Err(VaultError::InvalidJob(
        "what goes straight into the vault are the disks of the snapshot".to_owned(),
    ))
}

/// Whether a snapshot of some disk would be a copy, and none is of an image that may move its tables any moment.
pub(super) fn is_due(disks: &[Disk<'_>]) -> bool {
    let moves = |disk: &Disk<'_>| disk.in_use && disk.image.qcow2.is_some();
    let mut pairs = disks.iter().map(|disk| (&disk.image, &disk.target));
    !disks.iter().any(moves) && !copy::all_share(&mut pairs)
}

impl<'a> Straight<'a> {
    pub(super) fn enter(
        task: &'a StraightTask,
        vault: impl FnOnce() -> Result<Vault, VaultError>,
    ) -> Result<Self, VaultError> {
        let vault = vault()?;
        Ok(Self {
            task,
            _lock: backup::enter(&vault)?,
            vault,
        })
    }

    /// Stores the disks, lets the machine go on as soon as they are read, and tells of them once they are proved.
    pub(super) fn store(
        &self,
        job: &str,
        disks: &[Disk<'_>],
        held: BetweenScripts<'_>,
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), VaultError> {
        let task = self.backup(disks);
        let mut held = Some(held);
        let mut written_to = Vec::new();
        let mut once_read = |touched: &[String], emit: &mut dyn FnMut(Event)| {
            let is_well = held.take().is_some_and(|held| held.release(emit));
            touched.clone_into(&mut written_to);
            let is_torn =
                |disk: &&Disk<'_>| disk.image.qcow2.is_some() && touched.contains(&disk.image.name);
            if let Some(disk) = disks.iter().find(is_torn) {
                let how = "it was written to while it was read".to_owned();
                return Err(disk.image.changed(how));
            }
            let is_one_moment = touched.is_empty() && !disks.iter().any(|disk| disk.in_use);
            Ok(if is_well && is_one_moment {
                self.task.backup.about.clone()
            } else {
                self.task.about_otherwise.clone()
            })
        };
        let saved = backup::store(&self.vault, job, &task, &mut once_read, emit);
        if let Some(held) = held {
            held.release(emit);
        }
        let saved = saved?;
        for disk in disks {
            emit(disk.taken(Copied {
                method: SnapshotMethod::Vault,
                touched: written_to.contains(&disk.image.name),
            }));
        }
        backup::tell(saved, &task, emit);
        Ok(())
    }

    /// The backup, of the images themselves.
    fn backup(&self, disks: &[Disk<'_>]) -> BackupTask {
        let mut task = self.task.backup.clone();
        for stored in &mut task.disks {
            if let Some(disk) = disks.iter().find(|disk| disk.image.name == stored.name) {
                *stored = DiskSource {
                    path: disk.task.path.clone(),
                    image: Some(disk.image.id()),
                    ..stored.clone()
                };
            }
        }
        task
    }
}
