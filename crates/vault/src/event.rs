//! What a mover says about its work: one JSON object a line on its standard output.
//!
//! A job that ends without [`Event::Finished`] or [`Event::Failed`] crashed. Nothing here is said before it is so: `Saved`,
//! `Restored`, `FilesRestored` and `Checked` come after what they speak of was read back and compared.

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::{Checkpoint, FileId},
    job::DiskFormat,
};

/// A mover's event, in the order of its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "event"
)]
pub enum Event {
    /// The mover read its job and its key, and begins.
    Started { pid: u32 },
    /// A disk was opened; `size` is its logical size in bytes.
    Disk { name: String, size: u64 },
    /// How far the job is, in bytes of what it has to go through. At most ten a second; `done` never falls.
    Progress { done: u64, total: u64 },
    /// Something a person should know that is no failure, such as an incremental that became a full read.
    Note { message: String },
    /// A script of a snapshot was run.
    Script {
        which: Which,
        outcome: ScriptOutcome,
        /// The last of what it said, at most 1,000 bytes.
        #[serde(default)]
        output: String,
    },
    /// The script after a snapshot that was killed was run, so that the machine goes on.
    Released {
        outcome: ScriptOutcome,
        /// The last of what it said, at most 1,000 bytes.
        #[serde(default)]
        output: String,
    },
    /// The disks go straight into the vault, or no longer: something was in the way, and they are copied.
    Straight { goes: bool },
    /// A disk's snapshot file is at its place and on disk; or the disk is in the vault, of which [`Event::Saved`] tells next.
    Snapshotted {
        disk: String,
        /// The disk's logical size in bytes.
        size: u64,
        format: DiskFormat,
        method: SnapshotMethod,
        /// Whether the dirty bitmap that was asked for was begun: without it the next backup reads the disk whole.
        tracked: bool,
        /// Whether the disk was written to while it was copied: the file is then no single moment of it.
        #[serde(default)]
        touched: bool,
        /// Whether somebody else had the image open for writing when it was copied.
        #[serde(default)]
        in_use: bool,
        /// The image's file.
        #[serde(default)]
        image: Option<FileId>,
        /// What the image was when the dirty bitmap was begun, if it was.
        #[serde(default)]
        checkpoint: Option<Checkpoint>,
    },
    /// Of a disk only what changed was read, and a share of the rest, which was found to be what the parent has. Told before
    /// [`Event::Saved`].
    Compared {
        disk: String,
        /// Bytes of that share.
        bytes: u64,
        /// After so many backups in a row everything was read.
        of: u32,
    },
    /// What was called unchanged is not what the parent has: the disk was read whole now, and the points since what was last
    /// read whole may hold older data in places. Told before [`Event::Saved`].
    Diverged {
        disk: String,
        /// MiBs that were found to differ; there were more that nobody looked at.
        chunks: u64,
    },
    /// The snapshot is in the vault, and what is in the vault is what was read.
    Saved {
        /// The snapshot's id, in full.
        snapshot: String,
        /// The disks' sizes together, in bytes.
        logical: u64,
        /// Bytes read from the disks.
        read: u64,
        /// Bytes that the vault grew by.
        stored: u64,
    },
    /// A disk is at its place; its bytes were read back from there and compared with the vault's.
    Restored {
        disk: String,
        /// The disk's logical size in bytes.
        bytes: u64,
        /// SHA-256 over the SHA-256 sums of the disk's MiBs, in order, as a reader of the file sees them; the last one may
        /// be shorter. In hexadecimal.
        sha256: String,
    },
    /// A document is at its place and was read back.
    Written {
        path: std::path::PathBuf,
        bytes: u64,
    },
    /// Files and folders that were asked for and could not be restored: they are damaged, or not supported. Told before
    /// [`Event::FilesRestored`], once, and not where there are none.
    LeftOut {
        /// How many; of a folder that can't be read nobody knows what is in it: it counts once.
        count: u64,
        /// How many of these are not supported, in a file system that is well.
        #[serde(default)]
        unsupported: u64,
        /// Some of them, with the reason, as sentences: at most ten.
        first: Vec<String>,
    },
    /// Files are at their place; they were read back from there and compared.
    FilesRestored {
        files: u64,
        directories: u64,
        /// Bytes of the files' contents.
        bytes: u64,
    },
    /// The snapshots are gone.
    Forgotten {
        /// Those that this run removed.
        snapshots: Vec<String>,
        /// Bytes that the vault shrank by.
        freed: u64,
        /// Whether space was given back; not, if it wasn't asked for, or another job was using the vault.
        pruned: bool,
    },
    /// Every snapshot, tree, index and pack of the vault was read and agrees with its name.
    Checked {
        snapshots: u64,
        packs: u64,
        /// Bytes of packs that were read.
        bytes: u64,
    },
    /// A snapshot that a backup was to be relative to is not in the vault.
    SnapshotGone { snapshot: String },
    /// A scrub has read its share. What it found is told by [`Event::Damage`].
    Scrubbed {
        packs: u64,
        /// Bytes that were read.
        bytes: u64,
        /// Bytes of all packs of the vault.
        total: u64,
        /// Since when the byte that was read longest ago has not been; none in an empty vault.
        oldest: Option<jiff::Timestamp>,
    },
    /// All that is known to be damaged in the vault now, and what can't be restored because of it. Told by a job that found
    /// damage, and by each scrub and backup while there is some: one of zeros says that nothing is left of it.
    Damage {
        /// Blobs that snapshots want and the vault has no whole copy of.
        blobs: u64,
        /// Packs that are damaged and not yet repaired.
        packs: u64,
        /// Some of them, with what is wrong, as sentences: at most ten.
        first: Vec<String>,
        /// The snapshots that can't be restored whole.
        snapshots: Vec<DamagedSnapshot>,
        /// Damaged packs that this job has repaired: what was sound of them is elsewhere, and they are gone.
        #[serde(default)]
        repaired: u64,
        /// Some of these, by name: at most ten.
        #[serde(default)]
        repaired_packs: Vec<String>,
    },
    /// The job failed and left nothing half done behind.
    Failed {
        code: FailureCode,
        /// What went wrong, with its causes.
        message: String,
        /// What a person can do about it.
        recommendation: String,
    },
    /// The job is done; nothing follows.
    Finished,
}

impl Event {
    /// Whether nothing follows this event.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finished | Self::Failed { .. })
    }
}

/// A snapshot that can't be restored whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DamagedSnapshot {
    /// Its id, in full.
    pub snapshot: String,
    /// The disks that are damaged; none are named where nothing of it is certain.
    #[serde(default)]
    pub disks: Vec<String>,
}

/// A script's place in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Which {
    Pre,
    Post,
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result")]
pub enum ScriptOutcome {
    Succeeded,
    /// It said so itself; no code if a signal ended it.
    Failed {
        code: Option<i32>,
    },
    /// It took too long and was killed, with all that it started.
    TimedOut,
    /// It could not be started.
    NotStarted {
        why: String,
    },
}

/// How a snapshot file was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SnapshotMethod {
    /// The file system shares the blocks: one moment, at once.
    Reflink,
    /// What is in use was copied.
    Copy,
    /// There is no file: the disk was read straight into the vault.
    Vault,
}

/// Why a job failed, as far as a caller has to tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub enum FailureCode {
    /// The job file cannot be read, or asks for what cannot be.
    InvalidJob,
    /// The passphrase or the key is not this vault's.
    WrongPassphrase,
    /// The vault has no key file any more.
    KeyMissing,
    /// No key file of the vault is what it was.
    KeyDamaged,
    /// The vault's config is gone.
    ConfigMissing,
    /// The vault's config is not what it was.
    ConfigDamaged,
    /// There is no vault at the path.
    NotAVault,
    /// The vault was written in a format that this version does not know.
    NewerFormat,
    /// A vault is already at the path.
    VaultExists,
    /// The file system of the vault or of the target is full.
    NoSpace,
    /// A disk could not be opened or read.
    SourceUnreadable,
    /// A disk changed its size while it was read.
    SourceChanged,
    /// A disk's image ends too early: within a sector, or before the end that the disk had.
    SourceTruncated,
    /// A disk's file is an image of a format whose bytes are not the disk's.
    SourceFormat,
    /// Somebody else has a disk's image open for writing.
    SourceInUse,
    /// A program that reads or writes an image's format is not installed.
    ToolMissing,
    /// What is in the vault is not what was once written there.
    VaultDamaged,
    /// The snapshot, or the disk in it, does not exist.
    SnapshotNotFound,
    /// Another job has the vault for itself.
    VaultBusy,
    /// The volume or the path does not exist there, or is not of the kind that was asked for.
    FileNotFound,
    /// The file system is damaged, or of a kind that is not read here.
    FileSystemUnreadable,
    /// There already is something where the restore would write.
    TargetTaken,
    /// What was written to the target could not be read back as it was written.
    TargetDamaged,
    /// Nothing of the job moved for too long, and whoever had started it ended it.
    Stalled,
    /// Any other refusal of the operating system.
    Io,
    /// A defect of ours.
    Internal,
}
