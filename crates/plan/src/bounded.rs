//! What BackupJob and Restore have in common: they end. A status follows one job, from its intent to its evidence.

use jiff::{SignedDuration, Timestamp};
use kluis_api::{
    Condition, ConditionStatus, ConditionType, ObjectMeta, Operation, OperationKind, RunResult,
    Time,
};
use kluis_arm::job::{JobStatus, VmJob};

use crate::conditions::{Verdict, moment};
use crate::errand::{BEFORE, State, complaint, patience, percent, queue_place};
use crate::ids;
use crate::plan::{Basis, Next};
use crate::step::{Action, Step};
use crate::waiting::{REQUEST_REFUSED, Waiting};

/// How long after a job's end its evidence is waited for.
const EVIDENCE: SignedDuration = SignedDuration::from_mins(15);

/// What follows from how the work stands, in the terms that both kinds' statuses share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    pub(crate) operation: Option<Operation>,
    pub(crate) job: Option<String>,
    pub(crate) state: Option<RunResult>,
    pub(crate) progress: Option<String>,
    pub(crate) start: Option<Time>,
    pub(crate) end: Option<Time>,
    pub(crate) verdict: Verdict,
    pub(crate) next: Next,
    /// Whether the call is to be made now.
    pub(crate) begin: bool,
}

/// Whether a job has left what it should have.
pub(crate) enum Evidence {
    Seen { message: String },
    NotSeen,
    Unknown(Waiting),
}

/// Whether the object has ended: what has ended is never judged again.
pub(crate) fn is_over(conditions: &[Condition], completion: Option<&Time>) -> bool {
    completion.is_some()
        && conditions.iter().any(|condition| {
            condition.type_ == ConditionType::Succeeded
                && condition.status != ConditionStatus::Unknown
        })
}

impl Course {
    /// Nothing can begin yet.
    pub(crate) fn blocked(waiting: &Waiting, now: Timestamp) -> Self {
        Self::at(Verdict::waiting(waiting), waiting.next(now))
    }

    /// It is meant: written down before anything is called.
    pub(crate) fn meant(
        kind: OperationKind,
        target: String,
        before: Vec<String>,
        now: Timestamp,
    ) -> Self {
        let operation = Operation {
            kind,
            target,
            intent: moment(now),
            token: None,
            status_url: None,
            job: None,
            before,
            refused: None,
            held: None,
        };
        Self {
            operation: Some(operation),
            ..Self::at(Verdict::working("Intended", "About to begin."), Next::Soon)
        }
    }

    /// The job that was found is another's: it is named so, and the search goes on without it.
    pub(crate) fn anothers(job: String, meant: Operation) -> Self {
        let known = std::iter::once(job).chain(meant.before);
        let operation = Operation {
            job: None,
            status_url: None,
            before: known.take(BEFORE).collect(),
            ..meant
        };
        Self {
            operation: Some(operation),
            ..Self::at(Verdict::working("Beginning", "About to begin."), Next::Soon)
        }
    }

    /// What follows from how the work stands, once it was meant. `evidence` is asked only when a job ended well.
    pub(crate) fn of(
        state: State<'_>,
        meant: Operation,
        now: Timestamp,
        evidence: impl FnOnce(&VmJob) -> (&'static str, Evidence),
    ) -> Self {
        match state {
            State::NotMeant | State::ToBegin => {
                let operation = Some(Operation {
                    status_url: None,
                    ..meant
                });
                Self {
                    operation,
                    begin: true,
                    ..Self::at(Verdict::working("Beginning", "About to begin."), Next::Soon)
                }
            }
            State::UnderWay {
                job,
                detail,
                retry_after,
            } => {
                let poll = retry_after.unwrap_or_else(|| patience(meant.intent.0, now));
                let place = detail.and_then(queue_place);
                let percent = detail.and_then(percent);
                let message = match (place, &percent) {
                    (Some(place), _) => {
                        format!("Waits for its turn: it is number {place} in the queue.")
                    }
                    (None, Some(percent)) => format!("Under way: {percent}."),
                    (None, None) => "Under way.".to_owned(),
                };
                let progress = place.map(|place| format!("queue: {place}")).or(percent);
                Self {
                    job: job.clone(),
                    operation: Some(Operation {
                        job: job.or(meant.job.clone()),
                        ..meant
                    }),
                    state: Some(RunResult::InProgress),
                    progress,
                    start: detail.and_then(start),
                    ..Self::at(Verdict::working("InProgress", message), Next::After(poll))
                }
            }
            State::Over { job, detail } => Self::over(&job, detail, meant, now, evidence),
            State::Refused { code, message } => Self {
                state: Some(RunResult::Failed),
                end: Some(moment(now)),
                ..Self::at(
                    Verdict::failed("Refused", format!("It came to nothing: {code}: {message}")),
                    Next::Await,
                )
            },
            State::NotTaken { message } => Self {
                state: Some(RunResult::Failed),
                end: Some(moment(now)),
                ..Self::at(Verdict::failed(REQUEST_REFUSED, message), Next::Await)
            },
            State::Held { until, message } => {
                let waiting = Waiting::TakenLater {
                    until,
                    message: message.to_owned(),
                };
                Self {
                    operation: Some(meant),
                    ..Self::blocked(&waiting, now)
                }
            }
            State::Unknown(failure) => {
                let waiting = Waiting::Arm(failure);
                Self {
                    operation: Some(meant),
                    ..Self::blocked(&waiting, now)
                }
            }
        }
    }

    fn over(
        job: &str,
        detail: &VmJob,
        meant: Operation,
        now: Timestamp,
        evidence: impl FnOnce(&VmJob) -> (&'static str, Evidence),
    ) -> Self {
        let said = complaint(detail);
        let end = end(detail).unwrap_or(now);
        let is_success = detail.has_succeeded();
        let over = |verdict, next| Self {
            job: Some(job.to_owned()),
            state: Some(result(detail.status.as_ref())),
            progress: if is_success {
                Some("100%".to_owned())
            } else {
                percent(detail)
            },
            start: start(detail),
            end: Some(moment(end)),
            ..Self::at(verdict, next)
        };
        if !is_success {
            let status = detail
                .status
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let message = said.unwrap_or_else(|| format!("The job {job} ended as {status}."));
            let reason = if detail.status == Some(JobStatus::Cancelled) {
                "Cancelled"
            } else {
                "JobFailed"
            };
            return over(Verdict::failed(reason, message), Next::Await);
        }
        match evidence(detail) {
            (_, Evidence::Seen { message })
                if detail.status == Some(JobStatus::CompletedWithWarnings) =>
            {
                let warning = said.unwrap_or_default();
                over(
                    Verdict::settled(
                        "CompletedWithWarnings",
                        format!("{message} {warning}").trim_end().to_owned(),
                    ),
                    Next::Await,
                )
            }
            (_, Evidence::Seen { message }) => {
                over(Verdict::settled("Completed", message), Next::Await)
            }
            (what, Evidence::NotSeen) if now.duration_since(end) > EVIDENCE => {
                let message = format!(
                    "The job {job} says it is done, and {what} is not to be seen: this is not a success."
                );
                over(Verdict::failed("EvidenceMissing", message), Next::Await)
            }
            (what, Evidence::NotSeen) => {
                let course = over(
                    Verdict::waiting(&Waiting::EvidenceMissing { what }),
                    Waiting::EvidenceMissing { what }.next(now),
                );
                Self {
                    operation: Some(Operation {
                        job: Some(job.to_owned()),
                        ..meant
                    }),
                    end: None,
                    ..course
                }
            }
            (_, Evidence::Unknown(waiting)) => {
                let course = over(Verdict::waiting(&waiting), waiting.next(now));
                Self {
                    operation: Some(Operation {
                        job: Some(job.to_owned()),
                        ..meant
                    }),
                    end: None,
                    ..course
                }
            }
        }
    }

    /// The step that holds the object while its work is under way, so that who deletes it is heard.
    pub(crate) fn held(&self, metadata: &ObjectMeta, basis: &Basis) -> Option<Step> {
        let is_wanted = self.operation.is_some() && !ids::is_held(metadata);
        is_wanted.then(|| basis.step(Action::HoldFinalizer))
    }

    fn at(verdict: Verdict, next: Next) -> Self {
        Self {
            operation: None,
            job: None,
            state: None,
            progress: None,
            start: None,
            end: None,
            verdict,
            next,
            begin: false,
        }
    }
}

/// How a job stands, as a run.
pub(crate) fn result(status: Option<&JobStatus>) -> RunResult {
    match status {
        Some(JobStatus::Completed) => RunResult::Completed,
        Some(JobStatus::CompletedWithWarnings) => RunResult::CompletedWithWarnings,
        Some(JobStatus::Cancelled) => RunResult::Cancelled,
        Some(JobStatus::Failed | JobStatus::Expired | JobStatus::Invalid) => RunResult::Failed,
        Some(JobStatus::InProgress | JobStatus::Cancelling | JobStatus::Other(_)) | None => {
            RunResult::InProgress
        }
    }
}

/// From when on what the job made can be: the second in which it began.
pub(crate) fn from(detail: &VmJob) -> Option<Timestamp> {
    detail
        .start_time
        .as_ref()?
        .moment()
        .ok()?
        .map(|began| moment(began).0)
}

fn start(detail: &VmJob) -> Option<Time> {
    detail.start_time.as_ref()?.moment().ok()?.map(moment)
}

fn end(detail: &VmJob) -> Option<Timestamp> {
    detail.end_time.as_ref()?.moment().ok()?
}
