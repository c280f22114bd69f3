//! How long points are kept, in both of the wire's forms.

use jiff::civil::{Time, Weekday};
use kluis_policy::{DayOfMonth, MonthDays, Retention, Week};

use super::{RenderError, count, wall_clock};
use crate::policy::words::{month_on_wire, week_on_wire, weekday_on_wire};
use crate::policy::{
    DailyRetention, Day, DaysOfMonth, DurationType, LongTermRetention, MonthlyRetention,
    RetentionDuration, RetentionFormat, SimpleRetention, WeekDay, WeekOfMonth, WeeklyRetention,
    WeeksOfMonth, YearlyRetention,
};

/// Retention by day, week, month and year, which repeats the schedule's time `at`.
pub(in crate::policy) fn long_term(
    retention: &Retention,
    at: Option<Time>,
) -> Result<LongTermRetention, RenderError> {
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

/// Every point for the same number of days.
pub(in crate::policy) fn simple(days: u32) -> Result<SimpleRetention, RenderError> {
    Ok(SimpleRetention {
        retention_duration: Some(duration(days, DurationType::Days)?),
        ..SimpleRetention::default()
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
            let days = DaysOfMonth {
                days_of_the_month: Some(dates_on_wire(days)),
                ..DaysOfMonth::default()
            };
            (RetentionFormat::Daily, Some(days), None)
        }
        MonthDays::Weekdays { weeks, on } => {
            let (weeks, on) = weeks_on_wire(weeks, on);
            let weeks = WeeksOfMonth {
                days_of_the_week: Some(on),
                weeks_of_the_month: Some(weeks),
                ..WeeksOfMonth::default()
            };
            (RetentionFormat::Weekly, None, Some(weeks))
        }
    }
}

/// Days of the month by their numbers; the last is the one with the number 0.
pub(crate) fn dates_on_wire(days: &[DayOfMonth]) -> Vec<Day> {
    let days = days.iter().map(|day| match day {
        DayOfMonth::Day(date) => (i32::from(*date), false),
        DayOfMonth::Last => (0, true),
    });
    days.map(|(date, last)| Day {
        date: Some(date),
        is_last: Some(last),
        ..Day::default()
    })
    .collect()
}

/// Days of the month by week and weekday.
pub(crate) fn weeks_on_wire(weeks: &[Week], on: &[Weekday]) -> (Vec<WeekOfMonth>, Vec<WeekDay>) {
    (
        weeks.iter().copied().map(week_on_wire).collect(),
        on.iter().copied().map(weekday_on_wire).collect(),
    )
}
