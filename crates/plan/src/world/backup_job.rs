//! What is known about a BackupJob.

use jiff::Timestamp;
use kluis_api::{BackupJob, ProtectedVM, Vault};
use kluis_arm::item::Item;
use kluis_arm::job::Job;
use kluis_arm::recovery_point::RecoveryPoint;

use super::observed::{Access, Observed, Progress};

/// A BackupJob and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupJobWorld {
    pub now: Timestamp,
    pub job: BackupJob,
    /// The ProtectedVM that it names; None when there is none.
    pub item: Option<ProtectedVM>,
    /// The Vault that the item names; None when there is none.
    pub vault: Option<Vault>,
    /// Of the vault's service, for the job's namespace.
    pub access: Access,
    /// From ARM: the protected item.
    pub arm: Option<Observed<Box<Item>>>,
    /// From ARM: how `status.operation` stands.
    pub progress: Option<Observed<Progress>>,
    /// From ARM: the job.
    pub arm_job: Option<Observed<Box<Job>>>,
    /// From ARM: the vault's backup jobs since the intent, to find ours after a crash.
    pub jobs: Option<Observed<Vec<Job>>>,
    /// From ARM: the item's recovery points, once the job has ended.
    pub points: Option<Observed<Vec<RecoveryPoint>>>,
}
