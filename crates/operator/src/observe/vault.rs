//! The world around a Vault: its service, and who uses it.

use kluis_api::Vault;
use kluis_plan::VaultWorld;
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects};
use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::ObjectsError,
};

pub(super) async fn observe(
    key: &Key,
    object: Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let vault: Vault = objects::decode(key, object)?;
    let access = objects::access(objects::namespace(key), Some(&vault), ctx).await?;
    let lines = Lines::one(access.service.as_ref(), ctx).await?;
    let mut users = objects::users(key, &[Kind::ProtectedVM], ctx).await?;
    users.extend(policies_in(key, ctx).await?);
    let world = VaultWorld {
        now: lines.now(),
        vault,
        access,
        users,
        arm: None,
        progress: None,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}

/// The policies that are in the vault, as their status says.
async fn policies_in(vault: &Key, ctx: &Ctx) -> Result<Vec<Key>, ObjectsError> {
    let name = format!("{}/{}", objects::namespace(vault), vault.name);
    let policies = ctx.objects.list(Kind::BackupPolicy).await?;
    Ok(policies
        .iter()
        .filter(|policy| {
            let vaults = policy["status"]["vaults"].as_array();
            vaults
                .into_iter()
                .flatten()
                .any(|vault| vault["name"] == name.as_str())
        })
        .filter_map(|policy| objects::key(Kind::BackupPolicy, policy))
        .collect())
}
