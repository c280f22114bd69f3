//! Planning a BackupJob: one backup, begun once, followed to its recovery point.

use jiff::{SignedDuration, Timestamp};
use kluis_api::{BackupJobStatus, ConditionType, Operation, OperationKind, ProtectionState};
use kluis_arm::backup::{BackupRequest, VmBackupRequest};
use kluis_arm::job::{JobOperation, VmJob};
use kluis_arm::resource::Resource;

use crate::bounded::{self, Course, Evidence};
use crate::conditions::moment;
use crate::errand::{BEFORE, Errand, State, before, meant, tells_another_moment, want_before};
use crate::gate::Target;
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::plan::{Basis, Next, Plan};
use crate::point;
use crate::report::Status;
use crate::seen::Seen;
use crate::step::{Action, Slot, Step};
use crate::waiting::Waiting;
use crate::withdrawal;
use crate::world::{BackupJobWorld, Fact, Observed, Want, World};

/// How soon a job whose time is over is looked at again, where the service's clock and ours don't agree that it is.
const DOUBT: SignedDuration = SignedDuration::from_mins(10);

impl World for BackupJobWorld {
    fn object(&self) -> ObjectKey {
        let metadata = &self.job.metadata;
        ObjectKey::new(
            Kind::BackupJob,
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        )
    }

    fn wants(&self) -> Vec<Want> {
        let Ok(target) = self.target() else {
            return Vec::new();
        };
        if self.is_over() {
            return Vec::new();
        }
        if self.job.metadata.deletion_timestamp.is_some() {
            return match ids::is_held(&self.job.metadata) {
                true => self.errand(&target).wants(),
                false => Vec::new(),
            };
        }
        let mut wants: Vec<Want> = self
            .work
            .arm
            .is_none()
            .then(|| Want::Item(target.item.clone()))
            .into_iter()
            .collect();
        let errand = self.errand(&target);
        wants.extend(errand.wants());
        if errand.state() == State::NotMeant && is_protected(self).is_ok() {
            let jobs = self
                .work
                .jobs
                .is_none()
                .then(|| want_before(&target.item, JobOperation::Backup, self.now));
            let points = self
                .work
                .points
                .is_none()
                .then(|| Want::Points(target.item.clone()));
            wants.extend(jobs.into_iter().chain(points));
        }
        if let State::Over { detail, .. } = errand.state()
            && self.work.points.is_none()
            && detail.has_succeeded()
        {
            wants.push(Want::Points(target.item.clone()));
        }
        wants
    }

    fn fill(&mut self, _: &Want, fact: Fact) {
        self.work.fill(fact);
    }

    fn plan(&self) -> Plan {
        plan_backup_job(self)
    }
}

impl BackupJobWorld {
    fn is_over(&self) -> bool {
        self.job.status.as_ref().is_some_and(|status| {
            bounded::is_over(&status.conditions, status.completion_time.as_ref())
        })
    }

    fn namespace(&self) -> &str {
        self.job.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn operation(&self) -> Option<&Operation> {
        meant(self.job.status.as_ref()?.operation.as_ref(), self.now)
    }

    fn target(&self) -> Result<Target<'_>, Waiting> {
        self.work
            .target(&self.job.spec.item, self.namespace(), self.operation())
    }

    fn errand(&self, target: &Target<'_>) -> Errand<'_> {
        self.work
            .errand(self.operation(), JobOperation::Backup, &target.item)
    }
}

/// What follows for a BackupJob.
pub fn plan_backup_job(world: &BackupJobWorld) -> Plan {
    let metadata = &world.job.metadata;
    let before = world.job.status.clone().unwrap_or_default();
    let basis = Basis {
        object: world.object(),
        generation: metadata.generation.unwrap_or_default(),
        now: world.now,
        before: before.conditions.clone(),
        goes_without: metadata
            .deletion_timestamp
            .as_ref()
            .map(|deleted| withdrawal::way_out(deleted.0)),
    };
    match &metadata.deletion_timestamp {
        Some(deleted) if ids::is_held(metadata) => {
            return withdraw(world, deleted.0, basis, before);
        }
        Some(_) => return rest(world, basis, before),
        None if world.is_over() => return rest(world, basis, before),
        None => {}
    }
    let course = course(world).unwrap_or_else(|waiting| Course {
        operation: before.operation.clone(),
        state: before.state,
        ..Course::blocked(&waiting, world.now)
    });
    let begin = match world.target() {
        Ok(target) if course.begin => Some(start(world, &basis, &target)),
        Ok(_) | Err(_) => None,
    };
    let steps = course.held(metadata, &basis).into_iter().chain(begin);
    let steps = steps.collect();
    let evidence = world
        .work
        .job
        .as_ref()
        .and_then(Observed::found)
        .and_then(|job| crate::errand::detail(job))
        .and_then(|job| point(world, job));
    let status = BackupJobStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Succeeded, &course.verdict, &[]),
        state: course.state,
        progress: course.progress.or(before.progress),
        job: course.job.or(before.job),
        start_time: course.start.or(before.start_time),
        completion_time: course.end,
        recovery_point: evidence
            .map(|(name, _)| name)
            .filter(|_| course.verdict.is_success()),
        operation: course.operation,
    };
    let next = if status.completion_time.is_some() {
        Next::Soon
    } else {
        course.next
    };
    basis.plan(steps, Status::BackupJob(status), next)
}

/// What becomes of a backup whose object is deleted.
fn withdraw(
    world: &BackupJobWorld,
    deleted: Timestamp,
    basis: Basis,
    before: BackupJobStatus,
) -> Plan {
    if world.is_over() || world.operation().is_none() {
        return basis.farewell(Action::ReleaseFinalizer);
    }
    let errand = world.target().map(|target| world.errand(&target));
    let is_ours = |detail: &VmJob| !is_anothers(world, detail);
    let withdrawal = withdrawal::of(errand, deleted, &basis, is_ours);
    withdrawal.plan(basis, |conditions, observed_generation| {
        Status::BackupJob(BackupJobStatus {
            conditions,
            observed_generation,
            ..before
        })
    })
}

/// A job that has ended stays for its time, and goes.
fn rest(world: &BackupJobWorld, basis: Basis, before: BackupJobStatus) -> Plan {
    if ids::is_held(&world.job.metadata) {
        let release = basis.step(Action::ReleaseFinalizer);
        return basis.plan(vec![release], Status::BackupJob(before), Next::Soon);
    }
    let stays = SignedDuration::from_secs(i64::from(world.job.spec.ttl_seconds_after_finished));
    let goes = before
        .completion_time
        .as_ref()
        .and_then(|end| end.0.checked_add(stays).ok());
    match goes {
        Some(goes) if goes <= world.now && !world.clocks_agree => {
            basis.plan(Vec::new(), Status::BackupJob(before), Next::After(DOUBT))
        }
        Some(goes) if goes <= world.now && world.job.metadata.deletion_timestamp.is_none() => {
            basis.farewell(Action::DeleteObject)
        }
        Some(goes) => {
            let left = world
                .now
                .duration_until(goes)
                .max(SignedDuration::from_secs(1));
            basis.plan(Vec::new(), Status::BackupJob(before), Next::After(left))
        }
        None => basis.plan(Vec::new(), Status::BackupJob(before), Next::Await),
    }
}

fn course(world: &BackupJobWorld) -> Result<Course, Waiting> {
    let target = world.target()?;
    let Some(meant) = world.operation().cloned() else {
        is_protected(world)?;
        let jobs = before(
            world.work.jobs.as_ref(),
            &target.item,
            &JobOperation::Backup,
            world.now,
        )?;
        let points = made_since(world, moment(world.now).0).map(|(_, name)| name);
        let known = jobs.into_iter().chain(points).take(BEFORE).collect();
        return Ok(Course::meant(
            OperationKind::Backup,
            target.item.to_string(),
            known,
            world.now,
        ));
    };
    let errand = world.errand(&target);
    if let Some((job, detail)) = errand.adoptee()
        && is_anothers(world, detail)
    {
        return Ok(Course::anothers(job, meant));
    }
    let state = errand.state();
    if state == State::ToBegin {
        is_protected(world)?;
    }
    Ok(Course::of(state, meant, world.now, |detail| {
        ("its recovery point", evidence(world, detail))
    }))
}

/// Whether the job says that its point is kept until another day than was asked for.
fn is_anothers(world: &BackupJobWorld, detail: &VmJob) -> bool {
    let until = world.job.spec.retain_until.as_ref();
    until.is_some_and(|until| {
        tells_another_moment(detail, "Recovery Point Expiry Time in UTC", until.0)
    })
}

/// Whether the item is in a state in which it can be backed up.
fn is_protected(world: &BackupJobWorld) -> Result<(), Waiting> {
    let item = ObjectKey::new(
        Kind::ProtectedVM,
        world.namespace(),
        world.job.spec.item.name.clone(),
    );
    match &world.work.arm {
        None => Err(Waiting::StillProvisioning {
            what: "the item".to_owned(),
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) => Err(Waiting::ItemNotProtected {
            item,
            state: String::new(),
        }),
        Some(Observed::Found(found)) => match Seen::of(found).map(|seen| seen.state) {
            Some(
                ProtectionState::Protected
                | ProtectionState::IrPending
                | ProtectionState::ProtectionError,
            ) => Ok(()),
            Some(state) => Err(Waiting::ItemNotProtected {
                item,
                state: state.to_string(),
            }),
            None => Err(Waiting::NotOfferedYet {
                what: "An item that is not a virtual machine".to_owned(),
            }),
        },
    }
}

fn evidence(world: &BackupJobWorld, detail: &VmJob) -> Evidence {
    match (&world.work.points, point(world, detail)) {
        (_, Some((name, time))) => Evidence::Seen {
            message: format!(
                "The recovery point {name} of {} exists.",
                time.strftime("%Y-%m-%d %H:%M:%SZ")
            ),
        },
        (Some(Observed::Unknown(failure)), None) => {
            Evidence::Unknown(Waiting::Arm(failure.clone()))
        }
        (Some(_) | None, None) => Evidence::NotSeen,
    }
}

/// The recovery point that the job made: the first one that is not older than the job and was not there before it was meant.
fn point(world: &BackupJobWorld, detail: &VmJob) -> Option<(String, Timestamp)> {
    let before = world
        .job
        .status
        .iter()
        .filter_map(|status| status.operation.as_ref())
        .flat_map(|meant| &meant.before);
    let before: Vec<&String> = before.collect();
    let made =
        made_since(world, bounded::from(detail)?).filter(|(_, name)| !before.contains(&name));
    made.min().map(|(time, name)| (name, time))
}

fn made_since(
    world: &BackupJobWorld,
    since: Timestamp,
) -> impl Iterator<Item = (Timestamp, String)> {
    let points = world.work.known_points().iter();
    points
        .filter_map(|point| Some((point::time(point)?, point.name.clone()?)))
        .filter(move |(time, _)| *time >= since)
}

fn start(world: &BackupJobWorld, basis: &Basis, target: &Target<'_>) -> Step {
    let until = world.job.spec.retain_until.as_ref().map(|time| time.0);
    let body = Box::new(Resource::body(BackupRequest::from(
        VmBackupRequest::keep_until(until),
    )));
    Step {
        action: Action::StartBackup {
            item: target.item.clone(),
            body,
        },
        guard: world.work.guard(basis, &target.item),
        slot: Some(Slot::Operation),
    }
}
