//! A job's turn has come: the mover's job file is written by what is true now, not when the job was asked for.

use kluis_vault::{ForgetTask, JobFile, Task};

use super::rows::{Fault, ForgetWork, Job, Point, Work};
use super::{cleanup, failure, restore, transfer};
use crate::core::Context;
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
) -> Result<Prepared, StoreError> {
    let Some(vault) = tx.get::<VaultRow>(job.vault.as_str())? else {
        return Ok(Prepared::Impossible(failure::vault_gone()));
    };
    cleanup::recheck(ctx, tx, job)?;
    let next = match &mut job.work {
        Work::Nothing => Next::Nothing,
        Work::Backup(_) => transfer::next(ctx, tx, job)?,
        Work::Restore(_) => restore::next(ctx, tx, job)?,
        Work::Files(work) => restore::files_task(tx, work)?,
        Work::Forget(work) => forget(tx, work)?,
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

/// The snapshots that are to go. From now on their points can't be used any more.
fn forget(tx: &mut Tx<'_>, work: &mut ForgetWork) -> Result<Next, StoreError> {
    if work.points.is_empty() && work.items.is_empty() {
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
