//! How jobs end: by evidence, by a failure, by a person; and what that means for the item and whoever waits.

use jiff::Timestamp;

use super::rows::{Fault, Item, Job, Kind, LastBackup, Outcome, Point, Stage, Work};
use super::{failure, removed, restore, scrubs};
use crate::core::Context;
use crate::operations::{self, Progress};
use crate::store::{StoreError, Tx};

/// Ends a job whose mover says that it is done, if there is evidence that it is.
pub(super) fn evidence(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    match missing(job) {
        None => complete(ctx, tx, job),
        Some(what) => fail(ctx, tx, job, failure::no_evidence(what)),
    }
}

/// What there is no evidence of yet; `None` when the job's work is done.
pub(super) fn missing(job: &Job) -> Option<&'static str> {
    match &job.work {
        Work::Nothing => None,
        Work::Backup(work) => work
            .saved
            .is_none()
            .then_some("a recovery point is in the vault"),
        Work::Restore(work) => work.missing(),
        Work::Files(work) => work
            .made
            .is_none()
            .then_some("the files were written and compared"),
        Work::Scrub(work) => (!work.read).then_some("the vault was read"),
        Work::Forget(work) => {
            (!work.points.is_empty() || !work.items.is_empty()).then_some("the snapshots are gone")
        }
    }
}

/// Ends a job in success.
pub(super) fn complete(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let outcome = if job.warnings.is_empty() {
        Outcome::Completed
    } else {
        Outcome::CompletedWithWarnings
    };
    end(ctx, tx, job, outcome)
}

/// Ends a job in failure. A backup whose recovery point exists has not failed: it ends with a warning.
pub(super) fn fail(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
    fault: Fault,
) -> Result<(), StoreError> {
    if job.work != Work::Nothing && missing(job).is_none() {
        job.warnings.push(fault);
        return complete(ctx, tx, job);
    }
    job.fault = Some(match left_as_snapshot(tx, job)? {
        Some(until) => failure::left_as_snapshot(fault, until),
        None => fault,
    });
    end(ctx, tx, job, Outcome::Failed)
}

/// Until when the point of a backup that got no further than its snapshots is there.
fn left_as_snapshot(tx: &Tx<'_>, job: &Job) -> Result<Option<Timestamp>, StoreError> {
    let (Some(item), Some(work)) = (&job.item, job.backup()) else {
        return Ok(None);
    };
    let point = tx.get::<Point>(&Point::key_of(item, &work.point))?;
    Ok(point
        .and_then(|point| point.instant)
        .map(|instant| instant.until))
}

/// Ends a job that a person cancelled. One whose work is done all the same was too late to be cancelled.
pub(super) fn cancel(ctx: &Context<'_>, tx: &mut Tx<'_>, job: &mut Job) -> Result<(), StoreError> {
    if job.work != Work::Nothing && missing(job).is_none() {
        return complete(ctx, tx, job);
    }
    end(ctx, tx, job, Outcome::Cancelled)
}

/// How the cancellation of a job ends that was too far to be cancelled.
pub(super) fn too_late(job: &str) -> Progress {
    Progress::Failed {
        code: kluis_arm::error::code::JOB_NOT_CANCELLABLE.to_owned(),
        message: format!(
            "The job {job} was too far to be cancelled: its work was done before it could be stopped."
        ),
    }
}

fn end(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
    outcome: Outcome,
) -> Result<(), StoreError> {
    job.stage = Stage::Ended {
        when: ctx.now,
        outcome,
    };
    if matches!(outcome, Outcome::Failed | Outcome::Cancelled) {
        restore::abandon::abandon(tx, job)?;
    }
    removed::tell(job);
    if let Some(operation) = &job.cancel {
        let progress = if outcome == Outcome::Cancelled {
            Progress::Succeeded { result: None }
        } else {
            too_late(&job.id)
        };
        operations::finish(tx, ctx, operation, progress)?;
    }
    if job.kind == Kind::Backup
        && outcome != Outcome::Cancelled
        && let Some(key) = &job.item
        && let Some(mut item) = tx.get::<Item>(key)?
    {
        item.last_backup = Some(LastBackup {
            began: job.began,
            fault: job.fault.clone(),
        });
        tx.put(&item)?;
    }
    if job.kind == Kind::Scrub {
        scrubs::failed(job.fault.as_ref(), ctx, tx, job)?;
        return job.discard(tx);
    }
    job.keep(tx)
}
