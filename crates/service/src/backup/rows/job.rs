//! A job: what it is for, how far it is, how it ended.
//!
//! Jobs that have not ended are few and read often; those that have are many. Their keys keep them apart, so that a
//! mover's event reads no history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupWork, FilesWork, ForgetWork, Goal, JobGlance, Phase, RestoreWork, ScrubWork};
use crate::core::VaultKey;
use crate::store::{Row, StoreError, Tx};

const ACTIVE: &str = "active/";
const ENDED: &str = "ended/";
/// What the jobs are about that are of no item.
const CLEANUP: &str = "cleanup";

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    /// A GUID; also what the mover and the vault's snapshots know it by.
    pub(crate) id: String,
    pub(crate) vault: VaultKey,
    /// The key of the item that it holds; a cleanup holds none.
    pub(crate) item: Option<String>,
    /// The machine's name, empty for a cleanup.
    pub(crate) vm: String,
    /// `iaasvmcontainerv2;group;vm`, empty for a cleanup.
    pub(crate) container: String,
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    /// When it was asked for; on the wire, when it began.
    pub(crate) began: Timestamp,
    /// Its place in the queue. A job that runs again keeps it.
    pub(crate) sequence: u64,
    /// The id by which Azure's activity log would know it.
    pub(crate) activity: String,
    /// How many of its movers ended without saying why.
    pub(crate) crashes: u32,
    /// The operation by which a person follows its cancellation.
    pub(crate) cancel: Option<String>,
    /// Whether its mover has moved nothing for a while.
    #[serde(default)]
    pub(crate) stands_still: bool,
    /// How far its mover is.
    pub(crate) copied: Copied,
    /// What it says about itself besides: the wire's `propertyBag`, in order.
    pub(crate) facts: Vec<(String, String)>,
    /// What a person should know although it is no failure.
    pub(crate) warnings: Vec<Fault>,
    /// Why it failed.
    pub(crate) fault: Option<Fault>,
    pub(crate) work: Work,
}

/// What a job does, by Azure's names; [`Kind::Cleanup`] and [`Kind::Scrub`] are our own and shown to those who ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    ConfigureBackup,
    Backup,
    Restore,
    DisableBackup,
    DeleteBackupData,
    Undelete,
    /// Removes points that retention no longer keeps.
    Cleanup,
    /// Reads a share of the vault. Not remembered once it has ended: what came of it is the vault's.
    Scrub,
}

impl Kind {
    /// The word on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ConfigureBackup => "ConfigureBackup",
            Self::Backup => "Backup",
            Self::Restore => "Restore",
            Self::DisableBackup => "DisableBackup",
            Self::DeleteBackupData => "DeleteBackupData",
            Self::Undelete => "Undelete",
            Self::Cleanup => "Cleanup",
            Self::Scrub => "Scrub",
        }
    }
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "at")]
pub(crate) enum Stage {
    /// Waiting for its turn.
    Queued,
    /// A mover was started for it and has not been heard to end.
    Running,
    /// Its mover is being ended because a person asked for it.
    Cancelling,
    /// Over.
    Ended { when: Timestamp, outcome: Outcome },
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Completed,
    CompletedWithWarnings,
    Failed,
    Cancelled,
}

/// Bytes that a mover went through, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Copied {
    pub(crate) done: u64,
    pub(crate) total: u64,
    /// When a mover said that it began.
    pub(crate) started: Option<Timestamp>,
    /// When everything had been read.
    pub(crate) read: Option<Timestamp>,
}

/// Why a job failed, as the wire tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault {
    /// Azure's number for it, or one of our own from 900000 on.
    pub(crate) code: i64,
    /// Azure's name for it.
    pub(crate) title: String,
    /// What happened.
    pub(crate) message: String,
    /// What a person can do.
    pub(crate) recommendations: Vec<String>,
}

/// What a job has to do besides having been recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(crate) enum Work {
    /// Nothing moves: it was over when it was asked for.
    Nothing,
    Backup(Box<BackupWork>),
    Restore(Box<RestoreWork>),
    Files(FilesWork),
    Forget(ForgetWork),
    Scrub(ScrubWork),
}

/// The last place that was given in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sequence(pub(crate) u64);

impl Row for Sequence {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl Sequence {
    const KEY: &'static str = "backup/sequence";

    /// The next place in the queue.
    pub(crate) fn next(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let last = tx.get::<Self>(Self::KEY)?.unwrap_or_default();
        let next = Self(last.0.saturating_add(1));
        tx.put(&next)?;
        Ok(next.0)
    }
}

impl Row for Job {
    const TABLE: &'static str = "jobs";

    fn key(&self) -> String {
        format!(
            "{}{}",
            if self.is_active() { ACTIVE } else { ENDED },
            self.id.to_lowercase()
        )
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }

    fn subject(&self) -> Option<String> {
        Some(self.item.clone().unwrap_or_else(|| CLEANUP.to_owned()))
    }

    fn moment(&self) -> Option<Timestamp> {
        Some(self.began)
    }
}

impl Job {
    /// The job of this id, ended or not.
    pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Self>, StoreError> {
        let id = id.to_lowercase();
        match tx.get(&format!("{ACTIVE}{id}"))? {
            None => tx.get(&format!("{ENDED}{id}")),
            found => Ok(found),
        }
    }

    /// The jobs that have not ended, in the order of the queue.
    pub(crate) fn active(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        let mut jobs: Vec<Self> = tx.starting(ACTIVE)?;
        jobs.sort_by_key(|job| job.sequence);
        Ok(jobs)
    }

    /// The jobs that have ended, at a glance.
    pub(crate) fn ended(tx: &Tx<'_>) -> Result<Vec<JobGlance>, StoreError> {
        tx.starting(ENDED)
    }

    /// The jobs that have ended and that were asked for before `when`.
    pub(crate) fn ended_before(tx: &Tx<'_>, when: Timestamp) -> Result<Vec<Self>, StoreError> {
        tx.due_starting(ENDED, when)
    }

    /// The unfinished jobs of an item.
    pub(crate) fn of_item(tx: &Tx<'_>, item: &str) -> Result<Vec<Self>, StoreError> {
        tx.about_starting(item, ACTIVE)
    }

    /// The job that holds an item, if any: one of its own, or a cleanup that removes it.
    pub(crate) fn holding(tx: &Tx<'_>, item: &str) -> Result<Option<Self>, StoreError> {
        Ok(Self::all_holding(tx, item)?.into_iter().next())
    }

    /// All of them: two at most, a transfer and a restore.
    pub(crate) fn all_holding(tx: &Tx<'_>, item: &str) -> Result<Vec<Self>, StoreError> {
        let mut jobs = Self::of_item(tx, item)?;
        let cleanups: Vec<Self> = tx.about_starting(CLEANUP, ACTIVE)?;
        jobs.extend(cleanups.into_iter().filter(|job| job.holds(item)));
        Ok(jobs)
    }

    /// Whether any job has not ended.
    pub(crate) fn any_active(tx: &Tx<'_>) -> Result<bool, StoreError> {
        tx.any_starting::<Self>(ACTIVE)
    }

    /// Writes the job, under its other key once it has ended.
    pub(crate) fn keep(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if !self.is_active() {
            tx.delete::<Self>(&format!("{ACTIVE}{}", self.id.to_lowercase()))?;
        }
        tx.put(self)
    }

    /// Removes a job that has not ended.
    pub(crate) fn discard(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.delete::<Self>(&format!("{ACTIVE}{}", self.id.to_lowercase()))?;
        Ok(())
    }

    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::Ended { .. })
    }

    /// Whether it did what it was for.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(
            self.stage,
            Stage::Ended {
                outcome: Outcome::Completed | Outcome::CompletedWithWarnings,
                ..
            }
        )
    }

    /// The key of the recovery point that it reads, which stays meanwhile, snapshot files and all.
    pub(crate) fn reads(&self) -> Option<&str> {
        match &self.work {
            Work::Restore(work) => Some(&work.point),
            Work::Files(work) => Some(&work.point),
            Work::Nothing | Work::Backup(_) | Work::Forget(_) | Work::Scrub(_) => None,
        }
    }

    /// Whether it only takes to the vault what a recovery point has already: nothing of the machine, and no point that is
    /// there, changes by it.
    pub(crate) fn is_transfer(&self) -> bool {
        self.backup()
            .is_some_and(|work| work.phase != Phase::Snapshot)
    }

    /// Whether it leaves the machine and its points as they are, and so may run beside another that does.
    pub(crate) fn only_reads(&self) -> bool {
        match &self.work {
            Work::Backup(_) => self.is_transfer(),
            Work::Restore(work) => !matches!(work.goal, Goal::InPlace(_)),
            Work::Files(_) | Work::Scrub(_) => true,
            Work::Nothing | Work::Forget(_) => false,
        }
    }

    /// Whether a mover may be at work for it.
    pub(crate) fn has_mover(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Cancelling)
    }

    /// Whether no other operation may touch the item.
    pub(crate) fn holds(&self, item: &str) -> bool {
        let removes = matches!(&self.work, Work::Forget(forget) if forget.items.iter().any(|key| key == item));
        removes || self.item.as_deref() == Some(item)
    }

    pub(crate) fn backup(&self) -> Option<&BackupWork> {
        if let Work::Backup(work) = &self.work {
            Some(work)
        } else {
            None
        }
    }

    pub(crate) fn restore(&self) -> Option<&RestoreWork> {
        if let Work::Restore(work) = &self.work {
            Some(work)
        } else {
            None
        }
    }

    pub(crate) fn forget(&self) -> Option<&ForgetWork> {
        if let Work::Forget(work) = &self.work {
            Some(work)
        } else {
            None
        }
    }

    /// Says something about the job, over what it said by that name before.
    pub(crate) fn state(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.facts.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.facts.push((name.to_owned(), value)),
        }
    }
}
