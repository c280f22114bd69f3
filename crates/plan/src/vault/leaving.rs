//! The end of a Vault object: what becomes of the vault, as its deletion policy says.

use kluis_api::{BackupPolicy, ConditionType, OperationKind, VaultDeletionPolicy};
use kluis_arm::id::VaultId;

use super::{Decision, progress, rival, standing};
use crate::plan::Basis;
use crate::policy::REMOVING;
use crate::step::Action;
use crate::waiting::Waiting;
use crate::world::{Observed, VaultWorld, Want};

/// Whether a policy holds its Vault when that goes and its vault stays: only while the policy goes, too, and is being taken out. One that
/// stays has nothing to take out, and one that cannot be taken out would hold the Vault for ever.
pub fn holds_retained(policy: &BackupPolicy) -> bool {
    let Some(status) = policy.status.as_ref() else {
        return false;
    };
    let is_looked_at = status.observed_generation >= policy.metadata.generation.unwrap_or_default();
    let is_under_way = status.conditions.iter().any(|condition| {
        condition.type_ == ConditionType::Ready
            && matches!(condition.reason.as_str(), REMOVING | "InUse")
    });
    policy.metadata.deletion_timestamp.is_some() && (!is_looked_at || is_under_way)
}

/// What has to be read before the vault is deleted.
pub(super) fn wants(world: &VaultWorld, id: &VaultId) -> Option<Want> {
    let is_there = world.arm.as_ref().is_some_and(|arm| arm.found().is_some());
    (is_there && world.items.is_none()).then(|| Want::Items(id.clone()))
}

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
        Some(Observed::Found(_)) => {
            is_empty(world, &id)?;
            Ok(Some(super::begin(
                world,
                basis,
                Action::DeleteVault { id: id.clone() },
                OperationKind::DeleteVault,
                &id,
            )))
        }
    }
}

/// Nothing but softly deleted items may be in the vault, which go and come back with it. That somebody kept data is no leave to delete them.
fn is_empty(world: &VaultWorld, id: &VaultId) -> Result<(), Waiting> {
    let items = match &world.items {
        None => {
            return Err(Waiting::StillProvisioning {
                what: "the list of items".to_owned(),
            });
        }
        Some(Observed::Unknown(failure)) => return Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) => return Ok(()),
        Some(Observed::Found(items)) => items,
    };
    let kept = items.iter().filter(|item| !item.is_softly_deleted);
    let named: Vec<String> = kept.map(|item| item.name.clone()).collect();
    if named.is_empty() {
        return Ok(());
    }
    Err(Waiting::VaultNotEmpty {
        vault: id.name.to_string(),
        items: named,
    })
}
