//! Planning a ProtectedVM: protected as declared, backed up as asked, and a status that says how recoverable it is.

mod backup;
mod consistency;
mod health;
mod history;
mod immutability;
mod leaving;
mod lock;
mod outlook;
mod protection;
mod snapshot;

use jiff::SignedDuration;
use kluis_api::{ConditionType, ItemDeletionPolicy, OperationKind, ProtectedVMStatus};
use kluis_arm::id::PolicyId;

use crate::approval::{self, Stake};
use crate::conditions::{Extra, Verdict};
use crate::drift;
use crate::edit::{self, Edit};
use crate::gate::{self, Target};
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::plan::{Basis, Next, Plan, WayOut};
use crate::report::{Event, Status};
use crate::seen::Seen;
use crate::step::Action;
use crate::waiting::{Waiting, in_words};
use crate::world::{Fact, Observed, Progress, ProtectedVmWorld, Want, World};
use protection::Protection;
pub(crate) use protection::to_be_written;

/// How often an item that is as declared is looked at again: how soon a backup that somebody else asked for shows.
const RESYNC: SignedDuration = SignedDuration::from_mins(10);

impl World for ProtectedVmWorld {
    fn object(&self) -> ObjectKey {
        let metadata = &self.item.metadata;
        ObjectKey::new(
            Kind::ProtectedVM,
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        )
    }

    fn wants(&self) -> Vec<Want> {
        let Ok(target) = self.target() else {
            return Vec::new();
        };
        if self.is_going()
            && (!self.users.is_empty()
                || self.rival.is_some()
                || self.item.spec.deletion_policy == ItemDeletionPolicy::Orphan)
        {
            return Vec::new();
        }
        let url = self
            .operation()
            .filter(|operation| self.asks_after(operation, &target))
            .and_then(|operation| operation.status_url.clone());
        let mut wants: Vec<Want> = url
            .filter(|_| self.progress.is_none())
            .map(|url| Want::Progress { url })
            .into_iter()
            .collect();
        if self.arm.is_none() {
            wants.push(Want::Item(target.item.clone()));
        }
        if self.is_going() {
            wants.extend(immutability::wants(self, &target));
            return wants;
        }
        if let (None, Ok(policy)) = (&self.arm_policy, self.policy_id(&target)) {
            wants.push(Want::Policy(policy));
        }
        if wants.is_empty() {
            wants.extend(protection::wants(self, &target));
        }
        if wants.is_empty() {
            wants.extend(history::wants(self, &target));
        }
        if wants.is_empty() {
            wants.extend(health::wants(self, &target));
        }
        if wants.is_empty() {
            wants.extend(lock::wants(self, &target));
        }
        wants
    }

    fn fill(&mut self, want: &Want, fact: Fact) {
        let desired = self
            .target()
            .ok()
            .and_then(|target| self.policy_id(&target).ok());
        let backup_url = self
            .status()
            .and_then(|status| status.backup.as_ref()?.status_url.clone());
        match (want, fact) {
            (Want::Item(_), Fact::Item(item)) => self.arm = Some(item),
            (Want::Vault(_), Fact::Vault(vault)) => self.arm_vault = Some(vault),
            (Want::Policy(id), Fact::Policy(policy)) if desired.as_ref() == Some(id) => {
                self.arm_policy = Some(policy);
            }
            (Want::Policy(_), Fact::Policy(policy)) => self.present_policy = Some(policy),
            (Want::Vm(_), Fact::Vm(vm)) => self.vm = Some(vm),
            (Want::Progress { url }, Fact::Progress(progress))
                if backup_url.as_ref() == Some(url) =>
            {
                self.backup_progress = Some(progress);
            }
            (Want::Progress { .. }, Fact::Progress(progress)) => {
                // What was not there while it was being made may be there now.
                let is_over = matches!(&progress, Observed::Found(Progress::Succeeded { .. }));
                self.arm = self
                    .arm
                    .take()
                    .filter(|item| !(is_over && item.is_absent()));
                self.progress = Some(progress);
            }
            (Want::Protectable { .. }, Fact::Protectable(protectable)) => {
                self.protectable = Some(protectable);
            }
            (Want::Job(_), Fact::Job(job)) => self.backup_job = Some(job),
            (Want::Jobs { .. }, Fact::Jobs(jobs)) => self.jobs = Some(jobs),
            (Want::Points(_), Fact::Points(points)) => self.points = Some(points),
            (Want::Locks { .. }, Fact::Locks(locks)) => self.locks = Some(locks),
            _ => {}
        }
    }

    fn plan(&self) -> Plan {
        plan_protected_vm(self)
    }

    fn edits(&self) -> Vec<Edit> {
        edit::of_item(self).into_iter().collect()
    }
}

impl ProtectedVmWorld {
    fn is_going(&self) -> bool {
        self.item.metadata.deletion_timestamp.is_some()
    }

    fn namespace(&self) -> &str {
        self.item.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn status(&self) -> Option<&ProtectedVMStatus> {
        self.item.status.as_ref()
    }

    fn operation(&self) -> Option<&kluis_api::Operation> {
        self.status().and_then(|status| status.operation.as_ref())
    }

    /// Whether the operation in the status has to tell how it is. Of a protection the item tells it, which is read in any case.
    fn asks_after(&self, operation: &kluis_api::Operation, target: &Target<'_>) -> bool {
        let is_there = || {
            let seen = self.seen();
            seen.is_some_and(|seen| protection::is_as_declared(self, target, &seen))
        };
        operation.kind != OperationKind::Protect
            || self.is_going()
            || (self.arm.is_some() && !is_there())
    }

    fn target(&self) -> Result<Target<'_>, Waiting> {
        if let Some(other) = self.rival.as_ref().filter(|_| !self.is_going()) {
            return Err(Waiting::DeclaredBy {
                other: other.clone(),
            });
        }
        let spec = &self.item.spec;
        gate::target(
            self.vault.as_ref(),
            &self.access,
            &spec.vault_ref,
            &spec.vm,
            self.namespace(),
            gate::Need::of(self.is_going()),
        )
    }

    fn policy_id(&self, target: &Target<'_>) -> Result<PolicyId, Waiting> {
        target.policy(self.namespace(), &self.item.spec.policy_ref)
    }

    /// The item as the vault has it.
    fn seen(&self) -> Option<Seen<'_>> {
        self.arm
            .as_ref()
            .and_then(Observed::found)
            .and_then(|item| Seen::of(item))
    }
}

/// What follows for a ProtectedVM.
pub fn plan_protected_vm(world: &ProtectedVmWorld) -> Plan {
    let metadata = &world.item.metadata;
    let before = world.status().cloned().unwrap_or_default();
    let basis = Basis {
        object: world.object(),
        generation: metadata.generation.unwrap_or_default(),
        now: world.now,
        before: before.conditions.clone(),
        goes_without: world.is_going().then_some(WayOut::Policy("Orphan")),
    };
    if world.is_going() {
        return leaving::plan(world, basis);
    }
    let protection = protection::decide(world, &basis);
    let stake = protection::stake(world);
    let backup = backup::decide(
        world,
        &basis,
        protection.as_ref().is_ok_and(Protection::is_active),
    );
    let history = history::of(world, &backup);
    let outlook = outlook::of(world, &history);
    let (verdict, next) = judge(world, &protection, &backup, &outlook);
    let health = health::of(world, &history);
    let verdict = health.told(verdict);
    let (verdict, locked) = lock::told(world, verdict, &basis.before);
    let consistency = consistency::of(world, &history);
    let (consistent, weaker) = consistency.unzip();
    let extras: Vec<Extra> = std::iter::once(history.recoverable())
        .chain(outlook.within_rpo.clone())
        .chain(consistent)
        .chain(health.condition.clone())
        .chain([asked(&protection)])
        .collect();
    let seen = world.seen();
    let status = ProtectedVMStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &extras),
        state: state(world).or(before.state),
        policy: seen
            .as_ref()
            .map_or(before.policy.clone(), Seen::policy_name),
        last_policy: last_policy(seen.as_ref(), &before),
        last_terms: protection::last_terms(world, before.last_terms.clone()),
        azure_id: seen
            .as_ref()
            .and_then(|_| world.target().ok())
            .map(|target| target.item.to_string())
            .or(before.azure_id),
        last_backup_time: history.last_backup.clone(),
        next_backup: outlook.next_backup.clone(),
        schedule: outlook.schedule.clone(),
        backup_request: backup.echo.clone().or(before.backup_request),
        runs: history.runs.clone(),
        recovery_points: history.points.clone(),
        operation: before.operation.filter(|_| keeps_operation(world)),
        backup: backup.operation.clone(),
        missed_run: outlook.missed_run.clone(),
        missed_tiers: health.missed,
        objectives: outlook.objectives.clone(),
        approval: stake
            .as_ref()
            .filter(|_| matches!(protection, Err(Waiting::ApprovalRequired(_))))
            .map(Stake::status),
    };
    let hold = (!ids::is_held(metadata)).then(|| basis.step(Action::HoldFinalizer));
    let changes = |protection: &Result<Protection, Waiting>| {
        matches!(
            protection,
            Ok(Protection::ToDo {
                kind: OperationKind::ModifyProtection,
                ..
            })
        )
    };
    let sent = stake
        .as_ref()
        .filter(|_| changes(&protection))
        .and_then(Stake::told);
    let drift = protection
        .as_ref()
        .ok()
        .and_then(|protection| drifted(world, protection));
    let protect = protection.ok().and_then(Protection::step);
    let steps = hold.into_iter().chain(protect).chain(backup.step).collect();
    let told = backup
        .events
        .into_iter()
        .chain(history.events)
        .chain(outlook.events)
        .chain(locked)
        .chain(weaker.flatten())
        .chain(sent)
        .chain(drift);
    let mut plan = basis.plan(steps, Status::ProtectedVm(Box::new(status)), next);
    plan.report.events.extend(told);
    plan.stakes = stake.into_iter().collect();
    plan
}

/// What was changed of a protection that was as declared, and is put back now.
fn drifted(world: &ProtectedVmWorld, protection: &Protection) -> Option<Event> {
    let before = world.status()?;
    let generation = world.item.metadata.generation.unwrap_or_default();
    let is_put_back = matches!(protection, Protection::ToDo { .. });
    if !is_put_back
        || !drift::was_as_declared(&before.conditions, before.observed_generation, generation)
    {
        return None;
    }
    let words = |state: Option<kluis_api::ProtectionState>| state.map(|state| state.to_string());
    let policy = world.seen().and_then(|seen| seen.policy_name());
    let changes = [
        drift::change("state", words(before.state), words(state(world))),
        drift::change("policy", before.policy.clone(), policy),
        protection::disks_changed(world),
    ];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    drift::repaired("The protection in the vault", &changes, world.now)
}

/// Ready or not, and when to look again.
fn judge(
    world: &ProtectedVmWorld,
    protection: &Result<Protection, Waiting>,
    backup: &backup::Backup,
    outlook: &outlook::Outlook,
) -> (Verdict, Next) {
    let calm = [Some(RESYNC), backup.next, outlook.next]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(RESYNC);
    let calm = if calm.is_zero() {
        Next::Soon
    } else {
        Next::After(calm)
    };
    match protection {
        Ok(Protection::AsDeclared { reason, message }) => {
            match (&backup.waits, &backup.under_way) {
                (Some(waiting), _) => (
                    Verdict::busy(
                        waiting.reason(),
                        format!("{message} The backup that was asked for waits: {waiting}"),
                    ),
                    calm,
                ),
                (None, Some(doing)) => (
                    Verdict::busy("BackupInProgress", format!("{message} {doing}")),
                    calm,
                ),
                (None, None) => (
                    Verdict::settled(reason, immutability::with_doubt(world, message)),
                    calm,
                ),
            }
        }
        Ok(Protection::ToDo { kind, .. }) => (
            Verdict::working(
                &format!("{kind}"),
                format!("Under way: {}.", in_words(*kind)),
            ),
            Next::Soon,
        ),
        Err(waiting) => {
            let next = match &world.progress {
                Some(Observed::Found(Progress::InProgress { retry_after })) => {
                    Next::After(retry_after.unwrap_or(SignedDuration::from_secs(5)))
                }
                _ => waiting.next(world.now),
            };
            (Verdict::waiting(waiting), next)
        }
    }
}

fn asked(protection: &Result<Protection, Waiting>) -> Extra {
    match protection {
        Err(waiting @ Waiting::ApprovalRequired(_)) => approval::required(&waiting.to_string()),
        Ok(_) | Err(_) => approval::not_required(),
    }
}

/// The policy that a stopped item had, which its vault forgets.
fn last_policy(seen: Option<&Seen<'_>>, before: &ProtectedVMStatus) -> Option<String> {
    match seen {
        Some(seen) if seen.policy.is_some() => None,
        _ => before.policy.clone().or_else(|| before.last_policy.clone()),
    }
}

fn state(world: &ProtectedVmWorld) -> Option<kluis_api::ProtectionState> {
    match &world.arm {
        Some(Observed::Absent) => Some(kluis_api::ProtectionState::NotProtected),
        Some(Observed::Found(_)) => world.seen().map(|seen| seen.state),
        Some(Observed::Unknown(_)) | None => None,
    }
}

/// The operation stays in the status while it is under way, or while that cannot be told.
fn keeps_operation(world: &ProtectedVmWorld) -> bool {
    match &world.progress {
        Some(Observed::Found(Progress::InProgress { .. }) | Observed::Unknown(_)) => true,
        Some(Observed::Found(_) | Observed::Absent) => false,
        None => world.target().is_err(),
    }
}
