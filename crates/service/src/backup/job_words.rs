//! Jobs in the wire's words.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::container::BackupManagementType;
use kluis_arm::job::{
    JobAction, JobDetail, JobError, JobStatus, JobTask, TaskStatus, VmJob, VmJobExtendedInfo,
};
use kluis_arm::resource::Resource;
use kluis_arm::time::{WireTime, job_duration};
use serde_json::{Number, Value, json};

use super::rows::{Fault, Goal, Job, Kind, Outcome, Stage, Work};

const TYPE: &str = "Microsoft.RecoveryServices/vaults/backupJobs";

/// The job as a list shows it, or whole, with its tasks, when `whole`.
pub(super) fn render(
    job: &Job,
    vault_id: &str,
    now: Timestamp,
    whole: bool,
) -> Resource<JobDetail> {
    let ended = ended(job);
    let error_details: Vec<JobError> = job.fault.iter().chain(&job.warnings).map(error).collect();
    let detail = VmJob {
        entity_friendly_name: Some(job.vm.clone()),
        backup_management_type: Some(BackupManagementType::AzureIaasVm),
        operation: Some(job.kind.word().into()),
        status: Some(status(job)),
        start_time: Some(job.began.into()),
        end_time: ended.map(|(when, _)| when.into()),
        activity_id: Some(job.activity.clone()),
        duration: Some(job_duration(
            ended
                .map_or(now, |(when, _)| when)
                .duration_since(job.began),
        )),
        actions_info: is_cancellable(job).then(|| vec![JobAction::Cancellable]),
        error_details: (!error_details.is_empty()).then_some(error_details),
        virtual_machine_version: Some("Compute".to_owned()),
        extended_info: whole.then(|| extended(job, now)),
        container_name: Some(job.container.clone()),
        is_user_triggered: job.backup().map(|work| work.due().is_none()),
        ..VmJob::default()
    };
    Resource::new(
        &format!("{vault_id}/backupJobs/{}", job.id),
        job.id.clone(),
        TYPE,
        detail.into(),
    )
}

/// How far a job is.
pub(super) fn status(job: &Job) -> JobStatus {
    match job.stage {
        Stage::Queued | Stage::Running => JobStatus::InProgress,
        Stage::Cancelling => JobStatus::Cancelling,
        Stage::Ended { outcome, .. } => match outcome {
            Outcome::Completed => JobStatus::Completed,
            Outcome::CompletedWithWarnings => JobStatus::CompletedWithWarnings,
            Outcome::Failed => JobStatus::Failed,
            Outcome::Cancelled => JobStatus::Cancelled,
        },
    }
}

/// Whether a person can still stop the job. A backup can be stopped while its machine's disks are being read, which is our
/// snapshot phase: Azure allows no later moment either. A restore can be stopped until it is done.
pub(super) fn is_cancellable(job: &Job) -> bool {
    let running = matches!(job.stage, Stage::Queued | Stage::Running);
    running
        && match job.kind {
            Kind::Backup => job.copied.read.is_none(),
            Kind::Restore => true,
            _ => false,
        }
}

/// A moment as property bags have it: `6/12/2024 12:00:00 AM`, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string()
}

/// A length of time for people: `3 h 20 min`.
pub(super) fn length(of: SignedDuration) -> String {
    let (hours, minutes) = (of.as_hours(), of.as_mins() % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", of.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn ended(job: &Job) -> Option<(Timestamp, Outcome)> {
    if let Stage::Ended { when, outcome } = job.stage {
        Some((when, outcome))
    } else {
        None
    }
}

fn error(fault: &Fault) -> JobError {
    JobError {
        error_code: i32::try_from(fault.code).ok(),
        error_title: Some(fault.title.clone()),
        error_string: Some(fault.message.clone()),
        recommendations: Some(fault.recommendations.clone()),
        ..JobError::default()
    }
}

fn extended(job: &Job, now: Timestamp) -> VmJobExtendedInfo {
    let total = job.copied.total;
    let percent = (total > 0).then(|| {
        let thousandths = u128::from(job.copied.done.min(total)) * 1000 / u128::from(total);
        u32::try_from(thousandths).map_or(0.0, |t| f64::from(t) / 10.0)
    });
    let internal = match &job.work {
        Work::Restore(work) => Some((
            "restoreLocationType",
            match work.goal {
                Goal::Disks => "RestoreDisks",
                Goal::Machine(_) => "AlternateLocation",
                Goal::InPlace(_) => "OriginalLocation",
            },
        )),
        _ => None,
    };
    VmJobExtendedInfo {
        tasks_list: Some(tasks(job, now)),
        property_bag: Some(job.facts.iter().cloned().collect()),
        internal_property_bag: internal
            .map(|(name, value)| [(name.to_owned(), value.to_owned())].into()),
        progress_percentage: percent.and_then(Number::from_f64),
        dynamic_error_message: job.fault.as_ref().map(|fault| fault.message.clone()),
        ..VmJobExtendedInfo::default()
    }
}

fn tasks(job: &Job, now: Timestamp) -> Vec<JobTask> {
    let copied = &job.copied;
    let done = ended(job).map(|(when, _)| when);
    match &job.work {
        Work::Nothing | Work::Forget(_) => Vec::new(),
        Work::Backup(work) => {
            let saved = work.saved.as_ref().and(done.or(Some(now)));
            let transferring = copied
                .started
                .filter(|_| copied.done > 0 || copied.read.is_some());
            vec![
                task("Take Snapshot", copied.started, copied.read, job, now),
                task("Transfer data to vault", transferring, saved, job, now),
            ]
        }
        Work::Restore(work) => {
            let all = work.disks.iter().all(|disk| disk.sha256.is_some());
            vec![task(
                "Transfer data from vault",
                copied.started,
                done.filter(|_| all),
                job,
                now,
            )]
        }
        Work::Files(work) => {
            let made = done.filter(|_| work.made.is_some());
            vec![task(
                "Transfer data from vault",
                copied.started,
                made,
                job,
                now,
            )]
        }
    }
}

/// A task that began and ended then, as far as it did; the job's end ends what had not.
fn task(
    name: &str,
    began: Option<Timestamp>,
    over: Option<Timestamp>,
    job: &Job,
    now: Timestamp,
) -> JobTask {
    let outcome = ended(job);
    let status = match (began, over, outcome) {
        (_, Some(_), _) => TaskStatus::Completed,
        (Some(_), None, None) => TaskStatus::InProgress,
        (None, None, None) => TaskStatus::NotStarted,
        (_, None, Some((_, Outcome::Cancelled))) => TaskStatus::Cancelled,
        (None, None, Some(_)) => TaskStatus::NotStarted,
        (Some(_), None, Some(_)) => TaskStatus::Failed,
    };
    let end = over.or(began.and(outcome.map(|(when, _)| when)));
    let taken = began
        .map(|began| end.unwrap_or(now).duration_since(began))
        .unwrap_or_default();
    let mut task = JobTask {
        task_id: Some(name.to_owned()),
        start_time: Some(began.map_or_else(WireTime::not_yet, WireTime::from)),
        end_time: Some(end.map_or_else(WireTime::not_yet, WireTime::from)),
        duration: Some(job_duration(taken)),
        status: Some(status),
        ..JobTask::default()
    };
    task.extra.insert("taskType".to_owned(), json!("Normal"));
    task
}

/// A value of the wire as JSON. Nothing on the wire has keys that are not text, which is all that could fail.
pub(super) fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}
