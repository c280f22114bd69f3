//! Planning a Vault: it is there, it is ours, and it is as declared.

mod body;
mod health;
pub(crate) mod immutability;
mod leaving;
mod making;
mod progress;
mod rival;
mod soft_delete;
mod standing;

pub(crate) use body::is_same_location;
pub use leaving::holds_retained;

use jiff::SignedDuration;
use kluis_api::{
    ConditionType, Operation, OperationKind, VaultDeletionPolicy, VaultStatus, VaultType,
};
use kluis_arm::id::VaultId;
use kluis_arm::vault::ProvisioningState;

use crate::approval::{self, Approved, Stake};
use crate::conditions::{Extra, Verdict};
use crate::drift;
use crate::gate;
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::loss;
use crate::plan::{Basis, Next, Plan, WayOut};
use crate::report::{Event, Status};
use crate::step::{Action, Slot, Step};
use crate::waiting::{Waiting, in_words};
use crate::world::{Fact, Observed, VaultWorld, Want, World};

/// How often a vault that is as declared is looked at again.
const RESYNC: SignedDuration = SignedDuration::from_mins(10);

impl World for VaultWorld {
    fn object(&self) -> ObjectKey {
        let metadata = &self.vault.metadata;
        ObjectKey::new(
            Kind::Vault,
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        )
    }

    fn wants(&self) -> Vec<Want> {
        let Ok(id) = self.vault_id() else {
            return Vec::new();
        };
        if self.is_going()
            && (!self.users.is_empty()
                || self.vault.spec.deletion_policy == VaultDeletionPolicy::Retain)
        {
            return Vec::new();
        }
        let url = self
            .vault
            .status
            .as_ref()
            .and_then(|status| status.operation.as_ref()?.status_url.clone());
        let progress = url
            .filter(|_| self.progress.is_none())
            .map(|url| Want::Progress { url });
        let vault = self.arm.is_none().then(|| Want::Vault(id.clone()));
        let found = self.arm.as_ref().and_then(Observed::found);
        let is_other = found.is_some_and(|found| body::is_other_redundancy(&self.vault, found));
        let lock = (is_other && !self.is_going() && self.is_redundancy_locked.is_none())
            .then(|| Want::StorageConfig(id.clone()));
        let others: Vec<Want> = match self.is_going() {
            true => leaving::wants(self, &id).into_iter().collect(),
            false => making::wants(self, &id)
                .into_iter()
                .chain(soft_delete::wants(self, &id))
                .chain(health::wants(self, &id))
                .collect(),
        };
        let rest = progress.into_iter().chain(vault).chain(lock);
        rest.chain(others).collect()
    }

    fn fill(&mut self, want: &Want, fact: Fact) {
        match fact {
            Fact::Items(items) => self.items = Some(items),
            Fact::Points(points) => {
                if let Want::Points(item) = want {
                    let points = points.map(|points| loss::all_shortened(&points));
                    self.points.insert(item.clone(), points);
                }
            }
            Fact::Vault(vault) => self.arm = Some(vault),
            Fact::DeletedVault(deleted) => self.deleted = Some(deleted),
            Fact::Progress(progress) => self.progress = Some(progress),
            Fact::VaultHealth(health) => self.health = Some(health),
            Fact::StorageConfig(locked) => self.is_redundancy_locked = Some(locked),
            _ => {}
        }
    }

    fn plan(&self) -> Plan {
        plan_vault(self)
    }
}

impl VaultWorld {
    fn is_going(&self) -> bool {
        self.vault.metadata.deletion_timestamp.is_some()
    }

    /// Where it is in Azure, past the checks that come before asking Azure anything.
    fn vault_id(&self) -> Result<VaultId, Waiting> {
        if self.vault.spec.type_ == VaultType::Backup {
            return Err(Waiting::NotOfferedYet {
                what: "A vault of type Backup".to_owned(),
            });
        }
        let namespace = self.vault.metadata.namespace.as_deref().unwrap_or_default();
        let service = gate::service(
            &self.access,
            &self.vault.spec.service_ref.name,
            namespace,
            &self.vault.spec.resource_group,
            gate::Need::of(self.is_going()),
        )?;
        if let Some(other) = rival::of(self).filter(|_| !self.is_going()) {
            return Err(Waiting::VaultDeclaredBy { other });
        }
        ids::vault_id(service, &self.vault)
    }
}

/// What is to be done about a vault, and what to say meanwhile.
struct Decision {
    steps: Vec<Step>,
    verdict: Verdict,
    next: Next,
    /// Whether the operation in the status is still under way.
    keeps_operation: bool,
    /// What is meant, and not called yet.
    meant: Option<Operation>,
    /// What it costs, approved.
    stake: Option<Stake>,
    /// What is told besides.
    event: Option<Event>,
}

/// What follows for a Vault.
pub fn plan_vault(world: &VaultWorld) -> Plan {
    let metadata = &world.vault.metadata;
    let before = world.vault.status.clone().unwrap_or_default();
    let basis = Basis {
        object: world.object(),
        generation: metadata.generation.unwrap_or_default(),
        now: world.now,
        before: before.conditions.clone(),
        goes_without: world.is_going().then_some(WayOut::Policy("Retain")),
    };
    let decision = match decide(world, &basis) {
        Ok(Some(decision)) => decision,
        Ok(None) => return basis.farewell(Action::ReleaseFinalizer),
        // Without the service, or its consent, there is nobody to ask: holding the object would hold its namespace for ever.
        Err(waiting) if world.is_going() && waiting.is_end_of_authority() => {
            let note = format!("{waiting} The vault in Azure stays as it is.");
            return basis.farewell_with(Event::warning("VaultLeftAsItIs", note));
        }
        Err(waiting) => Decision {
            steps: Vec::new(),
            meant: None,
            event: None,
            stake: world.vault_id().ok().and_then(|id| {
                let asked = matches!(waiting, Waiting::ApprovalRequired(_));
                soft_delete::assess(world, &id)
                    .ok()
                    .flatten()
                    .filter(|_| asked)
            }),
            verdict: basis.waiting(&waiting),
            next: progress::delay(world).unwrap_or_else(|| waiting.next(world.now)),
            keeps_operation: matches!(
                waiting,
                Waiting::OperationInProgress { .. } | Waiting::Arm(_)
            ),
        },
    };
    let found = world.arm.as_ref().and_then(Observed::found);
    let is_ours = found.is_some_and(|found| standing::is_ours(world, found));
    let asked = decision
        .stake
        .as_ref()
        .filter(|stake| stake.approval == Approved::Needed);
    let (healthy, health) = health::of(world);
    let extras: Vec<Extra> = asked
        .map(|_| approval::required(&decision.verdict.message))
        .into_iter()
        .chain(healthy.clone())
        .collect();
    let verdict = health::in_verdict(decision.verdict, healthy.as_ref());
    let status = VaultStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &extras),
        approval: asked.map(Stake::status),
        azure_id: world
            .vault_id()
            .ok()
            .filter(|_| is_ours)
            .map(|id| id.to_string())
            // What is gone for good is nobody's: who makes it next, has it.
            .or(before.azure_id.filter(|_| !making::is_lost(world))),
        redundancy: found
            .and_then(|found| body::redundancy(found))
            .map(ToString::to_string)
            .or(before.redundancy),
        soft_delete: found
            .and_then(|found| body::soft_delete_in_words(found))
            .or(before.soft_delete),
        immutability: found
            .and_then(|found| immutability::in_force(found))
            .map(|state| state.to_string())
            .or(before.immutability),
        health,
        operation: decision
            .meant
            .or(before.operation.filter(|_| decision.keeps_operation)),
    };
    let drift = drifted(world, &status, &decision.steps);
    let hold =
        (!world.is_going() && !ids::is_held(metadata)).then(|| basis.step(Action::HoldFinalizer));
    let steps = hold.into_iter().chain(decision.steps).collect();
    let mut plan = basis.plan(steps, Status::Vault(status), decision.next);
    let sent = decision.stake.as_ref().and_then(Stake::told);
    plan.report
        .events
        .extend(sent.into_iter().chain(decision.event).chain(drift));
    plan.stakes = decision.stake.into_iter().collect();
    plan
}

/// What was changed of a vault that was as declared, and is put back now.
fn drifted(world: &VaultWorld, now: &VaultStatus, steps: &[Step]) -> Option<Event> {
    let before = world.vault.status.as_ref()?;
    let generation = world.vault.metadata.generation.unwrap_or_default();
    let is_put_back = steps
        .iter()
        .any(|step| matches!(step.action, Action::UpdateVault { .. }));
    if !is_put_back
        || !drift::was_as_declared(&before.conditions, before.observed_generation, generation)
    {
        return None;
    }
    let changes = [
        drift::change(
            "redundancy",
            before.redundancy.clone(),
            now.redundancy.clone(),
        ),
        drift::change(
            "soft delete",
            before.soft_delete.clone(),
            now.soft_delete.clone(),
        ),
        drift::change(
            "immutability",
            before.immutability.clone(),
            now.immutability.clone(),
        ),
    ];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    let tag = || {
        vec![format!(
            "tag {}: ours → another, or none",
            kluis_api::MANAGED_BY
        )]
    };
    let changes = if changes.is_empty() { tag() } else { changes };
    drift::repaired("The vault", &changes, world.now)
}

/// None when nothing is left to be done and the object may go.
fn decide(world: &VaultWorld, basis: &Basis) -> Result<Option<Decision>, Waiting> {
    if world.is_going() {
        leaving::decide(world, basis)
    } else {
        keep(world, basis).map(Some)
    }
}

fn keep(world: &VaultWorld, basis: &Basis) -> Result<Decision, Waiting> {
    let id = world.vault_id()?;
    let ended = progress::of(world)?;
    match &world.arm {
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        None => Err(Waiting::StillProvisioning {
            what: format!("the vault {}", id.name),
        }),
        Some(Observed::Absent) => making::decide(world, basis, &id, ended),
        Some(Observed::Found(found)) => {
            if !standing::is_ours(world, found) {
                return Err(standing::foreign(world, found, &id));
            }
            is_in_location(world, found)?;
            match provisioning(found) {
                None | Some(ProvisioningState::Succeeded) => {}
                Some(ProvisioningState::Failed) if ended == Some(OperationKind::CreateVault) => {
                    return Err(Waiting::ChangeNotTaken {
                        what: "what failed when the vault was made".to_owned(),
                    });
                }
                // A vault that could not be made stays listed, and only asking for it again makes the service try again.
                Some(ProvisioningState::Failed) => {
                    return Ok(making::make_again(world, basis, &id, found));
                }
                Some(
                    ProvisioningState::Provisioning
                    | ProvisioningState::Deleting
                    | ProvisioningState::Other(_),
                ) => {
                    return Err(Waiting::StillProvisioning {
                        what: format!("the vault {}", id.name),
                    });
                }
            }
            let lock = world.is_redundancy_locked.as_ref();
            let stake = soft_delete::assess(world, &id)?;
            let pending = soft_delete::pending(world, stake.as_ref());
            match body::change(&world.vault, found, lock, pending.is_some())? {
                None => match pending {
                    Some(pending) => Err(pending),
                    None => Ok(settled(
                        Verdict::settled(
                            "AsDeclared",
                            format!("The vault {} is as declared.", id.name),
                        ),
                        Next::After(RESYNC),
                    )),
                },
                Some(change)
                    if ended == Some(OperationKind::UpdateVault)
                        && !immutability::is_half_way(&world.vault, found) =>
                {
                    Err(Waiting::ChangeNotTaken { what: change.what })
                }
                Some(change) => {
                    let action = Action::UpdateVault {
                        id: id.clone(),
                        body: Box::new(change.body),
                    };
                    let decision = begin(world, basis, action, OperationKind::UpdateVault, &id);
                    // What is held back is not sent with the rest.
                    let stake = stake.filter(|_| pending.is_none());
                    Ok(Decision { stake, ..decision })
                }
            }
        }
    }
}

fn begin(
    world: &VaultWorld,
    basis: &Basis,
    action: Action,
    kind: OperationKind,
    id: &VaultId,
) -> Decision {
    let guard = basis.seen([
        (Want::Vault(id.clone()), world.arm.clone().map(Fact::Vault)),
        (
            making::want(world, id),
            world.deleted.clone().map(Fact::DeletedVault),
        ),
        (
            Want::Items(id.clone()),
            world.items.clone().map(Fact::Items),
        ),
    ]);
    Decision {
        steps: vec![Step {
            action,
            guard,
            slot: Some(Slot::Operation),
        }],
        verdict: Verdict::working(
            &format!("{kind}"),
            format!("Under way: {}.", in_words(kind)),
        ),
        next: Next::Soon,
        keeps_operation: false,
        meant: None,
        stake: None,
        event: None,
    }
}

fn settled(verdict: Verdict, next: Next) -> Decision {
    Decision {
        steps: Vec::new(),
        verdict,
        next,
        keeps_operation: false,
        meant: None,
        stake: None,
        event: None,
    }
}

fn provisioning(found: &kluis_arm::vault::Vault) -> Option<&ProvisioningState> {
    found.properties.as_ref()?.provisioning_state.as_ref()
}

fn is_in_location(world: &VaultWorld, found: &kluis_arm::vault::Vault) -> Result<(), Waiting> {
    let wanted = &world.vault.spec.location;
    match &found.location {
        Some(location) if !is_same_location(location, wanted) => Err(Waiting::OtherLocation {
            wanted: wanted.clone(),
            found: location.clone(),
        }),
        _ => Ok(()),
    }
}
