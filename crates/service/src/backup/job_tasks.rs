//! The tasks that a job consists of, how far it is and how long it will take, in the wire's words.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::job::{JobTask, TAKE_SNAPSHOT, TaskStatus};
use kluis_arm::time::{WireTime, job_duration};
use serde_json::{Number, json};

use super::job_words::ended;
use super::rows::{Goal, Job, Kind, Outcome, Phase, Span, Stage, Work};
use super::{consistency, removed};

/// A job's tasks, as Azure names them.
pub(super) fn tasks(job: &Job, now: Timestamp) -> Vec<JobTask> {
    match &job.work {
        // Azure names no task of a deletion that a person asked for.
        Work::Forget(work) if job.kind == Kind::Cleanup => {
            let span = Span {
                began: job.copied.started.or(ended(job).map(|(when, _)| when)),
                ended: ended(job)
                    .map(|(when, _)| when)
                    .filter(|_| work.points.is_empty()),
            };
            let mut task = task("Remove recovery points", span, job, now);
            task.task_execution_details = removed::sentence(&work.removed);
            vec![task]
        }
        Work::Nothing | Work::Forget(_) | Work::Scrub(_) => Vec::new(),
        Work::Backup(work) => {
            let mut snapshot = task(TAKE_SNAPSHOT, work.snapshot, job, now);
            if work.phase == Phase::Snapshot {
                snapshot.progress_percentage = percentage(job);
            } else {
                let reached = work.consistency.map(consistency::words);
                snapshot.task_execution_details =
                    reached.map(|reached| format!("The recovery point is {reached}."));
            }
            let mut transfer = task("Transfer data to vault", work.transfer, job, now);
            if work.phase == Phase::Transfer {
                transfer.progress_percentage = percentage(job);
            }
            vec![snapshot, transfer]
        }
        Work::Restore(work) => {
            let all = work.disks.iter().all(|disk| disk.sha256.is_some());
            let span = Span {
                began: job.copied.started,
                ended: ended(job).map(|(when, _)| when).filter(|_| all),
            };
            let mut transfer = task("Transfer data from vault", span, job, now);
            if all {
                let bytes: u64 = work.disks.iter().map(|disk| disk.bytes).sum();
                transfer.task_execution_details = Some(format!(
                    "{} disks were restored, {} MB.",
                    work.disks.len(),
                    bytes >> 20
                ));
            }
            let applied = match work.goal {
                Goal::Disks => return vec![transfer],
                Goal::Machine(_) => "Create the restored virtual machine",
                Goal::InPlace(_) => "Update the virtual machine",
            };
            // Of one moment: a restore takes effect when all of its files are there.
            let span = Span {
                began: span.ended.filter(|_| work.done),
                ended: span.ended.filter(|_| work.done),
            };
            vec![transfer, task(applied, span, job, now)]
        }
        Work::Files(work) => {
            let span = Span {
                began: job.copied.started,
                ended: ended(job)
                    .map(|(when, _)| when)
                    .filter(|_| work.made.is_some()),
            };
            vec![task("Transfer data from vault", span, job, now)]
        }
    }
}

/// How far the job is, 0 to 100; `None` while that is not known.
pub(super) fn percentage(job: &Job) -> Option<Number> {
    let total = job.copied.total;
    if total == 0
        || job
            .backup()
            .is_some_and(|work| !work.is_filling_the_vault())
    {
        return None;
    }
    let thousandths = u128::from(job.copied.done.min(total)) * 1000 / u128::from(total);
    Number::from_f64(u32::try_from(thousandths).map_or(0.0, |t| f64::from(t) / 10.0))
}

/// How long the job will still take, at the pace it has had.
pub(super) fn remaining(job: &Job, now: Timestamp) -> Option<SignedDuration> {
    let began = match &job.work {
        Work::Backup(work) if work.straight => work.snapshot.began,
        Work::Backup(work) => work.transfer.began,
        _ => job.copied.started,
    };
    let elapsed = now.duration_since(began.filter(|_| job.stage == Stage::Running)?);
    let (done, total) = (u128::from(job.copied.done), u128::from(job.copied.total));
    if done == 0 || total <= done {
        return None;
    }
    let millis = u128::try_from(elapsed.as_millis()).ok()?;
    let left = i64::try_from(millis.checked_mul(total - done)? / done).ok()?;
    Some(SignedDuration::from_millis(left))
}

/// A task that began and ended then, as far as it did; the job's end ends what had not.
fn task(name: &str, span: Span, job: &Job, now: Timestamp) -> JobTask {
    let outcome = ended(job);
    let status = match (span.began, span.ended, outcome) {
        (_, Some(_), _) => TaskStatus::Completed,
        (Some(_), None, None) => TaskStatus::InProgress,
        (None, None, None) => TaskStatus::NotStarted,
        (_, None, Some((_, Outcome::Cancelled))) => TaskStatus::Cancelled,
        (None, None, Some(_)) => TaskStatus::NotStarted,
        (Some(_), None, Some(_)) => TaskStatus::Failed,
    };
    let end = span.ended.or(span.began.and(outcome.map(|(when, _)| when)));
    let taken = span
        .began
        .map(|began| end.unwrap_or(now).duration_since(began))
        .unwrap_or_default();
    let mut task = JobTask {
        task_id: Some(name.to_owned()),
        start_time: Some(span.began.map_or_else(WireTime::not_yet, WireTime::from)),
        end_time: Some(end.map_or_else(WireTime::not_yet, WireTime::from)),
        duration: Some(job_duration(taken)),
        status: Some(status),
        ..JobTask::default()
    };
    task.extra.insert("taskType".to_owned(), json!("Normal"));
    task
}
