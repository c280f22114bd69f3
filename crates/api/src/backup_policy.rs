//! BackupPolicy: when to back up and how long to keep, in one readable form for every workload.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::operation::Operation;

mod calendar;
mod retention;
mod schedule;

pub use calendar::{DayOfMonth, Month, WeekOfMonth, Weekday};
pub use retention::{
    DailyRetention, MonthlyRetention, Retention, WeeklyRetention, YearlyRetention,
};
pub use schedule::{At, DailySchedule, HourlySchedule, Schedule, WeeklySchedule};

/// When to back up and how long to keep.
///
/// The rules that need more than one field are here; each holds for virtual machines, the workload offered today.
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
#[x_kube(
    validation = Rule::new("self.workload != 'VirtualMachine' || self.tier == 'Enhanced' || !has(self.schedule.hourly)").message("schedule.hourly needs tier: Enhanced; a Standard policy for virtual machines runs once a day or once a week (rule 4)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.daily) || self.schedule.daily.at.endsWith(':00') || self.schedule.daily.at.endsWith(':30')").message("schedule.daily.at is on the hour or the half hour: the minute is 00 or 30 (rule 4)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || self.schedule.weekly.at.endsWith(':00') || self.schedule.weekly.at.endsWith(':30')").message("schedule.weekly.at is on the hour or the half hour: the minute is 00 or 30 (rule 4)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.hourly) || self.schedule.hourly.from.endsWith(':00') || self.schedule.hourly.from.endsWith(':30')").message("schedule.hourly.from is on the hour or the half hour: the minute is 00 or 30 (rule 4)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.hourly) || self.schedule.hourly.every in ['4h', '6h', '8h', '12h', '24h']").message("schedule.hourly.every is 4h, 6h, 8h, 12h or 24h (rule 5)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.hourly) || (duration(self.schedule.hourly.__for__) >= duration('4h') && duration(self.schedule.hourly.__for__) <= duration('24h'))").message("schedule.hourly.for is 4h to 24h (rule 5)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.retention.daily) || (self.retention.daily.keep >= 7 && self.retention.daily.keep <= 9999)").message("retention.daily.keep is 7 to 9999 days for virtual machines (rules 2 and 3)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.retention.weekly) || (self.retention.weekly.keep >= 1 && self.retention.weekly.keep <= 5163)").message("retention.weekly.keep is 1 to 5163 weeks for virtual machines (rules 2 and 3)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.retention.monthly) || (self.retention.monthly.keep >= 1 && self.retention.monthly.keep <= 1188)").message("retention.monthly.keep is 1 to 1188 months for virtual machines (rules 2 and 3)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.retention.yearly) || (self.retention.yearly.keep >= 1 && self.retention.yearly.keep <= 99)").message("retention.yearly.keep is 1 to 99 years for virtual machines (rules 2 and 3)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || has(self.schedule.weekly) || has(self.retention.daily)").message("a daily or hourly schedule makes daily recovery points: set retention.daily (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || !has(self.retention.daily)").message("a weekly schedule has no daily recovery points: remove retention.daily (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || has(self.retention.weekly)").message("a weekly schedule makes weekly recovery points: set retention.weekly (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || ((!has(self.retention.monthly) || !has(self.retention.monthly.days)) && (!has(self.retention.yearly) || !has(self.retention.yearly.days)))").message("with a weekly schedule, retention.monthly and retention.yearly go by weeks and on, not by days (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || !has(self.retention.weekly) || (has(self.retention.weekly.on) ? self.retention.weekly.on : self.retention.weekly.__true__).all(d, d in (has(self.schedule.weekly.on) ? self.schedule.weekly.on : self.schedule.weekly.__true__))").message("retention.weekly.on names a day on which schedule.weekly makes no backup (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || !has(self.retention.monthly) || has(self.retention.monthly.days) || (has(self.retention.monthly.on) ? self.retention.monthly.on : self.retention.monthly.__true__).all(d, d in (has(self.schedule.weekly.on) ? self.schedule.weekly.on : self.schedule.weekly.__true__))").message("retention.monthly.on names a day on which schedule.weekly makes no backup (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.schedule.weekly) || !has(self.retention.yearly) || has(self.retention.yearly.days) || (has(self.retention.yearly.on) ? self.retention.yearly.on : self.retention.yearly.__true__).all(d, d in (has(self.schedule.weekly.on) ? self.schedule.weekly.on : self.schedule.weekly.__true__))").message("retention.yearly.on names a day on which schedule.weekly makes no backup (rule 15)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || self.tier != 'Standard' || !has(self.instantRestore) || has(self.schedule.weekly) || (self.instantRestore.keepDays >= 1 && self.instantRestore.keepDays <= 5)").message("instantRestore.keepDays is 1 to 5 for a Standard policy; tier: Enhanced has up to 30 (rule 8)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || self.tier != 'Standard' || !has(self.instantRestore) || !has(self.schedule.weekly) || self.instantRestore.keepDays == 5").message("instantRestore.keepDays is exactly 5 for a Standard policy with a weekly schedule (rule 8)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || self.tier != 'Enhanced' || !has(self.instantRestore) || (self.instantRestore.keepDays >= 1 && self.instantRestore.keepDays <= 30)").message("instantRestore.keepDays is 1 to 30 for an Enhanced policy (rule 8)"),
    validation = Rule::new("self.workload != 'VirtualMachine' || !has(self.instantRestore) || (has(self.retention.daily) ? self.instantRestore.keepDays <= self.retention.daily.keep : (!has(self.retention.weekly) || self.instantRestore.keepDays <= self.retention.weekly.keep * 7))").message("instantRestore.keepDays is longer than the shortest retention: snapshots cannot outlive the recovery points in the vault (rule 8)")
)]
pub struct BackupPolicySpec {
    /// What the policy is for. Only `VirtualMachine` is offered yet; the others are answered with `Stalled`.
    #[x_kube(validation = Rule::new("self == oldSelf").message("workload is the policy's identity and cannot change: make another BackupPolicy"))]
    pub workload: Workload,
    /// For virtual machines: Standard is Azure's V1, Enhanced its V2 (hourly schedules, instant restore up to 30 days).
    #[serde(default)]
    pub tier: Tier,
    /// The zone that times are in, by its IANA name: `Europe/Amsterdam`. Azure makes no adjustment for daylight saving time: backups
    /// run 24 hours apart all year, at the zone's standard offset (rule 44).
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_+/-]+$"))]
    pub time_zone: String,
    /// When backups are made: exactly one of daily, weekly and hourly.
    pub schedule: Schedule,
    /// How long recovery points are kept. A point that several lines keep is kept for the longest.
    pub retention: Retention,
    /// How long the snapshots stay beside the machine, for a restore within minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instant_restore: Option<InstantRestore>,
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

/// Snapshots that stay beside the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstantRestore {
    /// For how many days: Standard 1 to 5 (2 when left out; exactly 5 with a weekly schedule), Enhanced 1 to 30 (7).
    pub keep_days: u32,
}

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
    /// The vaults it is rendered into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub vaults: Vec<PolicyVault>,
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
    /// Why the vault does not have this spec yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
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
            vaults: Vec::new(),
        }
    }
}

fn utc() -> String {
    "UTC".to_owned()
}
