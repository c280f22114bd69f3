//! The limits of policies for virtual machines, which a service enforces on every write, in one table.
//!
//! The numbers are those of Microsoft's own clients and documentation: retention and weekdays as Az.RecoveryServices
//! validates them, instant restore and hourly schedules as the documentation gives them.

use jiff::civil::{Time, Weekday};
use kluis_policy::{DayOfMonth, Frequency, MonthDays};

use super::parse::parse_vm;
use super::{Generation, ProtectionPolicy, RetentionPolicy, Terms, VmPolicy};
use crate::error::{ArmError, code};
use crate::time::WireTime;

/// A limit that a policy breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct LimitBroken {
    /// The code to answer with.
    pub code: &'static str,
    /// The path below `properties`.
    pub field: &'static str,
    /// The limit, and so what to write instead.
    pub message: String,
}

impl From<LimitBroken> for ArmError {
    fn from(broken: LimitBroken) -> Self {
        Self::new(broken.code, broken.to_string()).about(format!("properties.{}", broken.field))
    }
}

/// Checks a policy for virtual machines; the limits of other workloads are not known here, and none is broken by them.
///
/// # Errors
/// The first limit it breaks.
pub fn check_limits(policy: &ProtectionPolicy) -> Result<(), LimitBroken> {
    let ProtectionPolicy::VirtualMachine(policy) = policy else {
        return Ok(());
    };
    let terms = parse_vm(policy).map_err(|error| LimitBroken {
        code: code::INVALID_POLICY,
        field: error.field,
        message: format!("it is {}; {} is expected", error.found, error.expected),
    })?;
    match LIMITS.iter().find(|limit| !(limit.holds)(policy, &terms)) {
        None => Ok(()),
        Some(limit) => Err(LimitBroken {
            code: limit.code,
            field: limit.field,
            message: limit.message.to_owned(),
        }),
    }
}

struct Limit {
    field: &'static str,
    code: &'static str,
    message: &'static str,
    holds: fn(&VmPolicy, &Terms) -> bool,
}

const fn limit(
    field: &'static str,
    code: &'static str,
    message: &'static str,
    holds: fn(&VmPolicy, &Terms) -> bool,
) -> Limit {
    Limit {
        field,
        code,
        message,
        holds,
    }
}

const LIMITS: &[Limit] = &[
    limit(
        "schedulePolicy.scheduleRunFrequency",
        code::INVALID_POLICY,
        "a standard (V1) policy is Daily or Weekly; hourly needs policyType V2",
        |_, t| {
            t.generation == Generation::Enhanced || !matches!(t.frequency, Frequency::Hourly { .. })
        },
    ),
    limit(
        "schedulePolicy.scheduleRunTimes",
        code::INVALID_POLICY,
        "backups start on the hour or at half past",
        |_, t| on_the_half_hour(start(t)),
    ),
    limit(
        "schedulePolicy.scheduleRunDays",
        code::INVALID_POLICY,
        "a weekly schedule names at least one day",
        |_, t| scheduled_days(t).is_none_or(|days| !days.is_empty()),
    ),
    limit(
        "schedulePolicy.hourlySchedule.interval",
        code::INVALID_POLICY,
        "the interval is 4, 6, 8, 12 or 24 hours",
        |_, t| hours(t).is_none_or(|(every, _)| [4, 6, 8, 12, 24].contains(&every)),
    ),
    limit(
        "schedulePolicy.hourlySchedule.scheduleWindowDuration",
        code::INVALID_POLICY,
        "the window is 4 to 24 hours",
        |_, t| hours(t).is_none_or(|(_, window)| (4..=24).contains(&window)),
    ),
    limit(
        "retentionPolicy.dailySchedule",
        code::INVALID_RETENTION,
        "a weekly schedule has no daily retention; any other needs one",
        |_, t| scheduled_days(t).is_some() != t.retention.daily.is_some(),
    ),
    limit(
        "retentionPolicy.weeklySchedule",
        code::INVALID_RETENTION,
        "a weekly schedule needs weekly retention",
        |_, t| scheduled_days(t).is_none() || t.retention.weekly.is_some(),
    ),
    limit(
        "retentionPolicy.dailySchedule.retentionDuration",
        code::INVALID_RETENTION,
        "daily points are kept for 7 to 9999 days",
        |_, t| {
            t.retention
                .daily
                .as_ref()
                .is_none_or(|daily| (7..=9999).contains(&daily.keep))
        },
    ),
    limit(
        "retentionPolicy.weeklySchedule.retentionDuration",
        code::INVALID_RETENTION,
        "weekly points are kept for 1 to 5163 weeks",
        |_, t| {
            t.retention
                .weekly
                .as_ref()
                .is_none_or(|weekly| (1..=5163).contains(&weekly.keep))
        },
    ),
    limit(
        "retentionPolicy.monthlySchedule.retentionDuration",
        code::INVALID_RETENTION,
        "monthly points are kept for 1 to 1188 months",
        |_, t| {
            t.retention
                .monthly
                .as_ref()
                .is_none_or(|monthly| (1..=1188).contains(&monthly.keep))
        },
    ),
    limit(
        "retentionPolicy.yearlySchedule.retentionDuration",
        code::INVALID_RETENTION,
        "yearly points are kept for 1 to 99 years",
        |_, t| {
            t.retention
                .yearly
                .as_ref()
                .is_none_or(|yearly| (1..=99).contains(&yearly.keep))
        },
    ),
    limit(
        "retentionPolicy.weeklySchedule.daysOfTheWeek",
        code::INVALID_RETENTION,
        "weekly retention names at least one day, and only days on which a backup runs",
        |_, t| {
            t.retention
                .weekly
                .as_ref()
                .is_none_or(|weekly| named_and_scheduled(&weekly.on, t))
        },
    ),
    limit(
        "retentionPolicy.monthlySchedule",
        code::INVALID_RETENTION,
        DAYS_OF_MONTH,
        |_, t| {
            t.retention
                .monthly
                .as_ref()
                .is_none_or(|monthly| days_of_month(&monthly.on, t))
        },
    ),
    limit(
        "retentionPolicy.yearlySchedule",
        code::INVALID_RETENTION,
        DAYS_OF_MONTH,
        |_, t| {
            t.retention
                .yearly
                .as_ref()
                .is_none_or(|yearly| days_of_month(&yearly.on, t))
        },
    ),
    limit(
        "retentionPolicy.yearlySchedule.monthsOfYear",
        code::INVALID_RETENTION,
        "yearly retention names at least one month",
        |_, t| {
            t.retention
                .yearly
                .as_ref()
                .is_none_or(|yearly| !yearly.months.is_empty())
        },
    ),
    limit(
        "retentionPolicy",
        code::INVALID_POLICY,
        "every retentionTimes repeats the schedule's one time; an hourly schedule has none, or the window's start",
        retention_repeats_schedule,
    ),
    limit(
        "instantRpRetentionRangeInDays",
        code::INVALID_POLICY,
        "snapshots stay 1 to 5 days, exactly 5 with a weekly schedule, and 1 to 30 with policyType V2",
        |_, t| match (t.generation, &t.frequency) {
            (Generation::Enhanced, _) => (1..=30).contains(&t.instant_restore_days),
            (Generation::Standard, Frequency::Weekly { .. }) => t.instant_restore_days == 5,
            (Generation::Standard, _) => (1..=5).contains(&t.instant_restore_days),
        },
    ),
    limit(
        "instantRpRetentionRangeInDays",
        code::INSTANT_RP_OUTLIVES_VAULT,
        "snapshots cannot stay longer than the points of the vault are kept",
        |_, t| {
            let daily = t.retention.daily.as_ref().map(|daily| daily.keep);
            let weekly = t
                .retention
                .weekly
                .as_ref()
                .map(|weekly| weekly.keep.saturating_mul(7));
            daily
                .or(weekly)
                .is_none_or(|days| t.instant_restore_days <= days)
        },
    ),
];

const DAYS_OF_MONTH: &str = "the days are 1 to 28 or the last one, or weeks and days of the week; with a weekly schedule \
    only weeks, and days of the week on which a backup runs";

fn start(terms: &Terms) -> Time {
    match terms.frequency {
        Frequency::Daily { at } | Frequency::Weekly { at, .. } => at,
        Frequency::Hourly { from, .. } => from,
        Frequency::Minutes { .. } => Time::midnight(),
    }
}

fn on_the_half_hour(at: Time) -> bool {
    at.minute() % 30 == 0 && at.second() == 0 && at.subsec_nanosecond() == 0
}

/// The days of a weekly schedule.
fn scheduled_days(terms: &Terms) -> Option<&[Weekday]> {
    match &terms.frequency {
        Frequency::Weekly { on, .. } => Some(on),
        _ => None,
    }
}

/// The interval and the window of an hourly schedule.
fn hours(terms: &Terms) -> Option<(u8, u8)> {
    match terms.frequency {
        Frequency::Hourly { every, window, .. } => Some((every, window)),
        _ => None,
    }
}

fn named_and_scheduled(on: &[Weekday], terms: &Terms) -> bool {
    !on.is_empty()
        && scheduled_days(terms).is_none_or(|days| on.iter().all(|day| days.contains(day)))
}

fn days_of_month(on: &MonthDays, terms: &Terms) -> bool {
    match on {
        MonthDays::Weekdays { weeks, on } => !weeks.is_empty() && named_and_scheduled(on, terms),
        MonthDays::Dates(dates) => {
            let fits = |day: &DayOfMonth| match day {
                DayOfMonth::Last => true,
                DayOfMonth::Day(date) => (1..=28).contains(date),
            };
            scheduled_days(terms).is_none() && !dates.is_empty() && dates.iter().all(fits)
        }
    }
}

fn retention_repeats_schedule(policy: &VmPolicy, terms: &Terms) -> bool {
    let Some(RetentionPolicy::LongTerm(retention)) = &policy.retention_policy else {
        return true;
    };
    let is_hourly = hours(terms).is_some();
    let repeats = |times: Option<&Vec<WireTime>>| match times.map(Vec::as_slice) {
        None | Some([]) => is_hourly,
        Some([at]) => at.time_of_day() == Ok(start(terms)),
        Some(_) => false,
    };
    let daily = retention
        .daily_schedule
        .as_ref()
        .map(|daily| daily.retention_times.as_ref());
    let weekly = retention
        .weekly_schedule
        .as_ref()
        .map(|weekly| weekly.retention_times.as_ref());
    let monthly = retention
        .monthly_schedule
        .as_ref()
        .map(|monthly| monthly.retention_times.as_ref());
    let yearly = retention
        .yearly_schedule
        .as_ref()
        .map(|yearly| yearly.retention_times.as_ref());
    [daily, weekly, monthly, yearly]
        .into_iter()
        .flatten()
        .all(repeats)
}
