//! A directory of files as a source, and its way back: trees as restic writes them, which stock restic restores as well.
//!
//! Files are cut at fixed offsets of 1 MiB, like disks: small ones are one blob each, and an edit that moves nothing stores
//! what it touched. Each directory becomes a tree when the last thing in it is stored. What cannot be read is told of and
//! left out, never passed over in silence. Sockets, pipes and devices are kept as what they are; only a restore by stock
//! restic makes them again.

mod backup;
mod directory;
mod node;
mod outlet;
mod proof;
mod read;
mod restore;

use crate::{error::VaultError, event::Event, job::FolderTask, repository::Vault};

pub(crate) use proof::prove;

pub(crate) fn run(
    vault: &Vault,
    job: &str,
    task: &FolderTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    match task {
        FolderTask::Backup(task) => backup::run(vault, job, task, emit),
        FolderTask::Restore(task) => restore::run(vault, job, task, emit),
    }
}

/// Directories within directories: each takes an open file while what is below it is gone through.
const DEEPEST: usize = 256;

/// Chunks that a worker takes of a file at a time, so that a large file keeps all of them busy.
const PART: usize = 8;

/// Pieces of work that may wait for a thread, each of which keeps a file open.
const WAITING: usize = 32;
