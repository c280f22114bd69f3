//! From the field's terms to the wire.

use jiff::civil::{Date, Time, date};
use kluis_policy::{DayOfMonth, Frequency, MonthDays, Retention};

use super::words::{month_on_wire, week_on_wire, weekday_on_wire};
use super::{
    DailyRetention, DailySchedule, Day, DaysOfMonth, DurationType, Generation, HourlySchedule,
    LongTermRetention, MonthlyRetention, PolicyType, RetentionDuration, RetentionFormat,
    RunFrequency, SchedulePolicy, SimpleSchedule, SimpleScheduleV2, Terms, VmPolicy,
    WeeklyRetention, WeeklySchedule, WeeksOfMonth, YearlyRetention,
};
use crate::time::WireTime;
use crate::zone::{self, ZoneError};

/// Why a policy cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The zone has no name there.
    #[error("the policy's time zone cannot be written")]
    Zone(#[from] ZoneError),
    /// A count that no policy can hold.
    #[error("{0} is too large a number for a policy; the limits are far below")]
    Count(u32),
    /// A schedule that only logs have.
    #[error(
        "virtual machines are backed up daily, weekly or every few hours, not every few minutes"
    )]
    LogsOnly,
}

/// The date that stands before every time. It means nothing: any will do, and one that never changes makes equal
/// policies equal.
const ANY_DATE: Date = date(2024, 1, 1);

/// A policy as it is written. It has the generation V1 or V2 of its terms, each retention's times those of its schedule
/// and none where that is hourly, and every hour on the zone's wall clock though a `Z` stands behind it. Limits are not
/// looked at: see [`super::check_limits`].
///
/// # Errors
/// When Azure has no name for the zone, or a number does not fit.
pub fn render(terms: &Terms) -> Result<VmPolicy, RenderError> {
    let (schedule, at) = match terms.generation {
        Generation::Standard => standard(&terms.frequency)?,
        Generation::Enhanced => enhanced(&terms.frequency)?,
    };
    let policy_type = match terms.generation {
        Generation::Standard => PolicyType::V1,
        Generation::Enhanced => PolicyType::V2,
    };
    Ok(VmPolicy {
        policy_type: Some(policy_type),
        schedule_policy: Some(schedule),
        retention_policy: Some(retention(&terms.retention, at)?.into()),
        instant_rp_retention_range_in_days: Some(count(terms.instant_restore_days)?),
        time_zone: Some(zone::to_azure(&terms.time_zone)?.to_owned()),
        ..VmPolicy::default()
    })
}

fn wall_clock(at: Time) -> WireTime {
    WireTime::wall_clock(at.on(ANY_DATE.year(), ANY_DATE.month(), ANY_DATE.day()))
}

fn count(number: u32) -> Result<i32, RenderError> {
    i32::try_from(number).map_err(|_| RenderError::Count(number))
}

fn hourly(every: u8, from: Time, window: u8) -> HourlySchedule {
    HourlySchedule {
        interval: Some(every.into()),
        schedule_window_start_time: Some(wall_clock(from)),
        schedule_window_duration: Some(window.into()),
        ..HourlySchedule::default()
    }
}

/// The schedule, and the time that its retention repeats.
fn standard(frequency: &Frequency) -> Result<(SchedulePolicy, Option<Time>), RenderError> {
    let simple = |frequency| SimpleSchedule {
        schedule_run_frequency: Some(frequency),
        ..SimpleSchedule::default()
    };
    Ok(match frequency {
        Frequency::Daily { at } => {
            let times = Some(vec![wall_clock(*at)]);
            (
                SimpleSchedule {
                    schedule_run_times: times,
                    ..simple(RunFrequency::Daily)
                }
                .into(),
                Some(*at),
            )
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
            let hourly = Some(hourly(*every, *from, *window));
            (
                SimpleSchedule {
                    hourly_schedule: hourly,
                    ..simple(RunFrequency::Hourly)
                }
                .into(),
                None,
            )
        }
        Frequency::Minutes { .. } => return Err(RenderError::LogsOnly),
    })
}

/// The schedule, and the time that its retention repeats.
fn enhanced(frequency: &Frequency) -> Result<(SchedulePolicy, Option<Time>), RenderError> {
    let v2 = |frequency| SimpleScheduleV2 {
        schedule_run_frequency: Some(frequency),
        ..SimpleScheduleV2::default()
    };
    Ok(match frequency {
        Frequency::Daily { at } => {
            let times = Some(vec![wall_clock(*at)]);
            let daily = Some(DailySchedule {
                schedule_run_times: times,
                ..DailySchedule::default()
            });
            (
                SimpleScheduleV2 {
                    daily_schedule: daily,
                    ..v2(RunFrequency::Daily)
                }
                .into(),
                Some(*at),
            )
        }
        Frequency::Weekly { on, at } => {
            let weekly = Some(WeeklySchedule {
                schedule_run_days: Some(on.iter().copied().map(weekday_on_wire).collect()),
                schedule_run_times: Some(vec![wall_clock(*at)]),
                ..WeeklySchedule::default()
            });
            (
                SimpleScheduleV2 {
                    weekly_schedule: weekly,
                    ..v2(RunFrequency::Weekly)
                }
                .into(),
                Some(*at),
            )
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => {
            let hourly = Some(hourly(*every, *from, *window));
            (
                SimpleScheduleV2 {
                    hourly_schedule: hourly,
                    ..v2(RunFrequency::Hourly)
                }
                .into(),
                None,
            )
        }
        Frequency::Minutes { .. } => return Err(RenderError::LogsOnly),
    })
}

fn retention(retention: &Retention, at: Option<Time>) -> Result<LongTermRetention, RenderError> {
    let times = || at.map(|at| vec![wall_clock(at)]);
    let daily = retention.daily.as_ref().map(|daily| {
        Ok::<_, RenderError>(DailyRetention {
            retention_times: times(),
            retention_duration: Some(duration(daily.keep, DurationType::Days)?),
            ..DailyRetention::default()
        })
    });
    let weekly = retention.weekly.as_ref().map(|weekly| {
        Ok::<_, RenderError>(WeeklyRetention {
            days_of_the_week: Some(weekly.on.iter().copied().map(weekday_on_wire).collect()),
            retention_times: times(),
            retention_duration: Some(duration(weekly.keep, DurationType::Weeks)?),
            ..WeeklyRetention::default()
        })
    });
    let monthly = retention.monthly.as_ref().map(|monthly| {
        let (format, by_date, by_week) = days(&monthly.on);
        Ok::<_, RenderError>(MonthlyRetention {
            retention_schedule_format_type: Some(format),
            retention_schedule_daily: by_date,
            retention_schedule_weekly: by_week,
            retention_times: times(),
            retention_duration: Some(duration(monthly.keep, DurationType::Months)?),
            ..MonthlyRetention::default()
        })
    });
    let yearly = retention.yearly.as_ref().map(|yearly| {
        let (format, by_date, by_week) = days(&yearly.on);
        Ok::<_, RenderError>(YearlyRetention {
            retention_schedule_format_type: Some(format),
            months_of_year: Some(yearly.months.iter().copied().map(month_on_wire).collect()),
            retention_schedule_daily: by_date,
            retention_schedule_weekly: by_week,
            retention_times: times(),
            retention_duration: Some(duration(yearly.keep, DurationType::Years)?),
            ..YearlyRetention::default()
        })
    });
    Ok(LongTermRetention {
        daily_schedule: daily.transpose()?,
        weekly_schedule: weekly.transpose()?,
        monthly_schedule: monthly.transpose()?,
        yearly_schedule: yearly.transpose()?,
        ..LongTermRetention::default()
    })
}

fn duration(keep: u32, of: DurationType) -> Result<RetentionDuration, RenderError> {
    Ok(RetentionDuration {
        count: Some(count(keep)?),
        duration_type: Some(of),
        ..RetentionDuration::default()
    })
}

fn days(on: &MonthDays) -> (RetentionFormat, Option<DaysOfMonth>, Option<WeeksOfMonth>) {
    match on {
        MonthDays::Dates(days) => {
            let days = days.iter().map(|day| match day {
                DayOfMonth::Day(date) => (i32::from(*date), false),
                DayOfMonth::Last => (0, true),
            });
            let days = days.map(|(date, last)| Day {
                date: Some(date),
                is_last: Some(last),
                ..Day::default()
            });
            let days = DaysOfMonth {
                days_of_the_month: Some(days.collect()),
                ..DaysOfMonth::default()
            };
            (RetentionFormat::Daily, Some(days), None)
        }
        MonthDays::Weekdays { weeks, on } => {
            let weeks = WeeksOfMonth {
                days_of_the_week: Some(on.iter().copied().map(weekday_on_wire).collect()),
                weeks_of_the_month: Some(weeks.iter().copied().map(week_on_wire).collect()),
                ..WeeksOfMonth::default()
            };
            (RetentionFormat::Weekly, None, Some(weeks))
        }
    }
}
