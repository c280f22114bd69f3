//! A policy in words, for the columns.

use kluis_api::{BackupPolicySpec, Between, DaylightSaving};

/// The schedule in words: `daily at 22:30 Europe/Amsterdam`, `Sunday at 02:00 UTC, differential Wednesday at 02:00, log every 15m`.
pub(crate) fn schedule_in_words(spec: &BackupPolicySpec) -> String {
    let zone = match spec.schedule.daylight_saving {
        DaylightSaving::Ignore => spec.time_zone.clone(),
        DaylightSaving::Follow => format!("{}, following its clock", spec.time_zone),
    };
    let full = if let Some(daily) = &spec.schedule.daily {
        format!("daily at {} {zone}", daily.at)
    } else if let Some(weekly) = &spec.schedule.weekly {
        format!("{} at {} {zone}", days(weekly.days()), weekly.at)
    } else if let Some(hourly) = &spec.schedule.hourly {
        let window = hourly
            .for_
            .as_ref()
            .map(|window| format!(" for {window}"))
            .unwrap_or_default();
        format!("every {} from {}{window} {zone}", hourly.every, hourly.from)
    } else {
        String::new()
    };
    let between = |name: &str, between: &Option<Between>| {
        between
            .as_ref()
            .map(|between| format!("{name} {} at {}", days(between.days()), between.at))
    };
    let parts = [
        Some(full),
        between("differential", &spec.differential),
        between("incremental", &spec.incremental),
        spec.log
            .as_ref()
            .map(|log| format!("log every {}", log.every)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The retention in words: `30d 12w 60m 10y`; for databases with what runs between the fulls: `12w, differential 30d, log 15d`.
pub(crate) fn retention_in_words(spec: &BackupPolicySpec) -> String {
    let retention = &spec.retention;
    let tiers = [
        retention.daily.as_ref().map(|tier| (tier.keep, 'd')),
        retention.weekly.as_ref().map(|tier| (tier.keep, 'w')),
        retention.monthly.as_ref().map(|tier| (tier.keep, 'm')),
        retention.yearly.as_ref().map(|tier| (tier.keep, 'y')),
    ];
    let tiers: Vec<String> = tiers
        .into_iter()
        .flatten()
        .map(|(keep, unit)| format!("{keep}{unit}"))
        .collect();
    let between = |name: &str, days: Option<u32>| days.map(|days| format!("{name} {days}d"));
    let parts = [
        Some(tiers.join(" ")),
        between(
            "differential",
            spec.differential.as_ref().map(|between| between.keep),
        ),
        between(
            "incremental",
            spec.incremental.as_ref().map(|between| between.keep),
        ),
        between("log", spec.log.as_ref().map(|log| log.keep)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn days(days: &[kluis_api::Weekday]) -> String {
    let names: Vec<String> = days.iter().map(|day| format!("{day:?}")).collect();
    names.join(", ")
}
