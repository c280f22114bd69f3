//! Whose a vault is that is there already: ours, or one to be left alone.

use jiff::Timestamp;
use kluis_api::{AdoptionPolicy, MANAGED_BY, Operation, OperationKind};
use kluis_arm::id::VaultId;
use kluis_arm::vault::Vault;

use crate::conditions::moment;
use crate::ids;
use crate::waiting::Waiting;
use crate::world::VaultWorld;

/// Whether the vault is ours: its tag says so, we have had it before and nobody else claims it, or we may take over anything. One that
/// takes nothing over has what it had, and what it said that it would make.
pub(super) fn is_ours(world: &VaultWorld, found: &Vault) -> bool {
    let status = world.vault.status.as_ref();
    let had = status.is_some_and(|status| status.azure_id.is_some());
    let own = ids::qualified(&world.vault.metadata);
    match (tag(found), world.vault.spec.adoption_policy) {
        (Some(tag), AdoptionPolicy::Never) if tag == own => had || is_meant(world),
        (Some(tag), _) if tag == own => true,
        (None, _) if had => true,
        (_, AdoptionPolicy::Always) => true,
        (_, AdoptionPolicy::IfTagged | AdoptionPolicy::Never) => false,
    }
}

/// Whether the status says that the vault is to be made.
pub(super) fn is_meant(world: &VaultWorld) -> bool {
    let status = world.vault.status.as_ref();
    let operation = status.and_then(|status| status.operation.as_ref());
    operation.is_some_and(|operation| operation.kind == OperationKind::CreateVault)
}

/// What the status then says.
pub(super) fn intent(id: &VaultId, now: Timestamp) -> Operation {
    Operation {
        kind: OperationKind::CreateVault,
        target: id.to_string(),
        intent: moment(now),
        token: None,
        status_url: None,
        job: None,
        before: Vec::new(),
        refused: None,
        held: None,
    }
}

/// Why it is left alone.
pub(super) fn foreign(world: &VaultWorld, found: &Vault, id: &VaultId) -> Waiting {
    let own = ids::qualified(&world.vault.metadata);
    Waiting::ForeignVault {
        id: id.to_string(),
        tag: tag(found).filter(|tag| *tag != own).map(str::to_owned),
        never: world.vault.spec.adoption_policy == AdoptionPolicy::Never,
    }
}

fn tag(found: &Vault) -> Option<&str> {
    found.tags.as_ref()?.get(MANAGED_BY).map(String::as_str)
}
