//! A long-running operation of Azure's, as status keeps it: what was meant, when, and where to ask how it goes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An operation under way. It is written down before the call that starts it, so that a crash in between loses nothing:
/// whoever comes next looks for what was meant, and adopts it or calls again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What is being done.
    pub kind: OperationKind,
    /// The Azure resource it is done to.
    #[schemars(length(max = 2048))]
    pub target: String,
    /// When it was decided. What Azure began before this moment is somebody else's.
    pub intent: Time,
    /// What asked for it: the token of a backup request, or the generation of the spec that an edit of a policy is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub token: Option<String>,
    /// Where to ask how it goes. Absent until the service has taken the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub status_url: Option<String>,
    /// The job that does it, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub job: Option<String>,
    /// What was there already at that moment, by name: jobs, and what they made. Clocks tell seconds apart, or stand still; of what is
    /// listed here nothing is this operation's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 256)))]
    pub before: Vec<String>,
    /// Why the service did not take the call, in its words. Whether it had taken it before is looked at first: what lies in between may send a
    /// call twice, and the second is refused because of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub refused: Option<String>,
    /// Why it was not begun yet: the service takes no more of its kind for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// What the service does not take yet, though nothing is wrong with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// When it is asked again.
    pub until: Time,
    /// In the service's words, with the number that it goes by.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperationKind {
    CreateVault,
    UpdateVault,
    DeleteVault,
    UpdatePolicy,
    DiscoverContainers,
    Protect,
    ModifyProtection,
    StopProtection,
    SuspendProtection,
    DeleteBackupData,
    Undelete,
    Backup,
    Restore,
}

impl std::fmt::Display for OperationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}
