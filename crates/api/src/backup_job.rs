//! BackupJob: one backup, on demand.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::date_time;
use crate::operation::Operation;
use crate::reference::ItemRef;
use crate::run::RunResult;

/// A week: how long a finished BackupJob stays, when its spec does not say.
pub const DEFAULT_TTL_SECONDS: u32 = 604_800;

/// One backup, on demand. Made with `kubectl create`; its spec cannot change.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "kluis.dev",
    version = "v1alpha1",
    kind = "BackupJob",
    plural = "backupjobs",
    shortname = "bjob",
    category = "kluis",
    namespaced,
    status = "BackupJobStatus",
    derive = "PartialEq",
    doc = "One backup of a protected item, on demand.",
    printcolumn(name = "Item", type_ = "string", json_path = ".spec.item.name"),
    printcolumn(
        name = "Succeeded",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].status"
    ),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress"),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.startTime"),
    printcolumn(
        name = "Recovery point",
        type_ = "string",
        json_path = ".status.recoveryPoint",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].message"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("the spec of a BackupJob cannot change: create another one"),
    validation = Rule::new("self.item.kind != 'ProtectedVM' || !has(self.type)").message("type is for databases; a virtual machine is always backed up whole, in increments")
)]
pub struct BackupJobSpec {
    /// What to back up.
    pub item: ItemRef,
    /// The type of backup, for databases.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<BackupType>,
    /// Until when to keep the recovery point; the service's own default when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = date_time::LENGTH))]
    #[x_kube(validation = Rule::new(date_time::RULE).message(date_time::MESSAGE))]
    pub retain_until: Option<Time>,
    /// How long this object stays after it has finished, in seconds. The recovery point stays.
    #[serde(default = "week")]
    #[schemars(range(max = 315_360_000))]
    pub ttl_seconds_after_finished: u32,
}

/// The types of backup of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupType {
    Full,
    Differential,
    Incremental,
    Log,
    CopyOnlyFull,
}

/// What is known of the backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupJobStatus {
    /// The generation of the spec that this status was made from; -1 before the first.
    #[serde(default = "crate::crds::never")]
    pub observed_generation: i64,
    /// `Succeeded`, `Reconciling`, `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// How the job stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RunResult>,
    /// How far it is: `42%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub progress: Option<String>,
    /// The job in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub job: Option<String>,
    /// When the job began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// The recovery point it made: the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub recovery_point: Option<String>,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

impl Default for BackupJobStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::crds::never(),
            conditions: Vec::new(),
            state: None,
            progress: None,
            job: None,
            start_time: None,
            completion_time: None,
            recovery_point: None,
            operation: None,
        }
    }
}

fn week() -> u32 {
    DEFAULT_TTL_SECONDS
}
