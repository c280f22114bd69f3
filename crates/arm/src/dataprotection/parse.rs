//! From rules to the field's terms.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::{Offset, TimeZone};
use kluis_policy::zones;
use kluis_policy::{Frequency, Workload};

use super::interval::{Every, Interval};
use super::{
    BackupParameters, BackupPolicy, BackupRule, DeleteOption, PolicyRule, PolicyRules,
    RepeatingSchedule, RetentionRule, Trigger, tags,
};
use crate::policy::parse::{error, need, time_zone};
use crate::policy::{ParseError, Terms};

/// Of which workload a source of data is, and the type of its backups. Policies for the last two of PostgreSQL are read, and
/// stay theirs: a new one is for a flexible server.
pub(super) const SOURCES: &[(&str, Workload, &str)] = &[
    ("Microsoft.Compute/disks", Workload::Disk, "Incremental"),
    (
        "Microsoft.DBforPostgreSQL/flexibleServers",
        Workload::PostgreSql,
        "Full",
    ),
    (
        "Microsoft.DBforPostgreSQL/servers/databases",
        Workload::PostgreSql,
        "Full",
    ),
    ("OssDB", Workload::PostgreSql, "Full"),
];

const BACKUP: &str = "policyRules[AzureBackupRule]";
const INTERVALS: &str = "policyRules[AzureBackupRule].trigger.schedule.repeatingTimeIntervals";
const ZONE: &str = "policyRules[AzureBackupRule].trigger.schedule.timeZone";

/// Reads a policy. Limits are not looked at: see [`super::check_limits`].
///
/// Intervals are read on the clock of the policy's zone, or of their own offset where it names none. The first of a month
/// or a year that a tag marks is the one that the schedule makes first there.
///
/// # Errors
/// When it is for something unknown, or says what the field's terms cannot.
pub fn parse(policy: &BackupPolicy) -> Result<Terms, ParseError> {
    let BackupPolicy::Rules(policy) = policy else {
        return Err(error("objectType", policy.tag(), "BackupPolicy"));
    };
    let (workload, backup_type) = source(policy)?;
    let backup = backup_rule(policy)?;
    if let Some(BackupParameters::Typed(parameters)) = &backup.backup_parameters
        && let Some(found) = &parameters.backup_type
        && !found.eq_ignore_ascii_case(backup_type)
    {
        let field = format!("{BACKUP}.backupParameters.backupType");
        return Err(error(
            field,
            found,
            "Incremental for disks, Full for PostgreSQL",
        ));
    }
    let trigger = match &backup.trigger {
        Some(Trigger::Scheduled(trigger)) => trigger,
        other => {
            let found = other.as_ref().map_or("missing", Trigger::tag);
            let field = format!("{BACKUP}.trigger.objectType");
            return Err(error(field, found, "ScheduleBasedTriggerContext"));
        }
    };
    let schedule = trigger.schedule.as_ref();
    let schedule = need(schedule, INTERVALS, "repeating intervals")?;
    let (frequency, name, zone) = frequency(schedule)?;
    let tagging = trigger.tagging_criteria.as_deref().unwrap_or_default();
    let rules: Vec<&RetentionRule> = policy
        .policy_rules
        .iter()
        .flatten()
        .filter_map(|rule| match rule {
            PolicyRule::Retention(rule) => Some(rule.as_ref()),
            PolicyRule::Backup(_) | PolicyRule::Other(_) => None,
        })
        .collect();
    let retention = tags::retention(tagging, &rules, &frequency, &zone)?;
    Ok(Terms::new(workload, frequency, name, retention))
}

pub(super) fn source(policy: &PolicyRules) -> Result<(Workload, &'static str), ParseError> {
    const EXPECTED: &str = "Microsoft.Compute/disks or Microsoft.DBforPostgreSQL/flexibleServers";
    let types = policy.datasource_types.as_deref().unwrap_or_default();
    let found = || error("datasourceTypes", &format!("{types:?}"), EXPECTED);
    let [only] = types else { return Err(found()) };
    SOURCES
        .iter()
        .find(|(name, ..)| name.eq_ignore_ascii_case(only))
        .map(|(_, workload, backup_type)| (*workload, *backup_type))
        .ok_or_else(found)
}

/// The rule that says when backups are made.
pub(super) fn backup_rule(policy: &PolicyRules) -> Result<&BackupRule, ParseError> {
    let mut found = None;
    for rule in policy.policy_rules.iter().flatten() {
        match rule {
            PolicyRule::Backup(rule) if found.is_none() => found = Some(rule.as_ref()),
            PolicyRule::Backup(_) => {
                return Err(error(BACKUP, "there twice", "one rule for backups"));
            }
            PolicyRule::Retention(_) => {}
            PolicyRule::Other(_) => {
                return Err(error(
                    "policyRules.objectType",
                    rule.tag(),
                    "AzureBackupRule or AzureRetentionRule",
                ));
            }
        }
    }
    need(found, BACKUP, "a rule for backups")
}

/// When backups run, on the clock of which zone.
fn frequency(schedule: &RepeatingSchedule) -> Result<(Frequency, String, TimeZone), ParseError> {
    const EXPECTED: &str =
        "intervals such as R/2024-01-01T22:30:00+01:00/P1D, of hours, one day or one week";
    let texts = schedule.repeating_time_intervals.as_deref();
    let texts = texts.unwrap_or_default();
    let unreadable = || error(INTERVALS, &format!("{texts:?}"), EXPECTED);
    let read = texts.iter().map(|text| Interval::read(text));
    let intervals: Vec<Interval> = read.collect::<Option<_>>().ok_or_else(unreadable)?;
    let (first, others) = intervals.split_first().ok_or_else(unreadable)?;
    let name = match schedule.time_zone.as_deref() {
        // What Windows calls UTC to people; the portal writes it.
        Some(name) if name.eq_ignore_ascii_case("Coordinated Universal Time") => "UTC".to_owned(),
        Some(name) => time_zone(Some(name), ZONE)?,
        None => of_offset(first.start.offset.unwrap_or(Offset::UTC))?,
    };
    let zone = zones::get(&name).map_err(|_| error(ZONE, &name, "a time zone"))?;
    let clock = |interval: &Interval| interval.start.on_clock(&zone).ok_or_else(unreadable);
    let start: DateTime = clock(first)?;
    let at = start.time();
    let frequency = match (first.every, others) {
        (Every::Day, []) => Frequency::Daily { at },
        (Every::Hours(every), []) => Frequency::Hourly {
            every,
            from: at,
            window: 24,
        },
        (Every::Week, _) => {
            let mut on: Vec<Weekday> = vec![start.weekday()];
            for other in others {
                let start = clock(other)?;
                if other.every != Every::Week || start.time() != at {
                    return Err(error(
                        INTERVALS,
                        &format!("{texts:?}"),
                        "one time on every day of the week that runs",
                    ));
                }
                on.push(start.weekday());
            }
            Frequency::Weekly { on, at }
        }
        (Every::Day | Every::Hours(_), _) => {
            let found = format!("{texts:?}");
            return Err(error(
                INTERVALS,
                &found,
                "one interval of a day or of hours",
            ));
        }
    };
    Ok((frequency, name, zone))
}

/// The zone that is an offset all year. It says hours only.
fn of_offset(offset: Offset) -> Result<String, ParseError> {
    let seconds = offset.seconds();
    match seconds / 3600 {
        0 if seconds == 0 => Ok("UTC".to_owned()),
        // The sign is POSIX's, the other way round.
        hours if seconds % 3600 == 0 => Ok(format!("Etc/GMT{:+}", -hours)),
        _ => Err(error(
            ZONE,
            &format!("missing, beside the offset {offset}"),
            "the zone's name, or an offset of whole hours",
        )),
    }
}

/// How long a rule keeps its backups, as it stands there.
pub(super) fn kept(rule: &RetentionRule) -> Result<&str, ParseError> {
    let at = format!(
        "policyRules[{}].lifecycles",
        rule.name.as_deref().unwrap_or_default()
    );
    let [lifecycle] = rule.lifecycles.as_deref().unwrap_or_default() else {
        let found = rule.lifecycles.as_ref().map_or(0, Vec::len);
        return Err(error(at, &format!("a list of {found}"), "one lifecycle"));
    };
    let copies = lifecycle.target_data_store_copy_settings.as_deref();
    if copies.is_some_and(|copies| !copies.is_empty()) {
        return Err(error(
            format!("{at}.targetDataStoreCopySettings"),
            "there",
            "no copy in another store",
        ));
    }
    match &lifecycle.delete_after {
        Some(DeleteOption::Absolute(after)) => {
            let at = format!("{at}.deleteAfter.duration");
            need(after.duration.as_ref(), &at, "a length of time").map(String::as_str)
        }
        other => {
            let found = other.as_ref().map_or("missing", DeleteOption::tag);
            let at = format!("{at}.deleteAfter.objectType");
            Err(error(at, found, "AbsoluteDeleteOption"))
        }
    }
}
