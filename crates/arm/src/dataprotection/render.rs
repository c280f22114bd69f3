//! From the field's terms to rules.

use jiff::civil::{Time, Weekday};
use kluis_policy::zones;
use kluis_policy::{Frequency, MonthDays, Retention, Week, Workload};

use super::interval::{Length, start};
use super::parse::SOURCES;
use super::tags::{EVERY_WEEK, first_run};
use super::{
    BackupParameters, BackupParams, BackupPolicy, BackupRule, Criteria, DataStore, DataStoreType,
    DeleteAfter, DeleteOption, Lifecycle, PolicyRule, PolicyRules, RepeatingSchedule,
    RetentionRule, ScheduledCriteria, ScheduledTrigger, Tag, Tagging, Trigger,
};
use crate::policy::render::{dates_on_wire, places, weeks_on_wire};
use crate::policy::words::{month_on_wire, weekday_on_wire};
use crate::policy::{RenderError, Terms};
use crate::time::WireTime;
use crate::zone::{self, ZoneError};

const DEFAULT: &str = "Default";

/// A tier that is not the default one.
struct Tier {
    name: &'static str,
    length: Length,
    criteria: ScheduledCriteria,
}

/// A policy as it is written: intervals with the offset of the zone's base clock and the zone's name, the tier that keeps
/// every backup as the default rule, a tag and a rule for each of the others, the longest first. Limits are not looked at:
/// see [`super::check_limits`].
///
/// # Errors
/// When Azure has no name for the zone, no tier keeps every backup, or such a policy has no place for something.
pub fn render(terms: &Terms) -> Result<BackupPolicy, RenderError> {
    places(terms)?;
    let workload = terms.workload.in_words();
    let found = SOURCES.iter().find(|(_, of, _)| *of == terms.workload);
    let Some((source, _, backup_type)) = found else {
        let vault = "a Recovery Services vault, not a Backup vault";
        return Err(RenderError::Vault(workload, vault));
    };
    let zone =
        zones::get(&terms.time_zone).map_err(|_| ZoneError::NotIana(terms.time_zone.clone()))?;
    let store = match terms.workload {
        Workload::Disk => DataStoreType::OperationalStore,
        _ => DataStoreType::VaultStore,
    };
    let no_place = |what| RenderError::NoPlace { workload, what };
    let moment = |days: i8, at: Time| {
        start(&zone, days, at).ok_or_else(|| no_place("times on such a clock"))
    };
    let (rule, first, intervals) = match &terms.frequency {
        Frequency::Daily { at } => (
            "BackupDaily",
            *at,
            vec![format!("R/{}/P1D", moment(0, *at)?)],
        ),
        Frequency::Weekly { on, at } => {
            let intervals = on.iter().map(|day| {
                let start = moment(day.to_monday_zero_offset(), *at)?;
                Ok(format!("R/{start}/P1W"))
            });
            let intervals = intervals.collect::<Result<_, RenderError>>()?;
            ("BackupWeekly", *at, intervals)
        }
        Frequency::Hourly { every, from, .. } => (
            "BackupHourly",
            first_run(*every, *from),
            vec![format!("R/{}/PT{every}H", moment(0, *from)?)],
        ),
        Frequency::Minutes { .. } => return Err(no_place("schedule by the minute")),
    };
    let (default, tiers) = tiers(terms).ok_or_else(|| no_place("backups that no tier keeps"))?;
    let mut tagging = vec![tagging(DEFAULT, 99, None)];
    let mut rules = vec![retention_rule(DEFAULT, default, &store)];
    for (priority, mut tier) in (1..).zip(tiers) {
        tier.criteria.schedule_times = Some(vec![WireTime::from(moment(0, first)?.as_str())]);
        rules.push(retention_rule(tier.name, tier.length, &store));
        tagging.push(self::tagging(
            tier.name,
            priority * 5 + 5,
            Some(tier.criteria),
        ));
    }
    let trigger = ScheduledTrigger {
        schedule: Some(RepeatingSchedule {
            repeating_time_intervals: Some(intervals),
            time_zone: Some(zone::to_azure(&terms.time_zone)?.to_owned()),
            ..RepeatingSchedule::default()
        }),
        tagging_criteria: Some(tagging),
        ..ScheduledTrigger::default()
    };
    let parameters = BackupParams {
        backup_type: Some((*backup_type).to_owned()),
        ..BackupParams::default()
    };
    let backup = BackupRule {
        name: Some(rule.to_owned()),
        backup_parameters: Some(BackupParameters::from(parameters)),
        trigger: Some(Trigger::from(trigger)),
        data_store: Some(DataStore::of(store)),
        ..BackupRule::default()
    };
    rules.insert(0, backup.into());
    Ok(PolicyRules {
        datasource_types: Some(vec![(*source).to_owned()]),
        policy_rules: Some(rules),
        ..PolicyRules::default()
    }
    .into())
}

fn retention_rule(name: &str, length: Length, store: &DataStoreType) -> PolicyRule {
    let after = DeleteAfter {
        duration: Some(length.text()),
        ..DeleteAfter::default()
    };
    let lifecycle = Lifecycle {
        delete_after: Some(DeleteOption::from(after)),
        source_data_store: Some(DataStore::of(store.clone())),
        target_data_store_copy_settings: Some(Vec::new()),
        ..Lifecycle::default()
    };
    RetentionRule {
        name: Some(name.to_owned()),
        is_default: Some(name == DEFAULT),
        lifecycles: Some(vec![lifecycle]),
        ..RetentionRule::default()
    }
    .into()
}

fn tagging(name: &str, priority: i64, criteria: Option<ScheduledCriteria>) -> Tagging {
    Tagging {
        tag_info: Some(Tag {
            tag_name: Some(name.to_owned()),
            ..Tag::default()
        }),
        tagging_priority: Some(priority),
        is_default: Some(criteria.is_none()),
        criteria: criteria.map(|criteria| vec![Criteria::from(criteria)]),
        ..Tagging::default()
    }
}

/// How long every backup is kept, and the tiers beside, the longest first; None where no tier keeps every backup.
fn tiers(terms: &Terms) -> Option<(Length, Vec<Tier>)> {
    let Retention {
        daily,
        weekly,
        monthly,
        yearly,
    } = &terms.retention;
    let mut tiers = Vec::new();
    // The shortest tier that keeps every backup is the default rule, and no tag.
    let mut default = daily.as_ref().map(|daily| Length::Days(daily.keep));
    if let Some(weekly) = weekly {
        let length = Length::Weeks(weekly.keep);
        let criteria = ScheduledCriteria {
            days_of_the_week: Some(weekly.on.iter().copied().map(weekday_on_wire).collect()),
            ..ScheduledCriteria::default()
        };
        if default.is_none() && is_scheduled_weekly(terms) && has_every(terms, &weekly.on) {
            default = Some(length);
        } else {
            tiers.push(tier("Weekly", length, criteria));
        }
    }
    if let Some(monthly) = monthly {
        let length = Length::Months(monthly.keep);
        if default.is_none() && is_every(terms, &monthly.on) {
            default = Some(length);
        } else {
            tiers.push(tier("Monthly", length, on(&monthly.on)));
        }
    }
    if let Some(yearly) = yearly {
        let length = Length::Years(yearly.keep);
        let every_month = kluis_policy::Month::ALL
            .iter()
            .all(|month| yearly.months.contains(month));
        let months = yearly.months.iter().copied().map(month_on_wire).collect();
        if default.is_none() && every_month && is_every(terms, &yearly.on) {
            default = Some(length);
        } else {
            let criteria = ScheduledCriteria {
                months_of_year: Some(months),
                ..on(&yearly.on)
            };
            tiers.push(tier("Yearly", length, criteria));
        }
    }
    tiers.sort_by_key(|tier| std::cmp::Reverse(tier.length.in_days()));
    Some((default?, tiers))
}

fn tier(name: &'static str, length: Length, criteria: ScheduledCriteria) -> Tier {
    Tier {
        name,
        length,
        criteria,
    }
}

fn on(days: &MonthDays) -> ScheduledCriteria {
    match days {
        MonthDays::Dates(dates) => ScheduledCriteria {
            days_of_month: Some(dates_on_wire(dates)),
            ..ScheduledCriteria::default()
        },
        MonthDays::Weekdays { weeks, on } => {
            let (weeks, on) = weeks_on_wire(weeks, on);
            ScheduledCriteria {
                days_of_the_week: Some(on),
                weeks_of_the_month: Some(weeks),
                ..ScheduledCriteria::default()
            }
        }
    }
}

fn is_scheduled_weekly(terms: &Terms) -> bool {
    matches!(terms.frequency, Frequency::Weekly { .. })
}

/// Whether these are all the days on which a backup is made.
fn has_every(terms: &Terms, on: &[Weekday]) -> bool {
    match &terms.frequency {
        Frequency::Weekly { on: scheduled, .. } => scheduled.iter().all(|day| on.contains(day)),
        _ => Weekday::Monday
            .cycle_forward()
            .take(7)
            .all(|day| on.contains(&day)),
    }
}

/// Whether these are all backups. Of several a day they are not: a tier has the first alone.
fn is_every(terms: &Terms, days: &MonthDays) -> bool {
    let once_a_day = matches!(
        terms.frequency,
        Frequency::Daily { .. } | Frequency::Weekly { .. }
    );
    match days {
        MonthDays::Weekdays { weeks, on } => {
            let every_week = EVERY_WEEK.iter().all(|week: &Week| weeks.contains(week));
            once_a_day && every_week && has_every(terms, on)
        }
        MonthDays::Dates(_) => false,
    }
}
