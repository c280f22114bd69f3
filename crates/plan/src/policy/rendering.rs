//! A policy in one vault: whether it is in force there, has to be written, or may not be.

use jiff::{SignedDuration, Timestamp};
use kluis_api::{OperationKind, ProtectedVM, Workload};
use kluis_arm::id::PolicyId;
use kluis_arm::policy::{Generation, Policy, ProtectionPolicy, Terms, differences, parse};
use kluis_arm::resource::Resource;

use crate::fingerprint::Fingerprint;
use crate::ids;
use crate::loss::{self, Loss, Present};
use crate::plan::{Basis, Next};
use crate::step::{Action, Precondition, Slot, Step};
use crate::terms;
use crate::waiting::Waiting;
use crate::world::{Fact, Observed, PolicyVaultFacts, PolicyWorld, Progress, Want};

/// How the policy stands in one vault.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rendering {
    /// The vault has it as declared.
    InForce,
    /// The vault has none, and no item there uses it.
    NotThere,
    /// No item there uses it; what is in the vault is left as it is.
    NotUsed,
    ToPut(Box<Step>),
    Waiting {
        waiting: Waiting,
        next: Next,
    },
}

impl Rendering {
    pub(super) fn waiting(&self) -> Option<&Waiting> {
        match self {
            Self::Waiting { waiting, .. } => Some(waiting),
            Self::InForce | Self::NotThere | Self::NotUsed | Self::ToPut(_) => None,
        }
    }

    pub(super) fn step(self) -> Option<Step> {
        match self {
            Self::ToPut(step) => Some(*step),
            Self::InForce | Self::NotThere | Self::NotUsed | Self::Waiting { .. } => None,
        }
    }

    pub(super) fn next(&self, _: Timestamp) -> Option<Next> {
        match self {
            Self::Waiting { next, .. } => Some(*next),
            Self::ToPut(_) => Some(Next::Soon),
            Self::InForce | Self::NotThere | Self::NotUsed => None,
        }
    }
}

/// What has to be read about one vault.
pub(super) fn wants(world: &PolicyWorld, facts: &PolicyVaultFacts) -> Vec<Want> {
    let Ok(id) = world.policy_id(facts) else {
        return Vec::new();
    };
    if world.policy.spec.workload != Workload::VirtualMachine {
        return Vec::new();
    }
    let url = facts_operation(world, facts).and_then(|operation| operation.status_url.clone());
    let progress = url
        .filter(|_| facts.progress.is_none())
        .map(|url| Want::Progress { url });
    let policy = facts.arm.is_none().then_some(Want::Policy(id));
    let points = world
        .item_ids(facts)
        .into_iter()
        .zip(&facts.points)
        .filter(|(_, points)| points.is_none() && is_points_needed(world, facts))
        .filter_map(|(item, _)| item.map(Want::Points));
    progress.into_iter().chain(policy).chain(points).collect()
}

/// How the policy stands in the vault.
pub(super) fn of(world: &PolicyWorld, facts: &PolicyVaultFacts, basis: &Basis) -> Rendering {
    let judged = judge(world, facts, basis);
    judged.unwrap_or_else(|waiting| {
        let next = match &facts.progress {
            Some(Observed::Found(Progress::InProgress { retry_after })) => {
                Next::After(retry_after.unwrap_or(SignedDuration::from_secs(5)))
            }
            _ => waiting.next(world.now),
        };
        Rendering::Waiting { waiting, next }
    })
}

/// The step that takes the policy out of a vault where it protects nothing. None when there is nothing to take out.
pub(super) fn removal(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    basis: &Basis,
) -> Option<Step> {
    let id = world.policy_id(facts).ok()?;
    let found = facts.arm.as_ref()?.found()?;
    if protected_items(&found.properties) > 0 {
        return None;
    }
    let observed = Some((
        Want::Policy(id.clone()),
        Fingerprint::of(&Fact::Policy(facts.arm.clone()?)),
    ));
    Some(Step {
        action: Action::DeletePolicy { id },
        guard: Precondition {
            observed,
            ..basis.unread()
        },
        slot: None,
    })
}

fn judge(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    basis: &Basis,
) -> Result<Rendering, Waiting> {
    let id = match world.policy_id(facts) {
        Err(_) if facts.items.is_empty() => return Ok(Rendering::NotThere),
        id => id?,
    };
    in_progress(world, facts)?;
    let wanted_terms = terms::terms(&world.policy.spec)?;
    let wanted = terms::rendered(&wanted_terms)?;
    match &facts.arm {
        None => Err(Waiting::StillProvisioning {
            what: format!("the vault {}", id.vault.name),
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) if facts.items.is_empty() => Ok(Rendering::NotThere),
        Some(Observed::Found(_)) if facts.items.is_empty() => Ok(Rendering::NotUsed),
        Some(Observed::Absent) => Ok(put(facts, basis, id, wanted)),
        Some(Observed::Found(found)) => {
            let unreadable = |error: kluis_arm::policy::ParseError| Waiting::PolicyNotExpressible {
                message: format!(
                    "the vault has another policy of this name, which cannot be read ({error})"
                ),
            };
            if differences(&found.properties, &wanted)
                .map_err(unreadable)?
                .is_empty()
            {
                return Ok(Rendering::InForce);
            }
            let present = parse(&found.properties).map_err(unreadable)?;
            costs_nothing(world, facts, found, &present, &wanted_terms)?;
            Ok(put(facts, basis, id, wanted))
        }
    }
}

fn put(
    facts: &PolicyVaultFacts,
    basis: &Basis,
    id: PolicyId,
    wanted: ProtectionPolicy,
) -> Rendering {
    let observed = facts.arm.clone().map(|arm| {
        (
            Want::Policy(id.clone()),
            Fingerprint::of(&Fact::Policy(arm)),
        )
    });
    let body = Box::new(Resource::body(wanted));
    Rendering::ToPut(Box::new(Step {
        action: Action::PutPolicy { id, body },
        guard: Precondition {
            observed,
            ..basis.unread()
        },
        slot: Some(Slot::PolicyVault(facts.name.clone())),
    }))
}

/// Law 3: an edit that would cost recovery points is not sent.
fn costs_nothing(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    found: &Policy,
    present: &Terms,
    wanted: &Terms,
) -> Result<(), Waiting> {
    let protected = protected_items(&found.properties);
    if protected > 0
        && present.generation == Generation::Enhanced
        && wanted.generation == Generation::Standard
    {
        return Err(Waiting::TierDowngrade);
    }
    if !loss::is_shorter(present, wanted) {
        return Ok(());
    }
    let id = world.policy_id(facts)?;
    let mut loss = Loss::default();
    let mut known: u32 = 0;
    for (item, points) in facts.items.iter().zip(&facts.points) {
        match points {
            Some(Observed::Found(points)) => {
                let (deleted, shortened) =
                    loss::assess(points, &Present::Terms(present), wanted, world.now);
                loss.add(ids::qualified(&item.metadata), deleted, shortened);
                // The vault counts an item only while this policy protects it; one that is still to come must not stand for another.
                known += u32::from(is_protected_by(item, &id));
            }
            Some(Observed::Absent) => {}
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
        }
    }
    loss.uncounted = protected.saturating_sub(known);
    if loss.is_none() {
        Ok(())
    } else {
        Err(Waiting::ApprovalRequired(loss))
    }
}

/// Whether the item's status says that this policy protects it.
fn is_protected_by(item: &ProtectedVM, policy: &PolicyId) -> bool {
    let status = item.status.as_ref();
    let by = status.and_then(|status| status.policy.as_deref());
    by.is_some_and(|by| policy.name == *by)
}

/// Points are read only for an edit that could cost some.
fn is_points_needed(world: &PolicyWorld, facts: &PolicyVaultFacts) -> bool {
    let Some(found) = facts.arm.as_ref().and_then(Observed::found) else {
        return false;
    };
    let (Ok(present), Ok(wanted)) = (parse(&found.properties), terms::terms(&world.policy.spec))
    else {
        return false;
    };
    loss::is_shorter(&present, &wanted)
}

fn in_progress(world: &PolicyWorld, facts: &PolicyVaultFacts) -> Result<(), Waiting> {
    if facts_operation(world, facts).is_none() {
        return Ok(());
    }
    let kind = OperationKind::UpdatePolicy;
    match &facts.progress {
        None | Some(Observed::Absent | Observed::Found(Progress::Succeeded { .. })) => Ok(()),
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

fn facts_operation<'a>(
    world: &'a PolicyWorld,
    facts: &PolicyVaultFacts,
) -> Option<&'a kluis_api::Operation> {
    let vaults = world.policy.status.iter().flat_map(|status| &status.vaults);
    vaults
        .filter(|vault| vault.name == facts.name)
        .find_map(|vault| vault.operation.as_ref())
}

/// How many items the policy protects in the vault, as the vault says.
fn protected_items(policy: &ProtectionPolicy) -> u32 {
    let count = policy.protected_items_count();
    count
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or_default()
}
