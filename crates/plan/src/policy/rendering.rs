//! A policy in one vault: whether it is in force there, has to be written, or may not be.

use jiff::Timestamp;
use kluis_api::{DaylightSaving, Vault, Workload};
use kluis_arm::id::PolicyId;
use kluis_arm::policy::{
    Difference, Generation, ProtectionPolicy, Terms, differences, keeping, parse,
};
use kluis_arm::resource::Resource;
use kluis_arm::zone;

use super::at_stake::{self, Edit};
use super::{RESYNC, edits, following};
use crate::approval::{Approved, Pending, Stake};
use crate::ids;
use crate::operation;
use crate::plan::{Basis, Next};
use crate::step::{Action, EditRoom, Precondition, Slot, Step};
use crate::terms;
use crate::waiting::{Stance, Waiting};
use crate::world::{Fact, Observed, PolicyVaultFacts, PolicyWorld, Progress, Want};

/// How the policy stands in one vault.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rendering {
    /// The vault has it as declared. `until`, where that is about to change by itself.
    InForce { until: Option<Timestamp> },
    /// The vault has none, and no item there uses it.
    NotThere,
    /// No item there uses it; what is in the vault is left as it is.
    NotUsed,
    /// The items that name the vault cannot use it. They say so themselves, and so does the Vault where there is one: the policy is as
    /// declared wherever it can be, and whoever else uses it is not held up by another's mistake.
    OutOfReach { why: Waiting },
    ToPut {
        step: Box<Step>,
        /// What that costs, approved.
        stake: Option<Stake>,
        /// What is put back by it, field by field.
        drift: Vec<String>,
    },
    Waiting {
        waiting: Waiting,
        next: Next,
        /// What it waits for costs, or would cost.
        stake: Option<Stake>,
        /// What does not wait with it: the times follow the clocks.
        step: Option<Box<Step>>,
    },
}

impl Rendering {
    pub(super) fn waiting(&self) -> Option<&Waiting> {
        match self {
            Self::Waiting { waiting, .. } => Some(waiting),
            Self::InForce { .. }
            | Self::NotThere
            | Self::NotUsed
            | Self::OutOfReach { .. }
            | Self::ToPut { .. } => None,
        }
    }

    /// Why it is not in force in the vault, whosever business that is.
    pub(super) fn why_not(&self) -> Option<&Waiting> {
        match self {
            Self::OutOfReach { why } => Some(why),
            other => other.waiting(),
        }
    }

    pub(super) fn stake(&self) -> Option<&Stake> {
        match self {
            Self::ToPut { stake, .. } | Self::Waiting { stake, .. } => stake.as_ref(),
            Self::InForce { .. } | Self::NotThere | Self::NotUsed | Self::OutOfReach { .. } => None,
        }
    }

    /// What somebody has to approve, or has approved: once every item that comes under the policy is there.
    pub(super) fn asked(&self) -> Option<&Stake> {
        let is_early = matches!(
            self.waiting(),
            Some(Waiting::ItemNotSeen { .. } | Waiting::OperationInProgress { .. })
        );
        self.stake().filter(|_| !is_early)
    }

    /// What the edit costs that is sent now.
    pub(super) fn sent(&self) -> Option<&Stake> {
        match self {
            Self::ToPut { stake, .. } => stake.as_ref(),
            Self::InForce { .. }
            | Self::NotThere
            | Self::NotUsed
            | Self::OutOfReach { .. }
            | Self::Waiting { .. } => None,
        }
    }

    fn putting_back(self, drift: Vec<String>) -> Self {
        match self {
            Self::ToPut { step, stake, .. } => Self::ToPut { step, stake, drift },
            other => other,
        }
    }

    /// What is put back, field by field.
    pub(super) fn drift(&self) -> &[String] {
        match self {
            Self::ToPut { drift, .. } => drift,
            Self::InForce { .. }
            | Self::NotThere
            | Self::NotUsed
            | Self::OutOfReach { .. }
            | Self::Waiting { .. } => &[],
        }
    }

    pub(super) fn step(self) -> Option<Step> {
        match self {
            Self::ToPut { step, .. } => Some(*step),
            Self::Waiting { step, .. } => step.map(|step| *step),
            Self::InForce { .. } | Self::NotThere | Self::NotUsed | Self::OutOfReach { .. } => None,
        }
    }

    pub(super) fn next(&self, now: Timestamp) -> Option<Next> {
        match self {
            Self::Waiting { next, .. } => Some(*next),
            Self::ToPut { .. } => Some(Next::Soon),
            Self::InForce { until } => until.map(|until| Next::After(now.duration_until(until))),
            // The Vault wakes the policy when it can be used.
            Self::NotThere | Self::NotUsed | Self::OutOfReach { .. } => None,
        }
    }
}

/// What is in the way, and what is at stake.
struct Held {
    waiting: Box<Waiting>,
    stake: Option<Box<Stake>>,
    step: Option<Box<Step>>,
}

impl Held {
    fn by(waiting: Waiting, stake: Option<Stake>) -> Self {
        Self {
            waiting: Box::new(waiting),
            stake: stake.map(Box::new),
            step: None,
        }
    }
}

impl From<Waiting> for Held {
    fn from(waiting: Waiting) -> Self {
        Self::by(waiting, None)
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
    let url = operation_in(world, facts).and_then(|operation| operation.status_url.clone());
    let progress = url
        .filter(|_| facts.progress.is_none())
        .map(|url| Want::Progress { url });
    let policy = facts.arm.is_none().then(|| Want::Policy(id.clone()));
    let costs = at_stake::wants(world, facts, &id);
    progress.into_iter().chain(policy).chain(costs).collect()
}

/// How the policy stands in the vault.
pub(super) fn of(world: &PolicyWorld, facts: &PolicyVaultFacts, basis: &Basis) -> Rendering {
    let judged = judge(world, facts, basis);
    judged.unwrap_or_else(|held| {
        let Held {
            waiting,
            stake,
            step,
        } = held;
        let waiting = *waiting;
        let next = match &facts.progress {
            Some(Observed::Found(Progress::InProgress { retry_after })) => {
                Next::After(retry_after.unwrap_or(jiff::SignedDuration::from_secs(5)))
            }
            _ if matches!(waiting, Waiting::ChangeNotTaken { .. }) => Next::After(RESYNC),
            _ => waiting.next(world.now),
        };
        Rendering::Waiting {
            waiting,
            next,
            stake: stake.map(|stake| *stake),
            step,
        }
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
    if at_stake::protects(found) > 0 {
        return None;
    }
    let seen = [(
        Want::Policy(id.clone()),
        facts.arm.clone().map(Fact::Policy),
    )];
    Some(Step {
        action: Action::DeletePolicy { id },
        guard: basis.seen(seen),
        slot: None,
    })
}

fn judge(world: &PolicyWorld, facts: &PolicyVaultFacts, basis: &Basis) -> Result<Rendering, Held> {
    // No machine is protected by a policy for something else.
    if world.policy.spec.workload != Workload::VirtualMachine {
        return Ok(Rendering::NotThere);
    }
    let id = match world.policy_id(facts) {
        Err(_) if facts.items.is_empty() => return Ok(Rendering::NotThere),
        Err(why) if is_out_of_reach(world, facts) => return Ok(Rendering::OutOfReach { why }),
        id => id?,
    };
    operation::ended(operation_in(world, facts), facts.progress.as_ref())?;
    let terms = following::terms_at(&world.policy.spec, world.now)?;
    let wanted = terms::rendered(&terms)?;
    match &facts.arm {
        None => Err(Waiting::StillProvisioning {
            what: format!("the vault {}", id.vault.name),
        }
        .into()),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone()).into()),
        Some(Observed::Absent) if facts.items.is_empty() => Ok(Rendering::NotThere),
        Some(Observed::Found(_)) if facts.items.is_empty() => Ok(Rendering::NotUsed),
        Some(Observed::Absent) if is_sent(world, facts) => Err(not_taken().into()),
        Some(Observed::Absent) => {
            ids::can_be_new(&id, &world.policy.metadata)?;
            let gone = had_it(world, facts).then(|| "the policy: in the vault → gone".to_owned());
            Ok(Rendering::ToPut {
                step: put(facts, basis, id, wanted, None),
                stake: None,
                drift: gone.into_iter().collect(),
            })
        }
        Some(Observed::Found(found)) => {
            let unreadable = |error: kluis_arm::policy::ParseError| Waiting::PolicyNotExpressible {
                message: format!(
                    "the vault has another policy of this name, which cannot be read ({error})"
                ),
            };
            let differences = differences(&found.properties, &wanted).map_err(unreadable)?;
            if differences.is_empty() {
                return Ok(Rendering::InForce { until: None });
            }
            let edit = Edit {
                found,
                present: parse(&found.properties).map_err(unreadable)?,
                wanted: parse(&wanted).map_err(unreadable)?,
            };
            let spec = &world.policy.spec;
            let run_first = following::run_first(spec, &edit.present, &edit.wanted, world.now);
            // Only the times may be late: whatever else differs is not in force.
            let is_time_alone = differences.iter().all(|one| one.field == "schedule");
            match run_first {
                Some(_) if is_time_alone => Ok(Rendering::InForce { until: run_first }),
                _ => change(world, facts, basis, id, &edit, wanted, run_first)
                    .map(|rendering| rendering.putting_back(drifted(world, facts, &differences))),
            }
        }
    }
}

/// Whether the vault is one that items name and cannot use, and not one that is only still to come.
fn is_out_of_reach(world: &PolicyWorld, facts: &PolicyVaultFacts) -> bool {
    let is_going = |vault: &Vault| vault.metadata.deletion_timestamp.is_some();
    world.vault_id(facts).is_err_and(|why| {
        why.stance() == Stance::Stuck || facts.vault.as_ref().is_some_and(is_going)
    })
}

fn not_taken() -> Waiting {
    Waiting::ChangeNotTaken {
        what: "the policy".to_owned(),
    }
}

/// The edit of what is in the vault, where it may be sent.
fn change(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    basis: &Basis,
    id: PolicyId,
    edit: &Edit<'_>,
    wanted: ProtectionPolicy,
    run_first: Option<Timestamp>,
) -> Result<Rendering, Held> {
    if at_stake::protects(edit.found) > 0
        && edit.present.generation == Generation::Enhanced
        && edit.wanted.generation == Generation::Standard
    {
        return Err(Waiting::TierDowngrade.into());
    }
    let stake = at_stake::assess(world, facts, &id, edit)?;
    if let Some(waiting) = at_stake::arriving(facts, &id).filter(|_| edit.could_cost()) {
        return Err(Held::by(waiting, stake));
    }
    let needed = stake
        .as_ref()
        .filter(|stake| stake.approval == Approved::Needed);
    if let Some(pending) = Pending::of(needed) {
        let step = match run_first {
            Some(_) => None,
            None => follow_meanwhile(world, facts, basis, &id, edit),
        };
        let waiting = Waiting::ApprovalRequired(Box::new(pending));
        return Err(Held {
            step,
            ..Held::by(waiting, stake)
        });
    }
    if is_sent(world, facts) {
        return Err(not_taken().into());
    }
    if let Some(until) = run_first {
        return Err(Held::by(Waiting::RunFirst { until }, stake));
    }
    match edits::room(facts, world.now) {
        Ok(room) => Ok(Rendering::ToPut {
            step: put(
                facts,
                basis,
                id,
                keeping(&edit.found.properties, wanted),
                Some(room),
            ),
            stake,
            drift: Vec::new(),
        }),
        Err(waiting) => Err(Held::by(waiting, stake)),
    }
}

/// Whether the vault's policy has the times that it had to have before the clocks changed last: those of the declared zone's clocks.
pub(super) fn is_behind(world: &PolicyWorld, facts: &PolicyVaultFacts) -> bool {
    let found = facts.arm.as_ref().and_then(Observed::found);
    let terms = found.and_then(|found| parse(&found.properties).ok());
    let spec = &world.policy.spec;
    terms.is_some_and(|terms| {
        zone::to_azure(&terms.time_zone).ok() == zone::to_azure(&spec.time_zone).ok()
            && following::is_behind(spec, &terms.frequency, world.now)
    })
}

/// Whether the vault had this very spec already, as the status tells.
fn had_it(world: &PolicyWorld, facts: &PolicyVaultFacts) -> bool {
    let generation = world.policy.metadata.generation;
    let mut vaults = world.policy.status.iter().flat_map(|status| &status.vaults);
    generation.is_some()
        && vaults.any(|vault| vault.name == facts.name && vault.generation == generation)
}

/// What is otherwise in the vault than it was written there. That the clocks have changed is no drift.
fn drifted(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    differences: &[Difference],
) -> Vec<String> {
    if !had_it(world, facts) {
        return Vec::new();
    }
    let follows = world.policy.spec.schedule.daylight_saving == DaylightSaving::Follow;
    let ours = differences
        .iter()
        .filter(|one| !(follows && one.field == "schedule"));
    ours.map(|one| format!("{}: {} → {}", one.field, one.want, one.have))
        .collect()
}

/// While an edit waits for approval what is in force follows the clocks all the same: the edit of its times alone, where they are late.
fn follow_meanwhile(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    basis: &Basis,
    id: &PolicyId,
    edit: &Edit<'_>,
) -> Option<Box<Step>> {
    if !is_behind(world, facts) || is_sent(world, facts) {
        return None;
    }
    let followed = terms::rendered(&Terms {
        frequency: edit.wanted.frequency.clone(),
        ..edit.present.clone()
    });
    let room = edits::room(facts, world.now).ok()?;
    let body = keeping(&edit.found.properties, followed.ok()?);
    Some(put(facts, basis, id.clone(), body, Some(room)))
}

/// Whether this very edit was taken by the service and has ended, and is not what the vault has: sent again at once, it would use up the
/// vault's edits. What the clocks have changed since is another edit. After a day it is tried again.
fn is_sent(world: &PolicyWorld, facts: &PolicyVaultFacts) -> bool {
    let generation = world.policy.metadata.generation.unwrap_or_default();
    let sent = operation_in(world, facts)
        .filter(|sent| sent.token.as_deref() == Some(generation.to_string().as_str()))
        .map(|sent| sent.intent.0);
    sent.is_some_and(|at| {
        let spec = &world.policy.spec;
        world.now.duration_since(at) < edits::WITHIN
            && following::terms_at(spec, at).ok() == following::terms_at(spec, world.now).ok()
    })
}

/// The step that writes it, while what it was judged by holds: what is in force and, where points were counted, what it protects. An item
/// that has a new point is another one.
fn put(
    facts: &PolicyVaultFacts,
    basis: &Basis,
    id: PolicyId,
    wanted: ProtectionPolicy,
    room: Option<EditRoom>,
) -> Box<Step> {
    let seen = [
        (
            Want::Policy(id.clone()),
            facts.arm.clone().map(Fact::Policy),
        ),
        (
            Want::ProtectedBy(id.clone()),
            facts.protected.clone().map(Fact::ProtectedBy),
        ),
    ];
    let body = Box::new(Resource::body(wanted));
    Box::new(Step {
        action: Action::PutPolicy { id, body },
        guard: Precondition {
            room,
            ..basis.seen(seen)
        },
        slot: Some(Slot::PolicyVault(facts.name.clone())),
    })
}

/// The operation that the status has for this vault.
fn operation_in<'a>(
    world: &'a PolicyWorld,
    facts: &PolicyVaultFacts,
) -> Option<&'a kluis_api::Operation> {
    let vaults = world.policy.status.iter().flat_map(|status| &status.vaults);
    vaults
        .filter(|vault| vault.name == facts.name)
        .find_map(|vault| vault.operation.as_ref())
}
