//! What keeps an item's points now, and what would keep them: a change of terms is not sent when it would cost any (law 3), and not from
//! Enhanced to Standard.

use kluis_api::ProtectionState;
use kluis_arm::policy::{Generation, Policy, Terms, parse};

use crate::gate::Target;
use crate::loss::{self, Loss, Present};
use crate::seen::Seen;
use crate::waiting::Waiting;
use crate::world::{Observed, ProtectedVmWorld};

/// Law 3: another policy, or an end to "for ever", is not sent when it would cost recovery points.
pub(super) fn costs_nothing(
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
    let is_enhanced = |terms: &Terms| terms.generation == Generation::Enhanced;
    if present.as_ref().is_some_and(is_enhanced) && !is_enhanced(&wanted) {
        return Err(Waiting::ItemTierDowngrade {
            present: seen.policy_name().unwrap_or_default(),
            wanted: world.policy_id(target)?.name.to_string(),
        });
    }
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
pub(super) fn present_policy<'a>(
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
pub(super) fn is_change_of_terms(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
    seen: &Seen<'_>,
) -> bool {
    let is_stopped = matches!(
        seen.state,
        ProtectionState::ProtectionStopped | ProtectionState::BackupsSuspended
    );
    is_stopped
        || world
            .policy_id(target)
            .is_ok_and(|wanted| seen.policy.as_ref() != Some(&wanted))
}
