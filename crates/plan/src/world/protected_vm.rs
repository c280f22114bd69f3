//! What is known about a ProtectedVM.

use jiff::Timestamp;
use kluis_api::{BackupPolicy, ProtectedVM, Vault};
use kluis_arm::item::Item;
use kluis_arm::job::Job;
use kluis_arm::policy::Policy;
use kluis_arm::recovery_point::RecoveryPoint;

use super::fact::{LockFact, VmFact};
use super::observed::{Access, Observed, Progress};
use crate::key::ObjectKey;

/// A ProtectedVM and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtectedVmWorld {
    pub now: Timestamp,
    pub item: ProtectedVM,
    /// The Vault that it names; None when there is none.
    pub vault: Option<Vault>,
    /// The BackupPolicy that it names; None when there is none, or when it names a policy of the vault's.
    pub policy: Option<BackupPolicy>,
    /// Of the vault's service, for the item's namespace.
    pub access: Access,
    /// The BackupJobs and Restores that name it and are not finished.
    pub users: Vec<ObjectKey>,
    /// Another ProtectedVM that declares the same machine in the same vault, and has it: an older one, or, when this one is being deleted,
    /// any that stays.
    pub rival: Option<ObjectKey>,
    /// From ARM: the protected item.
    pub arm: Option<Observed<Box<Item>>>,
    /// From ARM, where backups are to be suspended: the vault, which takes that only with immutability.
    pub arm_vault: Option<Observed<Box<kluis_arm::vault::Vault>>>,
    /// From ARM: the policy in the vault.
    pub arm_policy: Option<Observed<Box<Policy>>>,
    /// From ARM: the policy that protects the item now, when that is another one.
    pub present_policy: Option<Observed<Box<Policy>>>,
    /// From ARM: the machine.
    pub vm: Option<Observed<VmFact>>,
    /// From ARM: whether discovery knows the machine.
    pub protectable: Option<Observed<bool>>,
    /// From ARM: how `status.operation` stands.
    pub progress: Option<Observed<Progress>>,
    /// From ARM: how `status.backup` stands.
    pub backup_progress: Option<Observed<Progress>>,
    /// From ARM: the job of `status.backup`.
    pub backup_job: Option<Observed<Box<Job>>>,
    /// From ARM: the vault's backup jobs, of which the item's are taken.
    pub jobs: Option<Observed<Vec<Job>>>,
    /// From ARM: the item's recovery points.
    pub points: Option<Observed<Vec<RecoveryPoint>>>,
    /// From ARM: what is locked in the machine's subscription.
    pub locks: Option<Observed<Vec<LockFact>>>,
}
