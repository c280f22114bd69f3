//! Cancelling a job: one that waits is over at once, one that runs when its mover is gone.

use kluis_arm::error::code;

use super::job_words::is_cancellable;
use super::rows::Stage;
use super::{endings, job_reads, progress};
use crate::core::{Answer, Context, Effect, Refusal, Request, VaultPath};
use crate::operations::{self, Scope};
use crate::store::Tx;

/// `POST V/backupJobs/{job}/cancel`.
pub(super) fn cancel(
    request: &Request,
    id: &str,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let mut job = job_reads::find(id, at, tx)?;
    if job.stage == Stage::Cancelling
        && let Some(known) = &job.cancel
        && let Some(operation) = tx.get::<operations::Operation>(&known.to_lowercase())?
    {
        return Ok((
            operation.accepted(request, at, Scope::Job(&job.id)),
            Vec::new(),
        ));
    }
    if !is_cancellable(&job) {
        let why = if job.is_active() {
            "A backup can be cancelled until its snapshots are taken, a restore until it is done; no other job can (rule 35)."
        } else {
            "It has ended already."
        };
        return Err(Refusal::bad_request(
            code::JOB_NOT_CANCELLABLE,
            format!("The job {} can't be cancelled. {why}", job.id),
        ));
    }
    let operation = operations::begin(tx, ctx, &at.key, Some(&job.id))?;
    job.cancel = Some(operation.id.clone());
    let effects = if job.stage == Stage::Queued {
        endings::cancel(ctx, tx, &mut job)?;
        progress::released(ctx, tx, &job)?
    } else {
        job.stage = Stage::Cancelling;
        job.keep(tx)?;
        vec![Effect::KillMover {
            job: job.id.clone(),
        }]
    };
    Ok((
        operation.accepted(request, at, Scope::Job(&job.id)),
        effects,
    ))
}
