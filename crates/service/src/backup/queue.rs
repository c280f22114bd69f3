//! Which jobs may start: in the order they were asked for, as many as there may be movers, one at a time on an item, and
//! a removal of snapshots alone in its vault (a prune beside a writer would see data that no snapshot refers to yet).

use std::collections::BTreeSet;

use super::prepare::{Prepared, prepare};
use super::rows::{Job, Stage};
use super::{endings, restore};
use crate::core::{Context, Effect};
use crate::store::{StoreError, Tx};

/// Starts what may start.
pub(super) fn dispatch(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = restore::abandon::removals(ctx, tx)?;
    // A job that ended when its turn came held others up: they are looked at again.
    while pass(ctx, tx, &mut effects)? {}
    Ok(effects)
}

/// Goes through the queue once. Whether a job ended instead of starting, because nothing was left to do or to be done.
fn pass(ctx: &Context<'_>, tx: &mut Tx<'_>, effects: &mut Vec<Effect>) -> Result<bool, StoreError> {
    let jobs = Job::active(tx)?;
    let mut busy = Busy::default();
    jobs.iter()
        .filter(|job| job.has_mover())
        .for_each(|job| busy.took(job));
    for mut job in jobs.into_iter().filter(|job| job.stage == Stage::Queued) {
        if busy.movers >= ctx.max_jobs.max(1) {
            break;
        }
        if restore::waits(tx, &job)? || !busy.admits(&job) {
            continue;
        }
        match prepare(ctx, tx, &mut job)? {
            Prepared::Start(file) => {
                job.stage = Stage::Running;
                busy.took(&job);
                job.keep(tx)?;
                effects.push(Effect::StartMover(file));
            }
            Prepared::Nothing => {
                endings::evidence(ctx, tx, &mut job)?;
                return Ok(true);
            }
            Prepared::Impossible(fault) => {
                endings::fail(ctx, tx, &mut job, fault)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What the running jobs, and those that wait for them, keep from starting.
#[derive(Default)]
struct Busy {
    movers: usize,
    items: BTreeSet<String>,
    /// Vaults where something reads or writes.
    used: BTreeSet<String>,
    /// Vaults where snapshots are removed, or where a removal waits for its turn.
    reserved: BTreeSet<String>,
}

impl Busy {
    fn took(&mut self, job: &Job) {
        self.movers += 1;
        self.items.extend(job.item.clone());
        let vaults = if job.forget().is_some() {
            &mut self.reserved
        } else {
            &mut self.used
        };
        vaults.insert(job.vault.to_string());
    }

    fn admits(&mut self, job: &Job) -> bool {
        let vault = job.vault.to_string();
        let free = !self.reserved.contains(&vault)
            && job
                .item
                .as_ref()
                .is_none_or(|item| !self.items.contains(item));
        if job.forget().is_none() {
            return free;
        }
        let alone = free && !self.used.contains(&vault);
        // Later jobs of this vault wait behind the removal, or it would never have its turn.
        self.reserved.insert(vault);
        alone
    }
}
