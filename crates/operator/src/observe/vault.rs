//! The world around a Vault: its service, and who uses it.

use std::collections::HashMap;

use kluis_api::{BackupPolicy, Vault, VaultDeletionPolicy};
use kluis_plan::{Access, VaultWorld, holds_retained};
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
    let mut users = objects::users(key, &[Kind::ProtectedVM, Kind::BackupPolicy], ctx).await?;
    if vault.metadata.deletion_timestamp.is_some()
        && vault.spec.deletion_policy == VaultDeletionPolicy::Retain
    {
        let holding = holding(key, ctx).await?;
        users.retain(|user| user.kind != Kind::BackupPolicy || holding.contains(user));
    }
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
        health: None,
        progress: None,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}

/// The policies that hold a Vault whose vault stays.
async fn holding(key: &Key, ctx: &Ctx) -> Result<Vec<Key>, ObserveError> {
    let policies = ctx.objects.users(key, Kind::BackupPolicy).await?;
    let holding = policies.into_iter().filter(|(_, kept)| {
        let policy = kept.decode::<BackupPolicy>();
        policy.is_ok_and(|policy| holds_retained(&policy))
    });
    Ok(holding.map(|(key, _)| key).collect())
}

/// The other Vaults that name a vault of the same resource group and name. One that cannot be read declares nothing.
async fn namesakes(
    key: &Key,
    own: &Value,
    ctx: &Ctx,
) -> Result<Vec<(Vault, Access)>, ObserveError> {
    let mut found = Vec::new();
    for kept in ctx.objects.list(Kind::Vault).await? {
        let object = kept.object();
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
