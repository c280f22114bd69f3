//! When backups run, in both of the wire's forms.

use jiff::civil::Time;
use kluis_policy::Frequency;

use super::{RenderError, wall_clock};
use crate::policy::words::weekday_on_wire;
use crate::policy::{
    DailySchedule, HourlySchedule, LogSchedule, RunFrequency, SchedulePolicy, SimpleSchedule,
    SimpleScheduleV2, WeeklySchedule,
};

const LOGS_ONLY: RenderError = RenderError::NoPlace {
    workload: "anything but logs",
    what: "schedule by the minute",
};

/// The schedule of V1 policies and of all other workloads, and the time that its retention repeats.
pub(in crate::policy) fn standard(
    frequency: &Frequency,
) -> Result<(SchedulePolicy, Option<Time>), RenderError> {
    let simple = |frequency| SimpleSchedule {
        schedule_run_frequency: Some(frequency),
        ..SimpleSchedule::default()
    };
    Ok(match frequency {
        Frequency::Daily { at } => {
            let schedule = SimpleSchedule {
                schedule_run_times: Some(vec![wall_clock(*at)]),
                ..simple(RunFrequency::Daily)
            };
            (schedule.into(), Some(*at))
        }
        Frequency::Weekly { on, at } => {
            let schedule = SimpleSchedule {
                schedule_run_days: Some(on.iter().copied().map(weekday_on_wire).collect()),
                schedule_run_times: Some(vec![wall_clock(*at)]),
                ..simple(RunFrequency::Weekly)
            };
            (schedule.into(), Some(*at))
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => {
            let schedule = SimpleSchedule {
                hourly_schedule: Some(hourly(*every, *from, *window)),
                ..simple(RunFrequency::Hourly)
            };
            (schedule.into(), None)
        }
        Frequency::Minutes { .. } => return Err(LOGS_ONLY),
    })
}

/// The schedule of V2 policies, and the time that its retention repeats.
pub(in crate::policy) fn enhanced(
    frequency: &Frequency,
) -> Result<(SchedulePolicy, Option<Time>), RenderError> {
    let v2 = |frequency| SimpleScheduleV2 {
        schedule_run_frequency: Some(frequency),
        ..SimpleScheduleV2::default()
    };
    Ok(match frequency {
        Frequency::Daily { at } => {
            let daily = DailySchedule {
                schedule_run_times: Some(vec![wall_clock(*at)]),
                ..DailySchedule::default()
            };
            let schedule = SimpleScheduleV2 {
                daily_schedule: Some(daily),
                ..v2(RunFrequency::Daily)
            };
            (schedule.into(), Some(*at))
        }
        Frequency::Weekly { on, at } => {
            let weekly = WeeklySchedule {
                schedule_run_days: Some(on.iter().copied().map(weekday_on_wire).collect()),
                schedule_run_times: Some(vec![wall_clock(*at)]),
                ..WeeklySchedule::default()
            };
            let schedule = SimpleScheduleV2 {
                weekly_schedule: Some(weekly),
                ..v2(RunFrequency::Weekly)
            };
            (schedule.into(), Some(*at))
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => {
            let schedule = SimpleScheduleV2 {
                hourly_schedule: Some(hourly(*every, *from, *window)),
                ..v2(RunFrequency::Hourly)
            };
            (schedule.into(), None)
        }
        Frequency::Minutes { .. } => return Err(LOGS_ONLY),
    })
}

/// The schedule of logs.
pub(in crate::policy) fn log(every_minutes: u16) -> SchedulePolicy {
    LogSchedule {
        schedule_frequency_in_mins: Some(every_minutes.into()),
        ..LogSchedule::default()
    }
    .into()
}

fn hourly(every: u8, from: Time, window: u8) -> HourlySchedule {
    HourlySchedule {
        interval: Some(every.into()),
        schedule_window_start_time: Some(wall_clock(from)),
        schedule_window_duration: Some(window.into()),
        ..HourlySchedule::default()
    }
}
