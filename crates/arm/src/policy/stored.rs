//! What a service makes of a policy that is written to it: the same policy, with what was left out filled in.

use super::parse::parse_vm;
use super::{InstantRpDetails, ProtectionPolicy, RetentionPolicy, SchedulePolicy, Terms, VmPolicy};
use crate::time::WireTime;

/// The policy as a service keeps and answers it: times without decimals and with a `Z`, the zone, the days of snapshots
/// and Azure's empty details there even where the request had none. The count of items stays as it is; policies for
/// anything but virtual machines are kept as they are.
#[must_use]
pub fn as_stored(policy: ProtectionPolicy) -> ProtectionPolicy {
    match policy {
        ProtectionPolicy::VirtualMachine(policy) => stored(*policy).into(),
        other => other,
    }
}

fn stored(mut policy: VmPolicy) -> VmPolicy {
    if let Ok(Terms {
        instant_restore_days,
        ..
    }) = parse_vm(&policy)
    {
        policy.instant_rp_retention_range_in_days = i32::try_from(instant_restore_days).ok();
    }
    policy.time_zone.get_or_insert_with(|| "UTC".to_owned());
    policy
        .instant_rp_details
        .get_or_insert_with(InstantRpDetails::default);
    match policy.schedule_policy.as_mut() {
        Some(SchedulePolicy::Simple(simple)) => {
            simple.schedule_weekly_frequency.get_or_insert(0);
            tidy_all(simple.schedule_run_times.as_mut());
            tidy_one(
                simple
                    .hourly_schedule
                    .as_mut()
                    .and_then(|hourly| hourly.schedule_window_start_time.as_mut()),
            );
        }
        Some(SchedulePolicy::SimpleV2(v2)) => {
            tidy_one(
                v2.hourly_schedule
                    .as_mut()
                    .and_then(|hourly| hourly.schedule_window_start_time.as_mut()),
            );
            tidy_all(
                v2.daily_schedule
                    .as_mut()
                    .and_then(|daily| daily.schedule_run_times.as_mut()),
            );
            tidy_all(
                v2.weekly_schedule
                    .as_mut()
                    .and_then(|weekly| weekly.schedule_run_times.as_mut()),
            );
        }
        _ => {}
    }
    if let Some(RetentionPolicy::LongTerm(retention)) = policy.retention_policy.as_mut() {
        tidy_all(
            retention
                .daily_schedule
                .as_mut()
                .and_then(|daily| daily.retention_times.as_mut()),
        );
        tidy_all(
            retention
                .weekly_schedule
                .as_mut()
                .and_then(|weekly| weekly.retention_times.as_mut()),
        );
        tidy_all(
            retention
                .monthly_schedule
                .as_mut()
                .and_then(|monthly| monthly.retention_times.as_mut()),
        );
        tidy_all(
            retention
                .yearly_schedule
                .as_mut()
                .and_then(|yearly| yearly.retention_times.as_mut()),
        );
    }
    policy
}

fn tidy_all(times: Option<&mut Vec<WireTime>>) {
    for time in times.into_iter().flatten() {
        tidy_one(Some(time));
    }
}

fn tidy_one(time: Option<&mut WireTime>) {
    if let Some(time) = time
        && let Ok(civil) = time.civil()
    {
        *time = WireTime::wall_clock(civil);
    }
}
