//! What a service makes of a policy that is written to it: the same policy, with what was left out filled in.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::{
    FileSharePolicy, FilesPolicy, HourlySchedule, InstantRpDetails, LongTermRetention,
    ProtectionPolicy, RetentionPolicy, SchedulePolicy, Settings, VmPolicy, WorkloadPolicy,
    parse_vm,
};
use crate::time::WireTime;

/// The policy as a service keeps and answers it: times without decimals and with a `Z`, the zone (but of files,
/// whose policies have none in Azure), and of virtual machines the days of snapshots and Azure's empty details there even where the request had none. The count of items stays as it
/// is; policies of an unknown kind are kept as they are.
#[must_use]
pub fn as_stored(policy: ProtectionPolicy) -> ProtectionPolicy {
    match policy {
        ProtectionPolicy::VirtualMachine(policy) => vm(*policy).into(),
        ProtectionPolicy::FileShare(policy) => file_share(*policy).into(),
        ProtectionPolicy::Workload(policy) => database(*policy).into(),
        ProtectionPolicy::Files(policy) => files(*policy).into(),
        other => other,
    }
}

fn vm(mut policy: VmPolicy) -> VmPolicy {
    if let Ok(terms) = parse_vm(&policy) {
        policy.instant_rp_retention_range_in_days = terms
            .instant_restore_days
            .and_then(|days| i32::try_from(days).ok());
    }
    policy.time_zone.get_or_insert_with(utc);
    policy
        .instant_rp_details
        .get_or_insert_with(InstantRpDetails::default);
    schedule(&mut policy.schedule_policy);
    retention(&mut policy.retention_policy);
    policy
}

fn file_share(mut policy: FileSharePolicy) -> FileSharePolicy {
    policy
        .workload_type
        .get_or_insert_with(|| super::file_share::WORKLOAD_TYPE.to_owned());
    policy.time_zone.get_or_insert_with(utc);
    schedule(&mut policy.schedule_policy);
    let last = last_of_a_day(policy.schedule_policy.as_ref());
    let vaulted = policy.vault_retention_policy.as_mut();
    let kept = [
        Some(&mut policy.retention_policy),
        vaulted.map(|vaulted| &mut vaulted.vault_retention),
    ];
    for kept in kept.into_iter().flatten() {
        if let (Some(RetentionPolicy::LongTerm(kept)), Some(last)) = (&mut *kept, &last) {
            // With an hourly schedule they are left out, and Azure writes the window's end.
            for times in times(kept) {
                times.get_or_insert_with(|| vec![last.clone()]);
            }
        }
        retention(kept);
    }
    policy
}

fn database(mut policy: WorkloadPolicy) -> WorkloadPolicy {
    let settings = policy.settings.get_or_insert_with(Settings::default);
    settings.time_zone.get_or_insert_with(utc);
    settings.issqlcompression.get_or_insert(false);
    settings.is_compression.get_or_insert(false);
    for sub in policy.sub_protection_policy.iter_mut().flatten() {
        schedule(&mut sub.schedule_policy);
        retention(&mut sub.retention_policy);
    }
    policy
}

fn files(mut policy: FilesPolicy) -> FilesPolicy {
    schedule(&mut policy.schedule_policy);
    retention(&mut policy.retention_policy);
    policy
}

fn utc() -> String {
    "UTC".to_owned()
}

fn schedule(schedule: &mut Option<SchedulePolicy>) {
    match schedule {
        Some(SchedulePolicy::Simple(simple)) => {
            simple.schedule_weekly_frequency.get_or_insert(0);
            tidy_all(simple.schedule_run_times.as_mut());
            window(simple.hourly_schedule.as_mut());
        }
        Some(SchedulePolicy::SimpleV2(v2)) => {
            let daily = v2.daily_schedule.as_mut();
            let weekly = v2.weekly_schedule.as_mut();
            tidy_all(daily.and_then(|daily| daily.schedule_run_times.as_mut()));
            tidy_all(weekly.and_then(|weekly| weekly.schedule_run_times.as_mut()));
            window(v2.hourly_schedule.as_mut());
        }
        _ => {}
    }
}

fn window(hourly: Option<&mut HourlySchedule>) {
    if let Some(start) = hourly.and_then(|hourly| hourly.schedule_window_start_time.as_mut()) {
        tidy(start);
    }
}

fn retention(retention: &mut Option<RetentionPolicy>) {
    if let Some(RetentionPolicy::LongTerm(retention)) = retention {
        for times in times(retention) {
            tidy_all(times.as_mut());
        }
    }
}

/// The times of every tier that is there.
fn times(retention: &mut LongTermRetention) -> impl Iterator<Item = &mut Option<Vec<WireTime>>> {
    let daily = retention.daily_schedule.as_mut();
    let weekly = retention.weekly_schedule.as_mut();
    let monthly = retention.monthly_schedule.as_mut();
    let yearly = retention.yearly_schedule.as_mut();
    [
        daily.map(|tier| &mut tier.retention_times),
        weekly.map(|tier| &mut tier.retention_times),
        monthly.map(|tier| &mut tier.retention_times),
        yearly.map(|tier| &mut tier.retention_times),
    ]
    .into_iter()
    .flatten()
}

/// The end of an hourly schedule's window.
fn last_of_a_day(schedule: Option<&SchedulePolicy>) -> Option<WireTime> {
    let Some(SchedulePolicy::Simple(simple)) = schedule else {
        return None;
    };
    let hourly = simple.hourly_schedule.as_ref()?;
    let start: DateTime = hourly.schedule_window_start_time.as_ref()?.civil().ok()?;
    let hours = SignedDuration::from_hours(i64::from(hourly.schedule_window_duration?));
    start.checked_add(hours).ok().map(WireTime::wall_clock)
}

fn tidy_all(times: Option<&mut Vec<WireTime>>) {
    times.into_iter().flatten().for_each(tidy);
}

fn tidy(time: &mut WireTime) {
    if let Ok(civil) = time.civil() {
        *time = WireTime::wall_clock(civil);
    }
}
