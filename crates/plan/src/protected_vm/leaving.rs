//! What becomes of the protection when its object is deleted.

use kluis_api::{
    ConditionType, ItemDeletionPolicy, OperationKind, ProtectedVMStatus, ProtectionState,
};
use kluis_arm::item::{ProtectedItem, VmItem};
use kluis_arm::resource::Resource;

use super::{immutability, keeps_operation, protection, state};
use crate::conditions::Verdict;
use crate::plan::{Basis, Next, Plan};
use crate::report::{Event, Status};
use crate::step::{Action, Precondition, Slot, Step};
use crate::waiting::{Waiting, in_words};
use crate::world::{Fact, Observed, ProtectedVmWorld, Want};

/// Brings the declared end about, and lets go.
pub(super) fn plan(world: &ProtectedVmWorld, basis: Basis) -> Plan {
    let (steps, verdict, next) = match decide(world) {
        Ok(None) => {
            let guard = seen(world, &basis);
            return basis.farewell_while(Action::ReleaseFinalizer, guard);
        }
        // Without the vault, the service or their consent there is nobody to ask: holding the object would hold its namespace for ever.
        Err(waiting) if waiting.is_end_of_authority() => {
            let note = format!("{waiting} What is protected in Azure goes on as it is.");
            return basis.farewell_with(Event::warning("ProtectionLeftAsItIs", note));
        }
        Ok(Some((kind, action))) => {
            let guard = seen(world, &basis);
            let verdict =
                Verdict::working(&kind.to_string(), format!("Under way: {}.", in_words(kind)));
            (
                vec![Step {
                    action,
                    guard,
                    slot: Some(Slot::Operation),
                }],
                verdict,
                Next::Soon,
            )
        }
        Err(waiting) => (Vec::new(), basis.waiting(&waiting), waiting.next(world.now)),
    };
    let before = world.status().cloned().unwrap_or_default();
    let others: Vec<_> = before
        .conditions
        .iter()
        .filter(|old| {
            matches!(
                old.type_,
                ConditionType::Recoverable
                    | ConditionType::WithinRPO
                    | ConditionType::ConsistencyMet
                    | ConditionType::ApprovalRequired
            )
        })
        .cloned()
        .collect();
    let mut conditions = basis.conditions(ConditionType::Ready, &verdict, &[]);
    conditions.splice(1..1, others);
    let status = ProtectedVMStatus {
        observed_generation: basis.generation,
        conditions,
        state: state(world).or(before.state),
        operation: before.operation.clone().filter(|_| keeps_operation(world)),
        ..before
    };
    basis.plan(steps, Status::ProtectedVm(Box::new(status)), next)
}

/// The item has to be as it was seen, also where it was not there: one that a list has passed over would stay in the vault,
/// backed up for ever, and nobody would declare it any more. Where it was not looked at, it is no condition.
fn seen(world: &ProtectedVmWorld, basis: &Basis) -> Precondition {
    let item = world.target().ok().map(|target| target.item);
    basis.seen(item.map(|item| (Want::Item(item), world.arm.clone().map(Fact::Item))))
}

/// None when nothing is left to be done.
fn decide(world: &ProtectedVmWorld) -> Result<Option<(OperationKind, Action)>, Waiting> {
    if !world.users.is_empty() {
        return Err(Waiting::InUse {
            by: world.users.clone(),
        });
    }
    let wish = world.item.spec.deletion_policy;
    // What another object declares is that object's: neither its backups nor its points end with this one.
    if wish == ItemDeletionPolicy::Orphan || world.rival.is_some() {
        return Ok(None);
    }
    // What was never protected needs no end: its references may never have existed.
    let was_protected = world
        .status()
        .is_some_and(|status| status.azure_id.is_some() || status.operation.is_some());
    let target = match world.target() {
        Err(_) if !was_protected => return Ok(None),
        target => target?,
    };
    protection::in_progress(world)?;
    let found = match &world.arm {
        Some(Observed::Absent) => return Ok(None),
        Some(Observed::Unknown(failure)) => return Err(Waiting::Arm(failure.clone())),
        None => {
            return Err(Waiting::StillProvisioning {
                what: "the item".to_owned(),
            });
        }
        Some(Observed::Found(_)) => world.seen(),
    };
    let Some(seen) = found else { return Ok(None) };
    let put = |kind, body: VmItem| {
        let body = Box::new(Resource::body(ProtectedItem::from(body)));
        (
            kind,
            Action::PutItem {
                id: target.item.clone(),
                kind,
                body,
            },
        )
    };
    let (kind, action) = match (wish, seen.state) {
        (_, ProtectionState::SoftDeleted) => return Ok(None),
        (ItemDeletionPolicy::Orphan, _) => return Ok(None),
        (ItemDeletionPolicy::RetainData, ProtectionState::ProtectionStopped) => return Ok(None),
        (
            ItemDeletionPolicy::Suspend,
            ProtectionState::BackupsSuspended | ProtectionState::ProtectionStopped,
        ) => return Ok(None),
        (ItemDeletionPolicy::RetainData, _) => {
            put(OperationKind::StopProtection, VmItem::stop(&target.vm))
        }
        (ItemDeletionPolicy::Suspend, _) => match &seen.policy {
            Some(policy) => {
                immutability::allows(world, &target)?;
                put(
                    OperationKind::SuspendProtection,
                    VmItem::suspend(&target.vm, policy),
                )
            }
            None => put(OperationKind::StopProtection, VmItem::stop(&target.vm)),
        },
        (ItemDeletionPolicy::DeleteData, _) => {
            immutability::allows(world, &target)?;
            (
                OperationKind::DeleteBackupData,
                Action::DeleteItem {
                    id: target.item.clone(),
                },
            )
        }
    };
    Ok(Some((kind, action)))
}
