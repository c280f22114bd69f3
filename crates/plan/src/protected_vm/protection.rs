//! The protection itself: what the vault has of the item, against what is declared.

mod disks;
mod terms;

use kluis_api::{LastTerms, OperationKind, ProtectionState, Workload};
use kluis_arm::id::PolicyId;
use kluis_arm::item::{ProtectedItem, VmItem};
use kluis_arm::policy::Policy;
use kluis_arm::resource::Resource;

use super::{health, immutability};
use crate::approval::{Pending, Stake};
use crate::gate::Target;
use crate::ids;
use crate::operation;
use crate::plan::Basis;
use crate::seen::Seen;
use crate::step::{Action, Precondition, Slot, Step};
use crate::waiting::Waiting;
use crate::world::{Fact, Observed, ProtectedVmWorld, Want};
use disks::{exclusion, in_words, is_same_choice, on_wire};
use terms::is_change_of_terms;
pub(crate) use terms::to_be_written;

/// What is to be done about the protection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Protection {
    AsDeclared {
        reason: &'static str,
        message: String,
    },
    ToDo {
        kind: OperationKind,
        step: Box<Step>,
    },
}

impl Protection {
    /// Whether backups may begin.
    pub(super) fn is_active(&self) -> bool {
        matches!(self, Self::AsDeclared { reason, .. } if *reason != SUSPENDED)
    }

    pub(super) fn step(self) -> Option<Step> {
        match self {
            Self::ToDo { step, .. } => Some(*step),
            Self::AsDeclared { .. } => None,
        }
    }
}

const SUSPENDED: &str = "Suspended";

/// What else has to be read once the item and its policy are.
pub(super) fn wants(world: &ProtectedVmWorld, target: &Target<'_>) -> Vec<Want> {
    if in_progress(world).is_err() || world.item.spec.suspend {
        return Vec::new();
    }
    let has_policy = world
        .arm_policy
        .as_ref()
        .is_some_and(|policy| policy.found().is_some());
    match (&world.arm, world.seen()) {
        // What the vault says that it could protect is there, and of its region. Of what it does not list one asks why.
        (Some(Observed::Absent), _) if has_policy => match (&world.protectable, &world.vm) {
            (None, _) => vec![Want::Protectable {
                vault: target.vault_id.clone(),
                vm: target.vm.clone(),
            }],
            (Some(Observed::Found(true)), _) | (Some(_), Some(_)) => Vec::new(),
            (Some(_), None) => vec![Want::Vm(target.vm.clone())],
        },
        // Before a new BackupPolicy was ever looked at, what a move to it would cost can be foreseen already.
        (_, Some(seen))
            if (has_policy || world.policy.as_ref().is_some_and(is_new))
                && is_change_of_terms(world, target, &seen) =>
        {
            terms::wants(world, target, &seen)
        }
        _ => Vec::new(),
    }
}

/// What is to be done.
pub(super) fn decide(world: &ProtectedVmWorld, basis: &Basis) -> Result<Protection, Waiting> {
    let target = world.target()?;
    let ended = in_progress(world)?;
    let declared = |reason, message: String| Ok(Protection::AsDeclared { reason, message });
    match &world.arm {
        None => Err(Waiting::StillProvisioning {
            what: "the item".to_owned(),
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) if world.item.spec.suspend => declared(
            SUSPENDED,
            "Suspended before it was ever protected: there are no recovery points.".to_owned(),
        ),
        Some(Observed::Absent) => begin(world, basis, &target, ended),
        Some(Observed::Found(item)) => {
            let seen = Seen::of(item).ok_or_else(|| Waiting::NotOfferedYet {
                what: "An item that is not a virtual machine".to_owned(),
            })?;
            match (seen.state, world.item.spec.suspend) {
                // Softly deleted is on the way to being gone; whoever declares it again, suspended or not, wants it kept.
                (ProtectionState::SoftDeleted, _) => to_do(
                    world,
                    basis,
                    &target,
                    OperationKind::Undelete,
                    VmItem::undelete(&target.vm),
                ),
                (ProtectionState::ProtectionStopped, true) => declared(
                    SUSPENDED,
                    "Suspended: no backups are made; the recovery points stay.".to_owned(),
                ),
                // Also where backups are suspended in Azure's sense: there, points expire by the policy, and here they are to stay.
                (_, true) => to_do(
                    world,
                    basis,
                    &target,
                    OperationKind::StopProtection,
                    VmItem::stop(&target.vm),
                ),
                (_, false) => continue_as_declared(world, basis, &target, &seen, ended),
            }
        }
    }
}

/// What the change of terms that is declared costs, or would cost; None while that is not known.
pub(super) fn stake(world: &ProtectedVmWorld) -> Option<Stake> {
    let target = world.target().ok()?;
    let seen = world.seen()?;
    let is_settled = world.item.spec.suspend || seen.state == ProtectionState::SoftDeleted;
    if is_settled || in_progress(world).is_err() {
        return None;
    }
    terms::assess(world, &target, &seen).ok().flatten()
}

/// What the policy in force makes of the item's points that stays with them; while it is stopped, what the last one did.
pub(super) fn last_terms(world: &ProtectedVmWorld, before: Option<LastTerms>) -> Option<LastTerms> {
    let is_there = world.arm.as_ref().is_some_and(|item| !item.is_absent());
    let in_force = terms::in_force(world).map(|terms| terms::last_terms(&terms));
    in_force.or(before).filter(|_| is_there)
}

fn is_new(policy: &kluis_api::BackupPolicy) -> bool {
    let status = policy.status.as_ref();
    status.is_none_or(|status| status.observed_generation < 0)
}

/// Begins a protection that is not there: policy and discovery, and of what is not discovered machine and region, in this order.
fn begin(
    world: &ProtectedVmWorld,
    basis: &Basis,
    target: &Target<'_>,
    ended: Option<OperationKind>,
) -> Result<Protection, Waiting> {
    let vault = &target.vault.metadata;
    if vault.deletion_timestamp.is_some() {
        return Err(Waiting::VaultNotReady {
            vault: ids::qualified(vault),
            message: "it is being deleted, and takes no new machine.".to_owned(),
            is_stalled: false,
        });
    }
    let policy = policy_in_vault(world, target)?;
    let vm = format!("{}/{}", target.vm.resource_group, target.vm.name);
    let still = |what: &str| Waiting::StillProvisioning {
        what: what.to_owned(),
    };
    match &world.protectable {
        None => return Err(still("discovery")),
        Some(Observed::Unknown(failure)) => return Err(Waiting::Arm(failure.clone())),
        Some(Observed::Found(true)) if ended == Some(OperationKind::Protect) => {
            return Err(still("the protection"));
        }
        Some(Observed::Found(true)) => {
            let body = VmItem::protect(
                &target.vm,
                &policy,
                world.item.spec.disks.as_ref().map(on_wire),
            );
            return to_do(world, basis, target, OperationKind::Protect, body);
        }
        Some(Observed::Found(false) | Observed::Absent) => {}
    }
    match &world.vm {
        None => Err(still("the machine")),
        Some(Observed::Absent) => Err(Waiting::VmNotFound {
            vm,
            is_protected: false,
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Found(found))
            if !crate::vault::is_same_location(&found.location, &target.vault.spec.location) =>
        {
            Err(Waiting::RegionMismatch {
                vm: found.location.clone(),
                vault: target.vault.spec.location.clone(),
            })
        }
        Some(Observed::Found(_)) if ended == Some(OperationKind::DiscoverContainers) => {
            Err(Waiting::NotDiscovered { vm })
        }
        Some(Observed::Found(_)) => {
            let action = Action::DiscoverContainers {
                vault: target.vault_id.clone(),
            };
            let step = Step {
                action,
                guard: guard(world, basis, target),
                slot: Some(Slot::Operation),
            };
            Ok(Protection::ToDo {
                kind: OperationKind::DiscoverContainers,
                step: Box::new(step),
            })
        }
    }
}

/// Takes a stopped protection up again, changes its policy or its disks, or leaves it as it is.
fn continue_as_declared(
    world: &ProtectedVmWorld,
    basis: &Basis,
    target: &Target<'_>,
    seen: &Seen<'_>,
    ended: Option<OperationKind>,
) -> Result<Protection, Waiting> {
    let wanted = world.item.spec.disks.as_ref().map(on_wire);
    let same_disks = is_same_choice(seen.disks(), wanted.as_ref());
    if is_as_declared(world, target, seen) {
        health::source(world, target)?;
        return Ok(as_declared(seen));
    }
    let policy = policy_in_vault(world, target)?;
    let keeps_less = terms::keeps_less(world, target, seen)?;
    immutability::allows_policy(world, policy.name.as_str(), keeps_less)?;
    let stake = terms::assess(world, target, seen)?;
    if let Some(pending) = Pending::of(&stake) {
        return Err(Waiting::ApprovalRequired(Box::new(pending)));
    }
    if is_change_of_terms(world, target, seen) {
        terms::up_to_date(world, target, seen)?;
    }
    if ended == Some(OperationKind::ModifyProtection) {
        let what = if same_disks {
            "the policy"
        } else {
            "the choice of disks"
        };
        return Err(Waiting::ChangeNotTaken {
            what: what.to_owned(),
        });
    }
    // An empty list of exclusions takes an earlier choice back; leaving the field out would leave the choice.
    let disks = wanted.or_else(|| (!same_disks).then(|| exclusion(Vec::new(), false)));
    to_do(
        world,
        basis,
        target,
        OperationKind::ModifyProtection,
        VmItem::protect(&target.vm, &policy, disks),
    )
}

/// Whether the item has the policy and the disks that are declared.
pub(super) fn is_as_declared(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> bool {
    let wanted = world.item.spec.disks.as_ref().map(on_wire);
    !is_change_of_terms(world, target, seen) && is_same_choice(seen.disks(), wanted.as_ref())
}

/// What became of the choice of disks, in words; None while it is the declared one.
pub(super) fn disks_changed(world: &ProtectedVmWorld) -> Option<String> {
    let seen = world.seen().filter(|seen| seen.policy.is_some())?;
    let wanted = world.item.spec.disks.as_ref().map(on_wire);
    let is_same = is_same_choice(seen.disks(), wanted.as_ref());
    (!is_same).then(|| {
        format!(
            "disks: {} → {}",
            in_words(wanted.as_ref()),
            in_words(seen.disks())
        )
    })
}

fn as_declared(seen: &Seen<'_>) -> Protection {
    let policy = seen.policy_name().unwrap_or_default();
    let (reason, message) = match seen.state {
        ProtectionState::IrPending => (
            "InitialBackupPending",
            format!("Protected by {policy}; the first backup is still to come."),
        ),
        ProtectionState::ProtectionError => (
            "ProtectionError",
            format!("Protected by {policy}; the vault reports an error."),
        ),
        _ => ("Protected", format!("Protected by {policy}.")),
    };
    Protection::AsDeclared { reason, message }
}

fn policy_in_vault(world: &ProtectedVmWorld, target: &Target<'_>) -> Result<PolicyId, Waiting> {
    let id = world.policy_id(target)?;
    let spec = &world.item.spec.policy_ref;
    let named = spec
        .name
        .clone()
        .or_else(|| spec.azure_name.clone())
        .unwrap_or_default();
    // Another workload's policy is never written where a machine could use it.
    if let Some(policy) = &world.policy
        && policy.spec.workload != Workload::VirtualMachine
    {
        return Err(Waiting::PolicyNotReady {
            policy: named,
            message: format!(
                "it is for {:?}, and this is a virtual machine.",
                policy.spec.workload
            ),
        });
    }
    match &world.arm_policy {
        Some(Observed::Found(_)) => Ok(id),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) | None => {
            let ours = spec.azure_name.is_none();
            if ours && world.policy.is_none() {
                return Err(Waiting::PolicyNotFound { policy: named });
            }
            if let Some(message) = world.policy.as_ref().and_then(stalled) {
                return Err(Waiting::PolicyNotReady {
                    policy: named,
                    message,
                });
            }
            Err(Waiting::PolicyNotInVault {
                policy: named,
                vault: target.vault_id.name.to_string(),
                ours,
            })
        }
    }
}

fn stalled(policy: &kluis_api::BackupPolicy) -> Option<String> {
    let conditions = policy.status.iter().flat_map(|status| &status.conditions);
    let mut stalled = conditions.filter(|condition| {
        condition.type_ == kluis_api::ConditionType::Stalled
            && condition.status == kluis_api::ConditionStatus::True
    });
    stalled.next().map(|condition| condition.message.clone())
}

fn to_do(
    world: &ProtectedVmWorld,
    basis: &Basis,
    target: &Target<'_>,
    kind: OperationKind,
    body: VmItem,
) -> Result<Protection, Waiting> {
    let body = Box::new(Resource::body(ProtectedItem::from(body)));
    let action = Action::PutItem {
        id: target.item.clone(),
        kind,
        body,
    };
    let step = Step {
        action,
        guard: guard(world, basis, target),
        slot: Some(Slot::Operation),
    };
    Ok(Protection::ToDo {
        kind,
        step: Box::new(step),
    })
}

/// The item, and what its points were counted by, have to be as they were: an item that has a new point is another one.
fn guard(world: &ProtectedVmWorld, basis: &Basis, target: &Target<'_>) -> Precondition {
    let policy = |read: &Option<Observed<Box<Policy>>>| read.clone().map(Fact::Policy);
    let item = (
        Want::Item(target.item.clone()),
        world.arm.clone().map(Fact::Item),
    );
    let seen = world
        .seen()
        .filter(|seen| is_change_of_terms(world, target, seen));
    let declared = seen.as_ref().and_then(|_| world.policy_id(target).ok());
    let declared = declared.map(Want::Policy);
    let present = seen.and_then(|seen| seen.policy).map(Want::Policy);
    basis.seen(
        [
            Some(item),
            declared.map(|want| (want, policy(&world.arm_policy))),
            present.map(|want| (want, policy(&world.present_policy))),
        ]
        .into_iter()
        .flatten(),
    )
}

/// `Err` while the operation in the status is under way, or when it failed; else the kind of the one that has just ended.
pub(super) fn in_progress(world: &ProtectedVmWorld) -> Result<Option<OperationKind>, Waiting> {
    operation::ended(world.operation(), world.progress.as_ref())
}
