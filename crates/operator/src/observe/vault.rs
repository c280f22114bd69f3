//! The world around a Vault: its service, and who uses it.

use kluis_api::Vault;
use kluis_plan::VaultWorld;
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects};
use crate::{
    ctx::Ctx,
    key::{Key, Kind},
};

pub(super) async fn observe(
    key: &Key,
    object: Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let vault: Vault = objects::decode(key, object)?;
    let access = objects::access(objects::namespace(key), Some(&vault), ctx).await?;
    let lines = Lines::one(access.service.as_ref(), ctx).await?;
    let users = objects::users(key, &[Kind::ProtectedVM, Kind::BackupPolicy], ctx).await?;
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
