//! The world around a ProtectedVM: its vault, its policy, and what is being done with its recovery points.

use kluis_api::ProtectedVM;
use kluis_plan::ProtectedVmWorld;
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects, rest::rests, rival};
use crate::{
    ctx::Ctx,
    key::{Key, Kind},
};

pub(super) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let item: ProtectedVM = objects::decode(key, object)?;
    let namespace = objects::namespace(key);
    let vault = objects::vault(namespace, &item.spec.vault_ref, ctx).await?;
    let within = item.spec.vault_ref.namespace.as_deref();
    let vault_key = Key::new(
        Kind::Vault,
        within.unwrap_or(namespace),
        &item.spec.vault_ref.name,
    );
    let policy = match &item.spec.policy_ref.name {
        Some(name) => objects::policy(namespace, name, ctx).await?,
        None => None,
    };
    let access = objects::access(namespace, vault.as_ref(), ctx).await?;
    let users = objects::unfinished_users(key, &[Kind::BackupJob, Kind::Restore], ctx).await?;
    let mut lines = Lines::one(access.service.as_ref(), ctx).await?;
    if rests(object, lines.now()) {
        lines.rest();
    }
    let world = ProtectedVmWorld {
        now: lines.now(),
        rival: rival::of(object, &vault_key, vault.as_ref(), ctx).await?,
        item,
        vault,
        policy,
        access,
        users,
        arm: None,
        arm_vault: None,
        arm_policy: None,
        present_policy: None,
        vm: None,
        protectable: None,
        progress: None,
        backup_progress: None,
        backup_job: None,
        jobs: None,
        points: None,
        locks: None,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}
