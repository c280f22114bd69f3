//! Planning a Restore: one recovery point, chosen once and written down, brought back as disks that are seen to exist.

use jiff::Timestamp;
use kluis_api::{
    ConditionType, OperationKind, RestoreFrom, RestoreStatus, RestoreTo, RestoreToDisks,
    RestoredPoint,
};
use kluis_arm::id::{RecoveryPointId, ResourceGroupId, StorageAccountId};
use kluis_arm::job::{JobOperation, VmJob};
use kluis_arm::recovery_point::{RecoveryPoint, RecoveryPointDetail, Tier, TierStatus};
use kluis_arm::resource::Resource;
use kluis_arm::restore::{RestoreRequest, VmRestoreRequest};

use crate::bounded::{self, Course, Evidence};
use crate::conditions::moment;
use crate::errand::{BEFORE, Errand, State, before, tells_another_moment, told, want_before};
use crate::fingerprint::Fingerprint;
use crate::gate::{self, Target};
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::plan::{Basis, Plan};
use crate::point;
use crate::report::Status;
use crate::step::{Action, Precondition, Slot, Step};
use crate::waiting::Waiting;
use crate::world::{DiskFact, Fact, Observed, RestoreWorld, Want, World};

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
        if self.is_over() || self.restore.metadata.deletion_timestamp.is_some() {
            return Vec::new();
        }
        let (Ok(target), Ok((to, group))) = (self.target(), self.destination()) else {
            return Vec::new();
        };
        let mut wants: Vec<Want> = self
            .arm
            .is_none()
            .then(|| Want::Item(target.item.clone()))
            .into_iter()
            .collect();
        let errand = self.errand(&target);
        wants.extend(errand.wants());
        if self.chosen().is_none() && self.points.is_none() {
            wants.push(Want::Points(target.item.clone()));
        }
        if errand.state() == State::NotMeant && self.arm.is_some() {
            let jobs = self
                .jobs
                .is_none()
                .then(|| want_before(&target.item, JobOperation::Restore, self.now));
            let disks = self.disks.is_none().then(|| Want::Disks(group.clone()));
            wants.extend(jobs.into_iter().chain(disks));
        }
        match errand.state() {
            State::NotMeant | State::ToBegin
                if to.staging_account.is_none() && self.accounts.is_none() =>
            {
                wants.push(Want::StorageAccounts {
                    subscription: target.vault_id.subscription.to_string(),
                });
            }
            State::Over { detail, .. } if self.disks.is_none() && detail.has_succeeded() => {
                wants.push(Want::Disks(group));
            }
            _ => {}
        }
        wants
    }

    fn fill(&mut self, _: &Want, fact: Fact) {
        match fact {
            Fact::Item(item) => self.arm = Some(item),
            Fact::Progress(progress) => self.progress = Some(progress),
            Fact::Job(job) => self.arm_job = Some(job),
            Fact::Jobs(jobs) => self.jobs = Some(jobs),
            Fact::Points(points) => self.points = Some(points),
            Fact::StorageAccounts(accounts) => self.accounts = Some(accounts),
            Fact::Disks(disks) => self.disks = Some(disks),
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
        self.restore
            .metadata
            .namespace
            .as_deref()
            .unwrap_or_default()
    }

    fn target(&self) -> Result<Target<'_>, Waiting> {
        // What was begun is followed even while the vault is not Ready.
        let is_begun = self
            .restore
            .status
            .as_ref()
            .is_some_and(|status| status.operation.is_some());
        gate::item_target(
            &self.restore.spec.item,
            self.item.as_ref(),
            self.vault.as_ref(),
            &self.access,
            self.namespace(),
            gate::Need::of(is_begun),
        )
    }

    /// Where the disks go, with the service's consent.
    fn destination(&self) -> Result<(&RestoreToDisks, ResourceGroupId), Waiting> {
        let later = |what: &str| {
            Err(Waiting::NotOfferedYet {
                what: format!("A restore {what}"),
            })
        };
        let disks = match &self.restore.spec.to {
            RestoreTo {
                disks: Some(disks), ..
            } => disks,
            RestoreTo {
                new_vm: Some(_), ..
            } => return later("to a new virtual machine"),
            RestoreTo {
                in_place: Some(_), ..
            } => return later("in place"),
            RestoreTo { files: Some(_), .. } => return later("of files"),
            RestoreTo {
                disks: None,
                new_vm: None,
                in_place: None,
                files: None,
            } => return later("to nowhere"),
        };
        let target = self.target()?;
        let named = &target.vault.spec.service_ref.name;
        gate::consents(
            target.service,
            &self.access,
            named,
            self.namespace(),
            &disks.resource_group,
        )?;
        Ok((disks, ids::group_id(target.service, &disks.resource_group)?))
    }

    fn errand(&self, target: &Target<'_>) -> Errand<'_> {
        Errand {
            operation: self
                .restore
                .status
                .as_ref()
                .and_then(|status| status.operation.as_ref()),
            does: JobOperation::Restore,
            item: target.item.clone(),
            progress: self.progress.as_ref(),
            job: self.arm_job.as_ref(),
            jobs: self.jobs.as_ref(),
        }
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
    };
    if world.is_over() || metadata.deletion_timestamp.is_some() {
        return basis.plan(
            Vec::new(),
            Status::Restore(before),
            crate::plan::Next::Await,
        );
    }
    let followed = follow(world, &basis);
    let (course, point, steps) = followed.unwrap_or_else(|waiting| {
        let course = Course {
            operation: before.operation.clone(),
            state: before.state,
            ..Course::blocked(&waiting, world.now)
        };
        (course, None, Vec::new())
    });
    let made = world
        .arm_job
        .as_ref()
        .and_then(Observed::found)
        .and_then(|job| crate::errand::detail(job))
        .map(|job| made(world, job));
    let status = RestoreStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Succeeded, &course.verdict, &[]),
        state: course.state,
        progress: course.progress.or(before.progress),
        recovery_point: before.recovery_point.or(point),
        job: course.job.or(before.job),
        start_time: course.start.or(before.start_time),
        completion_time: course.end,
        disks: made
            .filter(|_| course.verdict.is_success())
            .map(|disks| disks.iter().map(|disk| disk.id.to_string()).collect())
            .unwrap_or(before.disks),
        target: Some(world.restore.spec.to.in_words(&basis.object.name)),
        vm: before.vm,
        recovery_point_before: before.recovery_point_before,
        files: before.files,
        operation: course.operation,
    };
    basis.plan(steps, Status::Restore(status), course.next)
}

fn follow(
    world: &RestoreWorld,
    basis: &Basis,
) -> Result<(Course, Option<RestoredPoint>, Vec<Step>), Waiting> {
    let target = world.target()?;
    let (to, group) = world.destination()?;
    let errand = world.errand(&target);
    let state = errand.state();
    let status = world.restore.status.as_ref();
    let Some((meant, chosen)) = status
        .and_then(|status| status.operation.clone())
        .zip(world.chosen())
    else {
        let point = choose(world)?;
        staging(world, &target, to)?;
        let id = target
            .item
            .recovery_point(ids::name("recoveryPoint", &point.name)?);
        let jobs = before(
            world.jobs.as_ref(),
            &target.item,
            &JobOperation::Restore,
            world.now,
        )?;
        let disks = disks_since(world, moment(world.now).0).map(|disk| disk.id.name.to_string());
        let known = jobs.into_iter().chain(disks).take(BEFORE).collect();
        let course = Course::meant(OperationKind::Restore, id.to_string(), known, world.now);
        return Ok((course, Some(point), Vec::new()));
    };
    let point = target
        .item
        .recovery_point(ids::name("recoveryPoint", &chosen.name)?);
    if let Some((job, detail)) = errand.adoptee()
        && is_anothers(detail, chosen, &group)
    {
        return Ok((Course::anothers(job, meant), None, Vec::new()));
    }
    // Preflight only stands before the call: what has begun is followed, whatever else changes.
    let account = if state == State::ToBegin {
        Some(staging(world, &target, to)?)
    } else {
        None
    };
    let course = Course::of(state, meant, world.now, |detail| {
        ("what it restored", evidence(world, detail, &group))
    });
    let steps = account
        .filter(|_| course.begin)
        .map(|account| start(world, basis, &target, point, &group, &account));
    Ok((course, None, steps.into_iter().collect()))
}

/// Whether the job says that it restores another point than was chosen, or into another group.
fn is_anothers(detail: &VmJob, chosen: &RestoredPoint, group: &ResourceGroupId) -> bool {
    tells_another_moment(detail, "Recovery point time", chosen.time.0)
        || told(detail, "Target resource group").is_some_and(|told| group.name != *told)
}

/// The recovery point that the spec names.
fn choose(world: &RestoreWorld) -> Result<RestoredPoint, Waiting> {
    if let Some(chosen) = world.chosen() {
        return Ok(chosen.clone());
    }
    let item = ObjectKey::new(
        Kind::ProtectedVM,
        world.namespace(),
        world.restore.spec.item.name.clone(),
    );
    let points = match (&world.points, &world.arm) {
        (_, Some(Observed::Absent)) => {
            return Err(Waiting::ItemNotProtected {
                item,
                state: "not in the vault".to_owned(),
            });
        }
        (_, Some(Observed::Unknown(failure))) | (Some(Observed::Unknown(failure)), _) => {
            return Err(Waiting::Arm(failure.clone()));
        }
        (None, _) | (_, None) => {
            return Err(Waiting::StillProvisioning {
                what: "the list of recovery points".to_owned(),
            });
        }
        (Some(Observed::Found(points)), _) => points.as_slice(),
        (Some(Observed::Absent), _) => &[],
    };
    let mut candidates: Vec<(Timestamp, &RecoveryPoint)> = points
        .iter()
        .filter(|point| point::is_usable(point))
        .filter_map(|point| Some((point::time(point)?, point)))
        .collect();
    candidates.sort_by_key(|(time, _)| *time);
    let (found, wanted) = match &world.restore.spec.from {
        RestoreFrom {
            recovery_point: Some(name),
            ..
        } => {
            let named = candidates.iter().find(|(_, point)| {
                point
                    .name
                    .as_deref()
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
            });
            (named, name.clone())
        }
        RestoreFrom {
            point_in_time: Some(at),
            ..
        } => {
            let before = candidates.iter().rev().find(|(time, _)| *time <= at.0);
            (before, format!("at or before {}", at.0))
        }
        RestoreFrom { .. } => (candidates.last(), "of this item".to_owned()),
    };
    let (time, point) = found.ok_or(Waiting::PointNotFound { wanted })?;
    if is_archived(point) {
        return Err(Waiting::NotOfferedYet {
            what: "A restore of a recovery point that is in the archive".to_owned(),
        });
    }
    Ok(RestoredPoint {
        name: point.name.clone().unwrap_or_default(),
        time: moment(*time),
    })
}

/// Whether the point is nowhere but in the archive.
fn is_archived(point: &RecoveryPoint) -> bool {
    let RecoveryPointDetail::VirtualMachine(point) = &point.properties else {
        return false;
    };
    let usable: Vec<&Tier> = point
        .recovery_point_tier_details
        .iter()
        .flatten()
        .filter(|detail| {
            matches!(
                detail.status,
                Some(TierStatus::Valid | TierStatus::Rehydrated)
            )
        })
        .filter_map(|detail| detail.tier.as_ref())
        .collect();
    !usable.is_empty() && usable.iter().all(|tier| **tier == Tier::ArchivedRp)
}

/// The storage account that the restore passes through.
fn staging(
    world: &RestoreWorld,
    target: &Target<'_>,
    to: &RestoreToDisks,
) -> Result<StorageAccountId, Waiting> {
    if let Some(named) = &to.staging_account {
        let group = ids::group_id(target.service, &named.resource_group)?;
        let name = ids::name("stagingAccount.name", &named.name)?;
        return Ok(StorageAccountId {
            subscription: group.subscription,
            resource_group: group.name,
            name,
        });
    }
    let region = &target.vault.spec.location;
    match &world.accounts {
        None => Err(Waiting::StillProvisioning {
            what: "the list of storage accounts".to_owned(),
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) => Err(Waiting::StagingNotFound {
            region: region.clone(),
        }),
        Some(Observed::Found(accounts)) => {
            let near = accounts
                .iter()
                .filter(|account| crate::vault::is_same_location(&account.location, region));
            let first = near
                .min_by_key(|account| (account.id.resource_group.clone(), account.id.name.clone()));
            first
                .map(|account| account.id.clone())
                .ok_or_else(|| Waiting::StagingNotFound {
                    region: region.clone(),
                })
        }
    }
}

fn start(
    world: &RestoreWorld,
    basis: &Basis,
    target: &Target<'_>,
    point: RecoveryPointId,
    group: &ResourceGroupId,
    account: &StorageAccountId,
) -> Step {
    let observed = world.arm.clone().map(|arm| {
        (
            Want::Item(target.item.clone()),
            Fingerprint::of(&Fact::Item(arm)),
        )
    });
    let request = VmRestoreRequest::disks(
        &point,
        &target.vm,
        group,
        account,
        &target.vault.spec.location,
    );
    let body = Box::new(Resource::body(RestoreRequest::from(request)));
    Step {
        action: Action::StartRestore { point, body },
        guard: Precondition {
            observed,
            ..basis.unread()
        },
        slot: Some(Slot::Operation),
    }
}

fn evidence(world: &RestoreWorld, detail: &VmJob, group: &ResourceGroupId) -> Evidence {
    let made = made(world, detail);
    match &world.disks {
        _ if !made.is_empty() => {
            let names: Vec<String> = made.iter().map(|disk| disk.id.name.to_string()).collect();
            Evidence::Seen {
                message: format!("Restored {} into {}.", names.join(", "), group.name),
            }
        }
        Some(Observed::Unknown(failure)) => Evidence::Unknown(Waiting::Arm(failure.clone())),
        Some(_) | None => Evidence::NotSeen,
    }
}

/// The disks in the target group that are not older than the job and were not there before it was meant, by name. Two restores into one
/// group at one time each see the other's disks too: a disk does not say which job made it.
fn made<'a>(world: &'a RestoreWorld, detail: &VmJob) -> Vec<&'a DiskFact> {
    let Some(from) = bounded::from(detail) else {
        return Vec::new();
    };
    let meant = world
        .restore
        .status
        .as_ref()
        .and_then(|status| status.operation.as_ref());
    let was_there = |disk: &DiskFact| {
        meant.is_some_and(|meant| {
            meant
                .before
                .iter()
                .any(|known| disk.id.name == *known.as_str())
        })
    };
    let mut made: Vec<&DiskFact> = disks_since(world, from)
        .filter(|disk| !was_there(disk))
        .collect();
    made.sort_by(|one, other| one.id.cmp(&other.id));
    made
}

fn disks_since(world: &RestoreWorld, since: Timestamp) -> impl Iterator<Item = &DiskFact> {
    let disks = world
        .disks
        .as_ref()
        .and_then(Observed::found)
        .into_iter()
        .flatten();
    disks.filter(move |disk| disk.created.is_some_and(|created| created >= since))
}
