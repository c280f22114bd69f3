//! BackupPolicy: when to back up and how long to keep, in one readable form for every workload.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::ChangeControl;
use crate::naming;

mod archive;
mod calendar;
mod databases;
mod retention;
pub(crate) mod rules;
mod schedule;
mod spelling;
mod status;

pub use archive::Archive;
pub use calendar::{DayOfMonth, DayOfTier, Month, WeekOfMonth, Weekday};
pub use databases::{Between, LogBackups};
pub use retention::{
    DailyRetention, MonthlyRetention, Retention, WeeklyRetention, YearlyRetention,
};
pub use schedule::{At, DailySchedule, DaylightSaving, HourlySchedule, Schedule, WeeklySchedule};
pub use status::{BackupPolicyStatus, DaylightSavingStatus, PolicyVault};

/// When to back up and how long to keep.
///
/// Which fields there are, and how far they reach, depends on the workload; a message that ends in a rule's number names the rule.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "kluis.dev",
    version = "v1alpha1",
    kind = "BackupPolicy",
    plural = "backuppolicies",
    shortname = "bpol",
    category = "kluis",
    namespaced,
    status = "BackupPolicyStatus",
    derive = "PartialEq",
    doc = "When to back up and how long to keep. It is rendered into every vault where an item uses it.",
    validation = Rule::new(naming::POLICY).message(naming::POLICY_SAYS).optional_old_self(true),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.workload"),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".status.schedule"),
    printcolumn(name = "Keeps", type_ = "string", json_path = ".status.keeps"),
    printcolumn(name = "Items", type_ = "integer", json_path = ".status.items"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct BackupPolicySpec {
    /// What the policy is for. Each workload has fields and limits of its own. Items of `VirtualMachine` are offered; a policy for
    /// another workload is held to its rules, and used by no item yet.
    #[x_kube(validation = Rule::new("self == oldSelf").message("workload is the policy's identity and cannot change: make another BackupPolicy"))]
    pub workload: Workload,
    /// For virtual machines: Standard is Azure's V1, Enhanced its V2 (hourly schedules, instant restore up to 30 days).
    #[serde(default)]
    pub tier: Tier,
    /// The zone that times are in, by its IANA name: `Europe/Amsterdam`. Azure makes no adjustment for daylight saving time: backups
    /// run 24 hours apart all year, at the zone's standard offset (rule 44), unless `schedule.daylightSaving` is `Follow`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_+/-]+$"))]
    pub time_zone: String,
    /// When backups are made: exactly one of daily, weekly and hourly.
    pub schedule: Schedule,
    /// How long recovery points are kept. A point that several lines keep is kept for the longest.
    pub retention: Retention,
    /// How long the snapshots stay beside the machine, for a restore within minutes. With it, a file share's recovery points are kept in
    /// the vault, too; without it, its snapshots are all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instant_restore: Option<InstantRestore>,
    /// Differential backups between the fulls: all that changed since the last full. SQLServer and SAPHana, with weekly fulls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential: Option<Between>,
    /// Incremental backups between the fulls: what changed since the last backup. SAPHana, with weekly fulls, instead of `differential`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<Between>,
    /// Backups of the transaction log, for a restore to any second. SQLServer and SAPHana.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogBackups>,
    /// Whether backups of databases are compressed. SQLServer and SAPHana.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<bool>,
    /// When recovery points move to Azure's archive tier. VirtualMachine, SQLServer and SAPHana.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
    /// What becomes of the policy in its vaults when this object is deleted.
    #[serde(default)]
    pub deletion_policy: PolicyDeletionPolicy,
    /// Whether an edit that would delete recovery points waits for approval.
    #[serde(default)]
    pub change_control: ChangeControl,
    /// The digests of the losses that are approved, separated by commas, one a vault: as `status.vaults[].approval` and the message say
    /// them. Whoever may edit the policy may approve: separation of duties is review in Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 8192),
        regex(pattern = r"^[0-9a-f]{32}( *, *[0-9a-f]{32})*$")
    )]
    pub approved_loss: Option<String>,
}

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Workload {
    VirtualMachine,
    SQLServer,
    SAPHana,
    PostgreSQL,
    FileShare,
    Disk,
    Files,
}

/// The generation of Azure's policies for virtual machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    #[default]
    Standard,
    Enhanced,
}

/// What becomes of a policy in its vaults when its object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyDeletionPolicy {
    /// It is taken out of each vault where it protects nothing.
    #[default]
    Delete,
    /// It stays in its vaults, and nothing is asked of them: for when they cannot be asked any more.
    Orphan,
}

/// Snapshots that stay beside the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstantRestore {
    /// For how many days: Standard 1 to 5 (2 when left out; exactly 5 with a weekly schedule), Enhanced 1 to 30 (7).
    pub keep_days: u32,
}

impl BackupPolicySpec {
    /// The same with every list of days called `days`, so that what means the same is the same.
    #[must_use]
    pub fn in_one_spelling(mut self) -> Self {
        if let Some(weekly) = &mut self.schedule.weekly {
            spelling::as_days(&mut weekly.days, &mut weekly.on, &mut weekly.on_unquoted);
        }
        let between = [&mut self.differential, &mut self.incremental];
        for between in between.into_iter().flatten() {
            spelling::as_days(&mut between.days, &mut between.on, &mut between.on_unquoted);
        }
        let Retention {
            weekly,
            monthly,
            yearly,
            ..
        } = &mut self.retention;
        if let Some(tier) = weekly {
            spelling::as_days(&mut tier.days, &mut tier.on, &mut tier.on_unquoted);
        }
        if let Some(tier) = monthly {
            spelling::as_days(&mut tier.days, &mut tier.on, &mut tier.on_unquoted);
        }
        if let Some(tier) = yearly {
            spelling::as_days(&mut tier.days, &mut tier.on, &mut tier.on_unquoted);
        }
        self
    }
}

fn utc() -> String {
    "UTC".to_owned()
}
