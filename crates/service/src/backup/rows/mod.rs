//! What the backup service remembers, a file a kind of document.
//!
//! A row says what is so, never how it is shown: the wire's words are chosen where an answer is written.

mod item;
mod job;
mod point;
mod policy;

pub(crate) use item::{DiskChoice, Item, LastBackup, Waiting};
pub use job::Saved;
pub(crate) use job::{
    BackupWork, Copied, Fault, ForgetWork, Forgetting, Job, Kind, Outcome, RestoreDisk,
    RestoreWork, Sequence, Stage, Work,
};
pub(crate) use point::{Origin, Point, PointDisk};
pub(crate) use policy::Policy;
