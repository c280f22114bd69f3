//! `Healthy` of a vault, and `status.health`: what the service says of it, where it says anything. Azure has no call for it, and then the
//! condition is not there.

use kluis_api::{ConditionType, VaultHealth};
use kluis_arm::id::VaultId;

use super::standing;
use crate::conditions::{Extra, Standing, Verdict, moment};
use crate::world::{Observed, VaultHealthFact, VaultWorld, Want};

/// Read as often as the vault itself is, once it is known to be there and ours.
pub(super) fn wants(world: &VaultWorld, id: &VaultId) -> Option<Want> {
    let found = world.arm.as_ref().and_then(Observed::found)?;
    let is_asked = world.health.is_none() && standing::is_ours(world, found);
    is_asked.then(|| Want::VaultHealth(id.clone()))
}

/// The condition and the status; those from before where the service does not answer.
pub(super) fn of(world: &VaultWorld) -> (Option<Extra>, Option<VaultHealth>) {
    let status = world.vault.status.as_ref();
    match &world.health {
        Some(Observed::Found(health)) => (Some(judged(health)), Some(told(health))),
        Some(Observed::Absent) => (None, None),
        Some(Observed::Unknown(_)) | None => {
            let mut conditions = status.into_iter().flat_map(|status| &status.conditions);
            let before = conditions.find(|before| before.type_ == ConditionType::Healthy);
            let before = before.map(|before| Extra {
                type_: before.type_,
                status: before.status,
                reason: before.reason.clone().into(),
                message: before.message.clone(),
            });
            (before, status.and_then(|status| status.health.clone()))
        }
    }
}

/// The verdict with what is wrong in its words, for the column.
pub(super) fn in_verdict(mut verdict: Verdict, health: Option<&Extra>) -> Verdict {
    let is_settled = matches!(verdict.standing, Standing::Settled | Standing::SettledBusy);
    if let Some(health) = health.filter(|_| is_settled) {
        verdict.message = format!("{} {}", verdict.message, health.message)
            .trim()
            .to_owned();
    }
    verdict
}

fn judged(health: &VaultHealthFact) -> Extra {
    let problems: Vec<_> = health
        .problems
        .iter()
        .map(|problem| {
            (
                problem.is_grave,
                problem.title.as_str(),
                problem.message.as_str(),
            )
        })
        .collect();
    Extra::healthy(&problems)
}

fn told(health: &VaultHealthFact) -> VaultHealth {
    VaultHealth {
        problems: u32::try_from(health.problems.len()).unwrap_or(u32::MAX),
        oldest_unread: health.oldest_unread.map(moment),
        damaged_points: health.damaged_points,
        held_back_expiries: health.held_back_expiries,
    }
}
