//! What the backup service remembers, a file a kind of document.
//!
//! A row says what is so, never how it is shown: the wire's words are chosen where an answer is written.

mod backup_work;
mod forget_work;
mod glance;
mod item;
mod job;
mod older_data;
mod point;
mod policy;
mod restore_work;
mod scrub_work;
mod tracked_image;

pub use backup_work::Saved;
pub(crate) use backup_work::{BackupWork, Cause, Compared, Phase, Shot, Span, Taken};
pub(crate) use forget_work::{ForgetWork, Forgetting, Lot, Over, Removed};
pub(crate) use glance::{ItemGlance, JobGlance};
pub(crate) use item::{DiskChoice, Item, LastBackup, Waiting};
pub(crate) use job::{Copied, Fault, Job, Kind, Outcome, Sequence, Stage, Work};
pub(crate) use older_data::OlderData;
pub(crate) use point::{
    Consistency, Hardened, Instant, MadeBy, Origin, Point, PointDamage, PointDisk, Shape,
    SnapshotFile,
};
pub(crate) use policy::Policy;
pub(crate) use restore_work::{
    FilesMade, FilesWork, Goal, InPlace, Paper, Papers, RestoreDisk, RestoreWork,
};
pub(crate) use scrub_work::{DamageTotals, ScrubWork, Scrubs, VaultDamage};
pub(crate) use tracked_image::{BitmapRemoval, TrackedImage};
