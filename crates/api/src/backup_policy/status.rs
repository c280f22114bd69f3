//! What is known of a policy: what it says in words, and how it stands in every vault.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::Approval;
use crate::condition::Condition;
use crate::operation::Operation;

/// What is known of the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupPolicyStatus {
    /// The generation of the spec that this status was made from; -1 before the first.
    #[serde(default = "crate::crds::never")]
    pub observed_generation: i64,
    /// `Ready`, `ApprovalRequired`, `Reconciling`, `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The schedule, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub schedule: Option<String>,
    /// The retention, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub keeps: Option<String>,
    /// How many items use the policy.
    #[serde(default)]
    pub items: u32,
    /// With `daylightSaving: Follow`: when the clock changes next, and what the policy says from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daylight_saving: Option<DaylightSavingStatus>,
    /// The vaults it is rendered into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub vaults: Vec<PolicyVault>,
}

/// The next change of the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaylightSavingStatus {
    /// When it is, in the policy's zone.
    #[schemars(length(max = 64))]
    pub next_change: String,
    /// What the policy in the vaults says from then on, so that the clock on the wall shows the same times.
    #[schemars(length(max = 256))]
    pub then: String,
}

/// The policy in one vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVault {
    /// The Vault, as `<namespace>/<name>`.
    #[schemars(length(min = 1, max = 320))]
    pub name: String,
    /// The policy's name in that vault.
    #[schemars(length(max = 256))]
    pub azure_name: String,
    /// How many items in that vault use it.
    #[serde(default)]
    pub items: u32,
    /// The generation of this object's spec that the vault has; absent while it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When we wrote it there in the last 24 hours, the first one first. Azure takes 50 edits of policies a vault in that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub edits: Vec<Time>,
    /// Why the vault does not have this spec yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// What this spec would cost there, as long as that is not approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What is being done there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

impl Default for BackupPolicyStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::crds::never(),
            conditions: Vec::new(),
            schedule: None,
            keeps: None,
            items: 0,
            daylight_saving: None,
            vaults: Vec::new(),
        }
    }
}
