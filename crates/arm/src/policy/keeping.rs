//! What an edit takes over from the policy in force, because the field's terms do not say it.

use super::{
    DailyRetention, DailySchedule, Day, DaysOfMonth, FileSharePolicy, FilesPolicy, HourlySchedule,
    LogSchedule, LongTermRetention, MonthlyRetention, ProtectionPolicy, RetentionDuration,
    RetentionPolicy, SchedulePolicy, Settings, SimpleRetention, SimpleSchedule, SimpleScheduleV2,
    SubPolicy, Tiering, VaultRetention, VmPolicy, WeeklyRetention, WeeklySchedule, WeeksOfMonth,
    WorkloadPolicy, YearlyRetention,
};
use crate::keep::Keep;

/// The wanted policy with all that terms do not say taken over from the one in force: how snapshots' resource groups are
/// named, whether they are crash consistent and no more, when points go to another tier than the archive, and what this
/// version does not know. Without this, the edit of a policy that somebody else made would lose it without a word. A
/// policy of another kind has nothing to take over.
#[must_use]
pub fn keeping(in_force: &ProtectionPolicy, mut wanted: ProtectionPolicy) -> ProtectionPolicy {
    wanted.keep(in_force);
    if let (ProtectionPolicy::VirtualMachine(old), ProtectionPolicy::VirtualMachine(new)) =
        (in_force, &mut wanted)
    {
        snapshots(old, new);
    }
    wanted
}

fn snapshots(old: &VmPolicy, new: &mut VmPolicy) {
    if new.instant_rp_details.is_none() {
        new.instant_rp_details.clone_from(&old.instant_rp_details);
    }
    // Only V2 has it.
    if new.snapshot_consistency_type.is_none() && new.generation() == old.generation() {
        new.snapshot_consistency_type
            .clone_from(&old.snapshot_consistency_type);
    }
}

keeps_kinds! {
    ProtectionPolicy { VirtualMachine, FileShare, Workload, Files }
    SchedulePolicy { Simple, SimpleV2, Log }
    RetentionPolicy { LongTerm, Simple }
}

keeps! {
    VmPolicy { schedule_policy, retention_policy, tiering_policy };
    FileSharePolicy { schedule_policy, retention_policy, vault_retention_policy };
    WorkloadPolicy { settings, sub_protection_policy };
    FilesPolicy { schedule_policy, retention_policy };
    VaultRetention { vault_retention };
    Settings {};
    SubPolicy { schedule_policy, retention_policy, tiering_policy } is |one, other| one.policy_type == other.policy_type;
    Tiering {};

    SimpleSchedule { hourly_schedule };
    SimpleScheduleV2 { hourly_schedule, daily_schedule, weekly_schedule };
    HourlySchedule {};
    DailySchedule {};
    WeeklySchedule {};
    LogSchedule {};

    LongTermRetention { daily_schedule, weekly_schedule, monthly_schedule, yearly_schedule };
    DailyRetention { retention_duration };
    WeeklyRetention { retention_duration };
    MonthlyRetention { retention_schedule_daily, retention_schedule_weekly, retention_duration };
    YearlyRetention { retention_schedule_daily, retention_schedule_weekly, retention_duration };
    WeeksOfMonth {};
    DaysOfMonth { days_of_the_month };
    Day {} is |one, other| (one.date, one.is_last) == (other.date, other.is_last);
    SimpleRetention { retention_duration };
    RetentionDuration {};
}
