//! Planning a BackupPolicy: every vault where an item uses it has it, and no edit costs recovery points unasked.

mod rendering;

use jiff::SignedDuration;
use kluis_api::{BackupPolicyStatus, ConditionStatus, ConditionType, PolicyVault, Workload};
use kluis_arm::id::{ItemId, PolicyId};

use crate::edit::{self, Edit};
use crate::conditions::{Extra, Verdict, cut};
use crate::gate;
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::plan::{Basis, Next, Plan};
use crate::report::Status;
use crate::step::{Action, Step};
use crate::terms;
use crate::waiting::{Stance, Waiting};
use crate::world::{Fact, Observed, PolicyVaultFacts, PolicyWorld, Want, World};
use rendering::Rendering;

/// How often a policy that is as declared is compared again.
const RESYNC: SignedDuration = SignedDuration::from_mins(10);

impl World for PolicyWorld {
    fn object(&self) -> ObjectKey {
        let metadata = &self.policy.metadata;
        ObjectKey::new(
            Kind::BackupPolicy,
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        )
    }

    fn wants(&self) -> Vec<Want> {
        if self.is_going() && !self.users.is_empty() {
            return Vec::new();
        }
        self.vaults
            .iter()
            .flat_map(|facts| rendering::wants(self, facts))
            .collect()
    }

    fn fill(&mut self, want: &Want, fact: Fact) {
        let ids: Vec<(Option<PolicyId>, Vec<Option<ItemId>>)> = self
            .vaults
            .iter()
            .map(|facts| {
                let items = match want {
                    Want::Points(_) => self.item_ids(facts),
                    _ => Vec::new(),
                };
                (self.policy_id(facts).ok(), items)
            })
            .collect();
        for (facts, (policy, items)) in self.vaults.iter_mut().zip(ids) {
            match (want, &fact) {
                (Want::Policy(id), Fact::Policy(found)) if policy.as_ref() == Some(id) => {
                    facts.arm = Some(found.clone());
                }
                (Want::Progress { url }, Fact::Progress(found)) => {
                    let named = self
                        .policy
                        .status
                        .iter()
                        .flat_map(|status| &status.vaults)
                        .find(|vault| vault.name == facts.name);
                    let own = named.and_then(|vault| vault.operation.as_ref()?.status_url.as_ref());
                    if own == Some(url) {
                        facts.progress = Some(found.clone());
                    }
                }
                (Want::Points(id), Fact::Points(found)) => {
                    for (slot, item) in facts.points.iter_mut().zip(&items) {
                        if item.as_ref() == Some(id) {
                            *slot = Some(found.clone());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn plan(&self) -> Plan {
        plan_policy(self)
    }

    fn edits(&self) -> Vec<Edit> {
        edit::of_policy(self)
    }
}

impl PolicyWorld {
    fn is_going(&self) -> bool {
        self.policy.metadata.deletion_timestamp.is_some()
    }

    fn namespace(&self) -> &str {
        self.policy
            .metadata
            .namespace
            .as_deref()
            .unwrap_or_default()
    }

    /// Where it is in one vault, past the checks that come before asking Azure anything.
    fn policy_id(&self, facts: &PolicyVaultFacts) -> Result<PolicyId, Waiting> {
        let (home, name) = facts.name.split_once('/').unwrap_or(("", &facts.name));
        let named = kluis_api::VaultRef {
            name: name.to_owned(),
            namespace: Some(home.to_owned()),
        };
        let vault = gate::vault(
            facts.vault.as_ref(),
            &named,
            self.namespace(),
            gate::Need::of(self.is_going()),
        )?;
        let named = &vault.spec.service_ref.name;
        let service = facts
            .access
            .service
            .as_ref()
            .ok_or_else(|| Waiting::ServiceNotFound {
                service: named.clone(),
            })?;
        let id = ids::vault_id(service, vault)?;
        Ok(id.policy(ids::name(
            "metadata.name",
            &ids::policy_name(&self.policy.metadata, vault),
        )?))
    }

    /// Where its items are in one vault; None for those that cannot be said.
    fn item_ids(&self, facts: &PolicyVaultFacts) -> Vec<Option<ItemId>> {
        let vault = self.policy_id(facts).ok().map(|id| id.vault);
        facts
            .items
            .iter()
            .map(|item| {
                let vm = ids::vm_id(facts.access.service.as_ref()?, &item.spec.vm).ok()?;
                Some(ItemId::for_vm(vault.as_ref()?, &vm))
            })
            .collect()
    }
}

/// What follows for a BackupPolicy.
pub fn plan_policy(world: &PolicyWorld) -> Plan {
    let metadata = &world.policy.metadata;
    let before = world.policy.status.clone().unwrap_or_default();
    let basis = Basis {
        object: world.object(),
        generation: metadata.generation.unwrap_or_default(),
        now: world.now,
        before: before.conditions.clone(),
        goes_without: None,
    };
    if world.is_going() && world.users.is_empty() {
        return leave(world, basis);
    }
    let renderings: Vec<Rendering> = world
        .vaults
        .iter()
        .map(|facts| rendering::of(world, facts, &basis))
        .collect();
    let blocked = offered(world).err().or_else(|| {
        world.is_going().then(|| Waiting::InUse {
            by: world.users.clone(),
        })
    });
    let (verdict, next) = match &blocked {
        Some(waiting) => (Verdict::waiting(waiting), waiting.next(world.now)),
        None => summary(&renderings, world),
    };
    let status = BackupPolicyStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &[approval(&renderings)]),
        schedule: Some(terms::schedule_in_words(&world.policy.spec)),
        keeps: Some(terms::retention_in_words(&world.policy.spec)),
        items: u32::try_from(world.users.len()).unwrap_or(u32::MAX),
        daylight_saving: None,
        vaults: world
            .vaults
            .iter()
            .zip(&renderings)
            .filter_map(|(facts, rendering)| entry(world, facts, rendering))
            .collect(),
    };
    let hold =
        (!world.is_going() && !ids::is_held(metadata)).then(|| basis.step(Action::HoldFinalizer));
    let puts = renderings
        .into_iter()
        .filter(|_| blocked.is_none())
        .filter_map(Rendering::step);
    let steps: Vec<Step> = hold.into_iter().chain(puts).collect();
    basis.plan(steps, Status::Policy(status), next)
}

/// Takes the policy out of the vaults where nothing uses it, and lets go. A vault that cannot be reached any more keeps it: a policy
/// without items does nothing.
fn leave(world: &PolicyWorld, basis: Basis) -> Plan {
    let removals: Vec<Step> = world
        .vaults
        .iter()
        .filter_map(|facts| rendering::removal(world, facts, &basis))
        .collect();
    let failed = world.vaults.iter().find_map(|facts| match &facts.arm {
        Some(Observed::Unknown(failure)) => Some(Waiting::Arm(failure.clone())),
        _ => None,
    });
    if removals.is_empty() && failed.is_none() {
        return basis.farewell(Action::ReleaseFinalizer);
    }
    let (verdict, next) = match failed {
        Some(waiting) => (Verdict::waiting(&waiting), waiting.next(world.now)),
        None => (
            Verdict::working("Removing", "Being taken out of its vaults."),
            Next::Soon,
        ),
    };
    let status = BackupPolicyStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &[approval(&[])]),
        ..world.policy.status.clone().unwrap_or_default()
    };
    basis.plan(removals, Status::Policy(status), next)
}

/// Whether the spec is something that can be rendered at all.
fn offered(world: &PolicyWorld) -> Result<(), Waiting> {
    if world.policy.spec.workload != Workload::VirtualMachine {
        return Err(Waiting::NotOfferedYet {
            what: format!("A policy for {:?}", world.policy.spec.workload),
        });
    }
    terms::rendered(&terms::terms(&world.policy.spec)?)?;
    Ok(())
}

/// What all vaults together come to: the worst of them.
fn summary(renderings: &[Rendering], world: &PolicyWorld) -> (Verdict, Next) {
    let waiting = |stance| {
        renderings
            .iter()
            .filter_map(Rendering::waiting)
            .find(move |waiting| waiting.stance() == stance)
    };
    let soonest = renderings
        .iter()
        .filter_map(|rendering| rendering.next(world.now))
        .min_by_key(|next| match next {
            Next::Soon => SignedDuration::ZERO,
            Next::After(delay) => *delay,
            Next::Await => SignedDuration::MAX,
        });
    let next = soonest.unwrap_or(Next::After(RESYNC));
    if let Some(stuck) = waiting(Stance::Stuck) {
        return (Verdict::waiting(stuck), next);
    }
    if let Some(progressing) = waiting(Stance::Progressing) {
        return (Verdict::waiting(progressing), next);
    }
    if renderings
        .iter()
        .any(|rendering| matches!(rendering, Rendering::ToPut(_)))
    {
        return (
            Verdict::working("Rendering", "Being written into its vaults."),
            Next::Soon,
        );
    }
    let verdict = match renderings
        .iter()
        .filter(|rendering| matches!(rendering, Rendering::InForce))
        .count()
    {
        0 => Verdict::settled(
            "NotUsed",
            "No item uses it yet; it is written into a vault when one does.",
        ),
        1 => Verdict::settled("InForce", "In force in 1 vault."),
        vaults => Verdict::settled("InForce", format!("In force in {vaults} vaults.")),
    };
    (verdict, next)
}

fn approval(renderings: &[Rendering]) -> Extra {
    let asked = renderings
        .iter()
        .filter_map(Rendering::waiting)
        .find(|waiting| matches!(waiting, Waiting::ApprovalRequired(_)));
    let (status, reason, message) = match asked {
        Some(waiting) => (
            ConditionStatus::True,
            "RecoveryPointsAtStake",
            waiting.to_string(),
        ),
        None => (ConditionStatus::False, "NothingAtStake", String::new()),
    };
    Extra {
        type_: ConditionType::ApprovalRequired,
        status,
        reason,
        message,
    }
}

/// What the status says of one vault; None when there is nothing of the policy in it.
fn entry(
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
        Rendering::InForce => world.policy.metadata.generation,
        _ => before.and_then(|vault| vault.generation),
    };
    let keeps_operation = matches!(
        rendering,
        Rendering::Waiting {
            waiting: Waiting::OperationInProgress { .. } | Waiting::Arm(_),
            ..
        }
    );
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
        edits: before.map(|vault| vault.edits.clone()).unwrap_or_default(),
        approval: None,
        message: rendering
            .waiting()
            .map(|waiting| cut(&waiting.to_string(), 1024)),
        operation: before
            .and_then(|vault| vault.operation.clone())
            .filter(|_| keeps_operation),
    })
}
