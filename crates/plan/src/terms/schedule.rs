//! When backups run: the full ones, and those between them.

use jiff::civil::Time;
use kluis_policy::{Between, Frequency, Log};

use super::calendar::weekdays;
use super::unreadable;
use crate::waiting::Waiting;

/// A window without an end: the next day's own begins before it.
const ROUND_THE_CLOCK: u8 = 24;

pub(super) fn frequency(schedule: &kluis_api::Schedule) -> Result<Frequency, Waiting> {
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
            window: match &hourly.for_ {
                Some(window) => hours("schedule.hourly.for", window)?,
                None => ROUND_THE_CLOCK,
            },
        }),
        _ => Err(unreadable(
            "schedule",
            "exactly one of daily, weekly and hourly",
        )),
    }
}

pub(super) fn between(
    field: &'static str,
    between: Option<&kluis_api::Between>,
) -> Result<Option<Between>, Waiting> {
    between
        .map(|between| {
            Ok(Between {
                on: weekdays(between.days()),
                at: time(field, &between.at)?,
                keep_days: between.keep,
            })
        })
        .transpose()
}

pub(super) fn log(log: Option<&kluis_api::LogBackups>) -> Result<Option<Log>, Waiting> {
    log.map(|log| {
        Ok(Log {
            every_minutes: minutes("log.every", &log.every)?,
            keep_days: log.keep,
        })
    })
    .transpose()
}

fn time(field: &'static str, text: &str) -> Result<Time, Waiting> {
    let wrong = || unreadable(field, "a time such as 22:30");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let parse = |part: &str| part.parse::<i8>().map_err(|_| wrong());
    Time::new(parse(hour)?, parse(minute)?, 0, 0).map_err(|_| wrong())
}

fn hours(field: &'static str, text: &str) -> Result<u8, Waiting> {
    text.strip_suffix('h')
        .and_then(|hours| hours.parse().ok())
        .ok_or_else(|| unreadable(field, "hours, such as 4h"))
}

/// `15m` or `4h`.
fn minutes(field: &'static str, text: &str) -> Result<u16, Waiting> {
    let in_minutes = text.strip_suffix('m').and_then(|text| text.parse().ok());
    let in_hours = || {
        let hours: u16 = text.strip_suffix('h')?.parse().ok()?;
        hours.checked_mul(60)
    };
    in_minutes
        .or_else(in_hours)
        .ok_or_else(|| unreadable(field, "minutes or hours, such as 15m or 4h"))
}
