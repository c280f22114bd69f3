//! What a backup job has to do: first snapshots of the disks, then their transfer to the vault.

use std::path::PathBuf;

use jiff::Timestamp;
use kluis_vault::{Checkpoint, DiskFormat, FileId, SnapshotMethod, Which};
use serde::{Deserialize, Serialize};

use super::{Consistency, MadeBy, PointDisk};

/// A recovery point to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupWork {
    /// The recovery point's name, chosen before it exists so that the vault's snapshot can carry it.
    pub(crate) point: String,
    pub(crate) cause: Cause,
    /// The policy at the time.
    pub(crate) policy: String,
    pub(crate) phase: Phase,
    /// The time the point will carry: when the mover of its snapshots was started.
    pub(crate) taken: Option<Timestamp>,
    /// The disks as the mover was told, sizes as it found them.
    pub(crate) disks: Vec<PointDisk>,
    /// The machine's disks that are left out.
    #[serde(default)]
    pub(crate) excluded: Vec<PointDisk>,
    /// The snapshots, in the order of the disks.
    #[serde(default)]
    pub(crate) shots: Vec<Shot>,
    /// The scripts that have not been heard to succeed.
    #[serde(default)]
    pub(crate) awaited: Vec<Which>,
    /// What the snapshots are to be, and then what they are.
    #[serde(default)]
    pub(crate) consistency: Option<Consistency>,
    /// What makes them so.
    #[serde(default)]
    pub(crate) made_by: MadeBy,
    /// Whether the snapshots are no files: the mover reads the disks into the vault.
    #[serde(default)]
    pub(crate) straight: bool,
    /// When the snapshots were taken.
    #[serde(default)]
    pub(crate) snapshot: Span,
    /// When they were transferred to the vault.
    #[serde(default)]
    pub(crate) transfer: Span,
    /// The vault's evidence.
    pub(crate) saved: Option<Saved>,
    /// The disks of which only what changed was read, with what was compared of the rest.
    #[serde(default)]
    pub(crate) compared: Vec<Compared>,
    /// The disks of which the rest had changed, too.
    #[serde(default)]
    pub(crate) diverged: Vec<String>,
}

/// Why a recovery point is made, which decides what it expires by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub(crate) enum Cause {
    /// A run of the schedule, which was due then.
    Schedule { due: Timestamp },
    /// A person wants it, and to keep it until then.
    Demand { until: Timestamp },
    /// The machine's disks are about to be replaced.
    BeforeReplacing,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Phase {
    /// The snapshots are to be taken. It can be cancelled.
    #[default]
    Snapshot,
    /// They are: the recovery point exists. The mover that took them may not have ended yet.
    Taken,
    /// They are being transferred to the vault.
    Transfer,
}

/// A disk's snapshot, asked for and then taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shot {
    /// The disk's name.
    pub(crate) disk: String,
    /// The image.
    pub(crate) image: PathBuf,
    /// Where its snapshot goes.
    pub(crate) to: PathBuf,
    /// The dirty bitmap that says what was written since the newest point in the vault, if there is one.
    #[serde(default)]
    pub(crate) since: Option<String>,
    /// The mover's evidence.
    pub(crate) taken: Option<Taken>,
    /// The image's file, as it was then.
    #[serde(default)]
    pub(crate) file: Option<FileId>,
    /// What the image was when its dirty bitmap was begun, if it was.
    #[serde(default)]
    pub(crate) checkpoint: Option<Checkpoint>,
}

impl Shot {
    /// Whether the image was one that can have dirty bitmaps.
    pub(crate) fn is_qcow2(&self) -> bool {
        self.to.extension().is_some_and(|end| end == "qcow2")
    }

    /// What the image is, as far as its snapshot's name tells.
    pub(crate) fn format(&self) -> DiskFormat {
        if self.is_qcow2() {
            DiskFormat::Qcow2
        } else {
            DiskFormat::Raw
        }
    }

    /// Whether the image has recorded since then what is written to it.
    pub(crate) fn is_tracked(&self) -> bool {
        let taken = self.taken;
        taken.is_some_and(|taken| taken.tracked && taken.format == DiskFormat::Qcow2)
    }
}

/// What a mover said of a snapshot that is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    pub(crate) format: DiskFormat,
    pub(crate) method: SnapshotMethod,
    pub(crate) tracked: bool,
    /// Whether the disk was written to meanwhile, so that its snapshot is no single moment of it.
    #[serde(default)]
    pub(crate) touched: bool,
    /// Whether somebody else had the image open for writing.
    #[serde(default)]
    pub(crate) in_use: bool,
}

/// What a mover said of a share of a disk that was called unchanged and read all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compared {
    /// The disk's name.
    pub(crate) disk: String,
    pub(crate) bytes: u64,
    /// After so many backups in a row all of it was read.
    pub(crate) of: u32,
}

/// When a part of a job began and ended, as far as it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Span {
    pub(crate) began: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
}

/// What a mover said once the snapshot was in the vault and verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// The snapshot's id, in full.
    pub snapshot: String,
    /// The disks' sizes together, in bytes.
    pub logical: u64,
    /// Bytes read from the disks.
    pub read: u64,
    /// Bytes that the vault grew by.
    pub stored: u64,
}

impl BackupWork {
    /// A point of this name, still to be begun.
    pub(crate) fn new(point: String, policy: String, cause: Cause) -> Self {
        Self {
            point,
            cause,
            policy,
            phase: Phase::Snapshot,
            taken: None,
            disks: Vec::new(),
            excluded: Vec::new(),
            shots: Vec::new(),
            awaited: Vec::new(),
            consistency: None,
            made_by: MadeBy::default(),
            straight: false,
            snapshot: Span::default(),
            transfer: Span::default(),
            saved: None,
            compared: Vec::new(),
            diverged: Vec::new(),
        }
    }

    /// The disks are read once more: what was said of that is said again, not twice.
    pub(crate) fn read_anew(&mut self) {
        self.compared.clear();
        self.diverged.clear();
    }

    /// Whether the disks are being read into the vault.
    pub(crate) fn is_filling_the_vault(&self) -> bool {
        self.phase == Phase::Transfer || self.straight
    }

    /// Whether the mover told of each disk that it was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.shots.iter().all(|shot| shot.taken.is_some())
    }

    /// The run of the schedule that this is.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match self.cause {
            Cause::Schedule { due } => Some(due),
            Cause::Demand { .. } | Cause::BeforeReplacing => None,
        }
    }
}
