//! One backup vault: GET, PUT, PATCH, DELETE, and whether a name is free.

use http::Method;
use kluis_arm::error::code;
use serde_json::{Value, json};

use super::row::{BackupVault, region_key};
use super::{KIND, properties};
use crate::core::{Answer, Context, Refusal, Request, Response};
use crate::inventory::Inventory;
use crate::operations::{self, Scope};
use crate::store::Tx;
use crate::vaults::{self, Left, etag, tags, vault_name};

/// As many as of recovery services vaults, for Azure publishes no number.
const MOST: usize = 500;

/// Answers the path of one vault, by its names as the client wrote them.
pub(super) fn one(
    request: &Request,
    group: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let vault = tx.get::<BackupVault>(BackupVault::key_of(group, name).as_str())?;
    let response = match (&request.method, vault) {
        (&Method::GET, Some(vault)) => Response::ok(vault.render(ctx)),
        (&Method::GET | &Method::PATCH, None) => {
            return Err(Refusal::resource_not_found(KIND, name, group));
        }
        (&Method::PUT, None) => create(request, group, name, ctx, tx)?,
        (&Method::PUT, Some(vault)) => replace(request, vault, ctx, tx)?,
        (&Method::PATCH, Some(vault)) => patch(request, vault, ctx, tx)?,
        (&Method::DELETE, Some(vault)) => delete(request, &vault, ctx, tx)?,
        (&Method::DELETE, None) => Response::empty(204),
        (method, _) => {
            return Err(Refusal::other_method(
                method,
                &request.path,
                &["GET", "PUT", "PATCH", "DELETE"],
            ));
        }
    };
    Ok((response, Vec::new()))
}

/// Whether a name is free: `{"nameAvailable": …}`.
pub(super) fn available(request: &Request, group: &str, tx: &Tx<'_>) -> Result<Value, Refusal> {
    let asked = request.json()?.unwrap_or_default();
    let Some(name) = asked["name"].as_str() else {
        return Err(Refusal::bad_request(
            code::INVALID_REQUEST_CONTENT,
            "The body needs 'name' and 'type'.",
        ));
    };
    if let Err(refusal) = vault_name(name) {
        return Ok(
            json!({ "nameAvailable": false, "reason": "Invalid", "message": refusal.message }),
        );
    }
    let key = BackupVault::key_of(group, name);
    Ok(if tx.get::<BackupVault>(key.as_str())?.is_some() {
        json!({ "nameAvailable": false, "reason": "AlreadyExists", "message": "Resource already exists with the same name." })
    } else {
        json!({ "nameAvailable": true })
    })
}

/// 201 with the vault as `Provisioning`, as Azure answers; the operation that it points to is done when it is asked.
fn create(
    request: &Request,
    group: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let Some(group) = ctx.inventory.resource_group(group) else {
        return Err(Refusal::no_group(group));
    };
    vault_name(name)?;
    if BackupVault::all(tx)?.len() >= MOST {
        return Err(Refusal::bad_request(
            "UserErrorVaultLimitReached",
            format!(
                "The subscription has {MOST} backup vaults, the most it may have; delete one first."
            ),
        ));
    }
    let body = body(request)?;
    let Some(location) = location(&body) else {
        return Err(Refusal::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    };
    let mut vault = BackupVault {
        resource_group: group.name.clone(),
        name: name.to_owned(),
        location,
        tags: json!({}),
        identity: None,
        etag: String::new(),
        properties: properties::of_a_new_vault(),
    };
    take(&mut vault, &body, Left::Go, ctx)?;
    written(request, &vault, "Provisioning", ctx, tx)
}

/// 201 with the vault in the state that it is said to pass through, and where that is followed.
fn written(
    request: &Request,
    vault: &BackupVault,
    passing: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    tx.put(vault)?;
    let operation = operations::done(tx, ctx, &vault.vault_key(), None, Some(vault.render(ctx)))?;
    let mut shown = vault.render(ctx);
    shown["properties"]["provisioningState"] = json!(passing);
    let response = Response::json(201, shown);
    Ok(operation.follow(response, request, &vault.id(ctx), Scope::Vault, false))
}

fn replace(
    request: &Request,
    mut vault: BackupVault,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let body = body(request)?;
    if let Some(location) = location(&body).filter(|location| *location != vault.location) {
        return Err(Refusal::conflict(
            "InvalidResourceLocation",
            format!(
                "The resource '{}' already exists in location '{}' in resource group '{}'. A resource with the same name cannot \
                 be created in location '{location}'. Please select a new resource name.",
                vault.name, vault.location, vault.resource_group
            ),
        ));
    }
    take(&mut vault, &body, Left::Go, ctx)?;
    written(request, &vault, "Updating", ctx, tx)
}

fn patch(
    request: &Request,
    mut vault: BackupVault,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    take(&mut vault, &body(request)?, Left::Stay, ctx)?;
    tx.put(&vault)?;
    let operation = operations::done(tx, ctx, &vault.vault_key(), None, Some(vault.render(ctx)))?;
    Ok(operation.follow(
        Response::empty(202),
        request,
        &vault.id(ctx),
        Scope::Vault,
        true,
    ))
}

/// The vault goes with its policies, also when its immutability is locked: there is nothing in it that could be lost. Its operation is followed where the region is asked, for the vault is no more.
fn delete(
    request: &Request,
    vault: &BackupVault,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    tx.forget_vault(vault.vault_key().as_str())?;
    let region = region_key(&vault.location);
    let operation = operations::done(tx, ctx, &region, None, Some(json!({})))?;
    let place = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.DataProtection/locations/{}",
        ctx.subscription, vault.resource_group, vault.location
    );
    Ok(operation.follow(Response::empty(202), request, &place, Scope::Vault, true))
}

/// Takes over what a body says; what it doesn't name stays.
fn take(
    vault: &mut BackupVault,
    body: &Value,
    left: Left,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    properties::merge(&mut vault.properties, &body["properties"])?;
    if let Some(said) = body.get("tags").filter(|tags| !tags.is_null()) {
        vault.tags = tags(said)?;
    }
    if let Some(identity) = body.get("identity") {
        vault.identity = vaults::identity(vault.identity.as_ref(), identity, left, ctx)?;
    }
    vault.etag = etag(ctx);
    Ok(())
}

fn location(body: &Value) -> Option<String> {
    let location = body["location"].as_str().map(Inventory::region);
    location.filter(|location| !location.is_empty())
}

fn body(request: &Request) -> Result<Value, Refusal> {
    let body = request.json()?.filter(Value::is_object);
    body.ok_or_else(|| {
        Refusal::bad_request(
            code::INVALID_REQUEST_CONTENT,
            "The request needs a body that is a JSON object: the vault, or what is to change of it.",
        )
    })
}
