//! Recovery services vaults: made, read, changed and deleted, with the properties that a real one has.
//!
//! A vault and its repository are one: the vault is `Succeeded` only once its repository exists, and the repository goes only
//! after the vault's deletion was accepted. What is inside a vault is the backup engine's.

mod config;
mod deleted;
mod encryption;
mod extended_info;
mod gauges;
mod identity;
mod one;
mod properties;
mod repository;
mod row;
mod settings;
mod trouble;
mod usages;

use http::Method;
use serde_json::{Value, json};

use crate::core::{Answer, Context, Refusal, Request, Response, page};
use crate::inventory::same;
use crate::store::Tx;

pub use config::below;
pub use deleted::{busy, holds_deleted, next_due, tick};
pub(crate) use encryption::{of_a_backup_vault as refuse_keys, says_nothing};
pub use gauges::gauges;
pub(crate) use identity::{Left, merged as identity};
pub(crate) use one::etag;
pub use one::one;
pub(crate) use properties::{name as vault_name, spell, tags};
pub use repository::{on_repository, resume};
pub use row::{SoftDelete, VaultRow};
pub(crate) use row::{is_locked, lock};
pub(crate) use settings::{
    Only, copy as copy_settings, only as only_settings, take as take_settings,
};
pub use trouble::{RepositoryTrouble, found, repositories, trouble_of};
pub(crate) use usages::count;

const KIND: &str = "Microsoft.RecoveryServices/vaults";

/// Answers the provider's paths that are not one vault's: lists, and questions about names.
///
/// `segments` are decoded, `words` are the same in lower case.
///
/// # Errors
/// ARM's refusals; 404 for paths that are not served.
pub fn route(
    request: &Request,
    segments: &[String],
    words: &[&str],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let get = request.method == Method::GET;
    let response = match words {
        [_, _, "providers", _, "vaults"] if get => list(request, ctx, tx, None)?,
        [_, _, "resourcegroups", _, "providers", _, "vaults"] if get => {
            list(request, ctx, tx, Some(&segments[3]))?
        }
        [
            _,
            _,
            "providers",
            _,
            "locations",
            region,
            "deletedvaults",
            below @ ..,
        ] => {
            return deleted::route(request, region, below, ctx, tx);
        }
        [
            _,
            _,
            "resourcegroups",
            _,
            "providers",
            _,
            "locations",
            _,
            "checknameavailability",
        ] if request.method == Method::POST => {
            Response::ok(available(request, &segments[3], ctx, tx)?)
        }
        [_, _, "providers", _, "locations", _, "capabilities"]
            if request.method == Method::POST =>
        {
            // There are no private endpoints here, so there are no zones that they need.
            let asked = request.json()?.unwrap_or_default();
            Response::ok(json!({ "type": asked["type"], "properties": { "dnsZones": [] } }))
        }
        [_, _, "providers", _, "vaults"]
        | [_, _, "resourcegroups", _, "providers", _, "vaults"]
        | [
            _,
            _,
            "resourcegroups",
            _,
            "providers",
            _,
            "locations",
            _,
            "checknameavailability",
        ]
        | [_, _, "providers", _, "locations", _, "capabilities"] => {
            return Err(Refusal::wrong_method(&request.method, &request.path));
        }
        _ => return Err(Refusal::no_route(&request.path)),
    };
    Ok((response, Vec::new()))
}

fn list(
    request: &Request,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    group: Option<&str>,
) -> Result<Response, Refusal> {
    let vaults = tx.all::<VaultRow>()?;
    let wanted = |vault: &&VaultRow| group.is_none_or(|name| same(name, &vault.resource_group));
    page(
        request,
        vaults.iter().filter(wanted).map(|vault| vault.render(ctx)),
    )
}

fn available(
    request: &Request,
    group: &str,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Value, Refusal> {
    let asked = request.json()?.unwrap_or_default();
    let Some(name) = asked["name"].as_str() else {
        return Err(Refusal::bad_request(
            "InvalidRequestContent",
            "The body needs 'name' and 'type'.",
        ));
    };
    if let Err(refusal) = properties::name(name) {
        return Ok(
            json!({ "nameAvailable": false, "reason": "Invalid", "message": refusal.message }),
        );
    }
    let taken = tx
        .get::<VaultRow>(ctx.vault_key(group, name).as_str())?
        .is_some();
    Ok(if taken {
        json!({ "nameAvailable": false, "reason": "AlreadyExists", "message": "Resource already exists with the same name." })
    } else {
        json!({ "nameAvailable": true })
    })
}
