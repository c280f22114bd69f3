//! What a vault becomes when its repository is made or removed.

use serde_json::json;

use super::one::etag;
use super::{VaultRow, deleted};
use crate::backup;
use crate::core::{Context, Effect, RepositoryReport};
use crate::operations::{self, Progress};
use crate::store::{StoreError, Tx};

/// Takes note of a repository that was made or removed, and ends the operation that asked for it.
///
/// # Errors
/// When the store fails.
pub fn on_repository(
    report: &RepositoryReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    let expected = if report.made {
        "Provisioning"
    } else {
        "Deleting"
    };
    let Some(mut vault) = tx
        .get::<VaultRow>(report.vault.as_str())?
        .filter(|vault| vault.state() == expected)
    else {
        return deleted::purged(report, ctx, tx);
    };
    if let Some(shelf) = vault.shelf.clone() {
        deleted::moved(report, vault, &shelf, ctx, tx)?;
        return Ok(Vec::new());
    }
    let operation = vault.operation.take().unwrap_or_default();
    match &report.result {
        Ok(()) if report.made => {
            vault.properties["provisioningState"] = json!("Succeeded");
            vault.etag = etag(ctx);
            tx.put(&vault)?;
            backup::vault_created(tx, ctx, &vault)?;
            operations::finish(
                tx,
                ctx,
                &operation,
                Progress::Succeeded {
                    result: Some(vault.render(ctx)),
                },
            )?;
        }
        Ok(()) => {
            tx.forget_vault(report.vault.as_str())?;
            operations::finish(tx, ctx, &operation, Progress::Succeeded { result: None })?;
        }
        Err(message) => {
            vault.properties["provisioningState"] = json!("Failed");
            tx.put(&vault)?;
            let code = if report.made {
                "VaultRepositoryNotCreated"
            } else {
                "VaultRepositoryNotRemoved"
            };
            let failed = Progress::Failed {
                code: code.to_owned(),
                message: message.clone(),
            };
            operations::finish(tx, ctx, &operation, failed)?;
        }
    }
    Ok(Vec::new())
}

/// What was under way when the service stopped: it is asked for again. Making and removing are both safe to repeat.
///
/// # Errors
/// When the store fails.
pub fn resume(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let vaults = tx.all::<VaultRow>()?;
    let begun = |vault: &&VaultRow| ["Provisioning", "Deleting"].contains(&vault.state());
    let mut effects: Vec<Effect> = vaults
        .iter()
        .filter(begun)
        .map(|vault| under_way(vault, ctx))
        .collect();
    effects.extend(deleted::resume(ctx, tx)?);
    Ok(effects)
}

/// What is to be done for a vault that is `Provisioning` or `Deleting`.
pub(super) fn under_way(vault: &VaultRow, ctx: &Context<'_>) -> Effect {
    let key = vault.id_key();
    let path = ctx.vault_path(&vault.resource_group, &vault.name);
    let back = vault.state() == "Provisioning";
    match &vault.shelf {
        None if back => Effect::CreateRepository { vault: key, path },
        None => Effect::RemoveRepository { vault: key, path },
        Some(shelf) => {
            let away = ctx.deleted_vault_path(shelf);
            let (from, to) = if back { (away, path) } else { (path, away) };
            Effect::MoveRepository {
                vault: key,
                from,
                to,
                back,
            }
        }
    }
}
