//! The world around a Vault: its service, and who uses it.

use std::collections::HashMap;

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
    let vault: Vault = objects::decode(key, object)?;
    let access = objects::access(objects::namespace(key), Some(&vault), ctx).await?;
    let mut lines = Lines::one(access.service.as_ref(), ctx).await?;
    if rests(object, lines.now()) {
        lines.rest();
    }
    let users = objects::users(key, &[Kind::ProtectedVM, Kind::BackupPolicy], ctx).await?;
    let world = VaultWorld {
        now: lines.now(),
        namesakes: namesakes(key, object, ctx).await?,
        vault,
        access,
        users,
        arm: None,
        deleted: None,
        is_redundancy_locked: None,
        items: None,
        points: HashMap::new(),
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
        if !is_same_place(&object, own) || objects::key(Kind::Vault, &object).as_ref() == Some(key)
        {
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

/// Whether two name the same resource group and vault, as Azure compares names; of the raw objects, because each is compared
/// with all.
fn is_same_place(one: &Value, other: &Value) -> bool {
    fn names(vault: &Value) -> [&str; 2] {
        let spec = &vault["spec"];
        let name = spec["azureName"].as_str();
        let name = name.or_else(|| vault["metadata"]["name"].as_str());
        let group = spec["resourceGroup"].as_str();
        [group, name].map(Option::unwrap_or_default)
    }
    let (one, other) = (names(one), names(other));
    one.iter()
        .zip(other)
        .all(|(one, other)| one.eq_ignore_ascii_case(other))
}
