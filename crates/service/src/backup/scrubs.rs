//! Scrubs: what a vault holds is read again, all of it within a period, a share at a time; and what becomes of the damage
//! that is found, by a scrub or by whoever else reads.
//!
//! A vault of some GiB is read at once, and again when its oldest byte is nearly a period old; a large one a thirtieth a day.
//! No scrub is in anybody's way: it is the last in the queue, gives its place to any other job, and the vault to a restore.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kluis_vault::{DamagedSnapshot, Event, ScrubTask, Task};

use super::prepare::Next;
use super::rows::{
    DamageTotals, Fault, Item, Job, Kind, Point, PointDamage, ScrubWork, Scrubs, VaultDamage, Work,
};
use super::{cleanup, jobs};
use crate::core::{Context, Effect, VaultKey};
use crate::store::{Row as _, StoreError, Tx};
use crate::vaults::VaultRow;

/// A share is one of so many parts of a vault, and so is the time between two.
const PARTS: u32 = 30;

/// Bytes that a share has at the least: smaller vaults are read in fewer.
const LEAST: u64 = 4 << 30;

/// A vault has its first item, or is of a version that knew no scrubs: its scrubs begin.
pub(super) fn begin(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
) -> Result<(), StoreError> {
    let known = Scrubs::find(tx, vault)?;
    if known.as_ref().is_some_and(|known| known.began.is_some()) {
        return Ok(());
    }
    // A vault of an earlier version may have data already.
    let points = tx.list::<Point>(vault.as_str())?.into_iter();
    let made = points
        .filter(|point| point.hardened.is_some())
        .map(|point| point.time);
    let mut scrubs = known.unwrap_or_else(|| new(ctx, vault));
    scrubs.began = made.chain([ctx.now]).min();
    tx.put(&scrubs)
}

/// The same for every vault that has items.
pub(super) fn begin_everywhere(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for vault in cleanup::vaults(tx)? {
        begin(ctx, tx, &vault)?;
    }
    Ok(())
}

fn new(ctx: &Context<'_>, vault: &VaultKey) -> Scrubs {
    Scrubs {
        vault: vault.clone(),
        next: after(ctx.now, interval(ctx).unwrap_or_default()),
        last: None,
        total: 0,
        began: Some(ctx.now),
        oldest: None,
        failing: None,
        damage: None,
    }
}

/// The time between two shares; `None` where scrubs are off.
fn interval(ctx: &Context<'_>) -> Option<SignedDuration> {
    Some(ctx.scrub.period? / i32::try_from(PARTS).unwrap_or(1))
}

fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

/// Queues what has become due.
pub(super) fn run_due(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let Some(interval) = interval(ctx) else {
        return Ok(());
    };
    for mut scrubs in Scrubs::all(tx)? {
        let vault = scrubs.vault.clone();
        // Written by a clock that has been put back since.
        if ctx
            .scrub
            .period
            .is_some_and(|period| scrubs.next > after(ctx.now, period))
        {
            scrubs.next = after(ctx.now, interval);
            tx.put(&scrubs)?;
        }
        if scrubs.next > ctx.now || under_way(tx, &vault)? {
            continue;
        }
        scrubs.next = after(ctx.now, interval);
        tx.put(&scrubs)?;
        let is_ready = tx
            .get::<VaultRow>(vault.as_str())?
            .is_some_and(|vault| vault.state() == "Succeeded");
        if is_ready {
            let work = Work::Scrub(ScrubWork::default());
            jobs::for_vault(ctx, tx, &vault, Kind::Scrub, work)?.keep(tx)?;
        }
    }
    Ok(())
}

/// When a scrub is due next.
pub(super) fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    if ctx.scrub.period.is_none() {
        return Ok(None);
    }
    let mut first = None;
    for scrubs in Scrubs::all(tx)? {
        let next = Some(scrubs.next.max(ctx.now));
        if (first.is_none() || next < first) && !under_way(tx, &scrubs.vault)? {
            first = next;
        }
    }
    Ok(first)
}

fn under_way(tx: &Tx<'_>, vault: &VaultKey) -> Result<bool, StoreError> {
    let active = Job::active(tx)?;
    Ok(active
        .iter()
        .any(|job| job.kind == Kind::Scrub && job.vault == *vault))
}

/// What the mover reads.
pub(super) fn task(ctx: &Context<'_>) -> Next {
    Next::Task(Task::Scrub(ScrubTask {
        now: ctx.now,
        parts: PARTS,
        least: LEAST,
        bytes_per_second: ctx.scrub.bytes_per_second,
    }))
}

/// Ends the scrubs of a vault that goes: nobody waits for one.
pub(super) fn stop(tx: &mut Tx<'_>, vault: &VaultKey) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    for job in Job::active(tx)? {
        if job.kind == Kind::Scrub && job.vault == *vault {
            if job.has_mover() {
                effects.push(Effect::KillMover {
                    job: job.id.clone(),
                });
            }
            job.discard(tx)?;
        }
    }
    Ok(effects)
}

/// A scrub has read its share.
pub(super) fn read(
    total: u64,
    oldest: Option<Timestamp>,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let Work::Scrub(work) = &mut job.work else {
        return Ok(());
    };
    work.read = true;
    let mut scrubs = Scrubs::find(tx, &job.vault)?.unwrap_or_else(|| new(ctx, &job.vault));
    scrubs.last = Some(ctx.now);
    scrubs.total = total;
    scrubs.oldest = oldest;
    scrubs.failing = None;
    if let (Some(period), Some(interval)) = (ctx.scrub.period, interval(ctx)) {
        // A share before the oldest byte is a period old, and not twice within a share's time.
        let last_call = after(oldest.unwrap_or(ctx.now), period.saturating_sub(interval));
        scrubs.next = last_call.max(after(ctx.now, interval));
    }
    tx.put(&scrubs)
}

/// A scrub could not be made. The next share's turn comes all the same.
pub(super) fn failed(
    fault: Option<&Fault>,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &Job,
) -> Result<(), StoreError> {
    let Some(mut scrubs) = Scrubs::find(tx, &job.vault)? else {
        return Ok(());
    };
    let Some(fault) = fault else { return Ok(()) };
    let since = scrubs.failing.map_or(ctx.now, |(since, _)| since);
    scrubs.failing = Some((since, fault.clone()));
    tx.put(&scrubs)
}

/// Somebody met damage that no mover has told of yet: a scrub looks at once.
pub(super) fn suspect(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
) -> Result<(), StoreError> {
    let mut scrubs = Scrubs::find(tx, vault)?.unwrap_or_else(|| new(ctx, vault));
    scrubs.next = ctx.now;
    tx.put(&scrubs)
}

/// A mover told of all the damage that the vault has now: the points that it takes are marked, and those that are whole
/// again no longer.
pub(super) fn damage(
    event: &Event,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &Job,
) -> Result<(), StoreError> {
    let Event::Damage {
        blobs,
        packs,
        first,
        snapshots,
        repaired,
        repaired_packs,
    } = event
    else {
        return Ok(());
    };
    let mut scrubs = Scrubs::find(tx, &job.vault)?.unwrap_or_else(|| new(ctx, &job.vault));
    let before = scrubs.damage.take();
    let disks = |point: &DamagedSnapshot| (point.snapshot.clone(), point.disks.clone());
    let known = VaultDamage {
        since: before.as_ref().map_or(ctx.now, |before| before.since),
        blobs: *blobs,
        packs: *packs,
        first: first.clone(),
        snapshots: snapshots.iter().map(disks).collect(),
    };
    let (packs_before, blobs_before) = before
        .as_ref()
        .map_or((0, 0), |before| (before.packs, before.blobs));
    // What a job repaired of what it found was never told as damaged.
    let with_repaired = packs.saturating_add(*repaired);
    let news = DamageTotals {
        found_packs: with_repaired.saturating_sub(packs_before),
        found_blobs: blobs.saturating_sub(blobs_before),
        repaired_packs: repaired.saturating_add(packs_before.saturating_sub(with_repaired)),
        repaired_blobs: blobs_before.saturating_sub(*blobs),
    };
    if news.found_packs > 0 || news.found_blobs > 0 {
        tracing::warn!(
            vault = %job.vault, job = %job.id, packs = news.found_packs, blobs = news.found_blobs, points = snapshots.len(),
            what = first.join(" "), repaired = repaired_packs.join(", "), "damage was found in the vault"
        );
    }
    if news.repaired_packs > 0 || news.repaired_blobs > 0 {
        tracing::warn!(
            vault = %job.vault, job = %job.id, packs = news.repaired_packs, blobs = news.repaired_blobs,
            repaired = repaired_packs.join(", "), left = *packs, points = snapshots.len(), "damage of the vault is repaired"
        );
    }
    if news != DamageTotals::default() {
        let totals = DamageTotals::of(tx)?;
        tx.put(&totals.plus(&news))?;
    }
    let more = before.as_ref().is_none_or(|before| before.packs < *packs);
    if *packs > 0 && more && job.kind != Kind::Scrub {
        // Where one byte is damaged, others may be.
        scrubs.next = ctx.now;
    } else if let Some(interval) = interval(ctx).filter(|_| *packs > 0) {
        // Whether it can be repaired is tried each day.
        scrubs.next = scrubs.next.min(after(ctx.now, interval));
    }
    let is_some = *blobs > 0 || *packs > 0 || !snapshots.is_empty();
    let taken = before.iter().any(|before| !before.snapshots.is_empty());
    if taken || !snapshots.is_empty() {
        mark(&known.snapshots, ctx, tx, &job.vault)?;
    }
    scrubs.damage = is_some.then_some(known);
    tx.put(&scrubs)
}

fn mark(
    snapshots: &BTreeMap<String, Vec<String>>,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
) -> Result<(), StoreError> {
    for item in tx.list::<Item>(vault.as_str())? {
        for mut point in Point::of(tx, &item.key())? {
            let disks = point
                .hardened
                .as_ref()
                .and_then(|hardened| snapshots.get(&hardened.snapshot));
            let since = point.damaged.as_ref().map_or(ctx.now, |known| known.since);
            let damaged = disks.map(|disks| PointDamage {
                since,
                disks: disks.clone(),
            });
            if point.damaged != damaged {
                point.damaged = damaged;
                tx.put(&point)?;
            }
        }
    }
    Ok(())
}

/// What is known of a snapshot that has just come into the vault.
pub(super) fn known_of(
    snapshot: &str,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultKey,
) -> Result<Option<PointDamage>, StoreError> {
    let damage = Scrubs::find(tx, vault)?.and_then(|scrubs| scrubs.damage);
    Ok(damage.and_then(|damage| {
        let disks = damage.snapshots.get(snapshot)?.clone();
        Some(PointDamage {
            since: ctx.now,
            disks,
        })
    }))
}
