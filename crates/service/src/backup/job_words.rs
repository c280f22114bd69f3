//! Jobs in the wire's words.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kluis_arm::container::BackupManagementType;
use kluis_arm::job::{JobAction, JobDetail, JobError, JobStatus, VmJob, VmJobExtendedInfo, fact};
use kluis_arm::resource::Resource;
use kluis_arm::time::{job_duration, time_remaining};
use serde_json::Value;

use super::job_tasks;
use super::rows::{Cause, Fault, Goal, Job, Kind, Outcome, Phase, PointDisk, Stage, Work};

const TYPE: &str = "Microsoft.RecoveryServices/vaults/backupJobs";

/// How much of a job is shown; `place` is its place in the queue, while it waits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    /// As a list shows it.
    Listed { place: Option<usize> },
    /// With its tasks and all that it says of itself.
    Whole { place: Option<usize> },
}

/// The job as the wire has it.
pub(super) fn render(
    job: &Job,
    vault_id: &str,
    now: Timestamp,
    shown: Shown,
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
        actions_info: names_actions(job).then(|| vec![JobAction::Cancellable]),
        error_details: (!error_details.is_empty()).then_some(error_details),
        virtual_machine_version: Some("Compute".to_owned()),
        extended_info: match shown {
            Shown::Listed { place: None } => None,
            // A list has no extended information but of a job that waits, whose place is worth a read less.
            Shown::Listed { place } => Some(VmJobExtendedInfo {
                property_bag: Some(bag(job, place)),
                ..VmJobExtendedInfo::default()
            }),
            Shown::Whole { place } => Some(extended(job, now, place)),
        },
        container_name: Some(job.container.clone()),
        is_user_triggered: job
            .backup()
            .map(|work| matches!(work.cause, Cause::Demand { .. })),
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

/// Whether the job names what may be done with it. Azure's backups and restores do for as long as they are remembered, also when it is
/// too late for it: [`is_cancellable`] is what counts.
fn names_actions(job: &Job) -> bool {
    matches!(job.kind, Kind::Backup | Kind::Restore)
}

/// Whether a person can still stop the job: a backup until its snapshots are taken, a restore until it is done, and any that
/// stands still.
pub(super) fn is_cancellable(job: &Job) -> bool {
    let running = matches!(job.stage, Stage::Queued | Stage::Running);
    running
        && (job.stands_still
            || match job.kind {
                Kind::Backup => job
                    .backup()
                    .is_some_and(|work| work.phase == Phase::Snapshot),
                Kind::Restore => true,
                _ => false,
            })
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

/// When and how a job ended.
pub(super) fn ended(job: &Job) -> Option<(Timestamp, Outcome)> {
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

fn extended(job: &Job, now: Timestamp, place: Option<usize>) -> VmJobExtendedInfo {
    let internal = match &job.work {
        Work::Backup(_) => Some(("IsInstantRpJob", "True")),
        Work::Restore(work) => Some((
            "restoreLocationType",
            match work.goal {
                Goal::Disks => "RestoreDisks",
                Goal::Machine(_) => "AlternateLocation",
                Goal::InPlace(_) => "OriginalLocation",
            },
        )),
        Work::Nothing | Work::Forget(_) | Work::Files(_) | Work::Scrub(_) => None,
    };
    let remaining = job_tasks::remaining(job, now).unwrap_or_default();
    VmJobExtendedInfo {
        tasks_list: Some(job_tasks::tasks(job, now)),
        property_bag: Some(bag(job, place)),
        internal_property_bag: internal
            .map(|(name, value)| [(name.to_owned(), value.to_owned())].into()),
        progress_percentage: job_tasks::percentage(job),
        estimated_remaining_duration: names_actions(job).then(|| time_remaining(remaining)),
        dynamic_error_message: job.fault.as_ref().map(|fault| fault.message.clone()),
        ..VmJobExtendedInfo::default()
    }
}

/// What the job says about itself, its place in the queue while it waits, and how far its bytes are.
fn bag(job: &Job, place: Option<usize>) -> BTreeMap<String, String> {
    let mut bag: BTreeMap<String, String> = job.facts.iter().cloned().collect();
    bag.extend(chosen_disks(job));
    if let Some(place) = place {
        bag.insert(fact::QUEUE_PLACE.to_owned(), place.to_string());
    }
    if job.copied.total > 0 {
        let megabytes = |bytes: u64| (bytes >> 20).to_string();
        let done = job.copied.done.min(job.copied.total);
        bag.insert(fact::DONE.to_owned(), megabytes(done));
        bag.insert(fact::TOTAL.to_owned(), megabytes(job.copied.total));
    }
    bag
}

/// Which disks a job is of, where somebody chose some of a machine's.
fn chosen_disks(job: &Job) -> Vec<(String, String)> {
    let names = |names: Vec<&str>| names.join(", ");
    match &job.work {
        Work::Backup(work) if !work.excluded.is_empty() => {
            let of =
                |disks: &[PointDisk]| names(disks.iter().map(|disk| disk.name.as_str()).collect());
            vec![
                ("Backed-up disk(s)".to_owned(), of(&work.disks)),
                ("Excluded disk(s)".to_owned(), of(&work.excluded)),
            ]
        }
        Work::Restore(work) if work.chosen => {
            let disks = work.disks.iter().map(|disk| disk.disk.name.as_str());
            vec![("Restored disk(s)".to_owned(), names(disks.collect()))]
        }
        _ => Vec::new(),
    }
}

/// A value of the wire as JSON. Nothing on the wire has keys that are not text, which is all that could fail.
pub(super) fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}
