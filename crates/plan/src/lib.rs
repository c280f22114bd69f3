//! The functional core: a [`World`] goes in, a [`Plan`] comes out.
//!
//! A world is what is known: the objects as the API server has them, what ARM says, and what time it is. A plan is what follows:
//! the steps to take, the status to write, and when to look again. Planning is the same computation every time; it does no IO, asks
//! no clock and rolls no dice, so that a plan can be compared, printed, and tested by the thousand.
//!
//! What a decision needs from ARM and does not have yet, the world names itself ([`World::wants`]); the shell reads that and nothing
//! else. Reasons for not acting are values ([`Waiting`]), and become a condition's reason and message in one place.

mod approval;
mod backup_job;
mod bounded;
mod ca_bundle;
mod conditions;
mod drift;
mod edit;
mod errand;
mod failure;
mod fingerprint;
mod gate;
mod ids;
mod key;
mod loss;
mod operation;
mod plan;
mod point;
mod policy;
mod protected_vm;
mod report;
mod restore;
mod seen;
mod service;
mod step;
mod terms;
mod vault;
mod waiting;
mod withdrawal;
mod words;
mod world;

pub use approval::{Approved, Pending, Stake};
pub use backup_job::plan_backup_job;
pub use drift::DRIFT_REPAIRED;
pub use edit::{Before, Edit};
pub use failure::{ArmFailure, Cause};
pub use fingerprint::Fingerprint;
pub use key::{Kind, ObjectKey};
pub use loss::{ItemLoss, Loss, ScheduledPoints};
pub use plan::{Next, Outcome, Plan};
pub use policy::plan_policy;
pub use protected_vm::plan_protected_vm;
pub use report::{Event, EventKind, Report, Status};
pub use restore::{AGAIN as RESTORE_AGAIN, plan_restore};
pub use service::plan_service;
pub use step::{Action, Call, CallError, EditRoom, Method, Precondition, Slot, Step};
pub use terms::{say, strategy, terms as policy_terms};
pub use vault::{holds_retained, plan_vault};
pub use waiting::{StagingFault, Stance, Waiting};
pub use world::{
    Access, BackupJobWorld, CaBundleFact, DeletedVaultFact, DiskFact, Fact, ItemFact, LockFact,
    NetworkFact, Observed, PolicyItem, PolicyVaultFacts, PolicyWorld, Progress, ProtectedVmWorld,
    RestoreWorld, SecretFact, ServiceWorld, StorageAccountFact, SubscriptionFact, VaultHealthFact,
    VaultItem, VaultProblem, VaultWorld, VmDisk, VmFact, VmTies, Want, Work, World,
};
