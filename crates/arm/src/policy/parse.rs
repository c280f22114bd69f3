//! From the wire to the field's terms.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use kluis_policy::{Daily, DayOfMonth, Frequency, MonthDays, Monthly, Retention, Weekly, Yearly};

use super::words::{month, week, weekday};
use super::{
    DaysOfMonth, DurationType, Generation, HourlySchedule, PolicyType, ProtectionPolicy,
    RetentionDuration, RetentionFormat, RetentionPolicy, RunFrequency, SchedulePolicy, Terms,
    VmPolicy, WeekDay, WeeksOfMonth,
};
use crate::time::WireTime;
use crate::zone;

/// Why a policy cannot be put in the field's terms. Others may well understand it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy's {field} is {found}; {expected} is expected")]
pub struct ParseError {
    /// The path below `properties`.
    pub field: &'static str,
    /// What stands there.
    pub found: String,
    /// What could.
    pub expected: &'static str,
}

fn error(
    field: &'static str,
    found: &(impl ToString + ?Sized),
    expected: &'static str,
) -> ParseError {
    ParseError {
        field,
        found: found.to_string(),
        expected,
    }
}

fn need<T: Clone>(
    value: Option<&T>,
    field: &'static str,
    expected: &'static str,
) -> Result<T, ParseError> {
    value
        .cloned()
        .ok_or_else(|| error(field, "missing", expected))
}

/// Reads a policy for virtual machines. Limits are not looked at: see [`super::check_limits`]. Without a zone it is in
/// UTC, and without days for snapshots it has the usual ones.
///
/// # Errors
/// When it is for something else, or says what the field's terms cannot.
pub fn parse(policy: &ProtectionPolicy) -> Result<Terms, ParseError> {
    match policy {
        ProtectionPolicy::VirtualMachine(policy) => parse_vm(policy),
        other => Err(error("backupManagementType", other.tag(), "AzureIaasVM")),
    }
}

/// As [`parse`], when it is known to be for virtual machines.
///
/// # Errors
/// When it says what the field's terms cannot.
pub fn parse_vm(policy: &VmPolicy) -> Result<Terms, ParseError> {
    let frequency = frequency(policy)?;
    let is_v2 = matches!(policy.schedule_policy, Some(SchedulePolicy::SimpleV2(_)));
    let generation = if is_v2 || policy.generation() == PolicyType::V2 {
        Generation::Enhanced
    } else {
        Generation::Standard
    };
    let instant_restore_days = match policy.instant_rp_retention_range_in_days {
        None => Terms::usual_instant_restore(generation, &frequency),
        Some(days) => u32::try_from(days)
            .map_err(|_| error("instantRpRetentionRangeInDays", &days, "a number of days"))?,
    };
    let retention = retention(policy)?;
    Ok(Terms {
        generation,
        frequency,
        time_zone: time_zone(policy)?,
        retention,
        instant_restore_days,
    })
}

fn time_zone(policy: &VmPolicy) -> Result<String, ParseError> {
    let Some(name) = policy.time_zone.as_deref() else {
        return Ok("UTC".to_owned());
    };
    match zone::to_iana(name) {
        Ok(iana) => Ok(iana.to_owned()),
        Err(_) if TimeZone::get(name).is_ok() => Ok(name.to_owned()),
        Err(_) => Err(error(
            "timeZone",
            &format!("{name:?}"),
            "the name of a zone such as \"W. Europe Standard Time\"",
        )),
    }
}

fn frequency(policy: &VmPolicy) -> Result<Frequency, ParseError> {
    const RUNS: &str = "schedulePolicy.scheduleRunFrequency";
    const TIMES: &str = "schedulePolicy.scheduleRunTimes";
    const DAYS: &str = "schedulePolicy.scheduleRunDays";
    let (runs, days, times, hours) = match policy.schedule_policy.as_ref() {
        Some(SchedulePolicy::Simple(simple)) => (
            simple.schedule_run_frequency.as_ref(),
            simple.schedule_run_days.as_ref(),
            simple.schedule_run_times.as_deref(),
            simple.hourly_schedule.as_ref(),
        ),
        Some(SchedulePolicy::SimpleV2(v2)) => {
            let (daily, weekly) = (v2.daily_schedule.as_ref(), v2.weekly_schedule.as_ref());
            let times = match v2.schedule_run_frequency {
                Some(RunFrequency::Weekly) => weekly.and_then(|w| w.schedule_run_times.as_deref()),
                _ => daily.and_then(|d| d.schedule_run_times.as_deref()),
            };
            let days = weekly.and_then(|w| w.schedule_run_days.as_ref());
            (
                v2.schedule_run_frequency.as_ref(),
                days,
                times,
                v2.hourly_schedule.as_ref(),
            )
        }
        Some(other) => {
            return Err(error(
                "schedulePolicy.schedulePolicyType",
                other.tag(),
                "SimpleSchedulePolicy or V2",
            ));
        }
        None => return Err(error("schedulePolicy", "missing", "a schedule")),
    };
    match runs {
        Some(RunFrequency::Daily) => Ok(Frequency::Daily {
            at: one_time(times, TIMES)?,
        }),
        Some(RunFrequency::Weekly) => {
            let days = need(days, DAYS, "a list of days")?;
            Ok(Frequency::Weekly {
                on: weekdays(&days, DAYS)?,
                at: one_time(times, TIMES)?,
            })
        }
        Some(RunFrequency::Hourly) => hourly(&need(
            hours,
            "schedulePolicy.hourlySchedule",
            "hours and a window",
        )?),
        Some(other) => Err(error(RUNS, other, "Daily, Weekly or Hourly")),
        None => Err(error(RUNS, "missing", "Daily, Weekly or Hourly")),
    }
}

fn hourly(schedule: &HourlySchedule) -> Result<Frequency, ParseError> {
    const INTERVAL: &str = "schedulePolicy.hourlySchedule.interval";
    const START: &str = "schedulePolicy.hourlySchedule.scheduleWindowStartTime";
    const WINDOW: &str = "schedulePolicy.hourlySchedule.scheduleWindowDuration";
    let hours = |value: Option<&i32>, field| {
        let hours = need(value, field, "a number of hours")?;
        u8::try_from(hours).map_err(|_| error(field, &hours, "a number of hours"))
    };
    Ok(Frequency::Hourly {
        every: hours(schedule.interval.as_ref(), INTERVAL)?,
        from: time(
            &need(
                schedule.schedule_window_start_time.as_ref(),
                START,
                "a time",
            )?,
            START,
        )?,
        window: hours(schedule.schedule_window_duration.as_ref(), WINDOW)?,
    })
}

fn time(at: &WireTime, field: &'static str) -> Result<Time, ParseError> {
    at.time_of_day()
        .map_err(|_| error(field, at, "a time such as 2024-01-01T22:30:00Z"))
}

fn one_time(times: Option<&[WireTime]>, field: &'static str) -> Result<Time, ParseError> {
    match times {
        Some([at]) => time(at, field),
        Some(several) => Err(error(
            field,
            &format!("a list of {}", several.len()),
            "one time",
        )),
        None => Err(error(field, "missing", "one time")),
    }
}

fn weekdays(days: &[WeekDay], field: &'static str) -> Result<Vec<Weekday>, ParseError> {
    days.iter()
        .map(|day| weekday(day).ok_or_else(|| error(field, day, "a day from Monday to Sunday")))
        .collect()
}

fn retention(policy: &VmPolicy) -> Result<Retention, ParseError> {
    const DAILY: &str = "retentionPolicy.dailySchedule.retentionDuration";
    const WEEKLY: &str = "retentionPolicy.weeklySchedule.retentionDuration";
    const WEEKLY_DAYS: &str = "retentionPolicy.weeklySchedule.daysOfTheWeek";
    const MONTHLY: &str = "retentionPolicy.monthlySchedule.retentionDuration";
    const MONTHLY_DAYS: &str = "retentionPolicy.monthlySchedule";
    const YEARLY: &str = "retentionPolicy.yearlySchedule.retentionDuration";
    const YEARLY_DAYS: &str = "retentionPolicy.yearlySchedule";
    const MONTHS: &str = "retentionPolicy.yearlySchedule.monthsOfYear";
    let long_term = match policy.retention_policy.as_ref() {
        Some(RetentionPolicy::LongTerm(long_term)) => long_term,
        Some(other) => {
            return Err(error(
                "retentionPolicy.retentionPolicyType",
                other.tag(),
                "LongTermRetentionPolicy",
            ));
        }
        None => return Err(error("retentionPolicy", "missing", "a retention")),
    };
    let mut retention = Retention::default();
    if let Some(daily) = &long_term.daily_schedule {
        retention.daily = Some(Daily {
            keep: duration(
                daily.retention_duration.as_ref(),
                &DurationType::Days,
                DAILY,
            )?,
        });
    }
    if let Some(weekly) = &long_term.weekly_schedule {
        let on = weekdays(
            &need(
                weekly.days_of_the_week.as_ref(),
                WEEKLY_DAYS,
                "a list of days",
            )?,
            WEEKLY_DAYS,
        )?;
        let keep = duration(
            weekly.retention_duration.as_ref(),
            &DurationType::Weeks,
            WEEKLY,
        )?;
        retention.weekly = Some(Weekly { keep, on });
    }
    if let Some(monthly) = &long_term.monthly_schedule {
        let on = month_days(
            monthly.retention_schedule_format_type.as_ref(),
            monthly.retention_schedule_daily.as_ref(),
            monthly.retention_schedule_weekly.as_ref(),
            MONTHLY_DAYS,
        )?;
        let keep = duration(
            monthly.retention_duration.as_ref(),
            &DurationType::Months,
            MONTHLY,
        )?;
        retention.monthly = Some(Monthly { keep, on });
    }
    if let Some(yearly) = &long_term.yearly_schedule {
        let on = month_days(
            yearly.retention_schedule_format_type.as_ref(),
            yearly.retention_schedule_daily.as_ref(),
            yearly.retention_schedule_weekly.as_ref(),
            YEARLY_DAYS,
        )?;
        let months = need(yearly.months_of_year.as_ref(), MONTHS, "a list of months")?;
        let months = months
            .iter()
            .map(|name| month(name).ok_or_else(|| error(MONTHS, name, "a month")));
        let keep = duration(
            yearly.retention_duration.as_ref(),
            &DurationType::Years,
            YEARLY,
        )?;
        retention.yearly = Some(Yearly {
            keep,
            months: months.collect::<Result<_, _>>()?,
            on,
        });
    }
    Ok(retention)
}

fn duration(
    duration: Option<&RetentionDuration>,
    of: &DurationType,
    field: &'static str,
) -> Result<u32, ParseError> {
    const EXPECTED: &str = "a count of the schedule's own unit";
    let duration = need(duration, field, EXPECTED)?;
    match (duration.count, &duration.duration_type) {
        (Some(count), Some(unit)) if unit == of => {
            u32::try_from(count).map_err(|_| error(field, &count, EXPECTED))
        }
        (count, unit) => {
            let unit = unit.as_ref().map_or("of nothing", DurationType::as_str);
            Err(error(
                field,
                &format!("{} {unit}", count.unwrap_or_default()),
                EXPECTED,
            ))
        }
    }
}

fn month_days(
    format: Option<&RetentionFormat>,
    by_date: Option<&DaysOfMonth>,
    by_week: Option<&WeeksOfMonth>,
    field: &'static str,
) -> Result<MonthDays, ParseError> {
    const EXPECTED: &str = "days of the month, or weeks and days of the week";
    match (format, by_date, by_week) {
        (Some(RetentionFormat::Daily) | None, Some(dates), _) => {
            let days =
                dates
                    .days_of_the_month
                    .iter()
                    .flatten()
                    .map(|day| match (day.is_last, day.date) {
                        (Some(true), _) => Ok(DayOfMonth::Last),
                        (_, Some(date)) => i8::try_from(date)
                            .map(DayOfMonth::Day)
                            .map_err(|_| error(field, &date, "a day of the month")),
                        (_, None) => {
                            Err(error(field, "a day without a date", "a day of the month"))
                        }
                    });
            Ok(MonthDays::Dates(days.collect::<Result<_, _>>()?))
        }
        (Some(RetentionFormat::Weekly) | None, _, Some(weekly)) => {
            let weeks = weekly.weeks_of_the_month.iter().flatten();
            let weeks = weeks.map(|name| {
                week(name).ok_or_else(|| error(field, name, "First to Fourth, or Last"))
            });
            let on = weekdays(
                weekly.days_of_the_week.as_deref().unwrap_or_default(),
                field,
            )?;
            Ok(MonthDays::Weekdays {
                weeks: weeks.collect::<Result<_, _>>()?,
                on,
            })
        }
        (format, _, _) => Err(error(
            field,
            format.map_or("without a format", RetentionFormat::as_str),
            EXPECTED,
        )),
    }
}
