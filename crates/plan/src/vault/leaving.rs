//! The end of a Vault object: what becomes of the vault, as its deletion policy says.

use kluis_api::{OperationKind, VaultDeletionPolicy};

use super::{Decision, progress, rival, standing};
use crate::plan::Basis;
use crate::step::Action;
use crate::waiting::Waiting;
use crate::world::{Observed, VaultWorld};

/// Deletes the vault where that is asked for, and lets go.
pub(super) fn decide(world: &VaultWorld, basis: &Basis) -> Result<Option<Decision>, Waiting> {
    if !world.users.is_empty() {
        return Err(Waiting::InUse {
            by: world.users.clone(),
        });
    }
    // What another object declares is that object's.
    if world.vault.spec.deletion_policy == VaultDeletionPolicy::Retain || rival::of(world).is_some()
    {
        return Ok(None);
    }
    let was_ours = world
        .vault
        .status
        .as_ref()
        .is_some_and(|status| status.azure_id.is_some() || status.operation.is_some());
    let id = match world.vault_id() {
        // There never was a vault.
        Err(_) if !was_ours => return Ok(None),
        id => id?,
    };
    progress::of(world)?;
    match &world.arm {
        Some(Observed::Absent) => Ok(None),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        None => Err(Waiting::StillProvisioning {
            what: format!("the vault {}", id.name),
        }),
        // What was never ours is not ours to delete.
        Some(Observed::Found(found)) if !standing::is_ours(world, found) => Ok(None),
        Some(Observed::Found(_)) => Ok(Some(super::begin(
            world,
            basis,
            Action::DeleteVault { id: id.clone() },
            OperationKind::DeleteVault,
            &id,
        ))),
    }
}
