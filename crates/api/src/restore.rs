//! Restore: an item's recovery point, brought back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::operation::Operation;
use crate::reference::ItemRef;
use crate::run::RunResult;

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
    printcolumn(
        name = "Recovery point",
        type_ = "string",
        json_path = ".status.recoveryPoint.name"
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
    pub point_in_time: Option<Time>,
}

/// The target: exactly one. Only `disks` is offered yet; the others are answered with `Stalled`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.disks), has(self.newVM), has(self.inPlace), has(self.files)].filter(x, x).size() == 1").message("to has exactly one of disks, newVM, inPlace and files"))]
pub struct RestoreTo {
    /// New disks in a resource group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<RestoreToDisks>,
    /// A new virtual machine.
    #[serde(rename = "newVM", default, skip_serializing_if = "Option::is_none")]
    pub new_vm: Option<RestoreNewVm>,
    /// The machine itself: its disks are replaced. The vault has to allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place: Option<RestoreInPlace>,
    /// Some files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<RestoreToFiles>,
}

/// New disks in a resource group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreToDisks {
    /// The resource group that gets them.
    #[schemars(length(min = 1, max = 90))]
    pub resource_group: String,
    /// The storage account that the restore passes through. When left out, the first one in the machine's region is taken, by
    /// resource group and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging_account: Option<StagingAccount>,
}

/// A storage account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StagingAccount {
    /// Its resource group.
    #[schemars(length(min = 1, max = 90))]
    pub resource_group: String,
    /// Its name.
    #[schemars(length(min = 3, max = 24), regex(pattern = r"^[a-z0-9]+$"))]
    pub name: String,
}

/// A new virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreNewVm {
    /// The resource group that gets it.
    #[schemars(length(min = 1, max = 90))]
    pub resource_group: String,
    /// Its name.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// The virtual network it is put in.
    #[schemars(length(min = 1, max = 64))]
    pub virtual_network: String,
    /// The subnet it is put in.
    #[schemars(length(min = 1, max = 80))]
    pub subnet: String,
}

/// The machine's own disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreInPlace {
    /// The LUNs of the data disks to replace; all disks when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(range(max = 63)))]
    pub disks: Vec<u32>,
}

/// Some files of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreToFiles {
    /// Their paths.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 4096)))]
    pub paths: Vec<String>,
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
    /// The disks it made, by resource id: the evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)))]
    pub disks: Vec<String>,
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
            disks: Vec::new(),
            operation: None,
        }
    }
}
