//! The limits that a service enforces on every write of a policy in a Backup vault: those of the same tables as everywhere.

use super::interval::Length;
use super::parse::kept;
use super::tags::tag;
use super::{BackupPolicy, Criteria, PolicyRule, Tagging, Trigger, parse};
use crate::error::code;
use crate::policy::{LimitBroken, ParseError, Terms, broken};

/// Checks a policy of a Backup vault.
///
/// # Errors
/// The first limit it breaks; a policy that cannot be put in the field's terms breaks one, unless all that stands in the way is
/// that a tag marks the first backup of a day, week, month or year: Azure takes such a tag with any schedule.
pub fn check_limits(policy: &BackupPolicy) -> Result<(), LimitBroken> {
    let refuse = |broken: LimitBroken| LimitBroken {
        code: code::INVALID_RULES,
        ..broken
    };
    let terms = readable(policy).map_err(|error| refuse(error.into()))?;
    match broken(&terms) {
        None => Ok(()),
        Some(broken) => Err(refuse(LimitBroken {
            field: path(&broken.field),
            ..broken
        })),
    }
}

/// The policy's terms; where a mark for the first of a stretch of time keeps it from having any, those of the rest of it.
fn readable(policy: &BackupPolicy) -> Result<Terms, ParseError> {
    parse(policy).or_else(|error| match without_marks(policy) {
        Some(rest) => parse(&rest).map_err(|_| error),
        None => Err(error),
    })
}

/// The policy without the tags that such a mark alone gives; `None` where there are none, or one of them has no length of its own.
fn without_marks(policy: &BackupPolicy) -> Option<BackupPolicy> {
    let BackupPolicy::Rules(mut rest) = policy.clone() else {
        return None;
    };
    let rules = rest.policy_rules.as_mut()?;
    let mut marked = Vec::new();
    for rule in rules.iter_mut() {
        if let PolicyRule::Backup(backup) = rule
            && let Some(Trigger::Scheduled(trigger)) = &mut backup.trigger
            && let Some(tagging) = &mut trigger.tagging_criteria
        {
            marked.extend(
                tagging
                    .iter()
                    .filter(|one| is_mark(one))
                    .filter_map(tag)
                    .map(str::to_owned),
            );
            tagging.retain(|one| !is_mark(one));
        }
    }
    let has_length = |rule: &PolicyRule| match rule {
        PolicyRule::Retention(rule) => {
            kept(rule).is_ok_and(|length| Length::read(length).is_some())
        }
        PolicyRule::Backup(_) | PolicyRule::Other(_) => false,
    };
    let of = |rule: &PolicyRule, name: &String| match rule {
        PolicyRule::Retention(rule) => rule.name.as_ref() == Some(name),
        PolicyRule::Backup(_) | PolicyRule::Other(_) => false,
    };
    let whole = |name| {
        rules
            .iter()
            .filter(|rule| of(rule, name))
            .map(has_length)
            .eq([true])
    };
    if marked.is_empty() || !marked.iter().all(whole) {
        return None;
    }
    rules.retain(|rule| !marked.iter().any(|name| of(rule, name)));
    Some(BackupPolicy::Rules(rest))
}

/// Whether a tag is given to the first backup of a stretch of time, and by nothing else.
fn is_mark(tagging: &Tagging) -> bool {
    let Some([Criteria::Scheduled(criteria)]) = tagging.criteria.as_deref() else {
        return false;
    };
    let none = |list: Option<usize>| list.unwrap_or_default() == 0;
    criteria
        .absolute_criteria
        .as_ref()
        .is_some_and(|marks| marks.len() == 1)
        && none(criteria.days_of_month.as_ref().map(Vec::len))
        && none(criteria.days_of_the_week.as_ref().map(Vec::len))
        && none(criteria.weeks_of_the_month.as_ref().map(Vec::len))
        && none(criteria.months_of_year.as_ref().map(Vec::len))
        && tagging.is_default != Some(true)
}

/// Where rules have what a policy for virtual machines has at `vm`.
fn path(vm: &str) -> String {
    let lifecycles = |name: &str| format!("policyRules[{name}].lifecycles");
    match vm.split('.').nth(1) {
        Some("dailySchedule") => lifecycles("Default"),
        Some("weeklySchedule") => lifecycles("Weekly"),
        Some("monthlySchedule") => lifecycles("Monthly"),
        Some("yearlySchedule") => lifecycles("Yearly"),
        _ => "policyRules[AzureBackupRule].trigger.schedule.repeatingTimeIntervals".to_owned(),
    }
}
