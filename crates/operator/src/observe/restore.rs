//! The world around a Restore: the item that it brings back, and where that is kept.

use kluis_api::Restore;
use kluis_plan::RestoreWorld;
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects};
use crate::{ctx::Ctx, key::Key};

pub(super) async fn observe(
    key: &Key,
    object: Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let restore: Restore = objects::decode(key, object)?;
    let namespace = objects::namespace(key);
    let (item, vault) = objects::item_and_vault(namespace, &restore.spec.item, ctx).await?;
    let access = objects::access(namespace, vault.as_ref(), ctx).await?;
    let lines = Lines::one(access.service.as_ref(), ctx).await?;
    let world = RestoreWorld {
        now: lines.now(),
        restore,
        item,
        vault,
        access,
        arm: None,
        points: None,
        accounts: None,
        progress: None,
        arm_job: None,
        jobs: None,
        disks: None,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}
