//! The job file: what a mover is told to do, as a value that can be written down, compared and read again.
//!
//! A job file holds no secret: the vault's key comes to the mover over its standard input. It knows nothing of schedules,
//! policies or Azure; times are whatever the caller calls a recovery point's time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, FileId};

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
    /// Images become snapshot files, or go straight into the vault. Where they may not, no vault is looked at, and no key is needed.
    Snapshot(SnapshotTask),
    Backup(BackupTask),
    Restore(RestoreTask),
    RestoreFiles(RestoreFilesTask),
    Folder(FolderTask),
    Forget(ForgetTask),
    /// Reads every byte of the vault and compares it with its name.
    Check,
    Scrub(ScrubTask),
}

/// A share of the vault is read and compared with its name, what was read longest ago first; what can be repaired is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScrubTask {
    /// The time that what is read now is written down with. It may be virtual.
    pub now: jiff::Timestamp,
    /// The share: one of so many parts of the vault's bytes.
    pub parts: u32,
    /// Bytes that are read at the least, if the vault has so many.
    pub least: u64,
    /// Bytes that are read in a second at the most.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
}

/// Snapshot files of the disks of one virtual machine, as near to one moment as can be. What is at `to` from an earlier run
/// of the same job is made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotTask {
    pub disks: Vec<SnapshotSource>,
    /// What is run before and after. Their failure is told of and fails nothing.
    #[serde(default)]
    pub scripts: Option<Scripts>,
    /// What is done where the file system can't share the blocks of an image.
    #[serde(default)]
    pub straight: Option<Box<StraightTask>>,
}

/// A backup that is made at once: a copy of an image would have to be written, and read again by the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StraightTask {
    /// Of the disks that snapshots are taken of, and which say where these are read from.
    pub backup: BackupTask,
    /// [`BackupTask::about`] where a script failed, or an image was written to meanwhile or open for writing.
    #[serde(default)]
    pub about_otherwise: Option<serde_json::Value>,
}

/// A disk's image, and where its snapshot goes: a file of the same format, by the image's magic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotSource {
    pub name: String,
    pub path: PathBuf,
    pub to: PathBuf,
    /// The persistent dirty bitmap that is begun in a qcow2 image before the snapshot is taken, so that no write falls
    /// between the two. Of no meaning for other formats.
    #[serde(default)]
    pub track: Option<String>,
    /// The one older bitmap that is still needed: the one that was begun at the newest point in the vault. All others called
    /// `kluis-…`, of points that never got there, are removed before `track` begins.
    #[serde(default)]
    pub keep: Option<String>,
    /// What becomes of an image that somebody else has open for writing.
    #[serde(default)]
    pub in_use: InUse,
}

/// What is done with an image that somebody else has open for writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InUse {
    /// The job fails: a copy would be no moment of the disk, and nobody would know.
    #[default]
    Refuse,
    /// It is copied all the same, and that is told: its owner wants what can be had.
    Read,
}

/// Programs of the machine's owner, by absolute paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scripts {
    /// Run before the snapshot.
    #[serde(default)]
    pub pre: Option<PathBuf>,
    /// Run after the snapshot, also when that failed, if the one before was run or there is none.
    #[serde(default)]
    pub post: Option<PathBuf>,
    /// How long each may take; then it and all it started are killed.
    pub timeout_seconds: u32,
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
    /// What else the caller wants to read from the snapshot one day, when it has lost all else: a few kilobytes, no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<serde_json::Value>,
    /// The snapshot that `changed` is relative to.
    #[serde(default)]
    pub parent: Option<String>,
    /// What is read of that which is called unchanged, to compare it with the parent; nothing where it is left out.
    #[serde(default)]
    pub sample: Option<Sample>,
    pub disks: Vec<DiskSource>,
}

/// A share of what is called unchanged that is read all the same: each chunk has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sample {
    /// Which share: the next backup of the machine reads the next one.
    pub turn: u32,
    /// How many shares there are: after so many backups in a row everything was read.
    pub of: u32,
}

/// A disk's image to be read: raw, or qcow2 by its magic. Whichever it is, what is stored is the disk's own bytes.
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
    /// The dirty bitmap in a qcow2 image that says what changed since `parent` was taken; looked at if `changed` is not
    /// known. One that is lost or inconsistent makes the disk be read whole, and that is said.
    #[serde(default)]
    pub bitmap: Option<String>,
    /// What the image was when that bitmap was begun. Without it the bitmap is not believed.
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    /// The image's file, where `path` is a snapshot of it.
    #[serde(default)]
    pub image: Option<FileId>,
    /// A bitmap that is no longer needed once the snapshot is saved.
    #[serde(default)]
    pub retire: Option<Retire>,
}

/// A dirty bitmap to be removed from an image, which is usually not the one that is read but the one it is a snapshot of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retire {
    pub path: PathBuf,
    pub bitmap: String,
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
    /// The snapshot's id, in full. May be empty if every disk comes from a snapshot file.
    pub snapshot: String,
    pub vm: String,
    /// Those that are wanted; the snapshot may have more. None, if only documents are left to be written.
    pub disks: Vec<DiskTarget>,
    /// Texts that are written once the disks are there.
    #[serde(default)]
    pub documents: Vec<Document>,
}

/// A text for a file of its own. Nothing may be at `path` yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    pub path: PathBuf,
    /// Kilobytes at most: it travels in the job file.
    pub text: String,
}

/// Where one disk goes. Nothing may be at `path` yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskTarget {
    pub name: String,
    pub path: PathBuf,
    #[serde(default)]
    pub format: DiskFormat,
    /// The snapshot file that the bytes come from, instead of the vault.
    #[serde(default)]
    pub instant: Option<PathBuf>,
    /// The bytes that the disk had when the snapshot was taken, where they are known: a file of another size is not it.
    #[serde(default)]
    pub size: Option<u64>,
}

/// What a disk's file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DiskFormat {
    /// The disk's bytes, one for one.
    #[default]
    Raw,
    Qcow2,
}

/// Files and directories of a disk in a snapshot become files and directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreFilesTask {
    /// The snapshot's id, in full. May be empty if there are images.
    pub snapshot: String,
    pub vm: String,
    /// The snapshot files of the machine's disks, to be read instead of the vault.
    #[serde(default)]
    pub images: Vec<DiskImage>,
    /// The volume they are on, as the explorer names it; by default the one with the system's root.
    #[serde(default)]
    pub volume: Option<String>,
    /// Absolute paths on that volume; a directory stands for all below it.
    pub paths: Vec<String>,
    /// The directory they go to, which must be empty or not exist.
    pub to: PathBuf,
}

/// A disk, and the raw image that has its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskImage {
    pub name: String,
    pub path: PathBuf,
}

/// A directory of files, into the vault or out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "way")]
pub enum FolderTask {
    Backup(BackupFolderTask),
    Restore(RestoreFolderTask),
}

/// A directory becomes a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupFolderTask {
    /// What it is called in the snapshot: its top directory.
    pub name: String,
    /// The recovery point's time, as for disks; so for the tags and the description.
    pub time: jiff::Timestamp,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub description: String,
    /// An earlier snapshot of it: files that are untouched since, as their times tell, are not read again.
    #[serde(default)]
    pub parent: Option<String>,
    pub path: PathBuf,
}

/// A directory of a snapshot becomes one of the machine's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreFolderTask {
    /// The snapshot's id, in full.
    pub snapshot: String,
    pub name: String,
    /// The directory it becomes, which must be empty or not exist.
    pub to: PathBuf,
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
