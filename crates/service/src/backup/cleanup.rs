//! Cleanup: once a day and after a change of policy, the points that retention no longer keeps are removed, in the vault
//! too; and soft-deleted items go when their time is over.
//!
//! Nothing is removed here. A job is queued whose mover removes the snapshots; the rows go on its evidence, and the job says
//! what went and why.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kluis_policy::State;
use serde::{Deserialize, Serialize};

use super::rows::{ForgetWork, Forgetting, Item, Job, Kind, Over, Point, Work};
use super::{comparison, jobs, judgement, keeping, locks, removed};
use crate::core::{Context, VaultKey};
use crate::store::{Row, StoreError, Tx};

/// How long the jobs that ended are remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 180);

/// When a vault was last cleaned up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cleaned {
    vault: VaultKey,
    at: Timestamp,
    /// Something changed since that may have ended the time of points.
    wanted: bool,
}

impl Row for Cleaned {
    const TABLE: &'static str = "cleanups";

    fn key(&self) -> String {
        Self::key_of(&self.vault)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }

    /// When the vault is to be cleaned up next: at once when something changed, else at midnight. A removal that failed is
    /// tried again with the next day's.
    fn moment(&self) -> Option<Timestamp> {
        Some(if self.wanted {
            self.at
        } else {
            self.midnight()
        })
    }
}

impl Cleaned {
    fn key_of(vault: &VaultKey) -> String {
        vault.to_string()
    }

    /// The first midnight since, in UTC.
    fn midnight(&self) -> Timestamp {
        let day = self.at.to_zoned(TimeZone::UTC).date();
        day.tomorrow()
            .and_then(|next| next.to_zoned(TimeZone::UTC))
            .map_or(Timestamp::MAX, |midnight| midnight.timestamp())
    }
}

/// The vaults that have items.
pub(super) fn vaults(tx: &Tx<'_>) -> Result<Vec<VaultKey>, StoreError> {
    let cleaned = tx.all::<Cleaned>()?.into_iter();
    Ok(cleaned.map(|cleaned| cleaned.vault).collect())
}

/// A vault has its first item: its days begin.
pub(super) fn begin(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
) -> Result<(), StoreError> {
    if tx.get::<Cleaned>(&Cleaned::key_of(vault))?.is_some() {
        return Ok(());
    }
    tx.put(&Cleaned {
        vault: vault.clone(),
        at: ctx.now,
        wanted: false,
    })
}

/// Has a vault cleaned up at the next tick: a policy changed, or the time of a soft-deleted item is over.
pub(super) fn want(ctx: &Context<'_>, tx: &mut Tx<'_>, vault: &VaultKey) -> Result<(), StoreError> {
    let at = tx
        .get::<Cleaned>(&Cleaned::key_of(vault))?
        .map_or(ctx.now, |cleaned| cleaned.at);
    tx.put(&Cleaned {
        vault: vault.clone(),
        at,
        wanted: true,
    })
}

/// A person has set the service's time: a cleanup that was made by a later time is none, and every vault is looked through.
pub(super) fn clock_was_set(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for mut cleaned in tx.all::<Cleaned>()? {
        cleaned.at = cleaned.at.min(ctx.now);
        cleaned.wanted = true;
        tx.put(&cleaned)?;
    }
    Ok(())
}

/// When a vault was cleaned up last.
pub(super) fn last(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let cleaned = tx.all::<Cleaned>()?.into_iter();
    Ok(cleaned.map(|cleaned| cleaned.at).max())
}

/// Queues what has become due.
pub(super) fn run_due(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for cleaned in tx.due::<Cleaned>(ctx.now)? {
        if cleaned.moment().is_some_and(|due| due <= ctx.now) {
            clean(ctx, tx, &cleaned.vault)?;
        } else {
            // Of a version that kept no moments.
            tx.put(&cleaned)?;
        }
    }
    Ok(())
}

/// When a cleanup is due next.
pub(super) fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    Ok(tx.first_due::<Cleaned>()?.map(|first| first.max(ctx.now)))
}

/// Asks again just before the removal: what a change of policy, a stop or a lock has saved meanwhile is left alone.
pub(super) fn recheck(ctx: &Context<'_>, tx: &Tx<'_>, job: &mut Job) -> Result<(), StoreError> {
    let (Kind::Cleanup, Work::Forget(work)) = (job.kind, &mut job.work) else {
        return Ok(());
    };
    if work.begun || !work.items.is_empty() {
        return Ok(());
    }
    let mut still = BTreeSet::new();
    for item in tx.list::<Item>(job.vault.as_str())? {
        let over = over(ctx, tx, &item)?;
        still.extend(over.iter().map(|(point, _)| point.key()));
    }
    work.points.retain(|point| still.contains(&point.key));
    Ok(())
}

/// These points as a job removes them.
pub(super) fn forgetting(points: impl IntoIterator<Item = (Point, Over)>) -> Vec<Forgetting> {
    points
        .into_iter()
        .map(|(point, why)| Forgetting {
            key: point.key(),
            time: Some(point.time),
            snapshot: point.hardened.map(|hardened| hardened.snapshot),
            why,
        })
        .collect()
}

fn clean(ctx: &Context<'_>, tx: &mut Tx<'_>, vault: &VaultKey) -> Result<(), StoreError> {
    let items: Vec<Item> = tx.list(vault.as_str())?;
    if items.is_empty() {
        tx.delete::<Cleaned>(&Cleaned::key_of(vault))?;
        return Ok(());
    }
    let active = Job::active(tx)?;
    if active
        .iter()
        .any(|job| job.vault == *vault && job.kind == Kind::Cleanup)
    {
        return Ok(());
    }
    let taken: BTreeSet<String> = active.iter().flat_map(in_use).collect();
    purge(ctx, tx, &items)?;
    let mut points = Vec::new();
    for item in items {
        let over = over(ctx, tx, &item)?;
        points.extend(
            over.into_iter()
                .filter(|(point, _)| !taken.contains(&point.key())),
        );
        judgement::record(tx, &item)?;
    }
    if !points.is_empty() {
        let work = ForgetWork {
            points: forgetting(points),
            ..ForgetWork::default()
        };
        let mut job = jobs::for_vault(ctx, tx, vault, Kind::Cleanup, Work::Forget(work))?;
        removed::state(&mut job);
        job.keep(tx)?;
    }
    tx.put(&Cleaned {
        vault: vault.clone(),
        at: ctx.now,
        wanted: false,
    })?;
    forget_jobs(ctx, tx, vault)
}

/// The points of an item whose time is over and that no lock keeps. A point goes with its snapshots, and not before.
fn over(ctx: &Context<'_>, tx: &Tx<'_>, item: &Item) -> Result<Vec<(Point, Over)>, StoreError> {
    let locked = locks::of(ctx, item).is_some();
    let mut points = keeping::expired(ctx, tx, item)?;
    points.retain(|(point, _)| !locked || point.instant.is_none() || point.removing);
    Ok(points)
}

/// The points that an unfinished job makes, reads or removes already.
fn in_use(job: &Job) -> Vec<String> {
    let removed = job
        .forget()
        .into_iter()
        .flat_map(|work| work.points.iter().map(|point| point.key.clone()));
    let made = job
        .item
        .iter()
        .zip(job.backup())
        .map(|(item, work)| Point::key_of(item, &work.point));
    removed
        .chain(job.reads().map(str::to_owned))
        .chain(made)
        .collect()
}

/// Queues the end of the soft-deleted items whose time is over.
fn purge(ctx: &Context<'_>, tx: &mut Tx<'_>, items: &[Item]) -> Result<(), StoreError> {
    for item in items {
        let over = is_over(ctx, item);
        let key = item.key();
        // By a state that was put back, it may have been undeleted since.
        let held = comparison::held(ctx, tx, &item.vault)?.is_some();
        if !over
            || held
            || Job::holding(tx, &key)?.is_some()
            || locks::keeps_some_of(ctx, tx, item)?
        {
            continue;
        }
        let points = Point::of(tx, &key)?;
        if points.is_empty() {
            tx.delete::<Item>(&key)?;
            continue;
        }
        let points = points.into_iter().map(|point| (point, Over::Purged));
        let work = ForgetWork {
            points: forgetting(points),
            items: vec![key],
            ..ForgetWork::default()
        };
        let mut job = jobs::for_vault(ctx, tx, &item.vault, Kind::Cleanup, Work::Forget(work))?;
        job.vm.clone_from(&item.vm);
        removed::state(&mut job);
        job.keep(tx)?;
    }
    Ok(())
}

/// Whether the time of a soft-deleted item is over.
fn is_over(ctx: &Context<'_>, item: &Item) -> bool {
    match (item.state, item.state.purge_at()) {
        (State::SoftDeleted { since, .. }, Some(at)) => ctx.is_over(since, at),
        _ => false,
    }
}

fn forget_jobs(ctx: &Context<'_>, tx: &mut Tx<'_>, vault: &VaultKey) -> Result<(), StoreError> {
    let Ok(oldest) = ctx.now.checked_sub(REMEMBERED) else {
        return Ok(());
    };
    for job in Job::ended_before(tx, oldest)? {
        let until = job.began.checked_add(REMEMBERED);
        let is_over = until.is_ok_and(|until| ctx.is_over(job.began, until));
        if job.vault == *vault && is_over {
            tx.delete::<Job>(&job.key())?;
        }
    }
    Ok(())
}
