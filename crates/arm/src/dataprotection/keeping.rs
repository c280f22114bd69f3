//! What a service fills into a policy, and what an edit takes over from the policy in force.

use super::parse::{backup_rule, source};
use super::{BackupPolicy, PolicyRule, Trigger};
use crate::policy::keeping::unknown;

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
/// sources it is, what its backup rule is called, which on-demand backups name, and what this version does not know.
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
    unknown(&old.extra, &mut new.extra);
    if let Ok(old) = backup_rule(old) {
        for rule in new.policy_rules.iter_mut().flatten() {
            if let PolicyRule::Backup(new) = rule {
                new.name.clone_from(&old.name);
                unknown(&old.extra, &mut new.extra);
            }
        }
    }
    wanted
}
