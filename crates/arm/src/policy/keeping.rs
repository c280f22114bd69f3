//! What an edit takes over from the policy in force, because the field's terms do not say it.

use crate::Extra;

use super::{ProtectionPolicy, SubPolicy, VmPolicy, WorkloadPolicy};

/// The wanted policy with all that terms do not say taken over from the one in force: how snapshots' resource groups are
/// named, whether they are crash consistent and no more, and what this version does not know. Without this, the edit of a
/// policy that somebody else made would lose it without a word. A policy of another kind has nothing to take over.
#[must_use]
pub fn keeping(in_force: &ProtectionPolicy, wanted: ProtectionPolicy) -> ProtectionPolicy {
    match (in_force, wanted) {
        (ProtectionPolicy::VirtualMachine(old), ProtectionPolicy::VirtualMachine(new)) => {
            vm(old, *new).into()
        }
        (ProtectionPolicy::Workload(old), ProtectionPolicy::Workload(new)) => {
            database(old, *new).into()
        }
        (ProtectionPolicy::FileShare(old), ProtectionPolicy::FileShare(mut new)) => {
            unknown(&old.extra, &mut new.extra);
            ProtectionPolicy::FileShare(new)
        }
        (ProtectionPolicy::Files(old), ProtectionPolicy::Files(mut new)) => {
            unknown(&old.extra, &mut new.extra);
            ProtectionPolicy::Files(new)
        }
        (_, wanted) => wanted,
    }
}

fn vm(old: &VmPolicy, mut new: VmPolicy) -> VmPolicy {
    new.instant_rp_details = new
        .instant_rp_details
        .or_else(|| old.instant_rp_details.clone());
    // Only V2 has it.
    if new.generation() == old.generation() {
        new.snapshot_consistency_type = new
            .snapshot_consistency_type
            .or_else(|| old.snapshot_consistency_type.clone());
    }
    unknown(&old.extra, &mut new.extra);
    new
}

fn database(old: &WorkloadPolicy, mut new: WorkloadPolicy) -> WorkloadPolicy {
    if let (Some(old), Some(new)) = (&old.settings, &mut new.settings) {
        unknown(&old.extra, &mut new.extra);
    }
    for sub in new.sub_protection_policy.iter_mut().flatten() {
        let is_same = |other: &&SubPolicy| other.policy_type == sub.policy_type;
        let old = old.sub_protection_policy.iter().flatten().find(is_same);
        if let Some(old) = old {
            unknown(&old.extra, &mut sub.extra);
        }
    }
    unknown(&old.extra, &mut new.extra);
    new
}

pub(crate) fn unknown(old: &Extra, new: &mut Extra) {
    for (key, value) in old {
        new.entry(key).or_insert_with(|| value.clone());
    }
}
