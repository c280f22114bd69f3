//! Where a restored disk's bytes come from: the vault, or the snapshot file that the vault's copy was made of.
//!
//! The file is nearer and faster, but it lies where the machines are, and nobody has read it since it was made. Where the
//! vault has the disk, too, its size and its chunks' ids say what has to be in the file; a file that is gone, cannot be read
//! or holds anything else is not restored from, and that is said.

use std::{io, path::Path};

use crate::{
    error::{VaultError, describe},
    event::{Event, FailureCode},
    index::Index,
    job::{DiskTarget, RestoreTask},
    layout,
    lock::Lock,
    repository::Vault,
    snapshot,
    source::Source,
    tree::{self, StoredDisk},
};

/// A disk as it will be restored.
pub(super) enum Origin {
    Vault(StoredDisk),
    Instant {
        source: Box<Source>,
        /// What the vault has of it; `None` where it is not there or cannot be read.
        proof: Option<StoredDisk>,
    },
}

impl Origin {
    /// The disk's size in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Vault(stored) => stored.size,
            Self::Instant { source, .. } => source.size,
        }
    }

    /// The most that its file will take, in bytes.
    pub(super) fn bytes_of_data(&self) -> Result<u64, VaultError> {
        Ok(match self {
            Self::Vault(stored) => layout::bytes_in(&stored.data(), stored.size),
            Self::Instant { source, .. } => layout::bytes_in(&source.data()?, source.size),
        })
    }

    /// A disk that an earlier run had finished needs no file any more to be proved.
    pub(super) fn of_finished(self) -> Self {
        match self {
            Self::Instant {
                proof: Some(stored),
                ..
            } => Self::Vault(stored),
            origin => origin,
        }
    }
}

/// A vault that is read.
pub(super) struct Opened {
    pub(super) vault: Vault,
    pub(super) index: Index,
    _lock: Lock,
}

impl Opened {
    /// The vault, if the task needs it: for a disk without a snapshot file, or to prove those that have one. Where it is for
    /// proof alone, a vault that cannot be read keeps nobody's machine back.
    pub(super) fn of_task(
        open: impl FnOnce() -> Result<Vault, VaultError>,
        task: &RestoreTask,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Option<Self>, VaultError> {
        let in_vault = !task.snapshot.is_empty();
        let has_file = |disk: &DiskTarget| match &disk.instant {
            Some(path) => path.exists() || !in_vault,
            None => false,
        };
        let needed = !task.disks.iter().all(has_file);
        if !needed && !in_vault {
            return Ok(None);
        }
        let opened = open().and_then(|vault| {
            Ok(Self {
                _lock: Lock::shared(vault.path())?,
                index: Index::for_reading(&vault)?,
                vault,
            })
        });
        match opened {
            Err(error) if !needed => {
                for disk in &task.disks {
                    unproved(&disk.name, &error, emit);
                }
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// What the vault has of a disk. The machine's tree is kept for the next one.
    fn stored(
        &self,
        task: &RestoreTask,
        name: &str,
        machine: &mut Option<tree::Tree>,
    ) -> Result<StoredDisk, VaultError> {
        let (vault, index) = (&self.vault, &self.index);
        // Opened and dropped for each disk: a large disk's list of chunks is large, and a decoder keeps it.
        let mut decoder = vault.decoder()?;
        let machine = match machine {
            Some(machine) => machine,
            none => {
                let snapshot = snapshot::find(vault, &task.snapshot)?;
                let found = tree::machine(vault, index, &mut decoder, &snapshot.tree, &task.vm)?;
                none.insert(found)
            }
        };
        let stored = tree::disk(vault, index, &mut decoder, machine, name)?;
        stored.ok_or_else(|| VaultError::DiskNotFound {
            snapshot: task.snapshot.clone(),
            vm: task.vm.clone(),
            disk: name.to_owned(),
        })
    }
}

/// Finds each disk: in its snapshot file if that is what the vault has, else in the vault.
pub(super) fn origins(
    opened: Option<&Opened>,
    task: &RestoreTask,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<Origin>, VaultError> {
    let mut machine = None;
    let mut found = Vec::new();
    for disk in &task.disks {
        let name = &disk.name;
        let stored = opened.map(|opened| opened.stored(task, name, &mut machine));
        let source = disk.instant.as_ref();
        let source = source.map(|path| whole(disk, path));
        found.push(match (source, stored) {
            (Some(Ok(source)), Some(Ok(stored))) if source.size != stored.size => {
                fell_back(name, &other_size(source.size, stored.size), emit);
                Origin::Vault(stored)
            }
            (Some(Ok(source)), stored) => Origin::Instant {
                source: Box::new(source),
                proof: match stored {
                    Some(Err(error)) => {
                        unproved(name, &error, emit);
                        None
                    }
                    stored => stored.transpose()?,
                },
            },
            (Some(Err(error)), Some(Ok(stored))) => {
                let gone = matches!(&error, VaultError::SourceUnreadable { source, .. }
                    if source.kind() == io::ErrorKind::NotFound);
                let why = if gone {
                    "it is gone".to_owned()
                } else {
                    describe(&error)
                };
                fell_back(name, &why, emit);
                Origin::Vault(stored)
            }
            (Some(Err(error)), None) => return Err(error),
            (_, Some(stored)) => Origin::Vault(stored?),
            (None, None) => return Err(VaultError::Internal("a restore without a vault")),
        });
    }
    Ok(found)
}

/// A disk's snapshot file, if it has the disk's size.
fn whole(disk: &DiskTarget, path: &Path) -> Result<Source, VaultError> {
    let source = Source::of_snapshot(&disk.name, path)?;
    match disk.size.filter(|size| *size != source.size) {
        Some(size) => Err(VaultError::SourceTruncated {
            disk: disk.name.clone(),
            path: path.to_owned(),
            how: other_size(source.size, size),
        }),
        None => Ok(source),
    }
}

fn other_size(has: u64, had: u64) -> String {
    format!("it has {has} bytes, not {had}")
}

/// Whether an error is of what is read and not of what is written.
pub(super) fn is_of_source(error: &VaultError) -> bool {
    matches!(
        error.code(),
        FailureCode::SourceUnreadable
            | FailureCode::SourceChanged
            | FailureCode::SourceTruncated
            | FailureCode::SourceFormat
    )
}

/// Says that a disk's snapshot file is not restored from.
pub(super) fn fell_back(disk: &str, why: &str, emit: &mut dyn FnMut(Event)) {
    let message = format!(
        "The snapshot of disk {disk} is not what it was ({why}): the disk is restored from the vault."
    );
    emit(Event::Note { message });
}

fn unproved(disk: &str, error: &VaultError, emit: &mut dyn FnMut(Event)) {
    let message = format!(
        "Disk {disk} is restored from its snapshot, which could not be compared with the vault: {}.",
        describe(error)
    );
    emit(Event::Note { message });
}
