//! What a restore names outside of the vault: Azure looks each of it up before it takes the request, and so does this service. What is
//! green here and refused there would be found out in the hour in which it is needed.

use kluis_arm::id::StorageAccountId;

use super::super::discovery;
use super::wanted::{Identity, Wanted};
use crate::core::{Context, Refusal};
use crate::inventory::same;
use crate::vaults::VaultRow;

/// The kinds of storage account that have page blobs, which disks are staged in.
const STAGING_KINDS: [&str; 2] = ["Storage", "StorageV2"];

/// The storage accounts, the identity and the encryption set are there.
pub(super) fn exist(wanted: &Wanted, vault: &VaultRow, ctx: &Context<'_>) -> Result<(), Refusal> {
    for (name, account) in &wanted.accounts {
        staging(name, account, vault, ctx)?;
    }
    if let Some(identity) = &wanted.identity {
        is_of_the_vault(identity, vault)?;
    }
    match &wanted.encryption_set {
        None => Ok(()),
        Some(id) => Err(Refusal::bad_request(
            "UserErrorDiskEncryptionSetNotFound",
            format!(
                "There is no disk encryption set '{id}': the inventory has none, and what is restored would not be encrypted by it. \
                 Leave it out."
            ),
        )),
    }
}

/// `member` names it.
fn staging(
    member: &str,
    named: &StorageAccountId,
    vault: &VaultRow,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    let (group, name) = (named.resource_group.as_str(), named.name.as_str());
    let Some((account, region)) = ctx.inventory.storage_account(group, name) else {
        return Err(Refusal::bad_request(
            "UserErrorStorageAccountNotFound",
            format!(
                "The storage account '{name}' of resource group '{group}' does not exist; a restore is staged in one that does. \
                 Correct '{member}', or list it in the inventory under storageAccounts."
            ),
        ));
    };
    if !discovery::same_region(region, &vault.location) {
        return Err(Refusal::bad_request(
            "UserErrorRestoreRegionMismatch",
            format!(
                "The storage account '{name}' is in region '{region}'; a restore is staged in the vault's region '{}'.",
                vault.location
            ),
        ));
    }
    if !STAGING_KINDS.iter().any(|kind| same(kind, &account.kind)) {
        return Err(Refusal::bad_request(
            "UserErrorStorageAccountTypeNotSupported",
            format!(
                "The storage account '{name}' is of kind '{}', which has no page blobs; a restore is staged in one of kind '{}'.",
                account.kind,
                STAGING_KINDS.join("' or '")
            ),
        ));
    }
    Ok(())
}

/// A vault writes as an identity that it has.
fn is_of_the_vault(identity: &Identity, vault: &VaultRow) -> Result<(), Refusal> {
    let own = vault.identity.as_ref();
    let has = match identity {
        Identity::System => own
            .and_then(|own| own["type"].as_str())
            .is_some_and(|kinds| kinds.contains("SystemAssigned")),
        Identity::Assigned(id) => own
            .and_then(|own| own["userAssignedIdentities"].as_object())
            .is_some_and(|assigned| assigned.keys().any(|known| same(known, id))),
    };
    if has {
        return Ok(());
    }
    let which = match identity {
        Identity::System => "a system-assigned identity".to_owned(),
        Identity::Assigned(id) => format!("the identity '{id}'"),
    };
    Err(Refusal::bad_request(
        "UserErrorVaultIdentityNotFound",
        format!(
            "The vault '{}' does not have {which}, as which 'identityInfo' lets it write. Give it to the vault first, or leave it out.",
            vault.name
        ),
    ))
}
