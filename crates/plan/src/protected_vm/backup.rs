//! Backups that the object itself asks for: by a new `backupRequest`, or by `initialBackup: Immediate`.

use jiff::SignedDuration;
use kluis_api::{InitialBackup, Operation, OperationKind, ProtectionState};
use kluis_arm::backup::{BackupRequest, VmBackupRequest};
use kluis_arm::job::{JobOperation, VmJob};
use kluis_arm::resource::Resource;

use crate::conditions::{cut, moment};
use crate::errand::{Errand, State, before, meant, patience, percent, queue_place};
use crate::gate::Target;
use crate::plan::{Basis, Next};
use crate::report::{Event, EventKind};
use crate::step::{Action, Slot, Step};
use crate::waiting::Waiting;
use crate::world::{Fact, ProtectedVmWorld, Want};

/// What stands for a request that is not written in the spec.
const INITIAL: &str = "initialBackup";

/// What is to be done about the backup that was asked for.
#[derive(Default)]
pub(super) struct Backup<'a> {
    /// For `status.backup`.
    pub(super) operation: Option<Operation>,
    /// For `status.backupRequest`: the token that a backup was started for.
    pub(super) echo: Option<String>,
    pub(super) step: Option<Step>,
    /// What is under way, in words.
    pub(super) under_way: Option<String>,
    /// Why it is not begun yet.
    pub(super) waits: Option<Waiting>,
    /// The job and what is known of it, for the runs.
    pub(super) job: Option<(String, &'a VmJob)>,
    pub(super) next: Option<SignedDuration>,
    pub(super) events: Vec<Event>,
}

/// What is to be read to follow it.
pub(super) fn errand<'a>(world: &'a ProtectedVmWorld, target: &Target<'_>) -> Errand<'a> {
    Errand {
        operation: asked(world),
        does: JobOperation::Backup,
        item: target.item.clone(),
        progress: world.backup_progress.as_ref(),
        job: world.backup_job.as_ref(),
        jobs: world.jobs.as_ref(),
    }
}

/// The backup that was asked for and not refused.
fn asked(world: &ProtectedVmWorld) -> Option<&Operation> {
    let kept = world.status().and_then(|status| status.backup.as_ref());
    meant(kept, world.now)
}

/// What is to be done. Nothing new begins unless the protection is as declared; what was begun is followed in any case.
pub(super) fn decide<'a>(
    world: &'a ProtectedVmWorld,
    basis: &Basis,
    may_begin: bool,
) -> Backup<'a> {
    let kept = asked(world).cloned();
    let Ok(target) = world.target() else {
        return Backup {
            operation: kept,
            ..Backup::default()
        };
    };
    let state = errand(world, &target).state();
    let echo = kept
        .as_ref()
        .and_then(|kept| kept.token.clone())
        .filter(|token| token != INITIAL);
    match (state, kept) {
        (State::NotMeant, _) | (_, None) => match wanted(world).filter(|_| may_begin) {
            None => Backup::default(),
            Some(token) => mean(world, &target, token),
        },
        (State::ToBegin, Some(kept)) if !may_begin => Backup {
            operation: Some(kept),
            ..Backup::default()
        },
        (State::ToBegin, Some(kept)) => {
            // A URL that led nowhere is forgotten: the call is made anew.
            let kept = Operation {
                status_url: None,
                ..kept
            };
            Backup {
                operation: Some(kept),
                step: Some(start(world, basis, &target)),
                under_way: Some("A backup is about to begin.".to_owned()),
                next: Some(SignedDuration::ZERO),
                ..Backup::default()
            }
        }
        (
            State::UnderWay {
                job,
                detail,
                retry_after,
            },
            Some(kept),
        ) => Backup {
            next: Some(retry_after.unwrap_or_else(|| patience(kept.intent.0, world.now))),
            under_way: Some(
                match (detail.and_then(queue_place), detail.and_then(percent)) {
                    (Some(place), _) => {
                        format!("A backup waits for its turn: it is number {place} in the queue.")
                    }
                    (None, Some(done)) => format!("A backup is under way: {done}."),
                    (None, None) => "A backup is under way.".to_owned(),
                },
            ),
            job: job.clone().zip(detail),
            echo,
            operation: Some(Operation {
                job: job.or(kept.job.clone()),
                ..kept
            }),
            ..Backup::default()
        },
        (State::Held { until, message }, Some(kept)) => Backup {
            waits: Some(Waiting::TakenLater {
                until,
                message: message.to_owned(),
            }),
            next: Some(
                world
                    .now
                    .duration_until(until)
                    .max(SignedDuration::from_secs(1)),
            ),
            operation: Some(kept),
            ..Backup::default()
        },
        (State::Over { job, detail }, Some(_)) => Backup {
            job: Some((job, detail)),
            echo,
            ..Backup::default()
        },
        // Of an item's backups a refusal is not kept: they are asked for again.
        (State::NotTaken { .. }, Some(kept)) => Backup {
            operation: Some(kept),
            ..Backup::default()
        },
        (State::Refused { code, message }, Some(_)) => Backup {
            echo,
            events: vec![Event {
                kind: EventKind::Warning,
                reason: "BackupRefused".to_owned(),
                note: cut(
                    &format!("The backup came to nothing: {code}: {message}"),
                    1024,
                ),
            }],
            ..Backup::default()
        },
        (State::Unknown(failure), Some(kept)) => {
            let next = delay(&Waiting::Arm(failure), world);
            Backup {
                operation: Some(kept),
                under_way: Some("A backup may be under way; the service does not say.".to_owned()),
                next: Some(next),
                ..Backup::default()
            }
        }
    }
}

/// Whether an intent is about to be written: then the jobs that are there already have to be known.
pub(super) fn is_about_to_begin(world: &ProtectedVmWorld) -> bool {
    let active = |state| {
        matches!(
            state,
            ProtectionState::Protected
                | ProtectionState::IrPending
                | ProtectionState::ProtectionError
        )
    };
    let nothing_begun = asked(world).is_none();
    nothing_begun
        && !world.item.spec.suspend
        && world.seen().is_some_and(|seen| active(seen.state))
        && wanted(world).is_some()
}

/// Writes down what is meant, with the jobs that are there already.
fn mean<'a>(world: &ProtectedVmWorld, target: &Target<'_>, token: String) -> Backup<'a> {
    let under_way = Some("A backup is about to begin.".to_owned());
    match before(
        world.jobs.as_ref(),
        &target.item,
        &JobOperation::Backup,
        world.now,
    ) {
        Ok(before) => Backup {
            operation: Some(Operation {
                kind: OperationKind::Backup,
                target: target.item.to_string(),
                intent: moment(world.now),
                token: Some(token),
                status_url: None,
                job: None,
                before,
                refused: None,
                held: None,
            }),
            under_way,
            next: Some(SignedDuration::ZERO),
            ..Backup::default()
        },
        Err(waiting) => Backup {
            under_way,
            next: Some(delay(&waiting, world)),
            ..Backup::default()
        },
    }
}

fn delay(waiting: &Waiting, world: &ProtectedVmWorld) -> SignedDuration {
    match waiting.next(world.now) {
        Next::After(delay) => delay,
        Next::Soon | Next::Await => SignedDuration::from_secs(15),
    }
}

fn start(world: &ProtectedVmWorld, basis: &Basis, target: &Target<'_>) -> Step {
    let guard = basis.seen([(
        Want::Item(target.item.clone()),
        world.arm.clone().map(Fact::Item),
    )]);
    let body = Box::new(Resource::body(BackupRequest::from(
        VmBackupRequest::keep_until(None),
    )));
    Step {
        action: Action::StartBackup {
            item: target.item.clone(),
            body,
        },
        guard,
        slot: Some(Slot::Backup),
    }
}

/// The token of a backup that is asked for and was not started.
fn wanted(world: &ProtectedVmWorld) -> Option<String> {
    let status = world.status();
    let request = world.item.spec.backup_request.clone();
    let request = request.filter(|request| {
        status.and_then(|status| status.backup_request.as_ref()) != Some(request)
    });
    request.or_else(|| is_first_wanted(world).then(|| INITIAL.to_owned()))
}

/// The first backup is made once: a failed one is left to the schedule, or to a person.
fn is_first_wanted(world: &ProtectedVmWorld) -> bool {
    let seen = world.seen();
    world.item.spec.initial_backup == InitialBackup::Immediate
        && seen.is_some_and(|seen| {
            seen.state == ProtectionState::IrPending && seen.last_backup.is_none()
        })
        && world.status().is_none_or(|status| status.runs.is_empty())
}
