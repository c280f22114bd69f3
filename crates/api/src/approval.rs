//! Who agreed to what an edit would cost: the wish in the spec, and in the status what there is to agree to.
//!
//! A digest stands for the vault, its items and the policy in force and wanted, not for the recovery points: it holds until one of those
//! changes, however long a pull request takes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether an edit that would delete recovery points waits for approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChangeControl {
    /// It waits until `spec.approvedLoss` names its digest.
    #[default]
    Require,
    /// It is sent at once, whatever it deletes.
    Allow,
}

/// What an edit would cost, and the digest by which it is approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// What to write in `spec.approvedLoss`.
    #[schemars(length(min = 32, max = 32))]
    pub digest: String,
    /// When the recovery points were counted.
    pub counted_at: Time,
    /// How many recovery points go at the next cleanup.
    pub deleted: u32,
    /// How many stay, and go sooner than they would have.
    #[serde(default)]
    pub shortened: u32,
    /// The oldest of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// The newest of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Time>,
    /// The same item by item, those that lose most first; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub items: Vec<ItemLoss>,
    /// How many items lose something.
    #[serde(default)]
    pub items_total: u32,
    /// How many more items are touched whose recovery points cannot be counted: all of them are taken to be at stake.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What an edit would cost one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemLoss {
    /// The item, as `<namespace>/<name>` of its object, or by its name in the vault.
    #[schemars(length(max = 512))]
    pub item: String,
    /// How many of its recovery points go at the next cleanup.
    pub deleted: u32,
    /// How many stay, and go sooner.
    #[serde(default)]
    pub shortened: u32,
    /// The oldest of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// The newest of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Time>,
}
