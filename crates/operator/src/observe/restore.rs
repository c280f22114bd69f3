//! The world around a Restore: the item that it brings back, and where that is kept.

use kluis_api::Restore;
use kluis_plan::{RestoreWorld, Work};
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects};
use crate::{ctx::Ctx, key::Key};

pub(super) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let restore: Restore = objects::decode(key, object)?;
    let namespace = objects::namespace(key);
    let (item, vault) = objects::item_and_vault(namespace, &restore.spec.item, ctx).await?;
    let access = objects::access(namespace, vault.as_ref(), ctx).await?;
    let lines = Lines::one(access.service.as_ref(), ctx).await?;
    let work = Work::about(item, vault, access);
    let world = RestoreWorld::new(lines.now(), restore, work);
    Ok(complete(world, |world, now| world.now = now, lines).await)
}
