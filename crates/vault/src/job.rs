//! The job file: what a mover is told to do, as a value that can be written down, compared and read again.
//!
//! A job file holds no secret: the vault's key comes to the mover over its standard input. It knows nothing of schedules,
//! policies or Azure; times are whatever the caller calls a recovery point's time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One job for one mover process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobFile {
    /// The job's id: a backup's snapshot carries it as the tag `job=<id>`, so that a job that is run again after a crash
    /// finds what it already saved. No commas: the format separates tags by them.
    pub job: String,
    /// The vault's repository.
    pub vault: PathBuf,
    pub task: Task,
}

/// What is to be done in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Task {
    Backup(BackupTask),
    Restore(RestoreTask),
    Forget(ForgetTask),
    /// Reads every byte of the vault and compares it with its name.
    Check,
}

/// Disks of one virtual machine become one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupTask {
    /// The machine's name: the snapshot's top directory.
    pub vm: String,
    /// The recovery point's time. It may be virtual: nothing here compares it with the machine's clock.
    pub time: jiff::Timestamp,
    /// More tags for the snapshot, such as `rp=<recovery point>`; `job=<id>` is added by the mover.
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub description: String,
    /// The snapshot that `changed` is relative to.
    #[serde(default)]
    pub parent: Option<String>,
    pub disks: Vec<DiskSource>,
}

/// A raw disk image to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskSource {
    /// The disk's name in the snapshot, without the suffix `.raw`.
    pub name: String,
    pub path: PathBuf,
    #[serde(default)]
    pub lun: Option<u32>,
    /// What changed since `parent` was taken. `None`: not known, the whole disk is read. An empty list: nothing changed.
    #[serde(default)]
    pub changed: Option<Vec<Extent>>,
}

/// A range of a disk, in bytes. It need not be aligned to anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extent {
    pub offset: u64,
    pub length: u64,
}

/// Disks of a snapshot become files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreTask {
    /// The snapshot's id, in full.
    pub snapshot: String,
    pub vm: String,
    pub disks: Vec<DiskTarget>,
}

/// Where one disk goes. Nothing may be at `path` yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskTarget {
    pub name: String,
    pub path: PathBuf,
}

/// Snapshots that are no longer kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForgetTask {
    /// Ids in full. One that is already gone is no error.
    #[serde(default)]
    pub snapshots: Vec<String>,
    /// Whether the space of what nothing refers to any more is given back, too.
    #[serde(default)]
    pub prune: bool,
}
