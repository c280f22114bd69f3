//! Planning a Restore: one recovery point, chosen once and written down, brought back to where the spec says, and seen to be there.

mod call;
mod choice;
mod encryption;
mod evidence;
mod goal;
mod preflight;
mod repetition;
mod staging;

use jiff::Timestamp;
use kluis_api::{ConditionType, Operation, OperationKind, RestoreStatus, RestoredPoint};
use kluis_arm::job::{JobOperation, VmJob};

use crate::bounded::{self, Course};
use crate::conditions::moment;
use crate::errand::{BEFORE, Errand, State, before, meant, want_before};
use crate::gate::Target;
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::plan::{Basis, Next, Plan};
use crate::report::Status;
use crate::step::{Action, Step};
use crate::waiting::Waiting;
use crate::withdrawal;
use crate::world::{Fact, RestoreWorld, Want, World};
use evidence::Findings;
use goal::Goal;
pub use repetition::AGAIN;

impl World for RestoreWorld {
    fn object(&self) -> ObjectKey {
        let metadata = &self.restore.metadata;
        ObjectKey::new(
            Kind::Restore,
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
        if self.restore.metadata.deletion_timestamp.is_some() {
            return match ids::is_held(&self.restore.metadata) {
                true => self.errand(&target).wants(),
                false => Vec::new(),
            };
        }
        let Ok(goal) = Goal::of(self, &target) else {
            return Vec::new();
        };
        if self.operation().is_none() && goal.is_allowed(self, &target).is_err() {
            return Vec::new();
        }
        let item = (self.work.arm.is_none()).then(|| Want::Item(target.item.clone()));
        let errand = self.errand(&target);
        let points = (self.chosen().is_none() && self.work.points.is_none())
            .then(|| Want::Points(target.item.clone()));
        let mut wants: Vec<Want> = item
            .into_iter()
            .chain(errand.wants())
            .chain(points)
            .collect();
        match errand.state() {
            State::NotMeant if self.work.arm.is_some() => {
                if self.work.jobs.is_none() {
                    let before = || want_before(&target.item, JobOperation::Restore, self.now);
                    wants.push(repetition::want(self, &target, &goal).unwrap_or_else(before));
                }
                wants.extend(evidence::wants_before(self, &goal));
                wants.extend(preflight::wants(self, &target, &goal));
                wants.extend(choice::wants(self, &goal));
            }
            State::ToBegin => wants.extend(preflight::wants(self, &target, &goal)),
            State::Over { detail, .. } if detail.has_succeeded() => {
                wants.extend(evidence::wants_after(self, &target, &goal));
            }
            _ => {}
        }
        wants
    }

    fn fill(&mut self, want: &Want, fact: Fact) {
        match (want, self.work.fill(fact)) {
            (_, Some(Fact::StorageAccounts(accounts))) => self.accounts = Some(accounts),
            (_, Some(Fact::Disks(disks))) => self.disks = Some(disks),
            (Want::Vm(id), Some(Fact::Vm(vm))) => {
                self.vms.insert(id.clone(), vm);
            }
            (Want::KeyVaultEntry { id }, Some(Fact::KeyVaultEntry(entry))) => {
                self.secrets.insert(id.clone(), entry);
            }
            (_, Some(Fact::Network(network))) => self.network = Some(network),
            (_, Some(Fact::FilesExtension(files))) => self.files = Some(files),
            _ => {}
        }
    }

    fn plan(&self) -> Plan {
        plan_restore(self)
    }
}

impl RestoreWorld {
    fn is_over(&self) -> bool {
        self.restore.status.as_ref().is_some_and(|status| {
            bounded::is_over(&status.conditions, status.completion_time.as_ref())
        })
    }

    fn namespace(&self) -> &str {
        let namespace = self.restore.metadata.namespace.as_deref();
        namespace.unwrap_or_default()
    }

    fn operation(&self) -> Option<&Operation> {
        meant(self.restore.status.as_ref()?.operation.as_ref(), self.now)
    }

    fn target(&self) -> Result<Target<'_>, Waiting> {
        self.work
            .target(&self.restore.spec.item, self.namespace(), self.operation())
    }

    fn errand(&self, target: &Target<'_>) -> Errand<'_> {
        self.work
            .errand(self.operation(), JobOperation::Restore, &target.item)
    }

    /// The recovery point that was chosen.
    fn chosen(&self) -> Option<&RestoredPoint> {
        self.restore.status.as_ref()?.recovery_point.as_ref()
    }
}

/// What follows for a Restore.
pub fn plan_restore(world: &RestoreWorld) -> Plan {
    let metadata = &world.restore.metadata;
    let before = world.restore.status.clone().unwrap_or_default();
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
        None if world.is_over() && ids::is_held(metadata) => {
            let release = basis.step(Action::ReleaseFinalizer);
            return basis.plan(vec![release], Status::Restore(before), Next::Soon);
        }
        None if !world.is_over() => {}
        _ => return basis.plan(Vec::new(), Status::Restore(before), Next::Await),
    }
    let followed = follow(world, &basis);
    let Followed {
        course,
        point,
        findings,
        steps,
    } = followed.unwrap_or_else(|waiting| {
        let course = Course {
            operation: before.operation.clone(),
            state: before.state,
            ..Course::blocked(&waiting, world.now)
        };
        Followed::at(course)
    });
    let steps = course
        .held(metadata, &basis)
        .into_iter()
        .chain(steps)
        .collect();
    let found = findings
        .filter(|_| course.verdict.is_success())
        .unwrap_or_default();
    let status = RestoreStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Succeeded, &course.verdict, &[]),
        state: course.state,
        progress: course.progress.or(before.progress),
        recovery_point: before.recovery_point.or(point),
        job: course.job.or(before.job),
        start_time: course.start.or(before.start_time),
        completion_time: course.end,
        target: Some(world.restore.spec.to.in_words(&basis.object.name)),
        disks: found.disks,
        template: found.template,
        vm: found.vm,
        recovery_point_before: found.point_before,
        files: found.files,
        operation: course.operation,
    };
    let next = match status.completion_time {
        Some(_) => Next::Soon,
        None => course.next,
    };
    basis.plan(steps, Status::Restore(status), next)
}

/// What becomes of a restore whose object is deleted.
fn withdraw(world: &RestoreWorld, deleted: Timestamp, basis: Basis, before: RestoreStatus) -> Plan {
    if world.is_over() || world.operation().is_none() {
        return basis.farewell(Action::ReleaseFinalizer);
    }
    let target = world.target();
    let errand = target.clone().map(|target| world.errand(&target));
    let is_ours = |detail: &VmJob| {
        let goal = target
            .as_ref()
            .ok()
            .and_then(|target| Goal::of(world, target).ok());
        let chosen = world.chosen();
        !goal
            .zip(chosen)
            .is_some_and(|(goal, chosen)| goal.is_anothers(detail, chosen))
    };
    let withdrawal = withdrawal::of(errand, deleted, &basis, is_ours);
    withdrawal.plan(basis, |conditions, observed_generation| {
        Status::Restore(RestoreStatus {
            conditions,
            observed_generation,
            ..before
        })
    })
}

/// What is to be done about a restore, and what it has come to.
struct Followed {
    course: Course,
    /// The point that was chosen just now.
    point: Option<RestoredPoint>,
    findings: Option<Findings>,
    steps: Vec<Step>,
}

impl Followed {
    fn at(course: Course) -> Self {
        Self {
            course,
            point: None,
            findings: None,
            steps: Vec::new(),
        }
    }
}

fn follow(world: &RestoreWorld, basis: &Basis) -> Result<Followed, Waiting> {
    let target = world.target()?;
    let goal = Goal::of(world, &target)?;
    let Some((meant, chosen)) = world.operation().cloned().zip(world.chosen()) else {
        return intend(world, &target, &goal);
    };
    let errand = world.errand(&target);
    if let Some((job, detail)) = errand.adoptee()
        && goal.is_anothers(detail, chosen)
    {
        return Ok(Followed::at(Course::anothers(job, meant)));
    }
    let state = errand.state();
    let point = target
        .item
        .recovery_point(ids::name("recoveryPoint", &chosen.name)?);
    // Preflight only stands before the call: what has begun is followed, whatever else changes.
    let call = if state == State::ToBegin {
        goal.is_allowed(world, &target)?;
        preflight::check(world, &target, &goal)?;
        Some(call::of(world, &target, &goal, point)?)
    } else {
        None
    };
    let mut findings = None;
    let course = Course::of(state, meant, world.now, |detail| {
        let (evidence, found) = evidence::of(world, &goal, detail);
        findings = found;
        ("what it restored", evidence)
    });
    let steps = call
        .filter(|_| course.begin)
        .map(|action| call::step(world, basis, &target, action));
    Ok(Followed {
        findings,
        steps: steps.into_iter().collect(),
        ..Followed::at(course)
    })
}

/// Writes down what is meant, once nothing stands in its way, with what is there already.
fn intend(world: &RestoreWorld, target: &Target<'_>, goal: &Goal<'_>) -> Result<Followed, Waiting> {
    goal.is_allowed(world, target)?;
    let point = choice::of(world, target, goal)?;
    repetition::check(world, target, goal, &point)?;
    preflight::check(world, target, goal)?;
    let id = target
        .item
        .recovery_point(ids::name("recoveryPoint", &point.name)?);
    let jobs = before(
        world.work.jobs.as_ref(),
        &target.item,
        &JobOperation::Restore,
        world.now,
    )?;
    let there = evidence::there_before(world, goal, moment(world.now).0);
    let known = jobs.into_iter().chain(there).take(BEFORE).collect();
    let course = Course::meant(OperationKind::Restore, id.to_string(), known, world.now);
    Ok(Followed {
        point: Some(point),
        ..Followed::at(course)
    })
}
