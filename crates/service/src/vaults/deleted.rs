//! Soft-deleted vaults: put away whole, named by their group and a GUID, and to be had back until their time is over. Meanwhile another vault
//! may take the name.
//!
//! A soft-deleted vault's repository lies aside and its documents on the store's shelf, so that nothing here or in the backup
//! engine finds them: no run is due, nothing is cleaned up.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use kluis_arm::error::code;
use kluis_arm::id::ResourceGroupId;
use kluis_arm::time::WireTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::VaultRow;
use super::one::{etag, operation_id};
use super::repository::under_way;
use crate::backup;
use crate::core::{
    Answer, Context, Effect, Refusal, RepositoryReport, Request, Response, VaultKey, page,
};
use crate::inventory::Inventory;
use crate::operations::{self, Progress, Scope};
use crate::store::{Row, StoreError, Tx};

/// How long a repository that could not be removed is left alone before the next attempt.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// A vault that was soft-deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletedVault {
    /// A GUID, by which its repository and its rows are put away.
    name: String,
    /// The vault as it was.
    vault: VaultRow,
    deleted: Timestamp,
    /// When it goes for good.
    purge_at: Timestamp,
    /// Its repository is being removed; it can't come back any more.
    purging: bool,
    /// When its removal is tried again, after it failed.
    again: Option<Timestamp>,
}

impl Row for DeletedVault {
    const TABLE: &'static str = "deleted";

    fn key(&self) -> String {
        self.name.to_lowercase()
    }

    fn vault(&self) -> String {
        String::new()
    }

    fn moment(&self) -> Option<Timestamp> {
        Some(self.again.unwrap_or(self.purge_at))
    }
}

impl DeletedVault {
    /// The key under which its operations and its removal are known.
    fn deleted_key(name: &str) -> VaultKey {
        VaultKey::new(".deleted", name)
    }

    /// What it is called while it is deleted: `<resource group>_<GUID>`, as Azure calls it.
    fn shown_name(&self) -> String {
        format!("{}_{}", self.vault.resource_group, self.name)
    }

    /// Whether a client means it: by its whole name, or by the GUID alone, as it was called by earlier versions.
    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.shown_name().to_lowercase() == name.to_lowercase()
    }

    fn id(&self, ctx: &Context<'_>) -> String {
        format!(
            "/subscriptions/{}/providers/Microsoft.RecoveryServices/locations/{}/deletedVaults/{}",
            ctx.subscription,
            self.vault.location,
            self.shown_name()
        )
    }

    fn render(&self, ctx: &Context<'_>) -> Value {
        json!({
            "id": self.id(ctx), "name": self.shown_name(), "type": "Microsoft.RecoveryServices/locations/deletedVaults",
            "location": self.vault.location,
            "properties": {
                "vaultId": ctx.vault_id(&self.vault.resource_group, &self.vault.name),
                "vaultDeletionTime": WireTime::from(self.deleted).to_string(),
                "purgeAt": WireTime::from(self.purge_at).to_string(),
            },
        })
    }

    fn removal(&self, ctx: &Context<'_>) -> Effect {
        Effect::RemoveRepository {
            vault: Self::deleted_key(&self.name),
            path: ctx.deleted_vault_path(&self.name),
        }
    }
}

/// Answers `…/locations/{region}/deletedVaults…`; `below` is what follows, in lower case.
///
/// # Errors
/// ARM's refusals.
pub(super) fn route(
    request: &Request,
    region: &str,
    below: &[&str],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let region = Inventory::region(region);
    let get = request.method == Method::GET;
    let response = match below {
        [] if get => {
            let all = tx.all::<DeletedVault>()?;
            let here = |vault: &&DeletedVault| vault.vault.location == region && !vault.purging;
            page(
                request,
                all.iter().filter(here).map(|vault| vault.render(ctx)),
            )?
        }
        [name] if get => Response::ok(known(name, &region, tx)?.render(ctx)),
        [name, "undelete"] if request.method == Method::POST => {
            return undelete(request, &known(name, &region, tx)?, ctx, tx);
        }
        [name, kind @ ("operations" | "operationresults"), id] => {
            let segments = ["deletedVaults", name, kind, id].map(str::to_owned);
            let polled = operations::poll(
                request,
                &DeletedVault::deleted_key(guid(name)),
                &segments,
                tx,
            );
            return polled
                .unwrap_or_else(|| Err(Refusal::no_route(&request.path)))
                .map(|response| (response, Vec::new()));
        }
        _ => return Err(Refusal::no_route(&request.path)),
    };
    Ok((response, Vec::new()))
}

/// The GUID in a name. A GUID has no underscore; a resource group may.
fn guid(name: &str) -> &str {
    name.rsplit_once('_').map_or(name, |(_, guid)| guid)
}

fn known(name: &str, region: &str, tx: &Tx<'_>) -> Result<DeletedVault, Refusal> {
    tx.get::<DeletedVault>(&guid(name).to_lowercase())?
        .filter(|found| found.is_called(name) && found.vault.location == region && !found.purging)
        .ok_or_else(|| {
            Refusal::not_found(
                "ResourceNotFound",
                format!(
                    "No vault '{name}' is soft-deleted in '{region}'. Soft-deleted vaults are named by their resource group and a GUID; list \
                     them to see it."
                ),
            )
        })
}

fn undelete(
    request: &Request,
    deleted: &DeletedVault,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let mut vault = deleted.vault.clone();
    same_group(request, &vault)?;
    if let Some(taken) = tx.get::<VaultRow>(vault.id_key().as_str())? {
        let coming = taken.shelf.is_some();
        return Err(Refusal::conflict(
            code::ALREADY_EXISTS,
            format!(
                "The resource group '{}' has a vault '{}'{}. Delete that one first, or use it.",
                taken.resource_group,
                taken.name,
                if coming {
                    ", which is being deleted or undeleted"
                } else {
                    ""
                }
            ),
        ));
    }
    let key = DeletedVault::deleted_key(&deleted.name);
    let operation = operations::start(
        tx,
        ctx,
        &key,
        None,
        operation_id("2047", ctx),
        Progress::InProgress,
    )?;
    vault.properties["provisioningState"] = json!("Provisioning");
    vault.shelf = Some(deleted.name.clone());
    vault.operation = Some(operation.id.clone());
    tx.put(&vault)?;
    let response = operation.follow(
        Response::empty(202),
        request,
        &deleted.id(ctx),
        Scope::DeletedVault,
        true,
    );
    Ok((response, vec![under_way(&vault, ctx)]))
}

/// A vault comes back where it was. Clients name the group by its id or by its name.
fn same_group(request: &Request, vault: &VaultRow) -> Result<(), Refusal> {
    let body = request.json()?.unwrap_or_default();
    let wanted = body["properties"]["recoveryResourceGroupId"]
        .as_str()
        .unwrap_or_default();
    let name = wanted
        .parse::<ResourceGroupId>()
        .map_or_else(|_| wanted.to_owned(), |id| id.name.to_string());
    if name.eq_ignore_ascii_case(&vault.resource_group) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "BMSUserErrorInvalidInput",
        format!(
            "'recoveryResourceGroupId' is '{wanted}'; the vault '{}' comes back into the resource group it was in, '{}'.",
            vault.name, vault.resource_group
        ),
    ))
}

/// Takes note of a repository that was put away or brought back.
pub(super) fn moved(
    report: &RepositoryReport,
    mut vault: VaultRow,
    shelf: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), StoreError> {
    let key = vault.id_key();
    let operation = vault.operation.take().unwrap_or_default();
    vault.shelf = None;
    let done = Progress::Succeeded { result: None };
    let progress = match (&report.result, report.made) {
        (Ok(()), true) => {
            tx.unshelve(shelf)?;
            tx.delete::<DeletedVault>(&shelf.to_lowercase())?;
            vault.properties["provisioningState"] = json!("Succeeded");
            vault.etag = etag(ctx);
            tx.put(&vault)?;
            done
        }
        (Ok(()), false) => {
            vault.properties["provisioningState"] = json!("Succeeded");
            let days = i64::from(vault.soft_delete().retention_days);
            let kept = SignedDuration::from_hours(24 * days);
            let kept_until = ctx.now.checked_add(kept).unwrap_or(Timestamp::MAX);
            // The vault's days may be fewer now than when its items were deleted: each of those was promised its own.
            let purge_at =
                backup::last_purge(tx, &key)?.map_or(kept_until, |at| at.max(kept_until));
            tx.shelve(key.as_str(), shelf)?;
            tx.put(&DeletedVault {
                name: shelf.to_owned(),
                vault,
                deleted: ctx.now,
                purge_at,
                purging: false,
                again: None,
            })?;
            done
        }
        (Err(message), made) => {
            // It is where it was: still deleted, or still there.
            if made {
                tx.delete::<VaultRow>(key.as_str())?;
            } else {
                vault.properties["provisioningState"] = json!("Succeeded");
                tx.put(&vault)?;
            }
            Progress::Failed {
                code: "VaultRepositoryNotMoved".to_owned(),
                message: message.clone(),
            }
        }
    };
    operations::finish(tx, ctx, &operation, progress)
}

/// Takes note of the end of a soft-deleted vault's repository: its points' snapshots follow it.
pub(super) fn purged(
    report: &RepositoryReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    let going = tx.all::<DeletedVault>()?.into_iter().find(|deleted| {
        deleted.purging && DeletedVault::deleted_key(&deleted.name) == report.vault
    });
    let Some(mut deleted) = going else {
        return Ok(Vec::new());
    };
    if let Err(message) = &report.result {
        tracing::error!(vault = %deleted.vault.name, %message, "a soft-deleted vault could not be removed; it is tried again");
        deleted.purging = false;
        deleted.again = ctx.now.checked_add(AGAIN).ok();
        tx.put(&deleted)?;
        return Ok(Vec::new());
    }
    let snapshots = backup::snapshots_of_shelved(tx, &deleted.name)?;
    tx.clear_shelf(&deleted.name)?;
    tx.delete::<DeletedVault>(&deleted.key())?;
    Ok(snapshots)
}

/// Begins the end of the vaults whose time is over.
///
/// # Errors
/// When the store fails; so for every function below.
pub fn tick(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    for mut deleted in tx.due::<DeletedVault>(ctx.now)? {
        let coming_back = tx
            .get::<VaultRow>(deleted.vault.id_key().as_str())?
            .is_some_and(|vault| vault.shelf.as_ref() == Some(&deleted.name));
        let is_over = ctx.is_over(deleted.deleted, deleted.purge_at);
        if deleted.purging || coming_back || !is_over {
            continue;
        }
        if backup::shelved_are_locked(ctx, tx, &deleted.name)? {
            deleted.again = ctx.now.checked_add(AGAIN).ok();
            tx.put(&deleted)?;
        } else {
            deleted.purging = true;
            tx.put(&deleted)?;
            effects.push(deleted.removal(ctx));
        }
    }
    Ok(effects)
}

/// When the next soft-deleted vault goes for good.
pub fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    tx.next_due::<DeletedVault>(ctx.now)
}

/// Whether there is a soft-deleted vault.
pub fn holds_deleted(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.total::<DeletedVault>()? > 0)
}

/// Whether a soft-deleted vault is being removed.
pub fn busy(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx
        .all::<DeletedVault>()?
        .iter()
        .any(|deleted| deleted.purging))
}

/// The removals that were under way when the service stopped.
pub(super) fn resume(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let all = tx.all::<DeletedVault>()?;
    Ok(all
        .iter()
        .filter(|deleted| deleted.purging)
        .map(|deleted| deleted.removal(ctx))
        .collect())
}
