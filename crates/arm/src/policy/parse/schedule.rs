//! When backups run, from either of the wire's two forms.

use jiff::civil::{Time, Weekday};
use kluis_policy::Frequency;

use super::{ParseError, error, need};
use crate::policy::words::weekday;
use crate::policy::{HourlySchedule, RunFrequency, SchedulePolicy, WeekDay};
use crate::time::WireTime;

const RUNS: &str = "schedulePolicy.scheduleRunFrequency";
const TIMES: &str = "schedulePolicy.scheduleRunTimes";
const DAYS: &str = "schedulePolicy.scheduleRunDays";
const TYPE: &str = "schedulePolicy.schedulePolicyType";

/// A schedule of runs, and in which of the two forms it came.
pub(in crate::policy) struct Run {
    pub(in crate::policy) frequency: Frequency,
    /// Whether it is of the second form, which only V2 policies for virtual machines have.
    pub(in crate::policy) is_v2: bool,
}

/// Reads a schedule of runs.
pub(in crate::policy) fn run(schedule: Option<&SchedulePolicy>) -> Result<Run, ParseError> {
    let (runs, days, times, hours, is_v2) = match schedule {
        Some(SchedulePolicy::Simple(simple)) => {
            if let Some(weeks) = simple.schedule_weekly_frequency.filter(|weeks| *weeks > 1) {
                return Err(error(
                    "schedulePolicy.scheduleWeeklyFrequency",
                    &weeks,
                    "0 or 1, a run in every week,",
                ));
            }
            (
                simple.schedule_run_frequency.as_ref(),
                simple.schedule_run_days.as_ref(),
                simple.schedule_run_times.as_deref(),
                simple.hourly_schedule.as_ref(),
                false,
            )
        }
        Some(SchedulePolicy::SimpleV2(v2)) => {
            let (daily, weekly) = (v2.daily_schedule.as_ref(), v2.weekly_schedule.as_ref());
            let times = match v2.schedule_run_frequency {
                Some(RunFrequency::Weekly) => weekly.and_then(|w| w.schedule_run_times.as_deref()),
                _ => daily.and_then(|d| d.schedule_run_times.as_deref()),
            };
            let days = weekly.and_then(|w| w.schedule_run_days.as_ref());
            let hours = v2.hourly_schedule.as_ref();
            (v2.schedule_run_frequency.as_ref(), days, times, hours, true)
        }
        Some(other) => {
            return Err(error(TYPE, other.tag(), "SimpleSchedulePolicy or V2"));
        }
        None => return Err(error("schedulePolicy", "missing", "a schedule")),
    };
    let frequency = match runs {
        Some(RunFrequency::Daily) => Frequency::Daily {
            at: one_time(times)?,
        },
        Some(RunFrequency::Weekly) => Frequency::Weekly {
            on: weekdays(need(days, DAYS, "a list of days")?, DAYS)?,
            at: one_time(times)?,
        },
        Some(RunFrequency::Hourly) => hourly(need(
            hours,
            "schedulePolicy.hourlySchedule",
            "hours and a window",
        )?)?,
        Some(other) => return Err(error(RUNS, other, "Daily, Weekly or Hourly")),
        None => return Err(error(RUNS, "missing", "Daily, Weekly or Hourly")),
    };
    Ok(Run { frequency, is_v2 })
}

/// Every how many minutes logs are backed up.
pub(in crate::policy) fn log(schedule: Option<&SchedulePolicy>) -> Result<u16, ParseError> {
    const MINUTES: &str = "schedulePolicy.scheduleFrequencyInMins";
    const EXPECTED: &str = "a number of minutes";
    let log = match schedule {
        Some(SchedulePolicy::Log(log)) => log,
        Some(other) => return Err(error(TYPE, other.tag(), "LogSchedulePolicy")),
        None => return Err(error("schedulePolicy", "missing", "a schedule")),
    };
    let minutes = *need(log.schedule_frequency_in_mins.as_ref(), MINUTES, EXPECTED)?;
    u16::try_from(minutes).map_err(|_| error(MINUTES, &minutes, EXPECTED))
}

fn hourly(schedule: &HourlySchedule) -> Result<Frequency, ParseError> {
    const INTERVAL: &str = "schedulePolicy.hourlySchedule.interval";
    const START: &str = "schedulePolicy.hourlySchedule.scheduleWindowStartTime";
    const WINDOW: &str = "schedulePolicy.hourlySchedule.scheduleWindowDuration";
    let hours = |value: Option<&i32>, field| {
        let hours = *need(value, field, "a number of hours")?;
        u8::try_from(hours).map_err(|_| error(field, &hours, "a number of hours"))
    };
    let start = schedule.schedule_window_start_time.as_ref();
    Ok(Frequency::Hourly {
        every: hours(schedule.interval.as_ref(), INTERVAL)?,
        from: time(need(start, START, "a time")?, START)?,
        window: hours(schedule.schedule_window_duration.as_ref(), WINDOW)?,
    })
}

fn time(at: &WireTime, field: &str) -> Result<Time, ParseError> {
    at.time_of_day()
        .map_err(|_| error(field, at, "a time such as 2024-01-01T22:30:00Z"))
}

fn one_time(times: Option<&[WireTime]>) -> Result<Time, ParseError> {
    match times {
        Some([at]) => time(at, TIMES),
        Some(several) => Err(error(
            TIMES,
            &format!("a list of {}", several.len()),
            "one time",
        )),
        None => Err(error(TIMES, "missing", "one time")),
    }
}

pub(crate) fn weekdays(days: &[WeekDay], field: &str) -> Result<Vec<Weekday>, ParseError> {
    days.iter()
        .map(|day| weekday(day).ok_or_else(|| error(field, day, "a day from Monday to Sunday")))
        .collect()
}
