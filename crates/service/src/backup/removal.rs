//! Removing an item's data: soft-deleted where the vault says so, gone once a mover has shown it otherwise.

use kluis_arm::error::code;
use kluis_policy::Event;

use super::ends::Ends;
use super::items::Named;
use super::rows::{ForgetWork, Item, Job, Kind, Over, Point, Work};
use super::{
    bitmaps, cleanup, immutability, jobs, judgement, locks, protection, queue, refusals, removed,
};
use crate::core::{Answer, Context, Effect, Refusal, Request, Response, VaultPath};
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};
use crate::vaults::VaultRow;

/// `DELETE item`: with soft delete the data stay for a while, without they are removed now.
pub(super) fn delete(
    request: &Request,
    named: &Named,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let Some(item) = named.find(at, tx)? else {
        return Ok((Response::empty(204), Vec::new()));
    };
    refusals::unlocked(tx, &item)?;
    let soft = vault.soft_delete();
    let days = u16::try_from(soft.retention_days).unwrap_or(u16::MAX);
    let points = Point::of(tx, &item.key())?;
    immutability::keeps_data(vault, &item, points.len())?;
    let promised = Ends::promised(tx, std::slice::from_ref(&item))?;
    let deleted = item.clone();
    // Whatever becomes of the data, no backup is to come.
    bitmaps::release(ctx, tx, &item, |_| false)?;
    let count = points.len().to_string();
    let facts = [("Number of Recovery Points", count.as_str())];
    judgement::record(tx, &item)?;
    let (job, effects) = if soft.enabled {
        let item = protection::after(
            item,
            Event::Delete {
                soft_delete_days: Some(days),
            },
            ctx,
        )?;
        tx.put(&item)?;
        (
            jobs::done(ctx, tx, &item, Kind::DeleteBackupData, &facts)?,
            Vec::new(),
        )
    } else if points.is_empty() {
        tx.delete::<Item>(&item.key())?;
        (
            jobs::done(ctx, tx, &item, Kind::DeleteBackupData, &facts)?,
            Vec::new(),
        )
    } else {
        if let Some(lock) = locks::of(ctx, &item)
            && points.iter().any(|point| point.instant.is_some())
        {
            return Err(Refusal::conflict(
                code::SCOPE_LOCKED,
                format!(
                    "The snapshots of '{}' can't be deleted because the resource group '{}' is locked ({}). Remove the lock, \
                     then delete the data.",
                    item.vm,
                    item.resource_group,
                    lock.level()
                ),
            ));
        }
        remove(item, points, ctx, tx)?
    };
    let left = match soft.enabled {
        true => Ends::kept(tx, &[deleted])?,
        false => Ends::default(),
    };
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    let response = operation.accepted(request, at, Scope::Backup);
    Ok((response.bringing(promised.nearer(&left, ctx)), effects))
}

/// Queues the removal of an item's data. No backup of it is due any more; its rows go once the snapshots are gone.
fn remove(
    mut item: Item,
    points: Vec<Point>,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(Job, Vec<Effect>), Refusal> {
    if !item.is_soft_deleted() {
        item = protection::after(item, Event::StopRetain, ctx)?;
        item.policy.clear();
        tx.put(&item)?;
    }
    let points = points.into_iter().map(|point| (point, Over::Deleted));
    let work = ForgetWork {
        points: cleanup::forgetting(points),
        items: vec![item.key()],
        ..ForgetWork::default()
    };
    let mut job = jobs::for_item(ctx, tx, &item, Kind::DeleteBackupData, Work::Forget(work))?;
    removed::state(&mut job);
    job.keep(tx)?;
    let effects = queue::dispatch(ctx, tx)?;
    Ok((job, effects))
}
