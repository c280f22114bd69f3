//! What is a yes or a no: the fields that a workload has, and the rules between fields.

use super::{Field, Rule};
use crate::workload::Workload;
use Workload::{Disk, FileShare, Files, PostgreSql, SapHana, SqlServer, VirtualMachine};

/// The fields and schedules that not every workload has.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    Field { field: "tier: Enhanced", workloads: &[VirtualMachine], rule: 5, source: "the published interface",
        otherwise: "tier: Enhanced is for virtual machines: leave tier out" },
    Field { field: "schedule.weekly", workloads: &[VirtualMachine, SqlServer, SapHana, PostgreSql, Files], rule: 17, source: "clients, Learn",
        otherwise: "schedule.weekly is not for file shares and disks: set schedule.daily or schedule.hourly" },
    Field { field: "schedule.hourly", workloads: &[VirtualMachine, FileShare, Disk, Files], rule: 9, source: "S002, S000, Learn",
        otherwise: "schedule.hourly is not for databases, whose fulls run once a day or once a week: set schedule.daily or schedule.weekly" },
    Field { field: "schedule.hourly.for", workloads: &[VirtualMachine, FileShare, Files], rule: 18, source: "the published interface",
        otherwise: "schedule.hourly.for is not for disks, which are backed up round the clock: remove it" },
    Field { field: "instantRestore", workloads: &[VirtualMachine, FileShare], rule: 8, source: "S002, Learn",
        otherwise: "instantRestore is for VirtualMachine and FileShare: remove it" },
    Field { field: "differential", workloads: &[SqlServer, SapHana], rule: 10, source: "S002, Learn",
        otherwise: "differential is for SQLServer and SAPHana: remove it" },
    Field { field: "incremental", workloads: &[SapHana], rule: 12, source: "Learn",
        otherwise: "incremental is for SAPHana alone: remove it" },
    Field { field: "log", workloads: &[SqlServer, SapHana], rule: 11, source: "S002, Learn",
        otherwise: "log is for SQLServer and SAPHana: remove it" },
    Field { field: "compression", workloads: &[SqlServer, SapHana], rule: 11, source: "the published interface",
        otherwise: "compression is for SQLServer and SAPHana: remove it" },
    Field { field: "archive", workloads: &[VirtualMachine, SqlServer, SapHana], rule: 42, source: "Learn",
        otherwise: "archive is for VirtualMachine, SQLServer and SAPHana: remove it" },
];

const ON_THE_HALF_HOUR: &[Workload] = &[VirtualMachine, SqlServer, SapHana, FileShare];
const DATABASES: &[Workload] = &[SqlServer, SapHana];
/// Elsewhere a default rule keeps every point some days, whatever the schedule.
const WITHOUT_A_DEFAULT_RULE: &[Workload] =
    &[VirtualMachine, SqlServer, SapHana, FileShare, Disk, Files];
const EVERY: &[Workload] = &Workload::ALL;

/// The rules between fields.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    Rule { name: "one schedule", workloads: EVERY, rule: 6, source: "S003, S004",
        message: "schedule has exactly one of daily, weekly and hourly; months and years belong to retention, no machine is backed up by the month" },
    Rule { name: "half hour", workloads: ON_THE_HALF_HOUR, rule: 4, source: "S002, S003, clients",
        message: "is on the hour or the half hour: the minute is 00 or 30" },
    Rule { name: "standard is not hourly", workloads: &[VirtualMachine], rule: 4, source: "S002, S003",
        message: "schedule.hourly needs tier: Enhanced; a Standard policy for virtual machines runs once a day or once a week" },
    Rule { name: "daily points", workloads: EVERY, rule: 15, source: "clients",
        message: "a daily or hourly schedule makes daily recovery points: set retention.daily" },
    Rule { name: "no daily points", workloads: WITHOUT_A_DEFAULT_RULE, rule: 15, source: "clients",
        message: "a weekly schedule has no daily recovery points: remove retention.daily" },
    Rule { name: "weekly points", workloads: WITHOUT_A_DEFAULT_RULE, rule: 15, source: "clients",
        message: "a weekly schedule makes weekly recovery points: set retention.weekly" },
    Rule { name: "weekly or default points", workloads: &[PostgreSql], rule: 15, source: "the published interface",
        message: "a weekly schedule needs to know how long each recovery point is kept: set retention.weekly or retention.daily" },
    Rule { name: "every backup is kept", workloads: &[PostgreSql], rule: 15, source: "the published interface",
        message: "schedule.weekly makes a backup on a day that retention.weekly.days does not name, and nothing else keeps it: name the day, or set retention.daily" },
    Rule { name: "tags keep longer", workloads: &[Disk, PostgreSql], rule: 15, source: "the published interface",
        message: "keeps all of them: keep longer, or remove it" },
    Rule { name: "weekly has no dates", workloads: EVERY, rule: 15, source: "clients",
        message: "with a weekly schedule, retention.monthly and retention.yearly go by weeks and days of the week, not by days of the month" },
    Rule { name: "retention on scheduled days", workloads: EVERY, rule: 15, source: "clients",
        message: "names a day on which schedule.weekly makes no backup" },
    Rule { name: "day of month", workloads: EVERY, rule: 14, source: "clients, the published interface",
        message: "a day of the month is 1 to 28, or Last" },
    Rule { name: "instant within retention", workloads: &[VirtualMachine, FileShare], rule: 8, source: "Learn",
        message: "instantRestore.keepDays is longer than the shortest retention: snapshots cannot outlive the recovery points in the vault" },
    Rule { name: "window", workloads: &[VirtualMachine, FileShare, Files], rule: 5, source: "the published interface",
        message: "schedule.hourly.for says for how long after the first backup of a day others follow: set it" },
    Rule { name: "disk points", workloads: &[Disk], rule: 18, source: "Learn",
        message: "schedule.hourly.every and retention.daily.keep come to more than 450 recovery points, the most that a disk can have: make or keep fewer" },
    Rule { name: "share points", workloads: &[FileShare], rule: 17, source: "Learn",
        message: "schedule.hourly and retention.daily.keep come to more than 200 recovery points, the most that a share can have as snapshots: make or keep fewer, or set instantRestore, which keeps them in the vault" },
    Rule { name: "differential without daily full", workloads: DATABASES, rule: 10, source: "S002, Learn",
        message: "has no day beside a daily full: remove it, or set schedule.weekly" },
    Rule { name: "differential on another day", workloads: DATABASES, rule: 10, source: "S002, Learn",
        message: "names a day on which a full is made: name another" },
    Rule { name: "differential within full", workloads: DATABASES, rule: 10, source: "Learn",
        message: "is longer than the full that it builds on is kept: shorten it, or lengthen retention.weekly" },
    Rule { name: "differential or incremental", workloads: &[SapHana], rule: 12, source: "Learn",
        message: "a policy for SAP HANA has differential or incremental, not both: remove one" },
    Rule { name: "archive months", workloads: &[VirtualMachine], rule: 42, source: "Learn",
        message: "archive.after is Recommended or months (3mo) for virtual machines" },
    Rule { name: "archive days", workloads: DATABASES, rule: 42, source: "Learn",
        message: "archive.after is days (45d) for databases" },
    Rule { name: "archive leaves six months", workloads: &[VirtualMachine, SqlServer, SapHana], rule: 42, source: "Learn",
        message: "no recovery point has six months left when archive.after is over: keep longer, or remove archive" },
    Rule { name: "follow stays on its day", workloads: EVERY, rule: 44, source: "ours",
        message: "is 01:00 or later with daylightSaving: Follow: in summer an hour earlier would be the day before" },
];
