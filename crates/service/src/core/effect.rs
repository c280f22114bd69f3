//! What the core asks of the shell, and what the shell reports back.
//!
//! Effects are carried out after the commit. None is stored: each can be told again from the rows (a vault that is
//! `Provisioning` or `Deleting`, a job that is running), which is what [`super::resume`] does after a restart.

use std::path::PathBuf;

use super::VaultKey;
use kluis_vault::{Event, JobFile};

/// Something to be done in the world, once the transaction that decided it is committed.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make the repository of a new vault, or find it made. Ends in a [`RepositoryReport`].
    CreateRepository {
        /// The vault it belongs to.
        vault: VaultKey,
        /// The folder of the repository.
        path: PathBuf,
    },
    /// Remove a deleted vault's repository. Ends in a [`RepositoryReport`].
    RemoveRepository {
        /// The vault it belonged to.
        vault: VaultKey,
        /// The folder of the repository.
        path: PathBuf,
    },
    /// Move the repository of a soft-deleted vault out of its place, or back. Ends in a [`RepositoryReport`].
    MoveRepository {
        /// The vault it belongs to.
        vault: VaultKey,
        /// Where it is; when it is not there it has been moved already.
        from: PathBuf,
        /// Where it goes.
        to: PathBuf,
        /// Whether it comes back: what its report calls `made`.
        back: bool,
    },
    /// Remove the snapshot files of a recovery point that no longer has them. What is left behind is found at the next start.
    RemoveSnapshots {
        /// Their folder.
        folder: PathBuf,
    },
    /// Compare a vault with the state, soon. Nothing is removed from it before.
    CompareVault {
        /// The vault.
        vault: VaultKey,
        /// The folder of its repository.
        path: PathBuf,
    },
    /// Run a job in a mover. Ends in [`MoverReport`]s for `file.job`.
    StartMover(JobFile),
    /// Remove what a restore had made before it was given up. Asked again until the files are gone.
    RemoveFiles {
        /// The job that made them.
        job: String,
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// Remove our dirty bitmaps from an image. Ends in a [`BitmapReport`].
    RemoveBitmaps {
        /// The image, which may be gone.
        image: PathBuf,
    },
    /// End a job's mover at once. Ends in a report with [`What::Exited`].
    KillMover {
        /// The job's id.
        job: String,
    },
}

/// What the shell heard of a mover.
#[derive(Debug, Clone, PartialEq)]
pub struct MoverReport {
    /// The job's id.
    pub job: String,
    /// What was heard.
    pub what: What,
}

/// The content of a [`MoverReport`].
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A line that the mover wrote.
    Event(Event),
    /// For so long no byte was moved; zero when it goes on. The shell's own observation.
    StandsStill {
        /// Whole seconds.
        seconds: u64,
    },
    /// The process is gone. The last report of every job that was started; after `Finished` or `Failed` it says nothing new,
    /// without either it means a crash, a kill, or a mover that could not be started.
    Exited {
        /// The exit code; `None` when a signal ended it or when it never ran.
        code: Option<i32>,
        /// The last lines it wrote to its error output, or why it could not be started. Bounded.
        stderr: String,
    },
}

/// How the removal of an image's dirty bitmaps went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitmapReport {
    /// The image.
    pub image: PathBuf,
    /// What went wrong, in a person's words.
    pub result: Result<(), String>,
}

/// How a repository's making, moving or removal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryReport {
    /// The vault.
    pub vault: VaultKey,
    /// Whether it was being made or brought back (`true`), or removed or put away.
    pub made: bool,
    /// What went wrong, in a person's words.
    pub result: Result<(), String>,
}
