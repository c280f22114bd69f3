//! A vault's immutability and what is declared of a protection: where a vault has it no data are deleted and no policy keeps less than the one
//! before, and where it has none no backups are suspended. Azure refuses each. Here neither is asked, and the object says so while it can still be changed.

use kluis_api::{Immutability, ItemDeletionPolicy, ProtectionState};
use kluis_arm::vault as wire;

use crate::gate::Target;
use crate::ids;
use crate::seen::Seen;
use crate::vault::immutability::in_force;
use crate::waiting::Waiting;
use crate::world::{Observed, ProtectedVmWorld, Want};

/// What has to be read before the declared end is brought about.
pub(super) fn wants(world: &ProtectedVmWorld, target: &Target<'_>) -> Option<Want> {
    let seen = world.seen()?;
    (world.arm_vault.is_none() && matters(world, &seen))
        .then(|| Want::Vault(target.vault_id.clone()))
}

/// `Err` where the vault's immutability stands in the way of the declared end.
pub(super) fn allows(world: &ProtectedVmWorld, target: &Target<'_>) -> Result<(), Waiting> {
    if !world.seen().is_some_and(|seen| matters(world, &seen)) {
        return Ok(());
    }
    let found = match &world.arm_vault {
        None => {
            return Err(Waiting::StillProvisioning {
                what: format!("the vault {}", target.vault_id.name),
            });
        }
        Some(Observed::Unknown(failure)) => return Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) => return Ok(()),
        Some(Observed::Found(found)) => found,
    };
    let state = in_force(found);
    let is_immutable = state.map(|state| state != wire::Immutability::Disabled);
    match is_immutable.and_then(|is_immutable| obstacle(world, is_immutable)) {
        Some(obstacle) => Err(obstacle),
        None => Ok(()),
    }
}

/// `Err` where the vault's immutability stands in the way of the policy that is declared: it `keeps_less` than the one before.
pub(super) fn allows_policy(
    world: &ProtectedVmWorld,
    policy: &str,
    keeps_less: bool,
) -> Result<(), Waiting> {
    if !keeps_less || !is_known(world) {
        return Ok(());
    }
    let vault = world.vault.as_ref();
    Err(Waiting::RetentionImmutable {
        vault: vault.map_or_else(String::new, |vault| ids::qualified(&vault.metadata)),
        policy: policy.to_owned(),
    })
}

/// What is said of an item that is as declared, with a word of the end that is declared where that could not be brought about.
pub(super) fn with_doubt(world: &ProtectedVmWorld, message: &str) -> String {
    let wish = world.item.spec.deletion_policy;
    let doubt = world
        .seen()
        .filter(|seen| matters(world, seen))
        .and_then(|_| obstacle(world, is_to_be_immutable(world)?));
    match doubt {
        Some(doubt) => {
            format!("{message} Its deletionPolicy: {wish:?} could not be carried out. {doubt}")
        }
        None => message.to_owned(),
    }
}

/// Whether the vault has immutability, as far as its object tells.
pub(super) fn is_known(world: &ProtectedVmWorld) -> bool {
    is_to_be_immutable(world) == Some(true)
}

/// Whether the vault has immutability, as its object says; None where it does not. What is declared is about to be.
fn is_to_be_immutable(world: &ProtectedVmWorld) -> Option<bool> {
    let vault = world.vault.as_ref()?;
    let told = vault.status.as_ref()?.immutability.as_deref()?;
    Some(match vault.spec.immutability {
        Some(wanted) => {
            wanted != Immutability::Disabled || told == wire::Immutability::Locked.as_str()
        }
        None => told != wire::Immutability::Disabled.as_str(),
    })
}

/// Whether immutability matters to the declared end of an item in this state.
fn matters(world: &ProtectedVmWorld, seen: &Seen<'_>) -> bool {
    let state = seen.state;
    match world.item.spec.deletion_policy {
        ItemDeletionPolicy::RetainData | ItemDeletionPolicy::Orphan => false,
        ItemDeletionPolicy::DeleteData => {
            state != ProtectionState::SoftDeleted && has_points(world, seen)
        }
        ItemDeletionPolicy::Suspend => {
            let is_over = matches!(
                state,
                ProtectionState::SoftDeleted
                    | ProtectionState::ProtectionStopped
                    | ProtectionState::BackupsSuspended
            );
            !is_over && seen.policy.is_some()
        }
    }
}

/// Whether there is anything to delete: as counted last, or as long as nothing was, when it was ever backed up.
fn has_points(world: &ProtectedVmWorld, seen: &Seen<'_>) -> bool {
    let counted = world
        .status()
        .and_then(|status| status.recovery_points.as_ref());
    counted.map_or(seen.last_backup.is_some(), |points| points.total > 0)
}

fn obstacle(world: &ProtectedVmWorld, is_immutable: bool) -> Option<Waiting> {
    let vault = world.vault.as_ref();
    let vault = vault.map(|vault| ids::qualified(&vault.metadata));
    let vault = vault.unwrap_or_default();
    match (world.item.spec.deletion_policy, is_immutable) {
        (ItemDeletionPolicy::Suspend, false) => Some(Waiting::SuspendNeedsImmutability { vault }),
        (ItemDeletionPolicy::DeleteData, true) => Some(Waiting::DataImmutable { vault }),
        _ => None,
    }
}
