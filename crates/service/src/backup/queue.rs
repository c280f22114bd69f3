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
//! alone in its vault (a prune beside a writer would see data that no snapshot refers to yet); snapshots don't touch the
//! vault, and run beside one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::prepare::{Prepared, prepare};
use super::rows::{BackupWork, Job, Phase, Stage, Work};
use super::{endings, progress, restore};
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
    running.iter().for_each(|job| busy.took(job));
    if busy.movers >= ctx.max_jobs.max(1) {
        return Ok(false);
    }
    queued.sort_by_key(order);
    for mut job in queued {
        if busy.movers >= ctx.max_jobs.max(1) {
            break;
        }
        if restore::waits(tx, &job)? || !busy.admits(&job) {
            continue;
        }
        match prepare(ctx, tx, &mut job, effects)? {
            Prepared::Start(file) => {
                job.stage = Stage::Running;
                busy.took(&job);
                job.keep(tx)?;
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

/// A job's place among those that wait: the smaller, the sooner.
fn order(job: &Job) -> (bool, Timestamp, u64) {
    let waits_well = match &job.work {
        Work::Backup(work) => work.phase != Phase::Snapshot,
        Work::Forget(_) => true,
        Work::Nothing | Work::Restore(_) | Work::Files(_) => false,
    };
    let due = job.backup().and_then(BackupWork::due);
    (waits_well, due.unwrap_or(job.began), job.sequence)
}

/// How a job uses its vault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    None,
    Shared,
    Alone,
}

fn use_of(job: &Job) -> Use {
    match &job.work {
        Work::Backup(work) if work.phase == Phase::Snapshot => Use::None,
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
}

impl Busy {
    fn took(&mut self, job: &Job) {
        self.movers += 1;
        match job.only_reads() {
            true => self.read.extend(job.item.clone()),
            false => self.items.extend(job.item.clone()),
        }
        let vault = job.vault.to_string();
        match use_of(job) {
            Use::None => {}
            Use::Shared => drop(self.used.insert(vault)),
            Use::Alone => drop(self.reserved.insert(vault)),
        }
    }

    fn admits(&mut self, job: &Job) -> bool {
        let vault = job.vault.to_string();
        let item_free = job.item.as_ref().is_none_or(|item| {
            !self.items.contains(item) && (job.only_reads() || !self.read.contains(item))
        });
        match use_of(job) {
            Use::None => item_free,
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
