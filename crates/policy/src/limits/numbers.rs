//! The numbers. One row a workload and field.

use super::{Case, Choice, Limit, POINTS, Unit};
use crate::workload::Workload;
use Workload::{Disk, FileShare, Files, PostgreSql, SapHana, SqlServer, VirtualMachine};

const DAILY: &str = "retention.daily.keep";
const WEEKLY: &str = "retention.weekly.keep";
const MONTHLY: &str = "retention.monthly.keep";
const YEARLY: &str = "retention.yearly.keep";
const INSTANT: &str = "instantRestore.keepDays";
const EVERY: &str = "schedule.hourly.every";
const WINDOW: &str = "schedule.hourly.for";
const ARCHIVE: &str = "archive.after";

const TIERS: &str = "clients, on S003";
const SHARES: &str = "clients, Learn";
const LEARN: &str = "Learn";
const SQL: &str = "S002, Learn";
const OURS: &str = "ours, within S003's 99 years";

/// Every number that a policy may not go below or beyond.
#[rustfmt::skip]
pub const LIMITS: &[Limit] = &[
    of(VirtualMachine, DAILY, 7, 9999, Unit::Days, 3, TIERS),
    of(VirtualMachine, WEEKLY, 1, 5163, Unit::Weeks, 3, TIERS),
    of(VirtualMachine, MONTHLY, 1, 1188, Unit::Months, 3, TIERS),
    of(VirtualMachine, YEARLY, 1, 99, Unit::Years, 3, TIERS),
    of(VirtualMachine, WINDOW, 4, 24, Unit::Hours, 5, "the published interface, Learn"),
    when(Case::StandardDaily, INSTANT, 1, 5, "S002 (2 days), Learn"),
    when(Case::StandardWeekly, INSTANT, 5, 5, LEARN),
    when(Case::Enhanced, INSTANT, 1, 30, LEARN),
    of(VirtualMachine, ARCHIVE, 3, 1182, Unit::Months, 42, LEARN),
    of(VirtualMachine, POINTS, 0, 9999, Unit::Points, 1, "S003, S004"),

    of(SqlServer, DAILY, 7, 9999, Unit::Days, 3, TIERS),
    of(SqlServer, WEEKLY, 1, 5163, Unit::Weeks, 3, TIERS),
    of(SqlServer, MONTHLY, 1, 1188, Unit::Months, 3, TIERS),
    of(SqlServer, YEARLY, 1, 99, Unit::Years, 3, TIERS),
    of(SqlServer, "differential.keep", 1, 180, Unit::Days, 10, SQL),
    of(SqlServer, "log.every", 15, 1440, Unit::Minutes, 11, SQL),
    of(SqlServer, "log.keep", 7, 35, Unit::Days, 11, LEARN),
    of(SqlServer, ARCHIVE, 45, 35_955, Unit::Days, 42, LEARN),
    of(SqlServer, POINTS, 0, 9999, Unit::Points, 1, "S003, S004"),

    of(SapHana, DAILY, 7, 9999, Unit::Days, 3, TIERS),
    of(SapHana, WEEKLY, 1, 5163, Unit::Weeks, 3, TIERS),
    of(SapHana, MONTHLY, 1, 1188, Unit::Months, 3, TIERS),
    of(SapHana, YEARLY, 1, 99, Unit::Years, 3, TIERS),
    of(SapHana, "differential.keep", 1, 180, Unit::Days, 10, LEARN),
    of(SapHana, "incremental.keep", 1, 180, Unit::Days, 10, LEARN),
    of(SapHana, "log.every", 15, 1440, Unit::Minutes, 11, LEARN),
    of(SapHana, "log.keep", 7, 35, Unit::Days, 11, LEARN),
    of(SapHana, ARCHIVE, 45, 35_955, Unit::Days, 42, LEARN),
    of(SapHana, POINTS, 0, 9999, Unit::Points, 1, "S003, S004"),

    of(PostgreSql, DAILY, 1, 3650, Unit::Days, 19, "S000 (ten years)"),
    of(PostgreSql, WEEKLY, 1, 520, Unit::Weeks, 19, "S000 (ten years)"),
    of(PostgreSql, MONTHLY, 1, 120, Unit::Months, 19, "S000 (ten years)"),
    of(PostgreSql, YEARLY, 1, 10, Unit::Years, 19, "S000 (ten years)"),
    of(PostgreSql, POINTS, 0, 9999, Unit::Points, 1, "S003, S004"),

    of(FileShare, DAILY, 1, 200, Unit::Days, 17, SHARES),
    of(FileShare, WEEKLY, 1, 200, Unit::Weeks, 17, SHARES),
    of(FileShare, MONTHLY, 1, 120, Unit::Months, 17, SHARES),
    of(FileShare, YEARLY, 1, 10, Unit::Years, 17, SHARES),
    of(FileShare, WINDOW, 4, 24, Unit::Hours, 17, "the published interface"),
    of(FileShare, INSTANT, 1, 30, Unit::Days, 8, "the published interface"),
    of(FileShare, POINTS, 0, 200, Unit::Points, 17, LEARN),
    Limit { case: Case::InVault, ..of(FileShare, POINTS, 0, 9999, Unit::Points, 1, "S003, S004") },

    of(Disk, DAILY, 1, 365, Unit::Days, 18, LEARN),
    of(Disk, WEEKLY, 1, 52, Unit::Weeks, 18, LEARN),
    of(Disk, MONTHLY, 1, 12, Unit::Months, 18, LEARN),
    of(Disk, YEARLY, 1, 1, Unit::Years, 18, LEARN),
    of(Disk, POINTS, 0, 450, Unit::Points, 18, LEARN),

    of(Files, DAILY, 1, 9999, Unit::Days, 2, OURS),
    of(Files, WEEKLY, 1, 5163, Unit::Weeks, 2, OURS),
    of(Files, MONTHLY, 1, 1188, Unit::Months, 2, OURS),
    of(Files, YEARLY, 1, 99, Unit::Years, 2, OURS),
    of(Files, WINDOW, 4, 24, Unit::Hours, 20, "ours"),
    of(Files, POINTS, 0, 9999, Unit::Points, 1, "S003, S004"),
];

/// Every number that is one out of a few.
#[rustfmt::skip]
pub const CHOICES: &[Choice] = &[
    choice(VirtualMachine, &[4, 6, 8, 12, 24], 5, "the published interface, Learn"),
    choice(FileShare, &[4, 6, 8, 12], 17, "clients"),
    choice(Disk, &[1, 2, 4, 6, 8, 12], 18, LEARN),
    choice(Files, &[8, 12, 24], 20, "S001, S003 (three a day)"),
];

const fn of(
    workload: Workload,
    field: &'static str,
    least: u32,
    most: u32,
    unit: Unit,
    rule: u8,
    source: &'static str,
) -> Limit {
    Limit {
        workload,
        case: Case::Always,
        field,
        least,
        most,
        unit,
        rule,
        source,
    }
}

/// A limit of virtual machines that depends on the policy's generation and schedule.
const fn when(
    case: Case,
    field: &'static str,
    least: u32,
    most: u32,
    source: &'static str,
) -> Limit {
    Limit {
        case,
        ..of(VirtualMachine, field, least, most, Unit::Days, 8, source)
    }
}

const fn choice(
    workload: Workload,
    among: &'static [u32],
    rule: u8,
    source: &'static str,
) -> Choice {
    Choice {
        workload,
        field: EVERY,
        among,
        unit: Unit::Hours,
        rule,
        source,
    }
}
