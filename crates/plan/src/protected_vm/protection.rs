//! The protection itself: what the vault has of the item, against what is declared.

use kluis_api::{DiskChoice, OperationKind, ProtectionState};
use kluis_arm::id::PolicyId;
use kluis_arm::item::{DiskExclusion, ProtectedItem, VmItem};
use kluis_arm::policy::{Policy, Terms, parse};
use kluis_arm::resource::Resource;

use crate::fingerprint::Fingerprint;
use crate::gate::Target;
use crate::loss::{self, Loss, Present};
use crate::plan::Basis;
use crate::seen::Seen;
use crate::step::{Action, Precondition, Slot, Step};
use crate::waiting::Waiting;
use crate::world::{Fact, Observed, Progress, ProtectedVmWorld, Want};

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
        (Some(Observed::Absent), _) if has_policy => match &world.vm {
            None => vec![Want::Vm(target.vm.clone())],
            Some(Observed::Found(_)) if world.protectable.is_none() => {
                vec![Want::Protectable {
                    vault: target.vault_id.clone(),
                    vm: target.vm.clone(),
                }]
            }
            Some(_) => Vec::new(),
        },
        (_, Some(seen)) if has_policy && is_change_of_terms(world, target, &seen) => {
            let present = present_policy(world, target, &seen)
                .is_none()
                .then_some(seen.policy)
                .flatten()
                .map(Want::Policy);
            let points = world
                .points
                .is_none()
                .then(|| Want::Points(target.item.clone()));
            present.into_iter().chain(points).collect()
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
                (ProtectionState::SoftDeleted, true) => {
                    declared(SUSPENDED, "Suspended, and softly deleted.".to_owned())
                }
                (ProtectionState::SoftDeleted, false) => to_do(
                    world,
                    basis,
                    &target,
                    OperationKind::Undelete,
                    VmItem::undelete(&target.vm),
                ),
                (ProtectionState::ProtectionStopped | ProtectionState::BackupsSuspended, true) => {
                    declared(
                        SUSPENDED,
                        "Suspended: no backups are made; the recovery points stay.".to_owned(),
                    )
                }
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

/// Begins a protection that is not there: policy, machine, region, discovery, in this order.
fn begin(
    world: &ProtectedVmWorld,
    basis: &Basis,
    target: &Target<'_>,
    ended: Option<OperationKind>,
) -> Result<Protection, Waiting> {
    let policy = policy_in_vault(world, target)?;
    let vm = format!("{}/{}", target.vm.resource_group, target.vm.name);
    let still = |what: &str| Waiting::StillProvisioning {
        what: what.to_owned(),
    };
    match &world.vm {
        None => return Err(still("the machine")),
        Some(Observed::Absent) => return Err(Waiting::VmNotFound { vm }),
        Some(Observed::Unknown(failure)) => return Err(Waiting::Arm(failure.clone())),
        Some(Observed::Found(found))
            if !crate::vault::is_same_location(&found.location, &target.vault.spec.location) =>
        {
            return Err(Waiting::RegionMismatch {
                vm: found.location.clone(),
                vault: target.vault.spec.location.clone(),
            });
        }
        Some(Observed::Found(_)) => {}
    }
    match &world.protectable {
        None => Err(still("discovery")),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Found(true)) if ended == Some(OperationKind::Protect) => {
            Err(still("the protection"))
        }
        Some(Observed::Found(true)) => {
            let body = VmItem::protect(
                &target.vm,
                &policy,
                world.item.spec.disks.as_ref().map(on_wire),
            );
            to_do(world, basis, target, OperationKind::Protect, body)
        }
        Some(Observed::Found(false) | Observed::Absent)
            if ended == Some(OperationKind::DiscoverContainers) =>
        {
            Err(Waiting::NotDiscovered { vm })
        }
        Some(Observed::Found(false) | Observed::Absent) => {
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
    if !is_change_of_terms(world, target, seen) && same_disks {
        return Ok(as_declared(seen));
    }
    let policy = policy_in_vault(world, target)?;
    costs_nothing(world, target, seen)?;
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

fn as_declared(seen: &Seen<'_>) -> Protection {
    let policy = seen.policy_name().unwrap_or_default();
    let complaint = seen.complaint().unwrap_or_default();
    let (reason, message) = match seen.state {
        ProtectionState::IrPending => (
            "InitialBackupPending",
            format!("Protected by {policy}; the first backup is still to come."),
        ),
        ProtectionState::ProtectionError => (
            "ProtectionError",
            format!("Protected by {policy}; the vault reports an error. {complaint}")
                .trim_end()
                .to_owned(),
        ),
        _ => ("Protected", format!("Protected by {policy}.")),
    };
    Protection::AsDeclared { reason, message }
}

/// Law 3: another policy, or an end to "for ever", is not sent when it would cost recovery points.
fn costs_nothing(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Result<(), Waiting> {
    if !is_change_of_terms(world, target, seen) {
        return Ok(());
    }
    let unreadable = |error: kluis_arm::policy::ParseError| Waiting::PolicyNotExpressible {
        message: error.to_string(),
    };
    let Some(wanted) = world.arm_policy.as_ref().and_then(Observed::found) else {
        return Ok(());
    };
    let wanted = parse(&wanted.properties).map_err(unreadable)?;
    let present = present_terms(world, target, seen)?;
    let basis = match &present {
        Some(terms) => Present::Terms(terms),
        None => Present::ForEver,
    };
    let points = match &world.points {
        Some(Observed::Found(points)) => points.as_slice(),
        Some(Observed::Absent) => &[],
        Some(Observed::Unknown(failure)) => {
            return Err(Waiting::LossUnknown {
                failure: failure.clone(),
            });
        }
        None => {
            return Err(Waiting::StillProvisioning {
                what: "the count of recovery points".to_owned(),
            });
        }
    };
    let (deleted, shortened) = loss::assess(points, &basis, &wanted, world.now);
    let mut loss = Loss::default();
    loss.add(
        crate::ids::qualified(&world.item.metadata),
        deleted,
        shortened,
    );
    if loss.is_none() {
        Ok(())
    } else {
        Err(Waiting::ApprovalRequired(loss))
    }
}

/// The terms that prune the item's points now; None when nothing does.
fn present_terms(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Result<Option<Terms>, Waiting> {
    if seen.state == ProtectionState::ProtectionStopped || seen.policy.is_none() {
        return Ok(None);
    }
    match present_policy(world, target, seen) {
        Some(Observed::Found(policy)) => {
            parse(&policy.properties)
                .map(Some)
                .map_err(|error| Waiting::PolicyNotExpressible {
                    message: error.to_string(),
                })
        }
        Some(Observed::Unknown(failure)) => Err(Waiting::LossUnknown {
            failure: failure.clone(),
        }),
        // A policy that is gone prunes nothing.
        Some(Observed::Absent) => Ok(None),
        None => Err(Waiting::StillProvisioning {
            what: "the present policy".to_owned(),
        }),
    }
}

/// The policy that the item has now: of an item that was stopped or suspended it may be the declared one, which is read anyway.
fn present_policy<'a>(
    world: &'a ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> Option<&'a Observed<Box<Policy>>> {
    match world.policy_id(target) {
        Ok(declared) if seen.policy.as_ref() == Some(&declared) => world.arm_policy.as_ref(),
        Ok(_) | Err(_) => world.present_policy.as_ref(),
    }
}

/// Whether what keeps the item's points would be another thing than now.
fn is_change_of_terms(world: &ProtectedVmWorld, target: &Target<'_>, seen: &Seen<'_>) -> bool {
    let is_stopped = matches!(
        seen.state,
        ProtectionState::ProtectionStopped | ProtectionState::BackupsSuspended
    );
    is_stopped
        || world
            .policy_id(target)
            .is_ok_and(|wanted| seen.policy.as_ref() != Some(&wanted))
}

fn policy_in_vault(world: &ProtectedVmWorld, target: &Target<'_>) -> Result<PolicyId, Waiting> {
    let id = world.policy_id(target)?;
    let spec = &world.item.spec.policy_ref;
    let named = spec
        .name
        .clone()
        .or_else(|| spec.azure_name.clone())
        .unwrap_or_default();
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

fn guard(world: &ProtectedVmWorld, basis: &Basis, target: &Target<'_>) -> Precondition {
    let observed = world.arm.clone().map(|arm| {
        (
            Want::Item(target.item.clone()),
            Fingerprint::of(&Fact::Item(arm)),
        )
    });
    Precondition {
        observed,
        ..basis.unread()
    }
}

/// `Err` while the operation in the status is under way, or when it failed; else the kind of the one that has just ended.
pub(super) fn in_progress(world: &ProtectedVmWorld) -> Result<Option<OperationKind>, Waiting> {
    let Some(operation) = world.operation() else {
        return Ok(None);
    };
    let kind = operation.kind;
    match &world.progress {
        None | Some(Observed::Absent) => Ok(None),
        Some(Observed::Found(Progress::Succeeded { .. })) => Ok(Some(kind)),
        Some(Observed::Found(Progress::InProgress { .. })) => {
            Err(Waiting::OperationInProgress { kind })
        }
        Some(Observed::Found(Progress::Failed { code, message, .. })) => {
            Err(Waiting::OperationFailed {
                kind,
                code: code.clone(),
                message: message.clone(),
            })
        }
        Some(Observed::Found(Progress::Cancelled)) => Err(Waiting::OperationFailed {
            kind,
            code: "Cancelled".to_owned(),
            message: "It was cancelled.".to_owned(),
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
    }
}

fn on_wire(choice: &DiskChoice) -> DiskExclusion {
    match choice {
        DiskChoice {
            exclude: Some(luns),
            ..
        } => exclusion(luns.clone(), false),
        DiskChoice {
            include: Some(luns),
            ..
        } => exclusion(luns.clone(), true),
        DiskChoice {
            exclude: None,
            include: None,
            os_disk_only: _,
        } => exclusion(Vec::new(), true),
    }
}

fn exclusion(luns: Vec<u32>, is_inclusion_list: bool) -> DiskExclusion {
    DiskExclusion {
        disk_lun_list: Some(
            luns.into_iter()
                .filter_map(|lun| i32::try_from(lun).ok())
                .collect(),
        ),
        is_inclusion_list: Some(is_inclusion_list),
        ..DiskExclusion::default()
    }
}

fn is_same_choice(present: Option<&DiskExclusion>, wanted: Option<&DiskExclusion>) -> bool {
    let plain = |choice: Option<&DiskExclusion>| {
        choice.map(|choice| {
            let mut luns = choice.disk_lun_list.clone().unwrap_or_default();
            luns.sort_unstable();
            (luns, choice.is_inclusion_list.unwrap_or_default())
        })
    };
    plain(present) == plain(wanted)
}
