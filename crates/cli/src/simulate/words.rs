//! Times, counts and schedules as people read them.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};
use kluis_policy::chain::Kind;
use kluis_policy::{Frequency, Strategy};

/// A moment by the clock on the wall, with the offset that it has then: `2026-07-01 23:30 +02:00`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M %:z")
        .to_string()
}

/// `+02:00`.
pub(super) fn offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `1 day`, `3,652 days`.
pub(super) fn count(number: usize, of: &str) -> String {
    match number {
        1 => format!("1 {of}"),
        _ => format!("{} {of}s", grouped(number)),
    }
}

/// `3,652`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Full => "full",
        Kind::CopyOnlyFull => "copy-only full",
        Kind::Differential => "differential",
        Kind::Incremental => "incremental",
        Kind::Log => "log",
    }
}

/// When a policy backs up: `daily at 22:30; logs every 15 minutes`.
pub(super) fn schedule(strategy: &Strategy) -> String {
    let mut parts = vec![frequency(&strategy.full)];
    let between = [
        ("differential", &strategy.differential),
        ("incremental", &strategy.incremental),
    ];
    for (name, between) in between {
        if let Some(between) = between {
            let days = weekdays(&between.on);
            parts.push(format!("{name} {days} at {}", between.at.strftime("%H:%M")));
        }
    }
    if let Some(log) = &strategy.log {
        parts.push(format!("logs every {} minutes", log.every_minutes));
    }
    parts.join("; ")
}

fn frequency(frequency: &Frequency) -> String {
    match frequency {
        Frequency::Daily { at } => format!("daily at {}", at.strftime("%H:%M")),
        Frequency::Weekly { on, at } => {
            format!("{} at {}", weekdays(on), at.strftime("%H:%M"))
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => format!(
            "every {} from {} for {}",
            count(usize::from(*every), "hour"),
            from.strftime("%H:%M"),
            count(usize::from(*window), "hour")
        ),
        Frequency::Minutes { every } => {
            format!("every {}", count(usize::from(*every), "minute"))
        }
    }
}

fn weekdays(on: &[Weekday]) -> String {
    let names: Vec<String> = on.iter().map(|day| format!("{day:?}")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let told = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(told, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(1, "day"), "1 day");
    }
}
