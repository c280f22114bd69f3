//! Which fields a workload has at all.

use super::{Rule, Workload, among};
use Workload::{Disk, FileShare, Files, PostgreSQL, SAPHana, SQLServer, VirtualMachine};

/// A field, how to see that it is there, the workloads that have it, and what to say to the others.
type Row = (
    &'static str,
    &'static str,
    &'static [Workload],
    &'static str,
);

const ROWS: &[Row] = &[
    (
        "tier",
        "self.tier == 'Enhanced'",
        &[VirtualMachine],
        "tier: Enhanced is for virtual machines: leave tier out (rule 5)",
    ),
    (
        "schedule.weekly",
        "has(self.schedule.weekly)",
        &[VirtualMachine, SQLServer, SAPHana, PostgreSQL, Files],
        "schedule.weekly is not for file shares and disks: set schedule.daily or schedule.hourly (rule 17)",
    ),
    (
        "schedule.hourly",
        "has(self.schedule.hourly)",
        &[VirtualMachine, FileShare, Disk, Files],
        "schedule.hourly is not for databases, whose fulls run once a day or once a week: set schedule.daily or schedule.weekly (rule 9)",
    ),
    (
        "schedule.hourly.for",
        "has(self.schedule.hourly) && has(self.schedule.hourly.__for__)",
        &[
            VirtualMachine,
            FileShare,
            Files,
            SQLServer,
            SAPHana,
            PostgreSQL,
        ],
        "schedule.hourly.for is not for disks, which are backed up round the clock: remove it (rule 18)",
    ),
    (
        "instantRestore",
        "has(self.instantRestore)",
        &[VirtualMachine, FileShare],
        "instantRestore is for VirtualMachine and FileShare: remove it (rule 8)",
    ),
    (
        "differential",
        "has(self.differential)",
        &[SQLServer, SAPHana],
        "differential is for SQLServer and SAPHana: remove it (rule 10)",
    ),
    (
        "incremental",
        "has(self.incremental)",
        &[SAPHana],
        "incremental is for SAPHana alone: remove it (rule 12)",
    ),
    (
        "log",
        "has(self.log)",
        &[SQLServer, SAPHana],
        "log is for SQLServer and SAPHana: remove it (rule 11)",
    ),
    (
        "compression",
        "has(self.compression)",
        &[SQLServer, SAPHana],
        "compression is for SQLServer and SAPHana: remove it (rule 11)",
    ),
    (
        "archive",
        "has(self.archive)",
        &[VirtualMachine, SQLServer, SAPHana],
        "archive is for VirtualMachine, SQLServer and SAPHana: remove it (rule 42)",
    ),
];

pub(super) fn rules() -> Vec<Rule> {
    let rule = |(field, is_there, workloads, message): &Row| {
        Rule::of_all(format!("!({is_there}) || {}", among(workloads)), *message).about(*field)
    };
    ROWS.iter().map(rule).collect()
}
