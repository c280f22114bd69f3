//! What an edit makes of the terms that keep recovery points: those in force beside those that are wanted.
//!
//! It decides nothing. What an edit costs is [`crate::loss`]'s to count; whether it is sent, each kind's own plan's.

use kluis_arm::policy::{Difference, Policy, ProtectionPolicy, Terms, differences, parse};

use crate::ids;
use crate::policy::following;
use crate::protected_vm::to_be_written;
use crate::terms;
use crate::world::{Observed, PolicyWorld, ProtectedVmWorld};

/// A change of what keeps the points of some items.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The Vault, as `<namespace>/<name>`.
    pub vault: String,
    /// The ProtectedVMs that it concerns, as `<namespace>/<name>`.
    pub items: Vec<String>,
    pub before: Before,
    pub after: Terms,
    /// What differs, field by field; empty where nothing was there.
    pub differences: Vec<Difference>,
}

/// What keeps the points now.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// There is none: the items are new, or the vault has another kind of policy there.
    Nothing,
    /// Protection is stopped with its data retained: every point stays.
    ForEver,
    Terms(Box<Terms>),
}

/// The edits of a policy: one for each vault where items use it and it is not as declared.
pub(crate) fn of_policy(world: &PolicyWorld) -> Vec<Edit> {
    let Ok(after) = following::terms_at(&world.policy.spec, world.now) else {
        return Vec::new();
    };
    let Ok(rendered) = terms::rendered(&after) else {
        return Vec::new();
    };
    let edits = world.vaults.iter().filter(|facts| !facts.items.is_empty());
    let edits = edits.filter_map(|facts| {
        let (before, differences) = match facts.arm.as_ref()? {
            Observed::Unknown(_) => return None,
            Observed::Absent => (Before::Nothing, Vec::new()),
            Observed::Found(found) => against(found, &rendered)?,
        };
        Some(Edit {
            vault: facts.name.clone(),
            items: facts.items.iter().map(|item| item.name.clone()).collect(),
            before,
            after: after.clone(),
            differences,
        })
    });
    edits.collect()
}

/// The edit of an item: another policy than it has, or the end of being stopped.
pub(crate) fn of_item(world: &ProtectedVmWorld) -> Option<Edit> {
    let item = &world.item;
    if item.spec.suspend || item.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let declared = match (&world.arm_policy, &world.policy) {
        // What is about to be written over the vault's copy is what keeps the points then.
        (Some(Observed::Found(policy)), _) => {
            to_be_written(world).unwrap_or_else(|| policy.properties.clone())
        }
        (Some(Observed::Absent), Some(policy)) => {
            terms::rendered(&following::terms_at(&policy.spec, world.now).ok()?).ok()?
        }
        _ => return None,
    };
    let after = parse(&declared).ok()?;
    let (before, differences) = match (&world.arm, &world.present_policy) {
        (Some(Observed::Absent), _) => (Before::Nothing, Vec::new()),
        (Some(Observed::Found(_)), Some(Observed::Found(present))) => against(present, &declared)?,
        (Some(Observed::Found(found)), _) => {
            let seen = crate::seen::Seen::of(found)?;
            if seen.state != kluis_api::ProtectionState::ProtectionStopped {
                return None;
            }
            (Before::ForEver, Vec::new())
        }
        _ => return None,
    };
    let own = item.metadata.namespace.as_deref().unwrap_or_default();
    let vault = &item.spec.vault_ref;
    Some(Edit {
        vault: format!(
            "{}/{}",
            vault.namespace.as_deref().unwrap_or(own),
            vault.name
        ),
        items: vec![ids::qualified(&item.metadata)],
        before,
        after,
        differences,
    })
}

/// What is in force against what is wanted; none where they come to the same.
fn against(present: &Policy, wanted: &ProtectionPolicy) -> Option<(Before, Vec<Difference>)> {
    let differences = differences(&present.properties, wanted).ok()?;
    if differences.is_empty() {
        return None;
    }
    let before =
        parse(&present.properties).map_or(Before::Nothing, |terms| Before::Terms(Box::new(terms)));
    Some((before, differences))
}
