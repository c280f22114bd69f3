//! Whether a policy in force has to be written.
//!
//! Azure takes fifty edits of policies in a day and a vault; a write without a difference is one of them. Policies are
//! compared by what they mean: what the service adds (counts, names of resource groups), the dates before times, the
//! order of days and a zone's several names make no difference.

use std::fmt;

use jiff::civil::Weekday;
use kluis_policy::{DayOfMonth, Frequency, Month, MonthDays, Retention, Week};

use super::parse::{ParseError, parse};
use super::{Generation, ProtectionPolicy, Terms};
use crate::zone;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, such as `retention.daily`.
    pub field: &'static str,
    /// What is in force.
    pub have: String,
    /// What is wanted.
    pub want: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.field, self.have, self.want)
    }
}

/// What would change if `wanted` were written over `in_force`; empty when nothing would.
///
/// A policy in force that cannot be put in the field's terms differs in the field that defies it.
///
/// # Errors
/// When `wanted` cannot be put in the field's terms: then there is nothing to compare with.
pub fn differences(
    in_force: &ProtectionPolicy,
    wanted: &ProtectionPolicy,
) -> Result<Vec<Difference>, ParseError> {
    let want = parse(wanted)?;
    let have = match parse(in_force) {
        Ok(have) => have,
        Err(ParseError { field, found, .. }) => {
            return Ok(vec![Difference {
                field,
                have: found,
                want: "as declared".to_owned(),
            }]);
        }
    };
    let (have, want) = (said(&have), said(&want));
    let pairs = have.into_iter().zip(want);
    Ok(pairs
        .filter(|((_, have), (_, want))| have != want)
        .map(|((field, have), (_, want))| Difference { field, have, want })
        .collect())
}

/// What terms say, field by field, each in one form only.
fn said(terms: &Terms) -> [(&'static str, String); 8] {
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
    let none = || "none".to_owned();
    [
        ("tier", generation.to_owned()),
        ("schedule", schedule(&terms.frequency)),
        ("timeZone", zone.to_owned()),
        (
            "instantRestore",
            format!("{} days", terms.instant_restore_days),
        ),
        (
            "retention.daily",
            daily
                .as_ref()
                .map_or_else(none, |daily| format!("{} days", daily.keep)),
        ),
        (
            "retention.weekly",
            weekly.as_ref().map_or_else(none, |weekly| {
                format!("{} weeks, {}", weekly.keep, weekdays(&weekly.on))
            }),
        ),
        (
            "retention.monthly",
            monthly.as_ref().map_or_else(none, |monthly| {
                format!("{} months, {}", monthly.keep, days(&monthly.on))
            }),
        ),
        (
            "retention.yearly",
            yearly.as_ref().map_or_else(none, |yearly| {
                format!(
                    "{} years, {} of {}",
                    yearly.keep,
                    days(&yearly.on),
                    months(&yearly.months)
                )
            }),
        ),
    ]
}

fn schedule(frequency: &Frequency) -> String {
    match frequency {
        Frequency::Daily { at } => format!("daily at {at}"),
        Frequency::Weekly { on, at } => format!("weekly on {} at {at}", weekdays(on)),
        Frequency::Hourly {
            every,
            from,
            window,
        } => format!("every {every} h from {from} for {window} h"),
        Frequency::Minutes { every } => format!("every {every} minutes"),
    }
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
