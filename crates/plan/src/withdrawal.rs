//! What becomes of work whose object is deleted while it is under way: who deletes it wants it gone.
//!
//! Its job is cancelled where the service says that it can be: a backup until its snapshots are taken, a restore until it is done. Else it
//! runs on, and an event says so. For that the object is held by our finalizer from its intent on until it has ended. Cancelling needs no
//! intent of its own: whoever comes next finds the job as it is, and asks again or lets the object go.

use jiff::{SignedDuration, Timestamp};
use kluis_api::Condition;
use kluis_arm::job::{JobAction, JobStatus, TAKE_SNAPSHOT, TaskStatus, VmJob};

use crate::conditions::{Verdict, cut};
use crate::errand::{Errand, State, patience};
use crate::ids;
use crate::plan::{Basis, Next, Plan, WayOut};
use crate::report::{Event, EventKind, Status};
use crate::step::{Action, Step};
use crate::waiting::{Stance, Waiting};
use crate::world::{Fact, Want};

/// How long a deletion waits for a service that does not say how the work stands: whoever deletes a namespace waits for it.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// How rarely a job is looked at that is being cancelled: that takes seconds.
const POLL: SignedDuration = SignedDuration::from_secs(15);

/// How an object that was deleted then goes, whatever becomes of its work.
pub(crate) fn way_out(deleted: Timestamp) -> WayOut {
    WayOut::At(deleted.checked_add(LONGEST).unwrap_or(Timestamp::MAX))
}

/// What is to be done about the work, and whether its object goes.
pub(crate) enum Withdrawal {
    /// The object goes; the event says what became of its work.
    Goes(Option<Event>),
    /// It stays for now.
    Stays {
        verdict: Verdict,
        next: Next,
        step: Option<Box<Step>>,
    },
}

/// What follows for the work of an object that was deleted then. `errand` is how the work stands, or why that cannot be asked; `is_ours` tells
/// whether a job that was only found is the one that was meant.
pub(crate) fn of(
    errand: Result<Errand<'_>, Waiting>,
    deleted: Timestamp,
    basis: &Basis,
    is_ours: impl FnOnce(&VmJob) -> bool,
) -> Withdrawal {
    let errand = match errand {
        Ok(errand) => errand,
        Err(waiting) => return unheard(&waiting, deleted, basis),
    };
    if let Some((job, detail)) = errand.adoptee()
        && !is_ours(detail)
    {
        let note = format!(
            "The job {job} is another's, and goes on; whether one was begun for this object is not known."
        );
        return Withdrawal::Goes(Some(Event::warning("JobLeft", note)));
    }
    match errand.state() {
        State::NotMeant
        | State::ToBegin
        | State::Held { .. }
        | State::Refused { .. }
        | State::NotTaken { .. } => Withdrawal::Goes(None),
        State::Over { job, detail } => Withdrawal::Goes(Some(ended(&job, detail))),
        State::UnderWay {
            job: Some(job),
            detail,
            ..
        } => under_way(&errand, &job, detail, deleted, basis),
        State::UnderWay { job: None, .. } => {
            let what = "what was asked for".to_owned();
            unheard(&Waiting::StillProvisioning { what }, deleted, basis)
        }
        State::Unknown(failure) => unheard(&Waiting::Arm(failure), deleted, basis),
    }
}

impl Withdrawal {
    /// The plan for the object. `status` is what it says, given its conditions.
    pub(crate) fn plan(
        self,
        basis: Basis,
        status: impl FnOnce(Vec<Condition>, i64) -> Status,
    ) -> Plan {
        match self {
            Self::Goes(None) => basis.farewell(Action::ReleaseFinalizer),
            Self::Goes(Some(event)) => basis.farewell_with(event),
            Self::Stays {
                verdict,
                next,
                step,
            } => {
                let conditions =
                    basis.conditions(kluis_api::ConditionType::Succeeded, &verdict, &[]);
                let status = status(conditions, basis.generation);
                basis.plan(step.into_iter().map(|step| *step).collect(), status, next)
            }
        }
    }
}

fn under_way(
    errand: &Errand<'_>,
    job: &str,
    detail: Option<&VmJob>,
    deleted: Timestamp,
    basis: &Basis,
) -> Withdrawal {
    let poll = Next::After(patience(deleted, basis.now).min(POLL));
    let is =
        |wanted: JobStatus| detail.is_some_and(|detail| detail.status.as_ref() == Some(&wanted));
    // A cancelling that is refused, or does not end, holds nobody for ever.
    if is_late(deleted, basis) {
        let note = format!(
            "The job {job} was to be cancelled and has not ended: it runs on in the vault {}.",
            errand.item.vault().name
        );
        return Withdrawal::Goes(Some(Event::warning("JobRunsOn", note)));
    }
    let cancelling = Verdict::working("Cancelling", format!("The job {job} is being cancelled."));
    if is(JobStatus::Cancelling) {
        return Withdrawal::Stays {
            verdict: cancelling,
            next: poll,
            step: None,
        };
    }
    let can_be = detail.is_some_and(can_be_cancelled);
    let id = ids::name("job", job).ok().filter(|_| can_be);
    match id.map(|name| errand.item.vault().job(name)) {
        Some(id) => {
            let read = errand.job.cloned().map(Fact::Job);
            let step = Step {
                guard: basis.seen([(Want::Job(id.clone()), read)]),
                action: Action::CancelJob { job: id },
                slot: None,
            };
            Withdrawal::Stays {
                verdict: cancelling,
                next: poll,
                step: Some(Box::new(step)),
            }
        }
        None => {
            let note = format!(
                "The job {job} can't be cancelled any more and runs on in the vault {}: a backup can be cancelled until its snapshots are \
                 taken, a restore until it is done.",
                errand.item.vault().name
            );
            Withdrawal::Goes(Some(Event::warning("JobRunsOn", note)))
        }
    }
}

/// Whether a job that is under way can still be cancelled. Azure's backups name the action for as long as they are remembered; what
/// counts is that their snapshots are not taken yet.
fn can_be_cancelled(detail: &VmJob) -> bool {
    let actions = detail.actions_info.as_ref();
    let named = actions.is_some_and(|actions| actions.contains(&JobAction::Cancellable));
    let tasks = detail
        .extended_info
        .as_ref()
        .and_then(|info| info.tasks_list.as_ref());
    let taken = tasks.into_iter().flatten().any(|task| {
        task.task_id.as_deref() == Some(TAKE_SNAPSHOT) && task.status == Some(TaskStatus::Completed)
    });
    named && !taken
}

/// How the work stands cannot be told: what passes by itself is waited for, but not for ever.
fn unheard(waiting: &Waiting, deleted: Timestamp, basis: &Basis) -> Withdrawal {
    if waiting.stance() == Stance::Progressing && !is_late(deleted, basis) {
        return Withdrawal::Stays {
            verdict: basis.with_way_out(Verdict::waiting(waiting)),
            next: waiting.next(basis.now),
            step: None,
        };
    }
    let note = format!("{waiting} What was begun in the vault runs on.");
    Withdrawal::Goes(Some(Event::warning("JobLeft", cut(&note, 1024))))
}

fn is_late(deleted: Timestamp, basis: &Basis) -> bool {
    basis.now.duration_since(deleted) > LONGEST
}

fn ended(job: &str, detail: &VmJob) -> Event {
    let status = detail.status.as_ref();
    let (kind, reason, note) = match status {
        Some(JobStatus::Cancelled) => (
            EventKind::Normal,
            "JobCancelled",
            format!("The job {job} was cancelled."),
        ),
        status => {
            let how = status.map(ToString::to_string).unwrap_or_default();
            let note = format!("The job {job} ended as {how} before it could be cancelled.");
            (EventKind::Normal, "JobEnded", note)
        }
    };
    Event {
        kind,
        reason: reason.to_owned(),
        note,
    }
}
