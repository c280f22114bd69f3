//! What terms say, field by field, each in one form only: what policies are compared by, and what an approval is given to.

use std::fmt;

use jiff::civil::Weekday;
use kluis_policy::{Between, DayOfMonth, Frequency, Month, MonthDays, Retention, Week, Workload};

use super::{Archive, Generation, Terms};
use crate::zone;

/// Everything that the terms mean as a text, a line a field. Terms that mean the same are the same text, whatever the
/// order of their days and whichever of a zone's names they use; terms that differ are not. It is hashed and compared,
/// so its form does not change between versions without a reason.
#[must_use]
pub fn canonical(terms: &Terms) -> String {
    let lines = said(terms).map(|(field, said)| format!("{field}: {said}\n"));
    lines.concat()
}

/// The fields as a person writes them in a `BackupPolicy`, and what each says.
pub(super) fn said(terms: &Terms) -> [(&'static str, String); 14] {
    let generation = match terms.generation {
        Generation::Standard => "Standard",
        Generation::Enhanced => "Enhanced",
    };
    let zone = zone::to_azure(&terms.time_zone).unwrap_or(&terms.time_zone);
    let Retention {
        daily,
        weekly,
        monthly,
        yearly,
    } = &terms.retention;
    [
        ("workload", terms.workload.name().to_owned()),
        ("tier", generation.to_owned()),
        ("schedule", schedule(terms)),
        ("timeZone", zone.to_owned()),
        (
            "instantRestore",
            or_none(terms.instant_restore_days, |days| format!("{days} days")),
        ),
        (
            "retention.daily",
            or_none(daily.as_ref(), |daily| format!("{} days", daily.keep)),
        ),
        (
            "retention.weekly",
            or_none(weekly.as_ref(), |weekly| {
                format!("{} weeks, {}", weekly.keep, weekdays(&weekly.on))
            }),
        ),
        (
            "retention.monthly",
            or_none(monthly.as_ref(), |monthly| {
                format!("{} months, {}", monthly.keep, days(&monthly.on))
            }),
        ),
        (
            "retention.yearly",
            or_none(yearly.as_ref(), |yearly| {
                format!(
                    "{} years, {} of {}",
                    yearly.keep,
                    days(&yearly.on),
                    months(&yearly.months)
                )
            }),
        ),
        (
            "differential",
            or_none(terms.differential.as_ref(), between),
        ),
        ("incremental", or_none(terms.incremental.as_ref(), between)),
        (
            "log",
            or_none(terms.log.as_ref(), |log| {
                format!(
                    "every {} minutes, for {} days",
                    log.every_minutes, log.keep_days
                )
            }),
        ),
        (
            "archive",
            or_none(terms.archive, |archive| match archive {
                Archive::Recommended => "when recommended".to_owned(),
                Archive::After { months } => format!("after {months} months"),
                Archive::AfterDays { days } => format!("after {days} days"),
            }),
        ),
        (
            "compression",
            if terms.compression { "on" } else { "off" }.to_owned(),
        ),
    ]
}

fn or_none<T>(value: Option<T>, said: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "none".to_owned(), said)
}

fn schedule(terms: &Terms) -> String {
    match &terms.frequency {
        Frequency::Daily { at } => format!("daily at {at}"),
        Frequency::Weekly { on, at } => format!("weekly on {} at {at}", weekdays(on)),
        // Disks run round the clock: of which run the count begins makes no difference.
        Frequency::Hourly { every, from, .. }
            if terms.workload == Workload::Disk && *every > 0 && 24 % *every == 0 =>
        {
            let first = u32::from(from.hour().unsigned_abs()) % u32::from(*every);
            format!(
                "every {every} h from {first:02}:{:02} round the clock",
                from.minute()
            )
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => format!("every {every} h from {from} for {window} h"),
        Frequency::Minutes { every } => format!("every {every} minutes"),
    }
}

fn between(between: &Between) -> String {
    format!(
        "on {} at {}, for {} days",
        weekdays(&between.on),
        between.at,
        between.keep_days
    )
}

fn listed<T: Copy + fmt::Debug, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> String {
    let mut items = items.to_vec();
    items.sort_by_key(&key);
    items.dedup_by_key(|item| key(item));
    items
        .iter()
        .map(|item| format!("{item:?}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn weekdays(on: &[Weekday]) -> String {
    listed(on, |day| day.to_monday_zero_offset())
}

fn months(months: &[Month]) -> String {
    listed(months, |month| month.number())
}

fn days(on: &MonthDays) -> String {
    match on {
        MonthDays::Weekdays { weeks, on } => {
            format!("{} {}", listed(weeks, |week: &Week| *week), weekdays(on))
        }
        MonthDays::Dates(dates) => listed(dates, |day: &DayOfMonth| *day),
    }
}
