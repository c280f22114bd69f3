//! What the vaults together come to: the worst of them, and all that has to be approved in one line.

use jiff::{SignedDuration, Timestamp};
use kluis_api::{OperationKind, PolicyVault};

use super::RESYNC;
use super::rendering::{self, Rendering};
use crate::approval::{self, Approved, Pending, Stake};
use crate::conditions::{Extra, Verdict, cut};
use crate::plan::Next;
use crate::waiting::{Stance, Waiting};
use crate::world::{PolicyVaultFacts, PolicyWorld};

/// What all vaults together come to: the worst of them.
pub(super) fn of(renderings: &[Rendering], now: Timestamp) -> (Verdict, Next) {
    let waiting = |stance| {
        renderings
            .iter()
            .filter_map(Rendering::waiting)
            .find(move |waiting| waiting.stance() == stance)
    };
    let soonest = renderings
        .iter()
        .filter_map(|rendering| rendering.next(now))
        .min_by_key(|next| match next {
            Next::Soon => SignedDuration::ZERO,
            Next::After(delay) => *delay,
            Next::Await => SignedDuration::MAX,
        });
    let next = soonest.unwrap_or(Next::After(RESYNC));
    if let Some(stuck) = waiting(Stance::Stuck) {
        let verdict = match (stuck, pending(renderings)) {
            (Waiting::ApprovalRequired(_), Some(all)) => Verdict::waiting(&all),
            (stuck, _) => Verdict::waiting(stuck),
        };
        return (verdict, next);
    }
    if let Some(progressing) = waiting(Stance::Progressing) {
        return (Verdict::waiting(progressing), next);
    }
    if renderings
        .iter()
        .any(|rendering| matches!(rendering, Rendering::ToPut { .. }))
    {
        return (
            Verdict::working("Rendering", "Being written into its vaults."),
            Next::Soon,
        );
    }
    let verdict = match renderings
        .iter()
        .filter(|rendering| matches!(rendering, Rendering::InForce { .. }))
        .count()
    {
        0 if renderings
            .iter()
            .any(|one| matches!(one, Rendering::OutOfReach { .. })) =>
        {
            Verdict::settled(
                "NotUsed",
                "In no vault: its items name none that they can use, and say why. It is written into one when they do.",
            )
        }
        0 => Verdict::settled(
            "NotUsed",
            "No item uses it yet; it is written into a vault when one does.",
        ),
        1 => Verdict::settled("InForce", "In force in 1 vault."),
        vaults => Verdict::settled("InForce", format!("In force in {vaults} vaults.")),
    };
    (verdict, next)
}

/// `ApprovalRequired`.
pub(super) fn approval(renderings: &[Rendering]) -> Extra {
    match pending(renderings) {
        Some(waiting) => approval::required(&waiting.to_string()),
        None => approval::not_required(),
    }
}

/// All that has to be approved, in all vaults.
fn pending(renderings: &[Rendering]) -> Option<Waiting> {
    let stakes = renderings.iter().filter_map(Rendering::asked);
    Pending::of(stakes).map(|pending| Waiting::ApprovalRequired(Box::new(pending)))
}

/// What the status says of one vault; None when there is nothing of the policy in it.
pub(super) fn entry(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    rendering: &Rendering,
) -> Option<PolicyVault> {
    if facts.items.is_empty() && matches!(rendering, Rendering::NotThere) {
        return None;
    }
    let before = world
        .policy
        .status
        .iter()
        .flat_map(|status| &status.vaults)
        .find(|vault| vault.name == facts.name);
    let generation = match rendering {
        Rendering::InForce { .. } => world.policy.metadata.generation,
        _ => before.and_then(|vault| vault.generation),
    };
    let keeps_operation = match rendering.waiting() {
        Some(
            Waiting::OperationInProgress {
                kind: OperationKind::UpdatePolicy,
            }
            | Waiting::Arm(_)
            | Waiting::ChangeNotTaken { .. },
        ) => true,
        // The edit that follows the clocks, until it has come about.
        Some(Waiting::ApprovalRequired(_)) => rendering::is_behind(world, facts),
        Some(_) | None => false,
    };
    Some(PolicyVault {
        name: facts.name.clone(),
        azure_name: world
            .policy_id(facts)
            .map(|id| id.name.to_string())
            .ok()
            .or_else(|| before.map(|vault| vault.azure_name.clone()))
            .unwrap_or_default(),
        items: u32::try_from(facts.items.len()).unwrap_or(u32::MAX),
        generation,
        message: rendering
            .why_not()
            .map(|waiting| cut(&waiting.to_string(), 1024)),
        approval: rendering
            .asked()
            .filter(|stake| stake.approval == Approved::Needed)
            .map(Stake::status),
        edits: before.map_or_else(Vec::new, |vault| vault.edits.clone()),
        operation: before
            .and_then(|vault| vault.operation.clone())
            .filter(|_| keeps_operation),
    })
}
