//! Restore: an item's recovery point, brought back.

mod target;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::date_time;
use crate::operation::Operation;
use crate::reference::ItemRef;
use crate::run::RunResult;

pub use target::{
    RestoreInPlace, RestoreNewVm, RestoreTo, RestoreToDisks, RestoreToFiles, StagingAccount,
};

/// One restore. Made with `kubectl create`; its spec cannot change.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "kluis.dev",
    version = "v1alpha1",
    kind = "Restore",
    plural = "restores",
    category = "kluis",
    namespaced,
    status = "RestoreStatus",
    derive = "PartialEq",
    doc = "One restore of a protected item from a recovery point.",
    printcolumn(name = "Item", type_ = "string", json_path = ".spec.item.name"),
    printcolumn(
        name = "Succeeded",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].status"
    ),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.target"),
    printcolumn(
        name = "Recovery point",
        type_ = "string",
        json_path = ".status.recoveryPoint.name",
        priority = 1
    ),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.startTime"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].message"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("the spec of a Restore cannot change: create another one"))]
pub struct RestoreSpec {
    /// What to restore: an item of this namespace.
    pub item: ItemRef,
    /// From which recovery point.
    pub from: RestoreFrom,
    /// To where.
    pub to: RestoreTo,
}

/// The recovery point: exactly one way to name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.latest), has(self.recoveryPoint), has(self.pointInTime)].filter(x, x).size() == 1").message("from has exactly one of latest, recoveryPoint and pointInTime"))]
pub struct RestoreFrom {
    /// The newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("from.latest is true or left out"))]
    pub latest: Option<bool>,
    /// The one with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub recovery_point: Option<String>,
    /// The newest one that is not younger than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = date_time::LENGTH))]
    #[x_kube(validation = Rule::new(date_time::RULE).message(date_time::MESSAGE))]
    pub point_in_time: Option<Time>,
}

/// What is known of the restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStatus {
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
    /// The recovery point that was chosen: written down before anything is restored, and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point: Option<RestoredPoint>,
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
    /// Where it goes, in a few words: `disks in shop-restored`, `machine shop-rg/web-2`, `in place`, `files in shop-restored/back`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub target: Option<String>,
    /// The disks it made, by resource id: the evidence. In place, the disks that the machine has now. Azure does not say which disks a
    /// job made: there, those of another restore into the same group at the same time are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub disks: Vec<String>,
    /// The template that makes a machine of the disks, where the service says that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub template: Option<String>,
    /// The machine that it made, or whose disks it replaced, by resource id.
    #[serde(rename = "vm", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub vm: Option<String>,
    /// The recovery point of the disks that a restore in place replaced: the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub recovery_point_before: Option<String>,
    /// The files that it brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<RestoredFiles>,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// A recovery point that was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredPoint {
    /// Its name in the vault.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// When it was made.
    pub time: Time,
}

/// Files that were brought back, as the job counted them after reading them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredFiles {
    /// How many.
    pub count: u64,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Files and folders that were asked for and could not be brought back, because they are damaged: the condition names some. Left
    /// out where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// Where they are, as the service says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub path: Option<String>,
}

impl Default for RestoreStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::crds::never(),
            conditions: Vec::new(),
            state: None,
            progress: None,
            recovery_point: None,
            job: None,
            start_time: None,
            completion_time: None,
            target: None,
            disks: Vec::new(),
            template: None,
            vm: None,
            recovery_point_before: None,
            files: None,
            operation: None,
        }
    }
}
