//! What became of an item's backups: its last runs and its recovery points, in summary.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One run of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The job that did it.
    #[schemars(length(min = 1, max = 256))]
    pub job: String,
    /// What set it off.
    pub trigger: RunTrigger,
    /// How it ended, or that it has not yet.
    pub result: RunResult,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// How many jobs of the service go before it, itself counted, while it waits for its turn; absent once it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_place: Option<u32>,
    /// Whether it takes, or took, more than the day that a daily policy's run has from its snapshot to the vault (rule 36).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_a_day: bool,
    /// What went wrong and what to do about it, in the service's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// What set a run off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunTrigger {
    /// The policy's schedule.
    Scheduled,
    /// A person: a BackupJob, a backup request, `initialBackup: Immediate`, or somebody outside the cluster.
    OnDemand,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunResult {
    InProgress,
    Completed,
    CompletedWithWarnings,
    Failed,
    Cancelled,
}

/// Where a recovery point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StorageTier {
    /// Beside the machine only: restored fast, and not safe from what happens there.
    #[serde(rename = "snapshot")]
    Snapshot,
    #[serde(rename = "vault")]
    Vault,
    #[serde(rename = "snapshot and vault")]
    SnapshotAndVault,
    #[serde(rename = "archive")]
    Archive,
}

/// What a recovery point is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Consistency {
    /// The applications in the machine wrote down what they held.
    Application,
    /// Its file systems did.
    FileSystem,
    /// As after a power cut.
    Crash,
}

/// The item's recovery points, counted. The points themselves are listed by `kluis points`.
///
/// They are counted when a backup ends and when the protection's state changes, not each time that some expire: to list the points of
/// thousands of items costs more calls than Azure allows. So `total` and `oldest` may lag behind a cleanup until the next backup; the
/// newest point never goes by its age, and its snapshot is looked for again when it should have gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoints {
    /// How many there are.
    pub total: u32,
    /// The newest one's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Time>,
    /// The newest one's name, to restore from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub newest_name: Option<String>,
    /// Where the newest one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_tier: Option<StorageTier>,
    /// When it was seen there, where it has a snapshot: that goes after some days, and is looked for again then. Of a machine whose
    /// protection is stopped, where nothing says when it goes, once a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_tier_as_of: Option<Time>,
    /// What the newest one is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_consistency: Option<Consistency>,
    /// The oldest one's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// How many are consistent for the applications in the machine.
    #[serde(default)]
    pub app_consistent: u32,
    /// How many are consistent for its file systems.
    #[serde(default)]
    pub file_system_consistent: u32,
    /// How many are as after a power cut.
    #[serde(default)]
    pub crash_consistent: u32,
    /// The item's last backup when they were counted: they are counted again when a newer one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Time>,
}

impl std::fmt::Display for RunResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

impl std::fmt::Display for StorageTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Snapshot => "snapshot",
            Self::Vault => "vault",
            Self::SnapshotAndVault => "snapshot and vault",
            Self::Archive => "archive",
        })
    }
}
