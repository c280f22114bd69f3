//! What a vault becomes when its repository is made or removed.

use serde_json::json;

use super::VaultRow;
use super::one::etag;
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
        return Ok(Vec::new());
    };
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
    let again = |vault: &VaultRow| {
        let (key, path) = (
            vault.id_key(),
            ctx.vault_path(&vault.resource_group, &vault.name),
        );
        match vault.state() {
            "Provisioning" => Some(Effect::CreateRepository { vault: key, path }),
            "Deleting" => Some(Effect::RemoveRepository { vault: key, path }),
            _ => None,
        }
    };
    Ok(tx.all::<VaultRow>()?.iter().filter_map(again).collect())
}
