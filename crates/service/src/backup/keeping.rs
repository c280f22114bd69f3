//! Until when the points of an item are kept, and why; and which of them are to go.
//!
//! The newest point never goes by its age, nor does the newest in the vault: a machine whose backups keep failing does not
//! lose the last copy it has, and the last away from the machine even less. A point
//! whose removal has begun is no copy any more: it is never the newest, and always goes.

use kluis_policy::{Verdict, pruning};

use super::rows::{Item, Point};
use super::scheduler;
use crate::core::Context;
use crate::estate;
use crate::store::{Row as _, StoreError, Tx};

/// An item's points, the newest first, each with its verdict; none where the item has no policy to judge by.
pub(super) fn judged(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<(Point, Option<Verdict>)>, StoreError> {
    let points = Point::of(tx, &item.key())?;
    let Some(rules) = scheduler::rules(tx, item)? else {
        return Ok(points.into_iter().map(|point| (point, None)).collect());
    };
    let gone = estate::vm(ctx, tx, &item.resource_group, &item.vm)?.is_none();
    let by = item.state.pruning(gone);
    let usable: Vec<_> = points
        .iter()
        .filter(|point| !point.removing)
        .map(Point::for_retention)
        .collect();
    let zone = &rules.schedule.zone;
    let mut verdicts = pruning::verdicts(by, &rules.retention, &usable, zone, ctx.now).into_iter();
    Ok(points
        .into_iter()
        .map(|point| {
            let verdict = if point.removing {
                None
            } else {
                verdicts.next()
            };
            (point, verdict)
        })
        .collect())
}

/// The points that a cleanup removes.
pub(super) fn expired(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Point>, StoreError> {
    let judged = judged(ctx, tx, item)?;
    let usable = || {
        let points = judged.iter().map(|(point, _)| point);
        points.filter(|point| !point.removing)
    };
    let newest = usable().next();
    let in_the_vault = usable().find(|point| point.hardened.is_some());
    let last: Vec<String> = newest
        .into_iter()
        .chain(in_the_vault)
        .map(|point| point.name.clone())
        .collect();
    let goes = |point: &Point, verdict: Option<Verdict>| {
        let over = verdict.is_some_and(|verdict| !verdict.is_kept());
        point.removing || over && !last.contains(&point.name)
    };
    Ok(judged
        .into_iter()
        .filter(|(point, verdict)| goes(point, *verdict))
        .map(|(point, _)| point)
        .collect())
}
