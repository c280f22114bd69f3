//! ProtectedVM: a virtual machine whose recovery points are kept in a vault, by a policy.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::{Approval, ChangeControl};
use crate::backup_policy::Tier;
use crate::condition::Condition;
use crate::naming;
use crate::operation::Operation;
use crate::reference::VaultRef;
use crate::run::{RecoveryPoints, Run};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A virtual machine that is backed up.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "kluis.dev",
    version = "v1alpha1",
    kind = "ProtectedVM",
    plural = "protectedvms",
    shortname = "pvm",
    category = "kluis",
    namespaced,
    status = "ProtectedVMStatus",
    derive = "PartialEq",
    doc = "A virtual machine whose recovery points are kept in a vault, by a policy.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Policy", type_ = "string", json_path = ".status.policy"),
    printcolumn(
        name = "Last backup",
        type_ = "date",
        json_path = ".status.lastBackupTime"
    ),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextBackup"),
    printcolumn(
        name = "In RPO",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"WithinRPO\")].status"
    ),
    printcolumn(
        name = "Healthy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Healthy\")].status",
        priority = 1
    ),
    printcolumn(
        name = "Where",
        type_ = "string",
        json_path = ".status.recoveryPoints.newestTier",
        priority = 1
    ),
    printcolumn(
        name = "Consistency",
        type_ = "string",
        json_path = ".status.recoveryPoints.newestConsistency",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedVMSpec {
    /// The vault that keeps the recovery points.
    #[x_kube(validation = Rule::new("self.name == oldSelf.name && has(self.__namespace__) == has(oldSelf.__namespace__) && (!has(self.__namespace__) || self.__namespace__ == oldSelf.__namespace__)").message("vaultRef is the item's identity and cannot change: recovery points do not move between vaults; make another ProtectedVM"))]
    pub vault_ref: VaultRef,
    /// The policy that says when to back up and how long to keep.
    pub policy_ref: PolicyRef,
    /// The machine.
    #[x_kube(validation = Rule::new(naming::SAME_MACHINE).message("vm is the item's identity and cannot change: make another ProtectedVM"))]
    pub vm: VmRef,
    /// Which of its disks; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<DiskChoice>,
    /// When the first backup runs: with the schedule, or at once.
    #[serde(default)]
    pub initial_backup: InitialBackup,
    /// Any new text here runs one backup, once. It is repeated in `status.backupRequest` when that backup was started, so it is
    /// safe in Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub backup_request: Option<String>,
    /// What the business expects of this machine's backups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<Objectives>,
    /// Stops scheduled backups and keeps every recovery point, until it is false again. What was softly deleted is brought back.
    #[serde(default)]
    pub suspend: bool,
    /// What becomes of the protection and of its recovery points when this object is deleted.
    #[serde(default)]
    pub deletion_policy: ItemDeletionPolicy,
    /// Whether a change of policy that would delete recovery points of this item waits for approval.
    #[serde(default)]
    pub change_control: ChangeControl,
    /// The digest of the loss that is approved, as `status.approval` and the message say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 8192),
        regex(pattern = r"^[0-9a-f]{32}( *, *[0-9a-f]{32})*$")
    )]
    pub approved_loss: Option<String>,
}

/// A policy: one of ours, or one that is already in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) != has(self.azureName)").message("policyRef has exactly one of name (a BackupPolicy of this namespace) and azureName (a policy that is already in the vault)"))]
pub struct PolicyRef {
    /// Name of a BackupPolicy in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Name of a policy that is already in the vault, such as `DefaultPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 150))]
    #[x_kube(validation = Rule::new(naming::POLICY_THERE).message(naming::POLICY_THERE_SAYS))]
    pub azure_name: Option<String>,
}

/// A virtual machine, by group and name or by its resource id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.resourceId) ? (!has(self.resourceGroup) && !has(self.name)) : (has(self.resourceGroup) && has(self.name))").message("vm has either resourceId, or resourceGroup and name"))]
pub struct VmRef {
    /// The machine's resource group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS))]
    pub resource_group: Option<String>,
    /// The machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(naming::MACHINE).message(naming::MACHINE_SAYS))]
    pub name: Option<String>,
    /// The machine's resource id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 512),
        regex(
            pattern = r"^/[sS]ubscriptions/[^/]+/resource[gG]roups/[^/]+/providers/[mM]icrosoft\.[cC]ompute/virtual[mM]achines/[^/]+$"
        )
    )]
    pub resource_id: Option<String>,
}

/// Which disks are backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.exclude), has(self.include), has(self.osDiskOnly)].filter(x, x).size() == 1").message("disks has exactly one of exclude, include and osDiskOnly"))]
pub struct DiskChoice {
    /// The LUNs of data disks to leave out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(range(max = 63)))]
    pub exclude: Option<Vec<u32>>,
    /// The LUNs of data disks to back up, with the OS disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(range(max = 63)))]
    pub include: Option<Vec<u32>>,
    /// The OS disk alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("disks.osDiskOnly is true or left out"))]
    pub os_disk_only: Option<bool>,
}

/// When the first backup runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InitialBackup {
    #[default]
    OnSchedule,
    Immediate,
}

/// What is expected of the backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Objectives {
    /// How old the newest recovery point may become: `26h`. Judged by the condition WithinRPO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 20),
        regex(pattern = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$")
    )]
    #[x_kube(validation = Rule::new("self.matches('[1-9]')").message("objectives.rpo is longer than nothing: 26h, 1h30m"))]
    pub rpo: Option<String>,
    /// How long a restore may take: `4h`. Said for people, and judged by nothing: what a restore took, its Restore tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 20),
        regex(pattern = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$")
    )]
    #[x_kube(validation = Rule::new("self.matches('[1-9]')").message("objectives.rto is longer than nothing: 4h"))]
    pub rto: Option<String>,
    /// What the newest recovery point has to be good for, at least. Judged by the condition ConsistencyMet, which is there where this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<ConsistencyObjective>,
}

/// What a recovery point is to be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConsistencyObjective {
    /// The applications in the machine wrote down what they held. Not to be had of a machine that is off, nor of a Linux machine without
    /// pre- and post-scripts.
    ApplicationConsistent,
    /// Its file systems did. Not to be had of a machine that is off.
    FileSystemConsistent,
    /// As after a power cut.
    CrashConsistent,
}

/// What becomes of the protection when its object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ItemDeletionPolicy {
    /// Backups stop; every recovery point stays, for ever.
    #[default]
    RetainData,
    /// Backups stop and every recovery point is deleted (softly, where the vault has soft delete: declared again within its days, the
    /// machine gets them back).
    DeleteData,
    /// Backups stop; recovery points expire by the policy. Azure offers this in vaults with immutability.
    Suspend,
    /// Nothing is touched: backups go on.
    Orphan,
}

/// What is known of the protected machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedVMStatus {
    /// The generation of the spec that this status was made from; -1 before the first.
    #[serde(default = "crate::crds::never")]
    pub observed_generation: i64,
    /// `Ready`, `Recoverable`, `WithinRPO` once a first backup was due, `ConsistencyMet` where it is declared, `Healthy` once the machine is
    /// protected, `ApprovalRequired`, `Reconciling`, `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The protection's state in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ProtectionState>,
    /// The policy it is protected by, as the vault says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub policy: Option<String>,
    /// While protection is stopped: the policy it was protected by until then. Taking it up again by another one may cost recovery points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_policy: Option<String>,
    /// What the policy that protects it, or did until it was stopped, makes of its recovery points: the vault forgets it with the stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_terms: Option<LastTerms>,
    /// The protected item's resource id in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub azure_id: Option<String>,
    /// When the last backup that left a recovery point was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup_time: Option<Time>,
    /// When the policy calls for the next one, in the policy's own zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub next_backup: Option<String>,
    /// The schedule that it is backed up by: that of the policy that protects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleInForce>,
    /// The last `spec.backupRequest` that a backup was started for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub backup_request: Option<String>,
    /// The last three runs, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub runs: Vec<Run>,
    /// The recovery points, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_points: Option<RecoveryPoints>,
    /// What is being done to the protection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The backup that was asked for here and has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Operation>,
    /// The scheduled run that was last found missing: it is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_run: Option<Time>,
    /// The weekly, monthly and yearly recovery points that are missing because no backup of their day succeeded: of each tier the last,
    /// until a later one is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub missed_tiers: Vec<MissedTier>,
    /// How it stands against `spec.objectives.rpo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<ObjectivesStatus>,
    /// What the change of policy that the spec asks for would cost, as long as that is not approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// What a policy makes of an item's recovery points that stays with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastTerms {
    /// Whether it is Standard or Enhanced: what was Enhanced does not become Standard.
    pub tier: Tier,
    /// A digest of the days whose recovery points it keeps for weeks, months and years. Taken up again by a policy that names other days,
    /// no recovery point is taken to be kept by them.
    #[schemars(length(min = 32, max = 32))]
    pub tags: String,
}

/// The schedule that an item is backed up by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleInForce {
    /// When backups run, on Azure's own clock: `daily at 22:30 (Europe/Amsterdam)`.
    #[schemars(length(max = 256))]
    pub runs: String,
    /// Since when that is known to be in force. A run that was due later and did not begin is told as missing, whatever else is in the way
    /// of the object.
    pub since: Time,
}

/// A recovery point for the longer run that is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissedTier {
    /// What it would have been kept for.
    pub tier: RetentionTier,
    /// When its backup was due.
    pub due: Time,
}

/// A tier of retention beyond the daily one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetentionTier {
    Weekly,
    Monthly,
    Yearly,
}

/// How the item stands against its objective; times on the policy's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectivesStatus {
    /// When the newest recovery point was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub newest: Option<String>,
    /// When the next run is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub next: Option<String>,
    /// When the objective is broken if nothing happens, or since when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub broken_at: Option<String>,
    /// The longest time that the schedule leaves between two backups of the coming year, where the objective is no longer than that: it
    /// will be broken although every backup succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub longest_gap: Option<String>,
}

/// The state of a protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProtectionState {
    /// The vault does not know the machine.
    NotProtected,
    /// Protected, and waiting for its first backup.
    #[serde(rename = "IRPending")]
    IrPending,
    Protected,
    /// Stopped: every recovery point stays.
    ProtectionStopped,
    /// Stopped: recovery points expire by the policy.
    BackupsSuspended,
    /// Deleted, and to be had back for some days.
    SoftDeleted,
    /// The service reports an error with the protection.
    ProtectionError,
}

impl Default for ProtectedVMStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::crds::never(),
            conditions: Vec::new(),
            state: None,
            policy: None,
            last_policy: None,
            last_terms: None,
            azure_id: None,
            last_backup_time: None,
            next_backup: None,
            schedule: None,
            backup_request: None,
            runs: Vec::new(),
            recovery_points: None,
            operation: None,
            backup: None,
            missed_run: None,
            missed_tiers: Vec::new(),
            objectives: None,
            approval: None,
        }
    }
}

impl std::fmt::Display for RetentionTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        })
    }
}

impl std::fmt::Display for ProtectionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IrPending => f.write_str("IRPending"),
            other => std::fmt::Debug::fmt(other, f),
        }
    }
}
