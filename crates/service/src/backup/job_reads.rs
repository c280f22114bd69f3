//! Reading jobs: the list with its filters, and one whole.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::job_words::{Shown, render, status, value};
use super::rows::{Job, Kind, Stage};
use super::{queue, refusals};
use crate::core::{
    Answer, Context, PageKey, Refusal, Request, Response, VaultPath, page_newest_first,
};
use crate::store::Tx;

/// `GET V/backupJobs[?$filter=…]`, the newest first.
pub(super) fn list(request: &Request, at: &VaultPath, ctx: &Context<'_>, tx: &Tx<'_>) -> Answer {
    let jobs = filtered(request, at, tx)?;
    let waiting = jobs.iter().any(|job| job.stage == Stage::Queued);
    let places = if waiting {
        queue::places(tx)?
    } else {
        BTreeMap::new()
    };
    let entries = jobs.iter().map(|job| {
        let shown = Shown::Listed {
            place: places.get(&job.id).copied(),
        };
        (place(job), value(&render(job, &at.id, ctx.now, shown)))
    });
    Ok((page_newest_first(request, entries)?, Vec::new()))
}

/// The vault's jobs that the request's filter lets through, the newest first.
pub(super) fn filtered(
    request: &Request,
    at: &VaultPath,
    tx: &Tx<'_>,
) -> Result<Vec<Job>, Refusal> {
    let fields = [
        "status",
        "operation",
        "startTime",
        "endTime",
        "jobId",
        "backupManagementType",
        "entityFriendlyName",
    ];
    let filter = refusals::filter(request, &fields)?;
    let moment = |field: &str| -> Result<Option<Timestamp>, Refusal> {
        let text = filter.get(field);
        text.map(kluis_arm::time::from_filter)
            .transpose()
            .map_err(|error| refusals::invalid_input(error.to_string()))
    };
    let (from, to) = (moment("startTime")?, moment("endTime")?);
    let mut jobs: Vec<Job> = tx.list(at.key.as_str())?;
    let asked = filter.get("operation");
    let is_asked = |kind: Kind| asked.is_some_and(|word| word.eq_ignore_ascii_case(kind.word()));
    jobs.retain(|job| {
        (!is_own(job.kind) || is_asked(job.kind))
            && filter.allows("backupManagementType", "AzureIaasVM")
            && filter.allows("status", status(job).as_str())
            && filter.allows("operation", job.kind.word())
            && filter.allows("jobId", &job.id)
            && filter.allows("entityFriendlyName", &job.vm)
            && from.is_none_or(|from| job.began >= from)
            && to.is_none_or(|to| job.began <= to)
    });
    jobs.sort_by_key(|job| std::cmp::Reverse(place(job)));
    Ok(jobs)
}

fn place(job: &Job) -> PageKey {
    PageKey(job.began, job.sequence)
}

/// `GET V/backupJobs/{job}`.
pub(super) fn get(id: &str, at: &VaultPath, ctx: &Context<'_>, tx: &Tx<'_>) -> Answer {
    let job = find(id, at, tx)?;
    let place = match job.stage {
        Stage::Queued => queue::places(tx)?.get(&job.id).copied(),
        _ => None,
    };
    let shown = Shown::Whole { place };
    let body = value(&render(&job, &at.id, ctx.now, shown));
    Ok((Response::ok(body), Vec::new()))
}

/// The job of this vault by its id.
pub(super) fn find(id: &str, at: &VaultPath, tx: &Tx<'_>) -> Result<Job, Refusal> {
    Job::find(tx, id)?
        .filter(|job| job.vault == at.key)
        .ok_or_else(|| {
            Refusal::not_found(
                "BMSUserErrorJobNotFound",
                format!("The vault '{}' has no job '{id}'.", at.name),
            )
        })
}

/// Cleanups and scrubs are the service's own affair, as in Azure: they are listed for those who ask for them by their name.
fn is_own(kind: Kind) -> bool {
    matches!(kind, Kind::Cleanup | Kind::Scrub)
}
