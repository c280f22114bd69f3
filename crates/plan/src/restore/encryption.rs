//! A recovery point of a machine whose disks are encrypted inside it: it comes back whole and beside the machine, and only while its
//! keys are where they were.

use kluis_arm::recovery_point::RecoveryPoint;

use super::goal::Goal;
use super::preflight::known;
use crate::gate::Target;
use crate::point;
use crate::waiting::Waiting;
use crate::world::{RestoreWorld, Want};

/// The keys and secrets that have to be seen.
pub(super) fn wants(world: &RestoreWorld, point: &RecoveryPoint, goal: &Goal<'_>) -> Vec<Want> {
    if refusal(goal).is_some() {
        return Vec::new();
    }
    point::keys(point)
        .into_iter()
        .filter(|id| !world.secrets.contains_key(id))
        .map(|id| Want::KeyVaultEntry { id })
        .collect()
}

/// Rules 28, 30 and 31. What a point does not tell of its keys is not asked for.
pub(super) fn check(
    world: &RestoreWorld,
    point: &RecoveryPoint,
    target: &Target<'_>,
    goal: &Goal<'_>,
) -> Result<(), Waiting> {
    if !point::is_encrypted(point) {
        return Ok(());
    }
    let vm = || format!("{}/{}", target.vm.resource_group, target.vm.name);
    if let Some(why) = refusal(goal) {
        return Err(Waiting::Encrypted { vm: vm(), why });
    }
    for id in point::keys(point) {
        if known(world.secrets.get(&id), "the keys of the machine")?.is_none() {
            return Err(Waiting::KeyNotFound { vm: vm(), id });
        }
    }
    Ok(())
}

/// Why this cannot be had of an encrypted machine.
fn refusal(goal: &Goal<'_>) -> Option<&'static str> {
    match goal {
        Goal::Files { .. } => Some("its files cannot be read out of a recovery point (rule 30)"),
        Goal::InPlace { .. } => Some("its disks cannot be replaced (rule 28)"),
        Goal::Disks { luns: Some(_), .. } => Some("it comes back with all of its disks (rule 31)"),
        Goal::Disks { luns: None, .. } | Goal::NewVm { .. } => None,
    }
}
