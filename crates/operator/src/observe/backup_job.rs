//! The world around a BackupJob: the item that it backs up, and where that is kept.

use kluis_api::BackupJob;
use kluis_plan::{BackupJobWorld, Work};
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects};
use crate::{ctx::Ctx, key::Key};

pub(super) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let job: BackupJob = objects::decode(key, object)?;
    let namespace = objects::namespace(key);
    let (item, vault) = objects::item_and_vault(namespace, &job.spec.item, ctx).await?;
    let access = objects::access(namespace, vault.as_ref(), ctx).await?;
    let lines = Lines::one(access.service.as_ref(), ctx).await?;
    let world = BackupJobWorld {
        now: lines.now(),
        clocks_agree: lines.clocks_agree(),
        job,
        work: Work::about(item, vault, access),
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}
