//! What can't be done while the resource group of a machine is locked.
//!
//! The snapshots of recovery points lie with the machine, and under a lock of either kind nothing of them is deleted: they
//! stay beyond their days, and the points that have them stay in the vault, too. Azure goes on making points until the
//! machine has as many snapshots as it can have, warns meanwhile, and then fails each backup; so does this service.

use super::failure;
use super::rows::{Fault, Item, Point};
use crate::core::Context;
use crate::inventory::Lock;
use crate::store::{Row as _, StoreError, Tx};

/// As many snapshots as Azure keeps of one machine. Without a lock the policy's days keep them fewer, or a person has chosen
/// to have more of them.
const MOST_SNAPSHOTS: usize = 18;

/// The lock that keeps the snapshots of a machine from being deleted, if there is one.
pub(super) fn of(ctx: &Context<'_>, item: &Item) -> Option<Lock> {
    ctx.inventory.resource_group(&item.resource_group)?.lock
}

/// Whether the point has snapshots that a lock keeps. Those of an item that is gone are nobody's to lock.
pub(super) fn keeps(ctx: &Context<'_>, tx: &Tx<'_>, point: &Point) -> Result<bool, StoreError> {
    if point.instant.is_none() {
        return Ok(false);
    }
    let item = tx.get::<Item>(&point.item)?;
    Ok(item.is_some_and(|item| of(ctx, &item).is_some()))
}

/// Whether a lock keeps snapshots of the item.
pub(super) fn keeps_some_of(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<bool, StoreError> {
    if of(ctx, item).is_none() {
        return Ok(false);
    }
    let points = Point::of(tx, &item.key())?;
    Ok(points.iter().any(|point| point.instant.is_some()))
}

/// The same of a deleted vault, whose items and points lie on the shelf at `place`.
pub(super) fn keeps_some_of_shelved(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    place: &str,
) -> Result<bool, StoreError> {
    let items = tx.shelved::<Item>(place)?;
    let mut locked = items
        .iter()
        .filter(|item| of(ctx, item).is_some())
        .peekable();
    if locked.peek().is_none() {
        return Ok(false);
    }
    let points = tx.shelved::<Point>(place)?;
    Ok(locked.any(|item| {
        let key = item.key();
        points
            .iter()
            .any(|point| point.item == key && point.instant.is_some())
    }))
}

/// What a lock means for the next backup.
pub(super) enum Outlook {
    Nothing,
    /// It is made, and its job says that older snapshots could not go.
    Warning(Fault),
    /// There is no room for another snapshot.
    Full(Fault),
}

/// What a lock on the machine's resource group means for its next backup.
pub(super) fn outlook(ctx: &Context<'_>, tx: &Tx<'_>, item: &Item) -> Result<Outlook, StoreError> {
    let Some(lock) = of(ctx, item) else {
        return Ok(Outlook::Nothing);
    };
    let points = Point::of(tx, &item.key())?;
    let instants: Vec<_> = points
        .iter()
        .filter_map(|point| point.instant.as_ref())
        .collect();
    let overdue = instants
        .iter()
        .filter(|instant| instant.until <= ctx.now)
        .count();
    let group = &item.resource_group;
    Ok(if instants.len() >= MOST_SNAPSHOTS {
        Outlook::Full(failure::snapshots_full(group, lock.level(), MOST_SNAPSHOTS))
    } else if overdue > 0 {
        Outlook::Warning(failure::snapshots_locked(
            group,
            lock.level(),
            overdue,
            MOST_SNAPSHOTS,
        ))
    } else {
        Outlook::Nothing
    })
}
