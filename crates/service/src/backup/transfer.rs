//! The second part of a backup: the snapshot files are read into the vault.
//!
//! Where an image has recorded what was written to it since a point that the vault still holds, only that is read. The
//! record goes once the vault has the newer point, and not before: a transfer that fails loses nothing of it.

use jiff::SignedDuration;
use kluis_policy::Frequency;
use kluis_vault::{BackupTask, DiskSource, Retire, Sample, Task};

use super::prepare::Next;
use super::rows::{Hardened, Item, Job, Phase, Point, Saved, Shot, Work};
use super::{carried, failure, scrubs, snapshot, stale};
use crate::core::Context;
use crate::store::{Row as _, StoreError, Tx};
use crate::vaults;

/// A backup under a daily policy has to be over by then.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What the mover reads.
pub(super) fn next(ctx: &Context<'_>, tx: &Tx<'_>, job: &mut Job) -> Result<Next, StoreError> {
    let item = match &job.item {
        Some(key) => tx.get::<Item>(key)?,
        None => None,
    };
    let (Some(item), Work::Backup(work)) = (item, &mut job.work) else {
        return Ok(Next::Impossible(failure::vault_gone()));
    };
    let point = tx.get::<Point>(&Point::key_of(&item.key(), &work.point))?;
    let Some(point) = point.filter(|point| point.instant.is_some()) else {
        return Ok(Next::Impossible(failure::snapshots_gone()));
    };
    let task = task(ctx, tx, &item, &point, &work.shots)?;
    work.read_anew();
    work.phase = Phase::Transfer;
    Ok(Next::Task(Task::Backup(task)))
}

/// The backup of the disks that `shots` are of, relative to the newest point in the vault.
pub(super) fn task(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
    point: &Point,
    shots: &[Shot],
) -> Result<BackupTask, StoreError> {
    let parent = Point::newest_hardened(tx, &item.key())?;
    let bitmap_of = |shot: &Shot| {
        let parent = parent.as_ref()?;
        let tracked = &parent.hardened.as_ref()?.tracked;
        let is_tracked = tracked.contains(&shot.disk);
        let since = shot.since.clone().filter(|_| is_tracked)?;
        (since == Point::bitmap(&parent.name)).then_some(since)
    };
    let begun = parent.as_ref().and_then(|parent| parent.hardened.as_ref());
    let disks = shots.iter().map(|shot| {
        let bitmap = bitmap_of(shot);
        DiskSource {
            name: shot.disk.clone(),
            path: shot.to.clone(),
            lun: point
                .disks
                .iter()
                .find(|disk| disk.name == shot.disk)
                .and_then(|disk| disk.lun),
            changed: None,
            retire: bitmap.clone().map(|bitmap| Retire {
                path: shot.image.clone(),
                bitmap,
            }),
            bitmap,
            checkpoint: begun.and_then(|begun| begun.checkpoints.get(&shot.disk).cloned()),
            image: shot.file,
        }
    });
    Ok(BackupTask {
        vm: item.vm.clone(),
        time: point.time,
        tags: vec![format!("rp={}", point.name)],
        description: format!("{} in {}", item.vm_id, point.vault),
        about: carried::of(item, point, vaults::is_locked(tx, &point.vault)?),
        parent: parent
            .as_ref()
            .and_then(|parent| parent.hardened.as_ref())
            .map(|hardened| hardened.snapshot.clone()),
        sample: Some(Sample {
            turn: begun.map_or(0, |begun| begun.turn.wrapping_add(1)),
            of: ctx.compared_within,
        }),
        disks: disks.collect(),
    })
}

/// The snapshot is in the vault: now, and not before, the point is there, too.
pub(super) fn saved(
    saved: Saved,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let item = match &job.item {
        Some(key) => tx.get::<Item>(key)?,
        None => None,
    };
    let (Some(mut item), Work::Backup(work)) = (item, &mut job.work) else {
        return Ok(());
    };
    if work.saved.is_some() {
        return Ok(());
    }
    let rules = snapshot::rules(tx, job.vault.as_str(), work)?;
    let mut point = match tx.get::<Point>(&Point::key_of(&item.key(), &work.point))? {
        Some(point) => point,
        // A version that took no snapshots began it.
        None => snapshot::point(ctx, tx, &item, &job.vault, &job.id, work, rules.as_ref())?,
    };
    let parent = Point::newest_hardened(tx, &item.key())?;
    let turn = parent
        .and_then(|parent| parent.hardened)
        .map(|begun| begun.turn);
    stale::mark(ctx, tx, &item, &work.diverged)?;
    point.hardened = Some(Hardened {
        snapshot: saved.snapshot.clone(),
        logical: saved.logical,
        read: saved.read,
        stored: saved.stored,
        tracked: work
            .shots
            .iter()
            .filter(|shot| shot.is_tracked())
            .map(|shot| shot.disk.clone())
            .collect(),
        checkpoints: work
            .shots
            .iter()
            .filter_map(|shot| Some((shot.disk.clone(), shot.checkpoint.clone()?)))
            .collect(),
        incremental: work.compared.iter().map(|of| of.disk.clone()).collect(),
        turn: turn.map_or(0, |turn| turn.wrapping_add(1)),
    });
    point.damaged = scrubs::known_of(&saved.snapshot, ctx, tx, &job.vault)?;
    tx.put(&point)?;
    item.has_point(point.time);
    tx.put(&item)?;
    let size = saved.logical;
    work.phase = Phase::Transfer;
    work.transfer.began.get_or_insert(ctx.now);
    work.transfer.ended = Some(ctx.now);
    work.saved = Some(saved);
    let is_daily = |frequency: &Frequency| !matches!(frequency, Frequency::Weekly { .. });
    let took = ctx.now.duration_since(job.began);
    let late = work.due().is_some()
        && took > A_DAY
        && rules.is_some_and(|rules| is_daily(&rules.schedule.frequency));
    if late {
        job.warnings.push(failure::longer_than_a_day(took));
    }
    job.state("Recovery Point Tier", super::points::tier_words(&point));
    job.state("Backup Size", format!("{} MB", size.div_ceil(1 << 20)));
    job.copied.read.get_or_insert(ctx.now);
    Ok(())
}
