//! The world around a Vault: its service, and who uses it.

use kluis_api::Vault;
use kluis_plan::{Access, VaultWorld};
use serde::Deserialize;
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects, rest::rests};
use crate::{
    ctx::Ctx,
    key::{Key, Kind},
};

pub(super) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let place = place(object);
    let vault: Vault = objects::decode(key, object)?;
    let access = objects::access(objects::namespace(key), Some(&vault), ctx).await?;
    let mut lines = Lines::one(access.service.as_ref(), ctx).await?;
    if rests(object, lines.now()) {
        lines.rest();
    }
    let users = objects::users(key, &[Kind::ProtectedVM, Kind::BackupPolicy], ctx).await?;
    let world = VaultWorld {
        now: lines.now(),
        namesakes: namesakes(key, &place, ctx).await?,
        vault,
        access,
        users,
        arm: None,
        is_redundancy_locked: None,
        progress: None,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}

/// The other Vaults that name a vault of the same resource group and name. One that cannot be read declares nothing.
async fn namesakes(
    key: &Key,
    own: &Value,
    ctx: &Ctx,
) -> Result<Vec<(Vault, Access)>, ObserveError> {
    let mut found = Vec::new();
    for object in ctx.objects.list(Kind::Vault).await? {
        if place(&object) != *own || objects::key(Kind::Vault, &object).as_ref() == Some(key) {
            continue;
        }
        let Ok(other) = Vault::deserialize(&*object) else {
            continue;
        };
        let namespace = other.metadata.namespace.as_deref().unwrap_or_default();
        let access = objects::access(namespace, Some(&other), ctx).await?;
        found.push((other, access));
    }
    Ok(found)
}

/// Resource group and name, as Azure compares them; of the raw object, because all of them are looked at.
fn place(vault: &Value) -> Value {
    let text = |value: &Value| value.as_str().map(str::to_ascii_lowercase);
    let spec = &vault["spec"];
    let name = text(&spec["azureName"]).or_else(|| text(&vault["metadata"]["name"]));
    serde_json::json!([text(&spec["resourceGroup"]), name])
}
