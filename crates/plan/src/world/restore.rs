//! What is known about a Restore.

use jiff::Timestamp;
use kluis_api::{ProtectedVM, Restore, Vault};
use kluis_arm::item::Item;
use kluis_arm::job::Job;
use kluis_arm::recovery_point::RecoveryPoint;

use super::fact::{DiskFact, StorageAccountFact};
use super::observed::{Access, Observed, Progress};

/// A Restore and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreWorld {
    pub now: Timestamp,
    pub restore: Restore,
    /// The ProtectedVM that it names; None when there is none.
    pub item: Option<ProtectedVM>,
    /// The Vault that the item names; None when there is none.
    pub vault: Option<Vault>,
    /// Of the vault's service, for the restore's namespace.
    pub access: Access,
    /// From ARM: the protected item.
    pub arm: Option<Observed<Box<Item>>>,
    /// From ARM: the item's recovery points.
    pub points: Option<Observed<Vec<RecoveryPoint>>>,
    /// From ARM: the storage accounts of the subscription.
    pub accounts: Option<Observed<Vec<StorageAccountFact>>>,
    /// From ARM: how `status.operation` stands.
    pub progress: Option<Observed<Progress>>,
    /// From ARM: the job.
    pub arm_job: Option<Observed<Box<Job>>>,
    /// From ARM: the vault's restore jobs since the intent, to find ours after a crash.
    pub jobs: Option<Observed<Vec<Job>>>,
    /// From ARM: the disks in the target resource group, once the job has ended.
    pub disks: Option<Observed<Vec<DiskFact>>>,
}
