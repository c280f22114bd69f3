//! A job's turn has come: the mover's job file is written by what is true now, not when the job was asked for.

use kluis_vault::{ForgetTask, JobFile, Task};

use super::rows::{Fault, ForgetWork, Forgetting, Item, Job, Phase, Point, Work};
use super::{cleanup, failure, instants, restore, scrubs, snapshot, transfer};
use crate::core::{Context, Effect};
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// What came of a job's turn.
pub(super) enum Prepared {
    Start(JobFile),
    /// Nothing is left to move.
    Nothing,
    Impossible(Fault),
}

/// What a kind of work has a mover do, or why nothing.
pub(super) enum Next {
    Task(Task),
    Nothing,
    Impossible(Fault),
}

/// Writes the job file.
pub(super) fn prepare(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
    effects: &mut Vec<Effect>,
) -> Result<Prepared, StoreError> {
    let Some(vault) = tx.get::<VaultRow>(job.vault.as_str())? else {
        return Ok(Prepared::Impossible(failure::vault_gone()));
    };
    cleanup::recheck(ctx, tx, job)?;
    let next = match &mut job.work {
        Work::Nothing => Next::Nothing,
        Work::Backup(work) => match work.phase {
            Phase::Snapshot => snapshot::next(ctx, tx, job, &vault)?,
            Phase::Taken | Phase::Transfer => transfer::next(ctx, tx, job)?,
        },
        Work::Restore(_) => restore::next(ctx, tx, job)?,
        Work::Files(work) => restore::files_task(tx, work)?,
        Work::Forget(work) => forget(tx, work, effects)?,
        Work::Scrub(_) => scrubs::task(ctx),
    };
    Ok(match next {
        Next::Task(task) => Prepared::Start(JobFile {
            job: job.id.clone(),
            vault: ctx.vault_path(&vault.resource_group, &vault.name),
            task,
        }),
        Next::Nothing => Prepared::Nothing,
        Next::Impossible(fault) => Prepared::Impossible(fault),
    })
}

/// The snapshots that are to go from the vault. From now on their points can't be used any more. Points that never got there
/// are gone with their rows.
fn forget(
    tx: &mut Tx<'_>,
    work: &mut ForgetWork,
    effects: &mut Vec<Effect>,
) -> Result<Next, StoreError> {
    let (snapshots, nowhere): (Vec<Forgetting>, _) = work
        .points
        .drain(..)
        .partition(|point| point.snapshot.is_some());
    for forgetting in nowhere {
        effects.extend(instants::remove_point(tx, &forgetting.key)?);
        work.removed.add(&forgetting);
    }
    work.points = snapshots;
    if work.points.is_empty() {
        for item in work.items.drain(..) {
            tx.delete::<Item>(&item)?;
        }
        return Ok(Next::Nothing);
    }
    work.begun = true;
    for forgetting in &work.points {
        if let Some(mut point) = tx.get::<Point>(&forgetting.key)? {
            point.removing = true;
            tx.put(&point)?;
        }
    }
    Ok(Next::Task(Task::Forget(ForgetTask {
        snapshots: work
            .points
            .iter()
            .filter_map(|point| point.snapshot.clone())
            .collect(),
        prune: true,
    })))
}
