//! Tags and the retention rules of their names, as the tiers of the field's terms.
//!
//! A backup gets one tag: of those whose criteria it meets, the one with the lowest priority, and `Default` where it meets
//! none. In the field's terms it is kept by every tier that it belongs to, and so for the longest of them. The two say the
//! same where the lower a tag's priority, the longer it keeps; a policy in which that is not so cannot be put in terms.
//!
//! `Default` keeps every backup, and so is the daily tier. Where a schedule is weekly, or its length is counted in months or
//! years, it is the tier of that unit on every day that is scheduled.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use kluis_policy::{
    Daily, DayOfMonth, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Yearly,
};

use super::interval::{Length, Start};
use super::parse::kept;
use super::{AbsoluteMarker, Criteria, RetentionRule, ScheduledCriteria, Tagging};
use crate::policy::ParseError;
use crate::policy::parse::{dates_of, error, weekdays, weeks_of};
use crate::policy::words::month;

/// All five weeks: with them, every occurrence of a weekday.
pub(super) const EVERY_WEEK: [Week; 5] = [
    Week::First,
    Week::Second,
    Week::Third,
    Week::Fourth,
    Week::Last,
];

const TAGS: &str = "policyRules[AzureBackupRule].trigger.taggingCriteria";

/// A tag's backups, by the tier that has such.
enum Chosen {
    Weekly(Vec<Weekday>),
    Monthly(MonthDays),
    Yearly(Vec<Month>, MonthDays),
}

/// What the rules keep.
pub(super) fn retention(
    tagging: &[Tagging],
    rules: &[&RetentionRule],
    frequency: &Frequency,
    zone: &TimeZone,
) -> Result<Retention, ParseError> {
    let mut retention = Retention::default();
    let mut lengths: Vec<(i64, Length)> = Vec::new();
    let mut default = None;
    for rule in rules {
        let name = rule.name.as_deref().unwrap_or_default();
        let field = format!("policyRules[{name}]");
        let length = kept(rule)?;
        let length = Length::read(length).ok_or_else(|| {
            let at = format!("{field}.lifecycles.deleteAfter.duration");
            error(at, length, "a length of time in one unit, such as P30D,")
        })?;
        let mut named = tagging.iter().filter(|tagging| tag(tagging) == Some(name));
        let (found, second) = (named.next(), named.next());
        if second.is_some() {
            return Err(error(TAGS, &format!("{name} twice"), "a tag once"));
        }
        if rule.is_default == Some(true) || found.is_some_and(|tag| tag.is_default == Some(true)) {
            if default.replace(length).is_some() {
                return Err(error(field, "another default", "one default rule"));
            }
            let priority = found.and_then(|tagging| tagging.tagging_priority);
            lengths.push((priority.unwrap_or(i64::MAX), length));
            continue;
        }
        let Some(found) = found else {
            return Err(error(field, "a rule without a tag", "a tag of its name"));
        };
        lengths.push((found.tagging_priority.unwrap_or_default(), length));
        let twice = |tier: &str| error(TAGS, &format!("{tier} tags twice"), "one tag a tier");
        match chosen(found, frequency, zone)? {
            Chosen::Weekly(on) => {
                let keep = weeks(length).ok_or_else(|| unit(name, length, "weeks"))?;
                if retention.weekly.replace(Weekly { keep, on }).is_some() {
                    return Err(twice("weekly"));
                }
            }
            Chosen::Monthly(on) => {
                let keep = months(length).ok_or_else(|| unit(name, length, "months or years"))?;
                if retention.monthly.replace(Monthly { keep, on }).is_some() {
                    return Err(twice("monthly"));
                }
            }
            Chosen::Yearly(months, on) => {
                let keep = years(length).ok_or_else(|| unit(name, length, "years"))?;
                let yearly = Yearly { keep, months, on };
                if retention.yearly.replace(yearly).is_some() {
                    return Err(twice("yearly"));
                }
            }
        }
    }
    let default = default
        .ok_or_else(|| error("policyRules", "without a default", "a rule with isDefault"))?;
    add_default(&mut retention, default, frequency)?;
    lengths.sort_by_key(|(priority, _)| *priority);
    let is_ordered = lengths.is_sorted_by(|(_, one), (_, next)| one.in_days() >= next.in_days());
    if is_ordered {
        Ok(retention)
    } else {
        Err(error(
            format!("{TAGS}.taggingPriority"),
            "such that a tag takes backups from one that keeps longer",
            "the lower number the longer a tag keeps",
        ))
    }
}

/// A tag's name.
pub(super) fn tag(tagging: &Tagging) -> Option<&str> {
    tagging.tag_info.as_ref()?.tag_name.as_deref()
}

fn unit(name: &str, length: Length, expected: &'static str) -> ParseError {
    let at = format!("policyRules[{name}].lifecycles.deleteAfter.duration");
    error(at, &length.text(), expected)
}

fn weeks(length: Length) -> Option<u32> {
    match length {
        Length::Weeks(weeks) => Some(weeks),
        Length::Days(days) if days % 7 == 0 => Some(days / 7),
        _ => None,
    }
}

fn months(length: Length) -> Option<u32> {
    match length {
        Length::Months(months) => Some(months),
        Length::Years(years) => Some(years.saturating_mul(12)),
        _ => None,
    }
}

fn years(length: Length) -> Option<u32> {
    match length {
        Length::Years(years) => Some(years),
        Length::Months(months) if months % 12 == 0 => Some(months / 12),
        _ => None,
    }
}

/// The tier that `Default` is.
fn add_default(
    retention: &mut Retention,
    length: Length,
    frequency: &Frequency,
) -> Result<(), ParseError> {
    let scheduled = match frequency {
        Frequency::Weekly { on, .. } => Some(on.clone()),
        Frequency::Daily { .. } => Some(Weekday::Monday.cycle_forward().take(7).collect()),
        // The longer tiers keep the first backup of a day, not every one.
        Frequency::Hourly { .. } | Frequency::Minutes { .. } => None,
    };
    let is_weekly = matches!(frequency, Frequency::Weekly { .. });
    let every = |on: &[Weekday]| MonthDays::Weekdays {
        weeks: EVERY_WEEK.to_vec(),
        on: on.to_vec(),
    };
    match (length, scheduled) {
        (Length::Weeks(keep), Some(on)) if is_weekly && retention.weekly.is_none() => {
            retention.weekly = Some(Weekly { keep, on });
        }
        (Length::Months(keep), Some(on)) if retention.monthly.is_none() => {
            let on = every(&on);
            retention.monthly = Some(Monthly { keep, on });
        }
        (Length::Years(keep), Some(on)) if retention.yearly.is_none() => {
            let on = every(&on);
            let months = Month::ALL.to_vec();
            retention.yearly = Some(Yearly { keep, months, on });
        }
        (Length::Days(keep), _) => retention.daily = Some(Daily { keep }),
        (Length::Weeks(weeks), _) => {
            let keep = weeks.saturating_mul(7);
            retention.daily = Some(Daily { keep });
        }
        (length, _) => return Err(unit("Default", length, "days or weeks")),
    }
    Ok(())
}

fn chosen(tagging: &Tagging, frequency: &Frequency, zone: &TimeZone) -> Result<Chosen, ParseError> {
    let field = format!("{TAGS}[{}].criteria", tag(tagging).unwrap_or_default());
    let criteria = match tagging.criteria.as_deref() {
        Some([Criteria::Scheduled(criteria)]) => criteria,
        other => {
            let found = format!("a list of {}", other.map_or(0, <[Criteria]>::len));
            return Err(error(field, &found, "one ScheduleBasedBackupCriteria"));
        }
    };
    let dates = criteria.days_of_month.as_deref().unwrap_or_default();
    let days = criteria.days_of_the_week.as_deref().unwrap_or_default();
    let weeks = criteria.weeks_of_the_month.as_deref().unwrap_or_default();
    let months = criteria.months_of_year.as_deref().unwrap_or_default();
    let is_by_day = !dates.is_empty() || !days.is_empty();
    match criteria.absolute_criteria.as_deref().unwrap_or_default() {
        [] => {}
        [marker] if !is_by_day && weeks.is_empty() && months.is_empty() => {
            return first_of(marker, frequency, &field);
        }
        several => {
            let found = format!("{} absolute criteria beside others", several.len());
            return Err(error(field, &found, "one absolute criterion, or days"));
        }
    }
    first_of_its_day(criteria, frequency, zone, &field)?;
    let on_days = if !dates.is_empty() && days.is_empty() && weeks.is_empty() {
        Some(dates_of(dates, &field)?)
    } else if dates.is_empty() && !days.is_empty() && !weeks.is_empty() {
        Some(weeks_of(weeks, days, &field)?)
    } else if dates.is_empty() && !days.is_empty() {
        None
    } else {
        return Err(error(
            field,
            "neither days nor weeks, or both",
            "days of the month, or days of the week with or without weeks",
        ));
    };
    let months = months
        .iter()
        .map(|name| month(name).ok_or_else(|| error(field.as_str(), name, "a month")))
        .collect::<Result<Vec<_>, _>>()?;
    let on = weekdays(days, &field)?;
    Ok(match (months.is_empty(), on_days) {
        (true, None) => Chosen::Weekly(on),
        (true, Some(on)) => Chosen::Monthly(on),
        (false, Some(on)) => Chosen::Yearly(months, on),
        (false, None) => {
            let weeks = EVERY_WEEK.to_vec();
            Chosen::Yearly(months, MonthDays::Weekdays { weeks, on })
        }
    })
}

/// The first backup of a stretch of time, where the schedule tells which day it is on.
fn first_of(
    marker: &AbsoluteMarker,
    frequency: &Frequency,
    field: &str,
) -> Result<Chosen, ParseError> {
    let undecided = || {
        error(
            field,
            marker,
            "days of the week or of the month: of which day the first backup is does not follow from the schedule",
        )
    };
    let only = match frequency {
        Frequency::Weekly { on, .. } => match on.as_slice() {
            [day] => Some(*day),
            _ => return Err(undecided()),
        },
        _ => None,
    };
    let first = match only {
        Some(day) => MonthDays::Weekdays {
            weeks: vec![Week::First],
            on: vec![day],
        },
        None => MonthDays::Dates(vec![DayOfMonth::Day(1)]),
    };
    match (marker, only) {
        (AbsoluteMarker::FirstOfWeek, Some(day)) => Ok(Chosen::Weekly(vec![day])),
        (AbsoluteMarker::FirstOfMonth, _) => Ok(Chosen::Monthly(first)),
        (AbsoluteMarker::FirstOfYear, _) => Ok(Chosen::Yearly(vec![Month::January], first)),
        _ => Err(undecided()),
    }
}

/// Of several backups a day, a tier of the field's terms has the first. Where there is one, its time says nothing.
fn first_of_its_day(
    criteria: &ScheduledCriteria,
    frequency: &Frequency,
    zone: &TimeZone,
    field: &str,
) -> Result<(), ParseError> {
    let Frequency::Hourly { every, from, .. } = frequency else {
        return Ok(());
    };
    let first = first_run(*every, *from);
    let times = criteria.schedule_times.as_deref().unwrap_or_default();
    let read = |text: &str| Some(Start::read(text)?.on_clock(zone)?.time());
    match times {
        [at] if read(at.as_str()) == Some(first) => Ok(()),
        times => Err(error(
            format!("{field}.scheduleTimes"),
            &format!("{} times", times.len()),
            "the time of a day's first backup",
        )),
    }
}

/// The first run of a day, of runs around the clock.
pub(super) fn first_run(every: u8, from: Time) -> Time {
    let hour = from.hour() % i8::try_from(every.max(1)).unwrap_or(i8::MAX);
    Time::new(hour, from.minute(), from.second(), 0).unwrap_or(from)
}
