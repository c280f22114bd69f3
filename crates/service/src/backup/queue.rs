//! Which jobs may start, and in which order.
//!
//! As many run as there may be movers. Snapshots and restores go before transfers and removals: a recovery point is to be of
//! the time it was due, and somebody waits for a restore, while the data that a transfer reads no longer change. Among those,
//! the oldest due is first: a run of the schedule counts from its hour, everything else from when it was asked for. Nothing
//! starves, for an item has one job at a time: no more snapshots can go before a transfer than there are other items.
//!
//! Of jobs that are due at the same moment the one that was asked for first is first; runs of the schedule are asked for in the
//! order of their vaults', resource groups' and machines' names.
//!
//! One job at a time works on an item, but for a restore beside a transfer, which both only read what is there. A removal is
//! alone in its vault (a prune beside a writer would see data that no snapshot refers to yet). Snapshots begin beside one: those that go
//! straight into the vault wait for its end by the vault's own lock. A removal waits for them.
//!
//! A scrub is nobody's: one runs at a time where a place is free, is ended when its place or its vault is wanted, and goes on
//! when nobody waits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::prepare::{Prepared, prepare};
use super::rows::{BackupWork, Job, Kind, Phase, Stage, Work};
use super::{comparison, endings, progress, restore};
use crate::core::{Context, Effect};
use crate::store::{StoreError, Tx};

/// Starts what may start.
pub(super) fn dispatch(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = restore::abandon::removals(ctx, tx)?;
    // A job that ended when its turn came held others up: they are looked at again.
    while pass(ctx, tx, &mut effects)? {}
    Ok(effects)
}

/// The places of the jobs that wait, by their ids: 1 is next.
pub(super) fn places(tx: &Tx<'_>) -> Result<BTreeMap<String, usize>, StoreError> {
    let mut waiting = Job::active(tx)?;
    waiting.retain(|job| job.stage == Stage::Queued);
    waiting.sort_by_key(order);
    let ids = waiting.into_iter().map(|job| job.id);
    Ok(ids.zip(1..).collect())
}

/// Goes through the queue once. Whether a job ended instead of starting, because nothing was left to do or to be done.
fn pass(ctx: &Context<'_>, tx: &mut Tx<'_>, effects: &mut Vec<Effect>) -> Result<bool, StoreError> {
    let (running, mut queued): (Vec<Job>, Vec<Job>) =
        Job::active(tx)?.into_iter().partition(Job::has_mover);
    let mut busy = Busy::default();
    let (mut scrubs, running): (Vec<Job>, Vec<Job>) =
        running.into_iter().partition(|job| job.kind == Kind::Scrub);
    running.iter().for_each(|job| busy.took(job));
    queued.sort_by_key(order);
    let most = ctx.max_jobs.max(1);
    for mut job in queued {
        if busy.movers >= most {
            break;
        }
        if restore::waits(tx, &job)? || comparison::holds_up(tx, &job)? || !busy.admits(&job) {
            continue;
        }
        if job.kind == Kind::Scrub {
            if !scrubs.is_empty() || busy.restored.contains(job.vault.as_str()) {
                continue;
            }
        } else if make_room(
            &job,
            busy.movers + scrubs.len() >= most,
            &mut scrubs,
            tx,
            effects,
        )? {
            // Its turn comes when the scrub's mover is gone.
            busy.movers += 1;
            continue;
        }
        match prepare(ctx, tx, &mut job, effects)? {
            Prepared::Start(file) => {
                job.stage = Stage::Running;
                busy.took(&job);
                job.keep(tx)?;
                if job.kind == Kind::Scrub {
                    scrubs.push(job);
                }
                effects.push(Effect::StartMover(file));
                continue;
            }
            Prepared::Nothing => endings::evidence(ctx, tx, &mut job)?,
            Prepared::Impossible(fault) => endings::fail(ctx, tx, &mut job, fault)?,
        }
        effects.extend(progress::let_go(ctx, tx, &job)?);
        return Ok(true);
    }
    Ok(false)
}

/// Ends the scrub that stands in the way of a job, if one does. Whether the job has to wait for its end: a restore need not,
/// where there is a place for both.
fn make_room(
    job: &Job,
    is_full: bool,
    scrubs: &mut [Job],
    tx: &mut Tx<'_>,
    effects: &mut Vec<Effect>,
) -> Result<bool, StoreError> {
    let mut waits = false;
    for scrub in scrubs {
        let is_beside = scrub.vault == job.vault;
        let is_alone = is_beside && use_of(job) == Use::Alone;
        let must_wait = is_full || is_alone || is_beside && reads_back(job);
        if !must_wait {
            continue;
        }
        waits |= is_full || is_alone;
        if scrub.stage != Stage::Cancelling {
            scrub.stage = Stage::Cancelling;
            scrub.keep(tx)?;
            let job = scrub.id.clone();
            effects.push(Effect::KillMover { job });
        }
    }
    Ok(waits)
}

fn reads_back(job: &Job) -> bool {
    matches!(job.work, Work::Restore(_) | Work::Files(_))
}

/// A job's place among those that wait: the smaller, the sooner.
fn order(job: &Job) -> (u8, Timestamp, u64) {
    let waits_well = match &job.work {
        Work::Nothing | Work::Restore(_) | Work::Files(_) => 0,
        Work::Backup(work) if work.phase == Phase::Snapshot => 0,
        Work::Backup(_) | Work::Forget(_) => 1,
        Work::Scrub(_) => 2,
    };
    let due = job.backup().and_then(BackupWork::due);
    (waits_well, due.unwrap_or(job.began), job.sequence)
}

/// How a job uses its vault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// If at all, it waits for others by itself.
    Perhaps,
    Shared,
    Alone,
}

fn use_of(job: &Job) -> Use {
    match &job.work {
        Work::Backup(work) if work.phase == Phase::Snapshot => Use::Perhaps,
        Work::Forget(_) => Use::Alone,
        _ => Use::Shared,
    }
}

/// What the running jobs, and those that wait for them, keep from starting.
#[derive(Default)]
struct Busy {
    movers: usize,
    items: BTreeSet<String>,
    /// Items that are only read.
    read: BTreeSet<String>,
    /// Vaults where something reads or writes.
    used: BTreeSet<String>,
    /// Vaults where snapshots are removed, or where a removal waits for its turn.
    reserved: BTreeSet<String>,
    /// Vaults that somebody restores from.
    restored: BTreeSet<String>,
}

impl Busy {
    fn took(&mut self, job: &Job) {
        self.movers += 1;
        match job.only_reads() {
            true => self.read.extend(job.item.clone()),
            false => self.items.extend(job.item.clone()),
        }
        let vault = job.vault.to_string();
        if reads_back(job) {
            self.restored.insert(vault.clone());
        }
        match use_of(job) {
            Use::Perhaps | Use::Shared => drop(self.used.insert(vault)),
            Use::Alone => drop(self.reserved.insert(vault)),
        }
    }

    fn admits(&mut self, job: &Job) -> bool {
        let vault = job.vault.to_string();
        let item_free = job.item.as_ref().is_none_or(|item| {
            !self.items.contains(item) && (job.only_reads() || !self.read.contains(item))
        });
        match use_of(job) {
            Use::Perhaps => item_free,
            Use::Shared => item_free && !self.reserved.contains(&vault),
            Use::Alone => {
                let alone =
                    item_free && !self.reserved.contains(&vault) && !self.used.contains(&vault);
                // Later jobs of this vault wait behind the removal, or it would never have its turn.
                self.reserved.insert(vault);
                alone
            }
        }
    }
}
