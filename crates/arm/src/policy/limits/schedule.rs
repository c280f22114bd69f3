//! When backups may run.

use jiff::civil::{Time, Weekday};
use kluis_policy::Frequency;
use kluis_policy::limits as table;

use super::{LimitBroken, has_rule, out_of_range, refusal, start};
use crate::error::code::INVALID_POLICY;
use crate::policy::{Generation, Terms};

const RUNS: &str = "schedulePolicy.scheduleRunFrequency";
const TIMES: &str = "schedulePolicy.scheduleRunTimes";
const DAYS: &str = "schedulePolicy.scheduleRunDays";
const INTERVAL: &str = "schedulePolicy.hourlySchedule.interval";
const WINDOW: &str = "schedulePolicy.hourlySchedule.scheduleWindowDuration";

pub(super) fn broken(terms: &Terms) -> Option<LimitBroken> {
    let refuse = |field, message: &str| refusal(INVALID_POLICY, field, message);
    let kind = match &terms.frequency {
        Frequency::Weekly { .. } => "schedule.weekly",
        Frequency::Hourly { .. } => "schedule.hourly",
        _ => "schedule.daily",
    };
    if !table::has(terms.workload, kind) {
        let message = format!(
            "policies for {} have no such schedule",
            terms.workload.in_words()
        );
        return refusal(INVALID_POLICY, RUNS, message);
    }
    if has_rule(terms, "standard is not hourly")
        && terms.generation == Generation::Standard
        && matches!(terms.frequency, Frequency::Hourly { .. })
    {
        let message = "a standard (V1) policy is Daily or Weekly; hourly needs policyType V2";
        return refuse(RUNS, message);
    }
    let is_round = on_the_half_hour(start(&terms.frequency));
    if has_rule(terms, "half hour") && !is_round {
        return refuse(TIMES, "backups start on the hour or at half past");
    }
    match &terms.frequency {
        Frequency::Weekly { on, .. } if on.is_empty() => {
            refuse(DAYS, "a weekly schedule names at least one day")
        }
        Frequency::Hourly { every, window, .. } => {
            hours(terms, *every, *window).or_else(|| points(terms, *every, *window))
        }
        Frequency::Daily { .. } | Frequency::Weekly { .. } => points(terms, 24, 0),
        Frequency::Minutes { .. } => refuse(RUNS, "logs alone run by the minute"),
    }
}

fn hours(terms: &Terms, every: u8, window: u8) -> Option<LimitBroken> {
    let choice = table::choice(terms.workload, "schedule.hourly.every");
    if let Some(choice) = choice.filter(|choice| !choice.holds(every.into())) {
        let among: Vec<String> = choice.among.iter().map(u32::to_string).collect();
        let (last, others) = among.split_last()?;
        let message = format!("the interval is {} or {last} hours", others.join(", "));
        return refusal(INVALID_POLICY, INTERVAL, message);
    }
    let range = out_of_range(terms, "schedule.hourly.for", window.into())?;
    refusal(INVALID_POLICY, WINDOW, format!("the window is {range}"))
}

/// Snapshots are counted: those of the daily tier alone are at least so many. Where points are in a vault, their number
/// follows from what was really made, and a policy alone cannot break it.
fn points(terms: &Terms, every: u8, window: u8) -> Option<LimitBroken> {
    let are_snapshots = has_rule(terms, "disk points")
        || (has_rule(terms, "share points") && terms.instant_restore_days.is_none());
    let daily = terms.retention.daily.as_ref().filter(|_| are_snapshots)?;
    let limit = table::points(terms.workload, terms.instant_restore_days)?;
    let a_day = u32::from(window.min(23) / every.max(1)) + 1;
    let least = a_day.saturating_mul(daily.keep);
    if least <= limit.most {
        return None;
    }
    let message = format!(
        "{a_day} backups a day that are kept for {} days are {least} recovery points; {} can have {}",
        daily.keep,
        terms.workload.in_words(),
        limit.most
    );
    refusal(
        crate::error::code::INVALID_RETENTION,
        "retentionPolicy.dailySchedule.retentionDuration",
        message,
    )
}

pub(super) fn on_the_half_hour(at: Time) -> bool {
    at.minute() % 30 == 0 && at.second() == 0 && at.subsec_nanosecond() == 0
}

/// The days of a weekly schedule.
pub(super) fn scheduled_days(terms: &Terms) -> Option<&[Weekday]> {
    match &terms.frequency {
        Frequency::Weekly { on, .. } => Some(on),
        _ => None,
    }
}
