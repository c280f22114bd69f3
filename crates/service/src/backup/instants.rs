//! The end of instant restore: snapshot files go when their days are over, and with their point.
//!
//! A point's row lets go of its files first; they are removed once that is committed. What a crash leaves between the two
//! belongs to no point, and the next start removes it ([`folders`] says what is to stay).

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use kluis_policy::State;

use super::rows::{Item, Job, Phase, Point};
use super::{cleanup, locks};
use crate::core::{Context, Effect};
use crate::store::{Row as _, StoreError, Tx};

/// Lets go of the snapshots whose days are over.
pub(super) fn run_due(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    for point in tx.due::<Point>(ctx.now)? {
        effects.extend(expire(ctx, tx, point)?);
    }
    Ok(effects)
}

/// When the days of the next snapshots are over. Those whose days are over and that are still there are in use: the end of
/// that use is what they wait for.
pub(super) fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    tx.next_due::<Point>(ctx.now)
}

/// The same for one item, when a job has let go of it.
pub(super) fn run_due_of(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    item: &str,
) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    for point in tx.due_starting::<Point>(&format!("{item}/"), ctx.now)? {
        effects.extend(expire(ctx, tx, point)?);
    }
    Ok(effects)
}

/// The ends of the snapshots of a deleted vault's points, which lie on the shelf at `place` and are thrown away.
pub(super) fn of_shelved(tx: &Tx<'_>, place: &str) -> Result<Vec<Effect>, StoreError> {
    let points = tx.shelved::<Point>(place)?;
    Ok(points
        .into_iter()
        .filter_map(|point| point.instant)
        .map(|instant| Effect::RemoveSnapshots {
            folder: instant.folder,
        })
        .collect())
}

/// The folders of all snapshots that are there or being taken, those of deleted vaults that can come back included.
pub(super) fn folders(tx: &Tx<'_>) -> Result<BTreeSet<PathBuf>, StoreError> {
    let points = tx.having_moment::<Point>()?;
    let taken = points
        .into_iter()
        .chain(tx.all_shelved::<Point>()?)
        .filter_map(|point| Some(point.instant?.folder));
    let jobs = Job::active(tx)?;
    let under_way = jobs
        .iter()
        .filter_map(|job| job.backup()?.shots.first()?.to.parent())
        .map(std::path::Path::to_owned);
    Ok(taken.chain(under_way).collect())
}

/// What a backup that ended before its snapshots were taken may have left of them.
pub(super) fn given_up(job: &Job) -> Option<Effect> {
    let work = job
        .backup()
        .filter(|work| work.phase == Phase::Snapshot && work.saved.is_none())?;
    let folder = work.shots.first()?.to.parent()?.to_owned();
    Some(Effect::RemoveSnapshots { folder })
}

/// Removes a point's row; its snapshot files are to follow.
pub(super) fn remove_point(tx: &mut Tx<'_>, key: &str) -> Result<Option<Effect>, StoreError> {
    let point = tx.get::<Point>(key)?;
    tx.delete::<Point>(key)?;
    Ok(point
        .and_then(|point| point.instant)
        .map(|instant| Effect::RemoveSnapshots {
            folder: instant.folder,
        }))
}

fn expire(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    mut point: Point,
) -> Result<Option<Effect>, StoreError> {
    let until = point.instant.as_ref().map(|instant| instant.until);
    if until.is_none_or(|until| !ctx.is_over(point.time, until)) {
        return Ok(None);
    }
    if point.removing || in_use(tx, &point)? || locks::keeps(ctx, tx, &point)? {
        return Ok(None);
    }
    if point.hardened.is_none() {
        return vanish(ctx, tx, &point);
    }
    let Some(instant) = point.instant.take() else {
        return Ok(None);
    };
    tx.put(&point)?;
    Ok(Some(Effect::RemoveSnapshots {
        folder: instant.folder,
    }))
}

/// Whether an unfinished job makes the point or reads it.
fn in_use(tx: &Tx<'_>, point: &Point) -> Result<bool, StoreError> {
    let key = point.key();
    let jobs = Job::of_item(tx, &point.item)?;
    Ok(jobs.iter().any(|job| {
        let makes = job.backup().is_some_and(|work| work.point == point.name);
        makes || job.reads() == Some(key.as_str())
    }))
}

/// A point that never reached the vault goes with its snapshots, unless it is the last copy that an item has, or its item's data are kept for
/// ever or wait to be undeleted. The cleanup takes it, which says so ([`super::keeping`] judges it the same way).
fn vanish(ctx: &Context<'_>, tx: &mut Tx<'_>, point: &Point) -> Result<Option<Effect>, StoreError> {
    let Some(item) = tx.get::<Item>(&point.item)? else {
        // Nobody's: no cleanup would find it.
        return remove_point(tx, &point.key());
    };
    let is_kept = matches!(
        item.state,
        State::Stopped { .. } | State::SoftDeleted { .. }
    );
    let newest = Point::of(tx, &point.item)?
        .into_iter()
        .find(Point::is_usable);
    if !is_kept && newest.is_some_and(|newest| newest.name != point.name) {
        cleanup::want(ctx, tx, &point.vault)?;
    }
    Ok(None)
}
