//! A recovery point: written when a mover proved that the disks' snapshots were taken, removed when nothing of it is left.
//!
//! It is in one place or two: [`Instant`], snapshot files beside the machine, for the first days; [`Hardened`], a snapshot in
//! the vault, once a transfer proved that it is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use kluis_policy::Tags;
use kluis_vault::{Checkpoint, DiskFormat, FileId, SnapshotMethod};
use serde::{Deserialize, Serialize};

use super::glance::PointGlance;
use crate::core::VaultKey;
use crate::inventory::{Encryption, Keys, Os, Ties, VirtualMachine};
use crate::store::{Row, StoreError, Tx};

/// One recovery point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Point {
    pub(crate) vault: VaultKey,
    /// The key of the item it is of.
    pub(crate) item: String,
    /// A number, as Azure names points.
    pub(crate) name: String,
    /// When the snapshots were taken.
    pub(crate) time: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) consistency: Consistency,
    /// What made it so consistent; not written down of older points.
    #[serde(default)]
    pub(crate) made_by: MadeBy,
    /// The snapshot files beside the machine, while they are there.
    pub(crate) instant: Option<Instant>,
    /// The snapshot in the vault, once it is there and verified.
    pub(crate) hardened: Option<Hardened>,
    /// The job that made it.
    pub(crate) job: String,
    /// Whether its policy was an enhanced one (V2).
    pub(crate) enhanced: bool,
    /// The machine's name in the snapshot.
    pub(crate) vm: String,
    /// The machine's hardware size and operating system at the time.
    pub(crate) vm_size: String,
    pub(crate) windows: bool,
    /// What else a machine made of the point has to be; not written down of older points.
    #[serde(default)]
    pub(crate) shape: Option<Shape>,
    pub(crate) disks: Vec<PointDisk>,
    /// The machine's disks that the point leaves out.
    #[serde(default)]
    pub(crate) excluded: Vec<PointDisk>,
    /// A mover was started to remove the snapshot: it may be gone, so the point can't be used and has to go.
    #[serde(default)]
    pub(crate) removing: bool,
    /// The disks that may hold older data in places: what was called unchanged when they were read was found not to be.
    #[serde(default)]
    pub(crate) stale: Vec<String>,
    /// Since when its snapshot is known not to be in the vault any more: it is no copy until the snapshot is back.
    #[serde(default)]
    pub(crate) lost: Option<Timestamp>,
    /// What of it the vault has lost, as long as that is so. Its snapshot files are no part of it.
    #[serde(default)]
    pub(crate) damaged: Option<PointDamage>,
}

/// What of a point the vault has lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PointDamage {
    /// When that was told.
    pub(crate) since: Timestamp,
    /// The disks that can't be restored; none are named where all are in doubt.
    pub(crate) disks: Vec<String>,
}

impl PointDamage {
    /// Whether a disk is hit.
    pub(crate) fn hits(&self, disk: &str) -> bool {
        self.disks.is_empty() || self.disks.iter().any(|hit| hit == disk)
    }
}

/// What a machine finds when it is started from the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Consistency {
    /// Applications had written down what they held.
    Application,
    /// File systems had.
    FileSystem,
    /// Nobody had: as after a power failure.
    Crash,
}

/// What made a point as consistent as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MadeBy {
    /// Nobody did anything for it.
    #[default]
    Nothing,
    /// The owner's scripts around the snapshots.
    Scripts,
    /// The machine was off, and nobody had its disks open.
    Off,
    /// Azure's table says so (the inventory's `consistency: AsAzure`).
    Assumed,
}

/// What an instant restore comes from: snapshot files beside the machine, all in one folder of the point's own; or the vault alone, where there
/// are no files because the disks went straight into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instant {
    /// The folder, absolute; nothing else is in it.
    pub(crate) folder: PathBuf,
    pub(crate) files: Vec<SnapshotFile>,
    /// When the days of instant restore are over.
    pub(crate) until: Timestamp,
}

/// A disk's snapshot file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnapshotFile {
    /// The disk's name.
    pub(crate) disk: String,
    pub(crate) path: PathBuf,
    pub(crate) format: DiskFormat,
    pub(crate) method: SnapshotMethod,
    /// Whether the image has recorded since then, in the bitmap `kluis-<point>`, what is written to it.
    pub(crate) tracked: bool,
    /// The image's file, as it was then.
    #[serde(default)]
    pub(crate) file: Option<FileId>,
    /// What the image was when that bitmap was begun.
    #[serde(default)]
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// A snapshot in the vault, as its mover proved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hardened {
    /// Its id, in full.
    pub(crate) snapshot: String,
    /// The disks' sizes together, the bytes read and the bytes that the vault grew by.
    pub(crate) logical: u64,
    pub(crate) read: u64,
    pub(crate) stored: u64,
    /// The disks that the image's bitmap `kluis-<point>` is about.
    #[serde(default)]
    pub(crate) tracked: Vec<String>,
    /// What the images of those were when the bitmaps were begun, by the disks' names.
    #[serde(default)]
    pub(crate) checkpoints: BTreeMap<String, Checkpoint>,
    /// The disks of which only what changed was read.
    #[serde(default)]
    pub(crate) incremental: Vec<String>,
    /// Which share of what is called unchanged was read of those.
    #[serde(default)]
    pub(crate) turn: u32,
}

/// What made the point, which decides what it expires by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub(crate) enum Origin {
    /// A run of the schedule, tagged by the policy that was in force.
    Schedule {
        due: Timestamp,
        #[serde(with = "TagsForm")]
        tags: Tags,
    },
    /// A person.
    Demand { until: Timestamp },
    /// A restore that replaces the machine's disks: what they held before.
    BeforeReplacing {
        at: Timestamp,
        #[serde(with = "TagsForm")]
        tags: Tags,
    },
}

/// A disk in a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PointDisk {
    pub(crate) name: String,
    /// `None` for the OS disk alone.
    pub(crate) lun: Option<u32>,
    pub(crate) sku: String,
    /// Bytes, once a mover has opened it.
    pub(crate) size: Option<u64>,
    /// Said of the OS disk.
    pub(crate) os: Option<DiskOs>,
    /// The form of the image that it was read from.
    #[serde(default)]
    pub(crate) format: DiskFormat,
}

/// What a machine was when a point of it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    pub(crate) cores: u32,
    pub(crate) memory_gib: f64,
    pub(crate) generation: u8,
    pub(crate) zone: Option<String>,
    pub(crate) encryption: Encryption,
    /// Where the keys of that were; not written down of older points.
    #[serde(default)]
    pub(crate) keys: Option<Keys>,
    /// Whether its disks were managed ones.
    pub(crate) managed: bool,
    /// What keeps a restore from making another like it; not written down of older points.
    #[serde(default)]
    pub(crate) ties: Ties,
}

impl From<&VirtualMachine> for Shape {
    fn from(vm: &VirtualMachine) -> Self {
        Self {
            cores: vm.cores,
            memory_gib: vm.memory_gib,
            generation: vm.generation,
            zone: vm.zone.clone(),
            encryption: vm.encryption,
            keys: vm.keys.clone(),
            managed: vm.managed,
            ties: vm.ties.clone(),
        }
    }
}

impl Default for Shape {
    /// What the inventory takes a machine for when it says nothing of it.
    fn default() -> Self {
        Self {
            cores: 2,
            memory_gib: 8.0,
            generation: 2,
            zone: None,
            encryption: Encryption::None,
            keys: None,
            managed: true,
            ties: Ties::default(),
        }
    }
}

/// The system on an OS disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DiskOs {
    Linux,
    Windows,
}

impl From<Os> for DiskOs {
    fn from(os: Os) -> Self {
        match os {
            Os::Linux => Self::Linux,
            Os::Windows => Self::Windows,
        }
    }
}

impl From<DiskOs> for Os {
    fn from(os: DiskOs) -> Self {
        match os {
            DiskOs::Linux => Self::Linux,
            DiskOs::Windows => Self::Windows,
        }
    }
}

/// The stored form of [`Tags`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Tags")]
struct TagsForm {
    weekly: bool,
    monthly: bool,
    yearly: bool,
}

impl Row for Point {
    const TABLE: &'static str = "points";

    fn key(&self) -> String {
        Self::key_of(&self.item, &self.name)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }

    fn moment(&self) -> Option<Timestamp> {
        self.instant.as_ref().map(|instant| instant.until)
    }
}

impl Instant {
    /// Whether it is a copy of its own, beside what is in the vault.
    pub(crate) fn is_beside_the_vault(&self) -> bool {
        !self.files.is_empty()
    }
}

impl Point {
    /// The key of an item's point, whether it exists or not.
    pub(crate) fn key_of(item: &str, name: &str) -> String {
        format!("{item}/{name}")
    }

    /// How many points an item has.
    pub(crate) fn count(tx: &Tx<'_>, item: &str) -> Result<usize, StoreError> {
        tx.count_starting::<Self>(&format!("{item}/"))
    }

    /// The newest point of an item that the vault holds and that nobody removes.
    pub(crate) fn newest_hardened(tx: &Tx<'_>, item: &str) -> Result<Option<Self>, StoreError> {
        let points: Vec<PointGlance> = tx.starting(&format!("{item}/"))?;
        let usable = points
            .iter()
            .filter(|point| !point.removing && point.lost.is_none() && point.hardened.is_some());
        let newest = usable.max_by_key(|point| (point.time, &point.name));
        newest.map_or(Ok(None), |newest| tx.get(&Self::key_of(item, &newest.name)))
    }

    /// When the runs were due that made an item's points.
    pub(crate) fn runs(tx: &Tx<'_>, item: &str) -> Result<Vec<Timestamp>, StoreError> {
        let points: Vec<PointGlance> = tx.starting(&format!("{item}/"))?;
        let due = |point: PointGlance| match point.origin {
            Origin::Schedule { due, .. } => Some(due),
            Origin::Demand { .. } | Origin::BeforeReplacing { .. } => None,
        };
        Ok(points.into_iter().filter_map(due).collect())
    }

    /// An item's points, the newest first.
    pub(crate) fn of(tx: &Tx<'_>, item: &str) -> Result<Vec<Self>, StoreError> {
        let mut points: Vec<Self> = tx.starting(&format!("{item}/"))?;
        points.sort_by(|a, b| (b.time, &b.name).cmp(&(a.time, &a.name)));
        Ok(points)
    }

    /// Whether something can be restored from it.
    pub(crate) fn is_usable(&self) -> bool {
        let in_the_vault = self.hardened.is_some() && self.lost.is_none();
        let instant = self.instant.as_ref();
        !self.removing && (in_the_vault || instant.is_some_and(Instant::is_beside_the_vault))
    }

    /// The name of the dirty bitmap that is begun in an image with the snapshot of the point of this name.
    pub(crate) fn bitmap(name: &str) -> String {
        format!("kluis-{name}")
    }

    /// The snapshot file of a disk, while there is one.
    pub(crate) fn instant_file(&self, disk: &str) -> Option<&SnapshotFile> {
        self.instant
            .as_ref()?
            .files
            .iter()
            .find(|file| file.disk == disk)
    }

    /// Whether a restore in place made it of what it replaced.
    pub(crate) fn is_before_replacing(&self) -> bool {
        matches!(self.origin, Origin::BeforeReplacing { .. })
    }

    /// The point as retention sees it.
    pub(crate) fn for_retention(&self) -> kluis_policy::Point {
        match self.origin {
            Origin::Schedule { due, tags } => kluis_policy::Point {
                time: due,
                origin: kluis_policy::Origin::Scheduled { tags },
            },
            Origin::BeforeReplacing { at, tags } => kluis_policy::Point {
                time: at,
                origin: kluis_policy::Origin::Scheduled { tags },
            },
            Origin::Demand { until } => kluis_policy::Point {
                time: self.time,
                origin: kluis_policy::Origin::OnDemand { until },
            },
        }
    }
}
