//! Days, weeks and months: the same words, in the types that reckon.

use jiff::civil::Weekday;
use kluis_policy::{DayOfMonth, Month, MonthDays, Week};

use super::unreadable;
use crate::waiting::Waiting;

pub(super) fn weekdays(days: &[kluis_api::Weekday]) -> Vec<Weekday> {
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

pub(super) fn month_days(
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
        _ => Err(unreadable(
            field,
            "either weeks and days of the week, or days of the month",
        )),
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

fn week(week: kluis_api::WeekOfMonth) -> Week {
    match week {
        kluis_api::WeekOfMonth::First => Week::First,
        kluis_api::WeekOfMonth::Second => Week::Second,
        kluis_api::WeekOfMonth::Third => Week::Third,
        kluis_api::WeekOfMonth::Fourth => Week::Fourth,
        kluis_api::WeekOfMonth::Last => Week::Last,
    }
}

pub(super) fn month(month: kluis_api::Month) -> Month {
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
