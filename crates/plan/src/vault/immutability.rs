//! Immutability: whether recovery points can be lost before their time. What is locked stays locked, and locked becomes only what was
//! unlocked before: Azure offers the lock on a vault that has immutability already.

use kluis_api::{Immutability, Vault};
use kluis_arm::vault as wire;

use crate::waiting::Waiting;

/// The immutability in force. A vault that tells its other settings and not this one has none; one that tells none of them is not known.
pub(crate) fn in_force(found: &wire::Vault) -> Option<wire::Immutability> {
    let settings = found.properties.as_ref()?.security_settings.as_ref()?;
    let told = settings.immutability_settings.as_ref();
    let state = told.and_then(|told| told.state.clone());
    Some(state.unwrap_or(wire::Immutability::Disabled))
}

/// What a vault that is about to be made is given.
pub(super) fn at_first(vault: &Vault) -> Option<wire::ImmutabilitySettings> {
    match vault.spec.immutability? {
        Immutability::Disabled => None,
        Immutability::Unlocked | Immutability::Locked => {
            Some(settings(wire::Immutability::Unlocked))
        }
    }
}

/// What a vault is given that is there: None where it is as declared, and where nothing is declared.
pub(super) fn next(
    vault: &Vault,
    found: &wire::Vault,
) -> Result<Option<wire::ImmutabilitySettings>, Waiting> {
    let (Some(wanted), Some(present)) = (vault.spec.immutability, in_force(found)) else {
        return Ok(None);
    };
    let next = match (wanted, present) {
        (Immutability::Locked, wire::Immutability::Locked)
        | (Immutability::Unlocked, wire::Immutability::Unlocked)
        | (Immutability::Disabled, wire::Immutability::Disabled) => None,
        (Immutability::Disabled | Immutability::Unlocked, wire::Immutability::Locked) => {
            return Err(Waiting::ImmutabilityLocked {
                wanted: format!("{wanted:?}"),
            });
        }
        (Immutability::Locked, wire::Immutability::Unlocked) => Some(wire::Immutability::Locked),
        (Immutability::Locked | Immutability::Unlocked, _) => Some(wire::Immutability::Unlocked),
        (Immutability::Disabled, _) => Some(wire::Immutability::Disabled),
    };
    Ok(next.map(settings))
}

/// Whether the last change has brought the vault half of the way to locked, and the other half is still to go.
pub(super) fn is_half_way(vault: &Vault, found: &wire::Vault) -> bool {
    let told = vault
        .status
        .as_ref()
        .and_then(|status| status.immutability.as_deref());
    vault.spec.immutability == Some(Immutability::Locked)
        && in_force(found) == Some(wire::Immutability::Unlocked)
        && told != Some(wire::Immutability::Unlocked.as_str())
}

fn settings(state: wire::Immutability) -> wire::ImmutabilitySettings {
    wire::ImmutabilitySettings {
        state: Some(state),
        ..wire::ImmutabilitySettings::default()
    }
}
