//! What a service fills into a policy, and what an edit takes over from the policy in force.

use super::parse::{backup_rule, source};
use super::tags::tag;
use super::{
    BackupParameters, BackupParams, BackupPolicy, BackupRule, Criteria, DataStore, DeleteAfter,
    DeleteOption, Lifecycle, PolicyRule, PolicyRules, RepeatingSchedule, RetentionRule,
    ScheduledCriteria, ScheduledTrigger, Tag, Tagging, Trigger,
};
use crate::keep::Keep;

/// The policy as a service keeps and answers it: each tag has its id, and each tag and rule says whether it is the default.
#[must_use]
pub fn as_stored(mut policy: BackupPolicy) -> BackupPolicy {
    let BackupPolicy::Rules(rules) = &mut policy else {
        return policy;
    };
    for rule in rules.policy_rules.iter_mut().flatten() {
        if let PolicyRule::Retention(rule) = rule {
            rule.is_default.get_or_insert(false);
        }
        if let PolicyRule::Backup(rule) = rule
            && let Some(Trigger::Scheduled(trigger)) = &mut rule.trigger
        {
            for tagging in trigger.tagging_criteria.iter_mut().flatten() {
                tagging.is_default.get_or_insert(false);
                if let Some(tag) = &mut tagging.tag_info
                    && let Some(name) = &tag.tag_name
                {
                    tag.id.get_or_insert_with(|| format!("{name}_"));
                }
            }
        }
    }
    policy
}

/// The wanted policy with all that terms do not say taken over from the one in force: of which kind of the workload's
/// sources it is, what its backup rule is called, which on-demand backups name, in which store backups are kept, and what
/// this version does not know.
#[must_use]
pub fn keeping(in_force: &BackupPolicy, mut wanted: BackupPolicy) -> BackupPolicy {
    let (BackupPolicy::Rules(old), BackupPolicy::Rules(new)) = (in_force, &mut wanted) else {
        return wanted;
    };
    let workload = |policy| source(policy).ok().map(|(workload, _)| workload);
    if workload(old).is_none() || workload(old) != workload(new) {
        return wanted;
    }
    new.datasource_types.clone_from(&old.datasource_types);
    let kept_in = old.policy_rules.iter().flatten().find_map(kept_in);
    for rule in new.policy_rules.iter_mut().flatten() {
        match rule {
            PolicyRule::Backup(new) => {
                if let Ok(old) = backup_rule(old) {
                    new.name.clone_from(&old.name);
                    stay(&mut new.data_store, old.data_store.as_ref());
                }
            }
            PolicyRule::Retention(new) => {
                for lifecycle in new.lifecycles.iter_mut().flatten() {
                    stay(&mut lifecycle.source_data_store, kept_in);
                }
            }
            PolicyRule::Other(_) => {}
        }
    }
    new.keep(old);
    wanted
}

/// Leaves backups in the store where they are.
fn stay(new: &mut Option<DataStore>, old: Option<&DataStore>) {
    let kind = old.and_then(|old| old.data_store_type.clone());
    if let (Some(new), Some(kind)) = (new, kind) {
        new.data_store_type = Some(kind);
    }
}

/// Where a retention rule has its backups. All have them in one store: copies in another are not read.
fn kept_in(rule: &PolicyRule) -> Option<&DataStore> {
    match rule {
        PolicyRule::Retention(rule) => {
            let lifecycle = rule.lifecycles.as_ref()?.first()?;
            lifecycle.source_data_store.as_ref()
        }
        PolicyRule::Backup(_) | PolicyRule::Other(_) => None,
    }
}

keeps_kinds! {
    PolicyRule { Backup, Retention }
    BackupParameters { Typed }
    Trigger { Scheduled }
    Criteria { Scheduled }
    DeleteOption { Absolute }
}

keeps! {
    PolicyRules { policy_rules };
    BackupRule { backup_parameters, trigger, data_store };
    BackupParams {};
    DataStore {};
    ScheduledTrigger { schedule, tagging_criteria };
    RepeatingSchedule {};
    Tagging { tag_info, criteria } is |one, other| tag(one) == tag(other);
    Tag {};
    ScheduledCriteria { days_of_month };
    RetentionRule { lifecycles } is |one, other| one.name == other.name;
    Lifecycle { delete_after, source_data_store };
    DeleteAfter {};
}
