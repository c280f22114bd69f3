//! Conditions: Kubernetes' own contract (`metav1.Condition`) with the types this project knows, and maximums.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One observation about the object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the spec that this was said of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub last_transition_time: Time,
    /// The cause, in one CamelCase word.
    #[schemars(length(min = 1, max = 128))]
    pub reason: String,
    /// The cause and the way out, in a sentence.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// What a condition can be about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum ConditionType {
    /// Azure is as declared. Of kinds that live long.
    Ready,
    /// The work is done. Of kinds that end.
    Succeeded,
    /// Work is under way, or waits for something that is.
    Reconciling,
    /// Nothing more happens until a person does something.
    Stalled,
    /// A recovery point exists.
    Recoverable,
    /// The newest recovery point is young enough.
    WithinRPO,
    /// The newest recovery point is as consistent as is declared.
    ConsistencyMet,
    /// Nothing is wrong that a person should see to now, as the service and the newest run tell. `True` with another reason than
    /// `NothingWrong` is something worth knowing.
    Healthy,
    /// An edit would delete recovery points and was not carried out.
    ApprovalRequired,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl std::fmt::Display for ConditionType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

impl std::fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}
