//! The data plane: a vault's repository, and the movers that fill and read it.
//!
//! A vault is a restic-format repository: any restic opens it with the passphrase. rustic_core makes, opens, prunes and
//! checks it; the disks' blocks are written and read by this crate alone, because a virtual disk wants what a file backup
//! does not have: changed blocks without reading the rest, holes that cost nothing, bounded memory, and a proof that what
//! was written is what was read. Nothing here knows of Azure, Kubernetes, policies or the time of day.

pub mod error;
pub mod event;
pub mod files;
pub mod job;
pub mod key;
pub mod mover;
pub mod repository;

mod aftermath;
mod backup;
mod blob_reader;
mod block_map;
mod check;
mod checkpoint;
mod child;
mod cluster_map;
mod codec;
mod damage;
mod damaged_points;
mod document;
mod folder;
mod forget;
mod format;
mod header;
mod id;
mod image;
mod index;
mod instant;
mod layout;
mod lock;
mod meter;
mod new_qcow2;
mod opening;
mod own_file;
mod pack;
mod pack_check;
mod packer;
mod parent;
mod proof;
mod qemu;
mod references;
mod repair;
mod restore;
pub mod restore_files;
mod room;
mod rustic;
mod scrub;
mod snapshot;
mod source;
mod store;
mod survey;
mod target;
mod tree;
mod writers;

pub use checkpoint::{Checkpoint, FileId, ImageHeader};
pub use error::VaultError;
pub use event::{DamagedSnapshot, Event, FailureCode, ScriptOutcome, SnapshotMethod, Which};
pub use header::Header;
pub use job::{
    BackupFolderTask, BackupTask, DiskFormat, DiskImage, DiskSource, DiskTarget, Document, Extent,
    FolderTask, ForgetTask, InUse, JobFile, RestoreFilesTask, RestoreFolderTask, RestoreTask,
    Retire, Sample, Scripts, ScrubTask, SnapshotSource, SnapshotTask, StraightTask, Task,
};
pub use key::MasterKey;
pub use opening::open_image;
pub use qemu::remove_our_bitmaps as remove_bitmaps;
pub use survey::{Survey, Unknown, snapshot_names, survey};
