//! Whether a vault is there and ours, as its Vault object has it: all that work in it asks for.
//!
//! A Vault that is not Ready because an edit waits for a person, or cannot be made at all, is as good a vault as before: backups run in it,
//! and what is in it can be restored. So it is not Ready that counts.

use kluis_api::{Condition, ConditionStatus, ConditionType, OperationKind, Vault};

/// Why a Vault says that what is in Azure is not, or not yet, the vault that is declared, or that it may not be used for it. Anything else
/// is about how the vault is, or about not knowing that.
const DOUBTS: [&str; 13] = [
    "CreateVault",
    "DeclaredBy",
    "DeleteVault",
    "ForeignVault",
    "Intended",
    "InvalidName",
    "NoConsent",
    "NotOfferedYet",
    "OtherLocation",
    "ServiceNotFound",
    "StillProvisioning",
    "Undelete",
    "VaultSoftlyDeleted",
];

/// What is in the way of work in a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// In the Vault's own words.
    pub(super) message: String,
    /// Whether it stays until a person does something.
    pub(super) is_stalled: bool,
}

/// `Err` where the vault is not known to be there and ours.
pub(super) fn check(vault: &Vault) -> Result<(), Obstacle> {
    let status = vault.status.as_ref();
    let is = |type_| {
        let mut conditions = status.into_iter().flat_map(|status| &status.conditions);
        conditions.find(|condition: &&Condition| condition.type_ == type_)
    };
    let Some(ready) = is(ConditionType::Ready) else {
        return Err(Obstacle {
            message: "it has not been looked at yet.".to_owned(),
            is_stalled: false,
        });
    };
    let is_ours = status.is_some_and(|status| status.azure_id.is_some());
    let comes_or_goes = status
        .and_then(|status| status.operation.as_ref())
        .is_some_and(|operation| {
            matches!(
                operation.kind,
                OperationKind::CreateVault | OperationKind::DeleteVault | OperationKind::Undelete
            )
        });
    let is_in_doubt = !is_ours || comes_or_goes || DOUBTS.contains(&ready.reason.as_str());
    if ready.status == ConditionStatus::True || !is_in_doubt {
        return Ok(());
    }
    Err(Obstacle {
        message: ready.message.clone(),
        is_stalled: is(ConditionType::Stalled)
            .is_some_and(|stalled| stalled.status == ConditionStatus::True),
    })
}
