//! How long points are kept, from either of the wire's two forms.

use kluis_policy::{Daily, DayOfMonth, MonthDays, Monthly, Retention, Weekly, Yearly};

use super::schedule::weekdays;
use super::{ParseError, error, need};
use crate::policy::words::{month, week};
use crate::policy::{
    Day, DaysOfMonth, DurationType, RetentionDuration, RetentionFormat, RetentionPolicy, WeekDay,
    WeekOfMonth, WeeksOfMonth,
};

/// Reads retention by day, week, month and year, that stands at `at`.
pub(in crate::policy) fn long_term(
    policy: Option<&RetentionPolicy>,
    at: &str,
) -> Result<Retention, ParseError> {
    let field = |name: &str| format!("{at}.{name}");
    let long_term = match policy {
        Some(RetentionPolicy::LongTerm(long_term)) => long_term,
        Some(other) => {
            return Err(error(
                field("retentionPolicyType"),
                other.tag(),
                "LongTermRetentionPolicy",
            ));
        }
        None => return Err(error(at, "missing", "a retention")),
    };
    let mut retention = Retention::default();
    if let Some(daily) = &long_term.daily_schedule {
        let length = daily.retention_duration.as_ref();
        let at = field("dailySchedule.retentionDuration");
        retention.daily = Some(Daily {
            keep: duration(length, &DurationType::Days, &at)?,
        });
    }
    if let Some(weekly) = &long_term.weekly_schedule {
        let days = field("weeklySchedule.daysOfTheWeek");
        let on = need(weekly.days_of_the_week.as_ref(), &days, "a list of days")?;
        let on = weekdays(on, &days)?;
        let length = weekly.retention_duration.as_ref();
        let at = field("weeklySchedule.retentionDuration");
        let keep = duration(length, &DurationType::Weeks, &at)?;
        retention.weekly = Some(Weekly { keep, on });
    }
    if let Some(monthly) = &long_term.monthly_schedule {
        let on = by_format(
            monthly.retention_schedule_format_type.as_ref(),
            monthly.retention_schedule_daily.as_ref(),
            monthly.retention_schedule_weekly.as_ref(),
            &field("monthlySchedule"),
        )?;
        let length = monthly.retention_duration.as_ref();
        let at = field("monthlySchedule.retentionDuration");
        let keep = duration(length, &DurationType::Months, &at)?;
        retention.monthly = Some(Monthly { keep, on });
    }
    if let Some(yearly) = &long_term.yearly_schedule {
        let on = by_format(
            yearly.retention_schedule_format_type.as_ref(),
            yearly.retention_schedule_daily.as_ref(),
            yearly.retention_schedule_weekly.as_ref(),
            &field("yearlySchedule"),
        )?;
        let at = field("yearlySchedule.monthsOfYear");
        let months = need(yearly.months_of_year.as_ref(), &at, "a list of months")?;
        let months = months
            .iter()
            .map(|name| month(name).ok_or_else(|| error(at.as_str(), name, "a month")))
            .collect::<Result<_, _>>()?;
        let length = yearly.retention_duration.as_ref();
        let at = field("yearlySchedule.retentionDuration");
        let keep = duration(length, &DurationType::Years, &at)?;
        retention.yearly = Some(Yearly { keep, months, on });
    }
    Ok(retention)
}

/// Reads the days that every point is kept. Weeks are seven of them; months and years have no number of days.
pub(in crate::policy) fn simple(policy: Option<&RetentionPolicy>) -> Result<u32, ParseError> {
    const AT: &str = "retentionPolicy.retentionDuration";
    let simple = match policy {
        Some(RetentionPolicy::Simple(simple)) => simple,
        Some(other) => {
            return Err(error(
                "retentionPolicy.retentionPolicyType",
                other.tag(),
                "SimpleRetentionPolicy",
            ));
        }
        None => return Err(error("retentionPolicy", "missing", "a retention")),
    };
    let length = simple.retention_duration.as_ref();
    match length.and_then(|length| length.duration_type.as_ref()) {
        Some(DurationType::Weeks) => {
            duration(length, &DurationType::Weeks, AT).map(|weeks| weeks.saturating_mul(7))
        }
        _ => duration(length, &DurationType::Days, AT),
    }
}

fn duration(
    duration: Option<&RetentionDuration>,
    of: &DurationType,
    field: &str,
) -> Result<u32, ParseError> {
    const EXPECTED: &str = "a count of the schedule's own unit";
    let duration = need(duration, field, EXPECTED)?;
    match (duration.count, &duration.duration_type) {
        (Some(count), Some(unit)) if unit == of => {
            u32::try_from(count).map_err(|_| error(field, &count, EXPECTED))
        }
        (count, unit) => {
            let unit = unit.as_ref().map_or("of nothing", DurationType::as_str);
            let found = format!("{} {unit}", count.unwrap_or_default());
            Err(error(field, &found, EXPECTED))
        }
    }
}

fn by_format(
    format: Option<&RetentionFormat>,
    by_date: Option<&DaysOfMonth>,
    by_week: Option<&WeeksOfMonth>,
    field: &str,
) -> Result<MonthDays, ParseError> {
    match (format, by_date, by_week) {
        (Some(RetentionFormat::Daily) | None, Some(dates), _) => {
            let days = dates.days_of_the_month.as_deref().unwrap_or_default();
            dates_of(days, field)
        }
        (Some(RetentionFormat::Weekly) | None, _, Some(weekly)) => weeks_of(
            weekly.weeks_of_the_month.as_deref().unwrap_or_default(),
            weekly.days_of_the_week.as_deref().unwrap_or_default(),
            field,
        ),
        (format, _, _) => Err(error(
            field,
            format.map_or("without a format", RetentionFormat::as_str),
            "days of the month, or weeks and days of the week",
        )),
    }
}

/// Days of the month by their numbers.
pub(crate) fn dates_of(days: &[Day], field: &str) -> Result<MonthDays, ParseError> {
    const EXPECTED: &str = "a day of the month";
    let days = days.iter().map(|day| match (day.is_last, day.date) {
        (Some(true), _) => Ok(DayOfMonth::Last),
        (_, Some(date)) => i8::try_from(date)
            .map(DayOfMonth::Day)
            .map_err(|_| error(field, &date, EXPECTED)),
        (_, None) => Err(error(field, "a day without a date", EXPECTED)),
    });
    Ok(MonthDays::Dates(days.collect::<Result<_, _>>()?))
}

/// Days of the month by week and weekday.
pub(crate) fn weeks_of(
    weeks: &[WeekOfMonth],
    on: &[WeekDay],
    field: &str,
) -> Result<MonthDays, ParseError> {
    let weeks = weeks
        .iter()
        .map(|name| week(name).ok_or_else(|| error(field, name, "First to Fourth, or Last")));
    Ok(MonthDays::Weekdays {
        weeks: weeks.collect::<Result<_, _>>()?,
        on: weekdays(on, field)?,
    })
}
