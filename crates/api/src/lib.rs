//! What a person writes and reads: the kinds of `kluis.dev/v1alpha1`, one kind a file.
//!
//! The doc comment of a field becomes its text in `kubectl explain`, so it is written for whoever types the YAML.
//! Every rule of Azure Backup that the object alone can tell is a CEL rule here; its message names the rule, by the numbers
//! of Azure's support matrix as this project keeps them, and the way out.
//!
//! This crate refuses to know how anything is done: no client, no clock, no ARM. It has types, their defaults and [`crds()`].

#![expect(
    unreachable_pub,
    reason = "the derive of KubeSchema repeats each type inside a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "every printer column has a type, and most have the same"
)]

mod approval;
mod backup_job;
mod backup_policy;
mod backup_service;
mod condition;
mod crds;
pub mod date_time;
mod naming;
mod operation;
mod protected_vm;
mod reference;
mod restore;
mod run;
mod vault;

pub use approval::{Approval, ChangeControl, ItemLoss};
pub use backup_job::{BackupJob, BackupJobSpec, BackupJobStatus, BackupType, DEFAULT_TTL_SECONDS};
pub use backup_policy::{
    Archive, At, BackupPolicy, BackupPolicySpec, BackupPolicyStatus, Between, DailyRetention,
    DailySchedule, DayOfMonth, DayOfTier, DaylightSaving, DaylightSavingStatus, HourlySchedule,
    InstantRestore, LogBackups, Month, MonthlyRetention, PolicyDeletionPolicy, PolicyVault,
    Retention, Schedule, Tier, WeekOfMonth, Weekday, WeeklyRetention, WeeklySchedule, Workload,
    YearlyRetention,
};
pub use backup_service::{
    BackupService, BackupServiceSpec, BackupServiceStatus, Consent, Credential, CredentialType,
    EVERY_GROUP, NamespaceSelector, SelectorOperator, SelectorRequirement,
};
pub use condition::{Condition, ConditionStatus, ConditionType};
pub use crds::crds;
pub use operation::{Held, Operation, OperationKind};
pub use protected_vm::{
    ConsistencyObjective, DiskChoice, InitialBackup, ItemDeletionPolicy, LastTerms, MissedTier,
    Objectives, ObjectivesStatus, PolicyRef, ProtectedVM, ProtectedVMSpec, ProtectedVMStatus,
    ProtectionState, RetentionTier, ScheduleInForce, VmRef,
};
pub use reference::{ItemKind, ItemRef, SecretKeyRef, ServiceRef, VaultRef};
pub use restore::{
    Restore, RestoreFrom, RestoreInPlace, RestoreNewVm, RestoreSpec, RestoreStatus, RestoreTo,
    RestoreToDisks, RestoreToFiles, RestoredFiles, RestoredPoint, StagingAccount,
};
pub use run::{Consistency, RecoveryPoints, Run, RunResult, RunTrigger, StorageTier};
pub use vault::{
    AdoptionPolicy, Immutability, Redundancy, SoftDelete, SoftDeleteState, Vault,
    VaultDeletionPolicy, VaultHealth, VaultSpec, VaultStatus, VaultType,
};

/// Kubernetes' own: what every object carries, and a moment to the second.
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

/// The API group of every kind.
pub const GROUP: &str = "kluis.dev";
/// The version of the API group.
pub const VERSION: &str = "v1alpha1";
/// The one finalizer: held while something else uses the object, or while its end in Azure is still to be brought about.
pub const FINALIZER: &str = "kluis.dev/in-use";
/// The tag on a vault that Kluis made: its value is `<namespace>/<name>` of the Vault.
pub const MANAGED_BY: &str = "kluis.dev/managed-by";
