//! A vault that is not there: made, or brought back where it was softly deleted. To make one over a softly deleted one would shut the way
//! back to its recovery points, so that is looked for before every vault that is made.

use kluis_api::{AdoptionPolicy, OperationKind};
use kluis_arm::id::VaultId;
use kluis_arm::vault as wire;

use super::{Decision, begin, body, settled, standing};
use crate::conditions::Verdict;
use crate::plan::{Basis, Next};
use crate::report::Event;
use crate::step::Action;
use crate::waiting::Waiting;
use crate::world::{DeletedVaultFact, Observed, VaultWorld, Want};

/// What has to be read before a vault is made.
pub(super) fn wants(world: &VaultWorld, id: &VaultId) -> Option<Want> {
    let is_absent = world.arm.as_ref().is_some_and(Observed::is_absent);
    (is_absent && world.deleted.is_none()).then(|| want(world, id))
}

/// What is looked for.
pub(super) fn want(world: &VaultWorld, id: &VaultId) -> Want {
    Want::DeletedVault {
        vault: id.clone(),
        location: world.vault.region(),
    }
}

/// Whether there is neither the vault nor one to bring back.
pub(super) fn is_lost(world: &VaultWorld) -> bool {
    let is_gone = world.arm.as_ref().is_some_and(Observed::is_absent);
    is_gone && world.deleted.as_ref().is_some_and(Observed::is_absent)
}

/// What follows for a vault that is not there. `ended`: the operation that has just ended.
pub(super) fn decide(
    world: &VaultWorld,
    basis: &Basis,
    id: &VaultId,
    ended: Option<OperationKind>,
) -> Result<Decision, Waiting> {
    let still = |what: String| Err(Waiting::StillProvisioning { what });
    match &world.deleted {
        None => still("the list of softly deleted vaults".to_owned()),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Found(_)) if ended == Some(OperationKind::Undelete) => {
            still(format!("the vault {}", id.name))
        }
        Some(Observed::Found(deleted)) => bring_back(world, basis, id, deleted),
        Some(Observed::Absent) => Ok(make(world, basis, id)),
    }
}

fn bring_back(
    world: &VaultWorld,
    basis: &Basis,
    id: &VaultId,
    deleted: &DeletedVaultFact,
) -> Result<Decision, Waiting> {
    if world.vault.spec.adoption_policy == AdoptionPolicy::Never && !was_ours(world) {
        return Err(Waiting::VaultSoftlyDeleted {
            id: id.to_string(),
            until: deleted.purge_at,
        });
    }
    let action = Action::UndeleteVault {
        id: id.clone(),
        location: world.vault.region(),
        deleted: deleted.name.clone(),
    };
    let at = |moment: Option<jiff::Timestamp>, before: &str| {
        let moment = moment.map(|moment| moment.strftime("%Y-%m-%d %H:%MZ"));
        moment.map(|moment| format!("{before}{moment}"))
    };
    let note = format!(
        "The vault {} was softly deleted{}. It is brought back with all that was in it{}.",
        id.name,
        at(deleted.deleted, " on ").unwrap_or_default(),
        at(deleted.purge_at, "; it would have gone for good on ").unwrap_or_default(),
    );
    Ok(Decision {
        event: Some(Event::warning("VaultSoftlyDeleted", note)),
        ..begin(world, basis, action, OperationKind::Undelete, id)
    })
}

fn make(world: &VaultWorld, basis: &Basis, id: &VaultId) -> Decision {
    // One that takes nothing over has to know its own again after a crash: what it makes, it first says that it means to make.
    if world.vault.spec.adoption_policy == AdoptionPolicy::Never && !standing::is_meant(world) {
        return Decision {
            meant: Some(standing::intent(id, world.now)),
            ..settled(
                Verdict::working("Intended", "About to be made."),
                Next::Soon,
            )
        };
    }
    let note = || {
        format!(
            "The vault {} was deleted, and is not among those that can be brought back: what was in it is lost. It is made anew, empty.",
            id.name
        )
    };
    Decision {
        event: was_ours(world).then(|| Event::warning("VaultLost", note())),
        ..create(world, basis, id, body::create(&world.vault))
    }
}

/// Asks again for a vault that could not be made, and is there in part.
pub(super) fn make_again(
    world: &VaultWorld,
    basis: &Basis,
    id: &VaultId,
    found: &wire::Vault,
) -> Decision {
    create(world, basis, id, body::create_again(&world.vault, found))
}

fn create(world: &VaultWorld, basis: &Basis, id: &VaultId, body: wire::Vault) -> Decision {
    let action = Action::CreateVault {
        id: id.clone(),
        body: Box::new(body),
    };
    begin(world, basis, action, OperationKind::CreateVault, id)
}

fn was_ours(world: &VaultWorld) -> bool {
    let status = world.vault.status.as_ref();
    status.is_some_and(|status| status.azure_id.is_some())
}
