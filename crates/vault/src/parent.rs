//! What a backup is relative to, and so how little of each disk has to be read.
//!
//! A list of changes is worth what its parent is: another size, another disk, a snapshot that is gone or damaged, and the
//! disk is read whole instead. That is no failure, but it is said.

use std::ops::Range;

use crate::{
    block_map::{BlockMap, ZeroIds},
    error::{VaultError, describe},
    event::Event,
    id::Id,
    index::Index,
    job::{BackupTask, DiskSource, Sample},
    layout,
    packer::Packer,
    qemu::BITMAP,
    repository::Vault,
    snapshot,
    source::Source,
    tree::{self, StoredDisk, Tree},
};

/// The snapshot that a backup is relative to.
pub(crate) struct Parent<'a> {
    vault: &'a Vault,
    index: &'a Index,
    /// The snapshot, and the machine's disks in it.
    found: Option<(Id, Tree)>,
    /// The name of its recovery point, by its tag.
    point: Option<String>,
    sample: Option<Sample>,
}

impl<'a> Parent<'a> {
    /// A parent that cannot be used is no failure: everything is read instead, and that is said.
    pub(crate) fn find(
        vault: &'a Vault,
        index: &'a Index,
        task: &BackupTask,
        emit: &mut dyn FnMut(Event),
    ) -> Self {
        let find = |id: &str| {
            let snapshot = snapshot::find(vault, id)?;
            let machine = tree::machine(
                vault,
                index,
                &mut vault.decoder()?,
                &snapshot.tree,
                &task.vm,
            )?;
            let point = snapshot.tags.iter().find_map(|tag| tag.strip_prefix("rp="));
            Ok::<_, VaultError>((id.parse()?, machine, point.map(str::to_owned)))
        };
        let found = task.parent.as_deref().and_then(|id| {
            let unusable = |error: VaultError| {
                let why = describe(&error);
                if matches!(error, VaultError::SnapshotNotFound(_)) {
                    emit(Event::SnapshotGone {
                        snapshot: id.to_owned(),
                    });
                }
                emit(Event::Note {
                    message: format!(
                        "The parent snapshot cannot be used, so the disks are read whole: {why}."
                    ),
                });
            };
            find(id).map_err(unusable).ok()
        });
        let (found, point) = match found {
            Some((id, machine, point)) => (Some((id, machine)), point),
            None => (None, None),
        };
        Self {
            vault,
            index,
            found,
            point,
            sample: task.sample,
        }
    }

    /// Whether a disk's dirty bitmap was begun at this parent: another's would leave out what changed in between. A parent
    /// that does not say which recovery point it is has nothing to be compared with.
    fn fits(&self, disk: &DiskSource) -> Result<(), String> {
        let (Some(bitmap), Some(point)) = (&disk.bitmap, &self.point) else {
            return Ok(());
        };
        if bitmap.strip_prefix(BITMAP) == Some(point) {
            return Ok(());
        }
        Err(format!(
            "the dirty bitmap {bitmap} was not begun at the parent, recovery point {point}"
        ))
    }

    pub(crate) fn id(&self) -> Option<Id> {
        self.found.as_ref().map(|(id, _)| *id)
    }

    fn disk(&self, name: &str) -> Result<Option<StoredDisk>, VaultError> {
        let Some((_, machine)) = &self.found else {
            return Ok(None);
        };
        tree::disk(
            self.vault,
            self.index,
            &mut self.vault.decoder()?,
            machine,
            name,
        )
    }

    /// Decides what has to be read of a disk.
    pub(crate) fn map(
        &self,
        source: Source,
        disk: &DiskSource,
        packer: &Packer<'_>,
        zeros: &ZeroIds,
        emit: &mut dyn FnMut(Event),
    ) -> Result<BlockMap, VaultError> {
        let before = self.disk(&disk.name);
        if let Ok(Some(before)) = &before
            && source.size < before.size
            && source.dirty().is_none()
        {
            emit(Event::Note {
                message: format!(
                    "Disk {} is smaller than at its last recovery point: it had {} bytes and has {}. If its image was cut off, as by a copy that was interrupted, put the whole image back and back it up again.",
                    disk.name, before.size, source.size
                ),
            });
        }
        let changed = match (&disk.changed, source.dirty()) {
            (Some(changed), _) => Ok(layout::chunks_of(changed, source.size)),
            (None, None) => return BlockMap::whole(source, before.ok().flatten().as_ref()),
            (None, Some(dirty)) => self.fits(disk).and_then(|()| dirty.clone()),
        };
        let why = match (changed, before) {
            (Err(why), before) => {
                say_whole(&disk.name, &why, emit);
                return BlockMap::whole(source, before.ok().flatten().as_ref());
            }
            (Ok(changed), Ok(Some(before))) if before.size == source.size => {
                let data = source.data()?;
                let chunks = vanished(&before, &changed, &data, zeros);
                if chunks > 0 {
                    emit(Event::Diverged {
                        disk: disk.name.clone(),
                        chunks,
                    });
                    return BlockMap::whole(source, Some(&before));
                }
                let sample = self.sample;
                return Ok(BlockMap::changes(
                    source, before, changed, &data, sample, packer,
                ));
            }
            (Ok(_), Ok(Some(before))) => format!(
                "it had {} bytes in the parent and has {}",
                before.size, source.size
            ),
            (Ok(_), Ok(None)) => "the parent does not have it".to_owned(),
            (Ok(_), Err(error)) => describe(&error),
        };
        say_whole(&disk.name, &why, emit);
        BlockMap::whole(source, None)
    }
}

/// How many chunks had data in the parent, are called unchanged, and read as zeros without being looked at: the image lost
/// them behind the back of whoever says so.
fn vanished(
    before: &StoredDisk,
    changed: &[Range<u64>],
    data: &[Range<u64>],
    zeros: &ZeroIds,
) -> u64 {
    let all = 0..layout::chunk_count(before.size);
    let known = layout::union(changed.iter().chain(data).cloned().collect());
    let holes = layout::difference(&[all], &known).into_iter().flatten();
    let had_data = |number: &u64| {
        let zero = zeros.of_length(layout::chunk_length(before.size, *number));
        before
            .ids
            .get(*number as usize)
            .is_some_and(|id| *id != zero)
    };
    holes.filter(had_data).count() as u64
}

fn say_whole(disk: &str, why: &str, emit: &mut dyn FnMut(Event)) {
    emit(Event::Note {
        message: format!("Disk {disk} is read whole: {why}."),
    });
}
