//! The backup service for Azure's virtual machines: policies, protected items, jobs, recovery points and restores.
//!
//! Everything here is synchronous and runs in a transaction: a request, the clock's tick or a mover's report comes in, rows
//! change, and effects go out for the shell to carry out once the transaction is committed. Two things hold everywhere. A
//! recovery point exists from the moment a mover proved that the disks' snapshots were taken, is in the vault from the moment
//! one proved that, and goes when one proved that it is gone from there. An item is held by one job at a time.
//!
//! It does not know sockets, processes or files; where a decision depends on one, the [`Context`] is asked.

mod around;
mod bitmaps;
mod browse;
mod cancel;
mod carried;
mod cleanup;
mod comparison;
mod consistency;
mod containers;
mod default_policies;
mod discovery;
mod disks;
mod edits;
mod eligibility;
mod endings;
mod ends;
mod export_jobs;
mod failure;
mod gauges;
mod immutability;
mod instants;
mod intents;
mod items;
mod job_reads;
mod job_tasks;
mod job_words;
mod jobs;
mod judgement;
mod keeping;
mod locks;
mod on_demand;
mod points;
mod policies;
mod prepare;
mod progress;
mod protection;
mod questions;
mod queue;
mod recovery;
mod refusals;
mod removal;
mod removed;
mod restore;
mod route;
pub(crate) mod rows;
mod rules;
mod scheduler;
mod scrubs;
mod snapshot;
mod stale;
mod status;
mod transfer;
mod turned_back;
mod usage_summaries;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::core::{BitmapReport, Context, Effect, MoverReport, VaultKey};
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

pub use browse::{FilesPoint, FilesSource, files_source, restore_files};
pub(crate) use comparison::held;
pub use comparison::{
    Comparison, Known, comparison, given_up as go_on_without_comparison, is_settled,
    known as known_of, take_in, want as want_comparison,
};
pub use gauges::gauges;
pub use questions::asked;
pub use recovery::Interrupted;
pub use restore::files::FilesRequest;
pub use route::route;
pub use rows::Saved;
pub(crate) use stale::points as older_points;

use rows::{Item, Job, Kind, Outcome, Stage};

/// What a vault still holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Items that are protected, or stopped with their data retained.
    pub protected: u64,
    /// Items that are soft-deleted.
    pub soft_deleted: u64,
    /// Registered containers.
    pub containers: u64,
}

/// Gives a new vault the policies that every vault has from the start.
///
/// # Errors
/// When the store fails; so for every function here.
pub fn vault_created(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    vault: &VaultRow,
) -> Result<(), StoreError> {
    default_policies::write(tx, ctx, vault)
}

/// What a vault still holds: a vault is deleted only when that is nothing.
pub fn contents(tx: &Tx<'_>, vault: &VaultKey) -> Result<Contents, StoreError> {
    let items: Vec<Item> = tx.list(vault.as_str())?;
    let soft_deleted = items.iter().filter(|item| item.is_soft_deleted()).count() as u64;
    let protected = items.len() as u64 - soft_deleted;
    Ok(Contents {
        protected,
        soft_deleted,
        containers: protected,
    })
}

/// Whether the vault's redundancy can no longer change: something is registered in it.
pub fn redundancy_locked(tx: &Tx<'_>, vault: &VaultKey) -> Result<bool, StoreError> {
    Ok(tx.count::<Item>(vault.as_str())? > 0)
}

/// A person has set the service's time by the machine's clock.
pub fn clock_was_set(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    scheduler::clock_was_set(ctx, tx)?;
    turned_back::relabel(ctx, tx)?;
    cleanup::clock_was_set(ctx, tx)
}

/// The last time that the rows tell, in a store that keeps no time of its own.
pub fn last_known_time(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let items = tx.all::<Item>()?.into_iter();
    let points = items.filter_map(|item| item.last_point).max();
    Ok(cleanup::last(tx)?.max(points))
}

/// Whether there is an item, with points or to have some.
pub fn holds_data(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.total::<Item>()? > 0)
}

/// How many recovery points of an item are kept beyond their end for that reason (see [`held_back`]).
pub(crate) fn held_back_of(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<usize, StoreError> {
    keeping::held_back(ctx, tx, item)
}

/// How many recovery points are kept beyond their end because the time until it is not proven to have passed: in a vault, or in all.
pub fn held_back(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: Option<&VaultKey>,
) -> Result<usize, StoreError> {
    if !ctx.clock.holds_back() {
        return Ok(0);
    }
    let items = match vault {
        Some(vault) => tx.list::<Item>(vault.as_str())?,
        None => tx.all::<Item>()?,
    };
    let mut held = 0;
    for item in items {
        held += keeping::held_back(ctx, tx, &item)?;
    }
    Ok(held)
}

/// When the last of a vault's soft-deleted items is to go.
pub fn last_purge(tx: &Tx<'_>, vault: &VaultKey) -> Result<Option<Timestamp>, StoreError> {
    let items = tx.list::<Item>(vault.as_str())?.into_iter();
    Ok(items.filter_map(|item| item.state.purge_at()).max())
}

/// Does what has become due: scheduled backups, cleanup, the end of soft-deleted items; then starts what may start.
pub fn tick(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    scheduler::run_due(ctx, tx)?;
    // What goes with its snapshot is left to the cleanup.
    let mut effects = instants::run_due(ctx, tx)?;
    cleanup::run_due(ctx, tx)?;
    scrubs::run_due(ctx, tx)?;
    effects.extend(queue::dispatch(ctx, tx)?);
    effects.extend(bitmaps::run_due(ctx, tx)?);
    Ok(effects)
}

/// The next moment at which [`tick`] has something to do; `None` while nothing is protected.
pub fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let due = [
        scheduler::next_due(ctx, tx)?,
        cleanup::next_due(ctx, tx)?,
        instants::next_due(ctx, tx)?,
        bitmaps::next_due(tx)?,
        scrubs::next_due(ctx, tx)?,
    ];
    Ok(due.into_iter().flatten().min())
}

/// Takes in what was heard of a mover.
pub fn on_mover(
    report: &MoverReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    progress::on_mover(report, ctx, tx)
}

/// Takes in how the removal of an image's dirty bitmaps went.
pub fn on_bitmaps(
    report: &BitmapReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), StoreError> {
    bitmaps::removed(report, ctx, tx)
}

/// Whether a job is queued or running, or something that was left in a source is being removed.
pub fn busy(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(Job::any_active(tx)? || bitmaps::busy(tx)?)
}

/// Whether a job is queued or running in this vault that somebody waits for.
pub fn busy_in(tx: &Tx<'_>, vault: &VaultKey) -> Result<bool, StoreError> {
    let is_in = |job: &Job| job.vault == *vault && job.kind != Kind::Scrub;
    Ok(Job::active(tx)?.iter().any(is_in))
}

/// Ends the scrubs of a vault that goes.
pub fn stop_scrubs(tx: &mut Tx<'_>, vault: &VaultKey) -> Result<Vec<Effect>, StoreError> {
    scrubs::stop(tx, vault)
}

/// Somebody who read a recovery point met damage: a scrub looks at the vault at once.
pub fn suspect_damage(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
) -> Result<(), StoreError> {
    scrubs::suspect(ctx, tx, vault)
}

/// The backups whose mover was lost with the service: the vaults are asked about them before [`resume`].
pub fn interrupted(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Interrupted>, StoreError> {
    recovery::interrupted(ctx, tx)
}

/// Whether what a lost mover was told to do is still to be done: asked before [`resume`].
pub fn is_half_done(tx: &Tx<'_>, file: &kluis_vault::JobFile) -> Result<bool, StoreError> {
    recovery::is_half_done(tx, file)
}

/// Goes on after a restart; `saved` is what the vaults hold of [`interrupted`] jobs, by the job's id.
pub fn resume(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    saved: &BTreeMap<String, Saved>,
) -> Result<Vec<Effect>, StoreError> {
    recovery::resume(ctx, tx, saved)
}

/// The paper of a finished restore at this address below `/kluis/v1/blobs`: its template or its configuration.
pub fn paper(
    account: &str,
    container: &str,
    name: &str,
    tx: &Tx<'_>,
) -> Result<Option<serde_json::Value>, StoreError> {
    restore::read_paper(account, container, name, tx)
}

/// The folders of the snapshot files that are there or being made; what else is below [`Context::snapshots_path`] was left
/// behind by a crash.
pub fn snapshot_folders(tx: &Tx<'_>) -> Result<BTreeSet<PathBuf>, StoreError> {
    instants::folders(tx)
}

/// What removes the snapshot files of a deleted vault's points, before what lies on the shelf at `place` is thrown away.
pub fn snapshots_of_shelved(tx: &Tx<'_>, place: &str) -> Result<Vec<Effect>, StoreError> {
    instants::of_shelved(tx, place)
}

/// Whether a lock keeps snapshots of a deleted vault's points, so that what lies on the shelf at `place` has to stay.
pub fn shelved_are_locked(ctx: &Context<'_>, tx: &Tx<'_>, place: &str) -> Result<bool, StoreError> {
    locks::keeps_some_of_shelved(ctx, tx, place)
}

/// How many jobs that had work to do ended at or after `from`, and how many of them failed. A cleanup is the service's own
/// affair and counts when it failed.
pub fn failed_jobs_since(tx: &Tx<'_>, from: Timestamp) -> Result<(u64, u64), StoreError> {
    let (mut ran, mut failed) = (0, 0);
    for job in Job::ended(tx)? {
        let Stage::Ended { when, outcome } = job.stage else {
            continue;
        };
        let has_failed = outcome == Outcome::Failed;
        let counts = job.had_work() && (has_failed || job.kind != Kind::Cleanup);
        if when >= from && counts {
            ran += 1;
            failed += u64::from(has_failed);
        }
    }
    Ok((ran, failed))
}
