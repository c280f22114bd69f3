//! From a BackupPolicy to the field's own terms, and to words.

use jiff::civil::{Time, Weekday};
use kluis_api::{BackupPolicySpec, Tier};
use kluis_arm::policy::{Generation, ProtectionPolicy, Terms, render};
use kluis_policy::{
    Daily, DayOfMonth, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Workload,
    Yearly,
};

use crate::waiting::Waiting;

/// What the spec says. What the schema's rules forbid has no meaning here either, and is refused with the field's name.
pub(crate) fn terms(spec: &BackupPolicySpec) -> Result<Terms, Waiting> {
    let generation = match spec.tier {
        Tier::Standard => Generation::Standard,
        Tier::Enhanced => Generation::Enhanced,
    };
    let frequency = frequency(&spec.schedule)?;
    let usual = Terms::usual_instant_restore(generation, &frequency);
    let days = spec.instant_restore.as_ref();
    let days = days.map_or(usual, |instant| instant.keep_days);
    let zone = spec.time_zone.clone();
    let retention = retention(&spec.retention)?;
    let terms = Terms {
        generation,
        instant_restore_days: Some(days),
        ..Terms::new(Workload::VirtualMachine, frequency, zone, retention)
    };
    terms.schedule().map_err(|error| not_expressible(&error))?;
    Ok(terms)
}

/// The same on the wire.
pub(crate) fn rendered(terms: &Terms) -> Result<ProtectionPolicy, Waiting> {
    let policy = render(terms).map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        Waiting::PolicyNotExpressible {
            message: format!("{error}{cause}"),
        }
    })?;
    kluis_arm::policy::check_limits(&policy).map_err(|broken| Waiting::PolicyNotExpressible {
        message: broken.to_string().trim_end_matches('.').to_owned(),
    })?;
    Ok(policy)
}

/// The schedule in words: `daily at 22:30 Europe/Amsterdam`.
pub(crate) fn schedule_in_words(spec: &BackupPolicySpec) -> String {
    let zone = &spec.time_zone;
    if let Some(daily) = &spec.schedule.daily {
        format!("daily at {} {zone}", daily.at)
    } else if let Some(weekly) = &spec.schedule.weekly {
        let days: Vec<String> = weekly.days().iter().map(|day| format!("{day:?}")).collect();
        format!("{} at {} {zone}", days.join(", "), weekly.at)
    } else if let Some(hourly) = &spec.schedule.hourly {
        format!(
            "every {} from {} for {} {zone}",
            hourly.every,
            hourly.from,
            hourly.for_.as_deref().unwrap_or("24h")
        )
    } else {
        String::new()
    }
}

/// The retention in words: `30d 12w 60m 10y`.
pub(crate) fn retention_in_words(spec: &BackupPolicySpec) -> String {
    let retention = &spec.retention;
    let tiers = [
        retention
            .daily
            .as_ref()
            .map(|tier| format!("{}d", tier.keep)),
        retention
            .weekly
            .as_ref()
            .map(|tier| format!("{}w", tier.keep)),
        retention
            .monthly
            .as_ref()
            .map(|tier| format!("{}m", tier.keep)),
        retention
            .yearly
            .as_ref()
            .map(|tier| format!("{}y", tier.keep)),
    ];
    tiers.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn frequency(schedule: &kluis_api::Schedule) -> Result<Frequency, Waiting> {
    match (&schedule.daily, &schedule.weekly, &schedule.hourly) {
        (Some(daily), None, None) => Ok(Frequency::Daily {
            at: time("schedule.daily.at", &daily.at)?,
        }),
        (None, Some(weekly), None) => Ok(Frequency::Weekly {
            on: weekdays(weekly.days()),
            at: time("schedule.weekly.at", &weekly.at)?,
        }),
        (None, None, Some(hourly)) => Ok(Frequency::Hourly {
            every: hours("schedule.hourly.every", &hourly.every)?,
            from: time("schedule.hourly.from", &hourly.from)?,
            window: hours(
                "schedule.hourly.for",
                hourly.for_.as_deref().unwrap_or("24h"),
            )?,
        }),
        _ => Err(unreadable(
            "schedule",
            "exactly one of daily, weekly and hourly",
        )),
    }
}

fn retention(retention: &kluis_api::Retention) -> Result<Retention, Waiting> {
    let daily = retention
        .daily
        .as_ref()
        .map(|tier| Daily { keep: tier.keep });
    let weekly = retention.weekly.as_ref().map(|tier| Weekly {
        keep: tier.keep,
        on: weekdays(tier.days()),
    });
    let monthly = retention.monthly.as_ref().map(|tier| {
        let on = month_days(
            "retention.monthly",
            tier.weeks.as_deref(),
            tier.weekdays(),
            tier.days.as_deref(),
        )?;
        Ok(Monthly {
            keep: tier.keep,
            on,
        })
    });
    let yearly = retention.yearly.as_ref().map(|tier| {
        let on = month_days(
            "retention.yearly",
            tier.weeks.as_deref(),
            tier.weekdays(),
            tier.days.as_deref(),
        )?;
        Ok(Yearly {
            keep: tier.keep,
            months: tier.months.iter().copied().map(month).collect(),
            on,
        })
    });
    Ok(Retention {
        daily,
        weekly,
        monthly: monthly.transpose()?,
        yearly: yearly.transpose()?,
    })
}

fn month_days(
    field: &'static str,
    weeks: Option<&[kluis_api::WeekOfMonth]>,
    on: Option<&[kluis_api::Weekday]>,
    days: Option<&[kluis_api::DayOfMonth]>,
) -> Result<MonthDays, Waiting> {
    match (weeks, on, days) {
        (Some(weeks), Some(on), None) => Ok(MonthDays::Weekdays {
            weeks: weeks.iter().copied().map(week).collect(),
            on: weekdays(on),
        }),
        (None, None, Some(days)) => days
            .iter()
            .map(|day| day_of_month(field, *day))
            .collect::<Result<_, _>>()
            .map(MonthDays::Dates),
        _ => Err(unreadable(field, "either weeks and on, or days")),
    }
}

fn day_of_month(field: &'static str, day: kluis_api::DayOfMonth) -> Result<DayOfMonth, Waiting> {
    match day {
        kluis_api::DayOfMonth::Last => Ok(DayOfMonth::Last),
        kluis_api::DayOfMonth::Day(day) => i8::try_from(day)
            .map(DayOfMonth::Day)
            .map_err(|_| unreadable(field, "days from 1 to 28, or Last")),
    }
}

fn time(field: &'static str, text: &str) -> Result<Time, Waiting> {
    let (hour, minute) = text
        .split_once(':')
        .ok_or_else(|| unreadable(field, "a time such as 22:30"))?;
    let parse = |part: &str| {
        part.parse::<i8>()
            .map_err(|_| unreadable(field, "a time such as 22:30"))
    };
    Time::new(parse(hour)?, parse(minute)?, 0, 0)
        .map_err(|_| unreadable(field, "a time such as 22:30"))
}

fn hours(field: &'static str, text: &str) -> Result<u8, Waiting> {
    text.strip_suffix('h')
        .and_then(|hours| hours.parse().ok())
        .ok_or_else(|| unreadable(field, "hours, such as 4h"))
}

fn weekdays(days: &[kluis_api::Weekday]) -> Vec<Weekday> {
    days.iter()
        .map(|day| match day {
            kluis_api::Weekday::Monday => Weekday::Monday,
            kluis_api::Weekday::Tuesday => Weekday::Tuesday,
            kluis_api::Weekday::Wednesday => Weekday::Wednesday,
            kluis_api::Weekday::Thursday => Weekday::Thursday,
            kluis_api::Weekday::Friday => Weekday::Friday,
            kluis_api::Weekday::Saturday => Weekday::Saturday,
            kluis_api::Weekday::Sunday => Weekday::Sunday,
        })
        .collect()
}

fn week(week: kluis_api::WeekOfMonth) -> Week {
    match week {
        kluis_api::WeekOfMonth::First => Week::First,
        kluis_api::WeekOfMonth::Second => Week::Second,
        kluis_api::WeekOfMonth::Third => Week::Third,
        kluis_api::WeekOfMonth::Fourth => Week::Fourth,
        kluis_api::WeekOfMonth::Last => Week::Last,
    }
}

fn month(month: kluis_api::Month) -> Month {
    match month {
        kluis_api::Month::January => Month::January,
        kluis_api::Month::February => Month::February,
        kluis_api::Month::March => Month::March,
        kluis_api::Month::April => Month::April,
        kluis_api::Month::May => Month::May,
        kluis_api::Month::June => Month::June,
        kluis_api::Month::July => Month::July,
        kluis_api::Month::August => Month::August,
        kluis_api::Month::September => Month::September,
        kluis_api::Month::October => Month::October,
        kluis_api::Month::November => Month::November,
        kluis_api::Month::December => Month::December,
    }
}

fn unreadable(field: &str, expected: &str) -> Waiting {
    Waiting::PolicyNotExpressible {
        message: format!("{field} has to be {expected}"),
    }
}

fn not_expressible(error: &dyn std::fmt::Display) -> Waiting {
    Waiting::PolicyNotExpressible {
        message: error.to_string(),
    }
}
