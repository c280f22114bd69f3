//! How long points may be kept, and which.

use jiff::civil::Weekday;
use kluis_policy::calendar::fewest_days;
use kluis_policy::limits as table;
use kluis_policy::{DayOfMonth, MonthDays, Workload};

use super::schedule::scheduled_days;
use super::{LimitBroken, has_rule, out_of_range, refusal};
use crate::error::code::{INSTANT_RP_OUTLIVES_VAULT, INVALID_POLICY, INVALID_RETENTION};
use crate::policy::{Archive, Terms};

const DAILY: &str = "retentionPolicy.dailySchedule";
const WEEKLY: &str = "retentionPolicy.weeklySchedule";
const MONTHLY: &str = "retentionPolicy.monthlySchedule";
const YEARLY: &str = "retentionPolicy.yearlySchedule";
const SNAPSHOTS: &str = "instantRpRetentionRangeInDays";

pub(super) fn broken(terms: &Terms) -> Option<LimitBroken> {
    presence(terms)
        .or_else(|| lengths(terms))
        .or_else(|| days(terms))
        .or_else(|| one_tag(terms))
        .or_else(|| snapshots(terms))
        .or_else(|| archive(terms))
}

/// A schedule's own tier has to be there, and no shorter one. In a Backup vault's policy the default rule keeps every
/// backup, whatever its unit, and one that has none cannot be read.
fn presence(terms: &Terms) -> Option<LimitBroken> {
    let refuse = |field, message| refusal(INVALID_RETENTION, field, message);
    if matches!(terms.workload, Workload::Disk | Workload::PostgreSql) {
        return None;
    }
    let retention = &terms.retention;
    let is_weekly = scheduled_days(terms).is_some();
    if is_weekly && has_rule(terms, "no daily points") && retention.daily.is_some() {
        return refuse(DAILY, "a weekly schedule has no daily retention");
    }
    if !is_weekly && has_rule(terms, "daily points") && retention.daily.is_none() {
        return refuse(DAILY, "a daily or hourly schedule needs daily retention");
    }
    if is_weekly && has_rule(terms, "weekly points") && retention.weekly.is_none() {
        return refuse(WEEKLY, "a weekly schedule needs weekly retention");
    }
    None
}

fn lengths(terms: &Terms) -> Option<LimitBroken> {
    let retention = &terms.retention;
    let tiers = [
        (
            "daily",
            DAILY,
            retention.daily.as_ref().map(|tier| tier.keep),
        ),
        (
            "weekly",
            WEEKLY,
            retention.weekly.as_ref().map(|tier| tier.keep),
        ),
        (
            "monthly",
            MONTHLY,
            retention.monthly.as_ref().map(|tier| tier.keep),
        ),
        (
            "yearly",
            YEARLY,
            retention.yearly.as_ref().map(|tier| tier.keep),
        ),
    ];
    tiers.into_iter().find_map(|(tier, path, keep)| {
        let range = out_of_range(terms, &format!("retention.{tier}.keep"), keep?)?;
        let path = format!("{path}.retentionDuration");
        refusal(
            INVALID_RETENTION,
            &path,
            format!("{tier} points are kept for {range}"),
        )
    })
}

fn days(terms: &Terms) -> Option<LimitBroken> {
    const OF_WEEKS: &str =
        "weekly retention names at least one day, and only days on which a backup runs";
    const OF_MONTHS: &str = "the days are 1 to 28 or the last one, or weeks and days of the week; with a weekly \
        schedule only weeks, and days of the week on which a backup runs";
    let refuse = |field, message| refusal(INVALID_RETENTION, field, message);
    let retention = &terms.retention;
    let weekly = retention.weekly.as_ref();
    if weekly.is_some_and(|weekly| !named_and_scheduled(&weekly.on, terms)) {
        return refuse("retentionPolicy.weeklySchedule.daysOfTheWeek", OF_WEEKS);
    }
    let monthly = retention.monthly.as_ref();
    if monthly.is_some_and(|monthly| !days_of_month(&monthly.on, terms)) {
        return refuse(MONTHLY, OF_MONTHS);
    }
    let yearly = retention.yearly.as_ref()?;
    if !days_of_month(&yearly.on, terms) {
        return refuse(YEARLY, OF_MONTHS);
    }
    if yearly.months.is_empty() {
        return refuse(
            "retentionPolicy.yearlySchedule.monthsOfYear",
            "yearly retention names at least one month",
        );
    }
    None
}

fn named_and_scheduled(on: &[Weekday], terms: &Terms) -> bool {
    let must_run = has_rule(terms, "retention on scheduled days");
    !on.is_empty()
        && scheduled_days(terms)
            .filter(|_| must_run)
            .is_none_or(|days| on.iter().all(|day| days.contains(day)))
}

fn days_of_month(on: &MonthDays, terms: &Terms) -> bool {
    match on {
        MonthDays::Weekdays { weeks, on } => !weeks.is_empty() && named_and_scheduled(on, terms),
        MonthDays::Dates(dates) => {
            let no_dates =
                has_rule(terms, "weekly has no dates") && scheduled_days(terms).is_some();
            let fits = |day: &DayOfMonth| match day {
                DayOfMonth::Last => true,
                DayOfMonth::Day(date) => (1..=28).contains(date),
            };
            !no_dates && !dates.is_empty() && dates.iter().all(fits)
        }
    }
}

/// In a Backup vault one rule keeps each point: a tag that kept shorter than all points are kept would take its backups from
/// them. Months are taken at their shortest.
fn one_tag(terms: &Terms) -> Option<LimitBroken> {
    if !has_rule(terms, "tags keep longer") {
        return None;
    }
    let retention = &terms.retention;
    let weekly = retention.weekly.as_ref();
    let weekly_days = weekly.map(|tier| tier.keep.saturating_mul(7));
    let keeps_all = |on: &[Weekday]| {
        scheduled_days(terms).is_some_and(|days| days.iter().all(|day| on.contains(day)))
    };
    let all = match (&retention.daily, weekly) {
        (Some(daily), _) => daily.keep,
        (None, Some(weekly)) if keeps_all(&weekly.on) => weekly.keep.saturating_mul(7),
        (None, _) => return None,
    };
    let tiers = [
        (WEEKLY, weekly_days),
        (
            MONTHLY,
            retention
                .monthly
                .as_ref()
                .map(|tier| fewest_days(tier.keep)),
        ),
        (
            YEARLY,
            retention
                .yearly
                .as_ref()
                .map(|tier| fewest_days(tier.keep.saturating_mul(12))),
        ),
    ];
    let (tier, days) = tiers
        .into_iter()
        .filter_map(|(tier, days)| Some((tier, days?)))
        .find(|(_, days)| *days < all)?;
    refusal(
        INVALID_RETENTION,
        &format!("{tier}.retentionDuration"),
        format!(
            "its points may go after {days} days, sooner than the {all} for which all points are kept"
        ),
    )
}

fn snapshots(terms: &Terms) -> Option<LimitBroken> {
    let days = terms.instant_restore_days?;
    if !table::has(terms.workload, "instantRestore") {
        let message = format!(
            "policies for {} keep no snapshots of their own",
            terms.workload.in_words()
        );
        return refusal(INVALID_POLICY, SNAPSHOTS, message);
    }
    if let Some(range) = out_of_range(terms, "instantRestore.keepDays", days) {
        return refusal(
            INVALID_POLICY,
            SNAPSHOTS,
            format!("snapshots stay {range} with such a schedule and policyType"),
        );
    }
    let retention = &terms.retention;
    let daily = retention.daily.as_ref().map(|daily| daily.keep);
    let weekly = retention.weekly.as_ref();
    let shortest = daily.or_else(|| weekly.map(|weekly| weekly.keep.saturating_mul(7)));
    if shortest.is_none_or(|shortest| days <= shortest) {
        return None;
    }
    refusal(
        INSTANT_RP_OUTLIVES_VAULT,
        SNAPSHOTS,
        "snapshots cannot stay longer than the points of the vault are kept",
    )
}

/// What moves to the archive has to be old enough, and to have six months left there.
fn archive(terms: &Terms) -> Option<LimitBroken> {
    const DURATION: &str = "tieringPolicy.ArchivedRP.duration";
    let refuse = |field, message: String| refusal(INVALID_POLICY, field, message);
    let retention = &terms.retention;
    let monthly = retention.monthly.as_ref().map_or(0, |tier| tier.keep);
    let yearly = retention.yearly.as_ref().map_or(0, |tier| tier.keep);
    let is_vm = terms.workload == Workload::VirtualMachine;
    let (after, left, kept) = match (terms.archive?, is_vm) {
        (Archive::Recommended, true) => {
            let limit = table::limit(terms.workload, table::Case::Always, "archive.after");
            let least = limit.map_or(0, |limit| limit.least);
            (least, 6, monthly.max(yearly.saturating_mul(12)))
        }
        (Archive::After { months }, true) => (months, 6, monthly.max(yearly.saturating_mul(12))),
        (Archive::AfterDays { days }, false) => {
            let daily = retention.daily.as_ref().map_or(0, |tier| tier.keep);
            let weekly = retention.weekly.as_ref().map_or(0, |tier| tier.keep);
            let longest = [
                daily,
                weekly.saturating_mul(7),
                monthly.saturating_mul(30),
                yearly.saturating_mul(365),
            ];
            (days, 180, longest.into_iter().max().unwrap_or_default())
        }
        (Archive::AfterDays { .. } | Archive::Recommended | Archive::After { .. }, _) => {
            let how = if is_vm {
                "TierRecommended, or TierAfter some Months"
            } else {
                "TierAfter some Days"
            };
            return refuse(
                "tieringPolicy.ArchivedRP",
                format!("policies for {} say {how}", terms.workload.in_words()),
            );
        }
    };
    if let Some(range) = out_of_range(terms, "archive.after", after) {
        return refuse(
            DURATION,
            format!("points move to the archive after {range}"),
        );
    }
    if after.saturating_add(left) <= kept {
        return None;
    }
    let which = if is_vm {
        "monthly or yearly point"
    } else {
        "full"
    };
    refuse(
        DURATION,
        format!(
            "no {which} has six months left when it moves to the archive: keep longer, or do not tier"
        ),
    )
}
