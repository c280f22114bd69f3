//! Planning a BackupPolicy: every vault where an item uses it has it, and no edit costs recovery points unasked.

mod at_stake;
mod edits;
pub(crate) mod following;
mod rendering;
mod summary;

use jiff::{SignedDuration, Timestamp};
use kluis_api::{BackupPolicyStatus, ConditionType, PolicyDeletionPolicy, Vault};
use kluis_arm::id::{PolicyId, VaultId};

use crate::approval::Stake;
use crate::conditions::{Verdict, cut};
use crate::drift;
use crate::edit::{self, Edit};
use crate::gate;
use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::loss;
use crate::plan::{Basis, Next, Plan, WayOut};
use crate::report::{Event, Status};
use crate::step::{Action, Step};
use crate::terms;
use crate::waiting::Waiting;
use crate::world::{Fact, Observed, PolicyVaultFacts, PolicyWorld, Want, World};
use rendering::Rendering;

/// What is said of a policy that is being taken out of its vaults.
pub(crate) const REMOVING: &str = "Removing";

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
        if self.is_going() && (!self.users.is_empty() || self.is_orphaned()) {
            return Vec::new();
        }
        self.vaults
            .iter()
            .flat_map(|facts| rendering::wants(self, facts))
            .collect()
    }

    fn fill(&mut self, want: &Want, fact: Fact) {
        if let (Want::Points(id), Fact::Points(points)) = (want, &fact) {
            let is_there = |facts: &PolicyVaultFacts| {
                let policy = self.policy_id(facts);
                policy.is_ok_and(|policy| policy.vault == *id.vault())
            };
            let at = self.vaults.iter().position(is_there);
            if let Some(facts) = at.and_then(|at| self.vaults.get_mut(at)) {
                let points = points.clone().map(|points| loss::scheduled(&points));
                facts.points.insert(id.clone(), points);
            }
            return;
        }
        let ids: Vec<Option<PolicyId>> = self
            .vaults
            .iter()
            .map(|facts| self.policy_id(facts).ok())
            .collect();
        for (facts, policy) in self.vaults.iter_mut().zip(ids) {
            match (want, &fact) {
                (Want::Policy(id), Fact::Policy(found)) if policy.as_ref() == Some(id) => {
                    facts.arm = Some(found.clone());
                }
                (Want::ProtectedBy(id), Fact::ProtectedBy(found))
                    if policy.as_ref() == Some(id) =>
                {
                    facts.protected = Some(found.clone());
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

    /// Whether it stays in its vaults when its object goes.
    fn is_orphaned(&self) -> bool {
        self.policy.spec.deletion_policy == PolicyDeletionPolicy::Orphan
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
        let (vault, id) = self.vault_id(facts)?;
        Ok(id.policy(ids::name(
            "metadata.name",
            &ids::policy_name(&self.policy.metadata, vault)?,
        )?))
    }

    /// The vault, where the items that name it can use it.
    fn vault_id<'a>(&self, facts: &'a PolicyVaultFacts) -> Result<(&'a Vault, VaultId), Waiting> {
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
        Ok((vault, ids::vault_id(service, vault)?))
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
        goes_without: world.is_going().then_some(WayOut::Policy("Orphan")),
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
        None => summary::of(&renderings, world.now),
    };
    let ahead = following::ahead(&world.policy.spec, world.now).filter(|_| blocked.is_none());
    let next = sooner(next, ahead.as_ref().map(|(at, _)| *at), world.now);
    let ahead = ahead.map(|(_, status)| status);
    let asked = match &blocked {
        Some(_) => summary::approval(&[]),
        None => summary::approval(&renderings),
    };
    let told: Vec<Event> = renderings
        .iter()
        .filter_map(Rendering::sent)
        .filter(|_| blocked.is_none())
        .filter_map(Stake::told)
        .collect();
    let drifts: Vec<Event> = world
        .vaults
        .iter()
        .zip(&renderings)
        .filter(|_| blocked.is_none())
        .filter_map(|(facts, rendering)| {
            let what = format!("The policy in the vault {}", facts.name);
            drift::repaired(&what, rendering.drift(), world.now)
        })
        .collect();
    let stakes: Vec<Stake> = renderings
        .iter()
        .filter_map(Rendering::stake)
        .filter(|_| blocked.is_none())
        .cloned()
        .collect();
    let announced = following::announced(before.daylight_saving.as_ref(), ahead.as_ref());
    let status = BackupPolicyStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &[asked]),
        schedule: Some(terms::schedule_in_words(&world.policy.spec)),
        keeps: Some(terms::retention_in_words(&world.policy.spec)),
        items: u32::try_from(world.users.len()).unwrap_or(u32::MAX),
        daylight_saving: ahead,
        vaults: world
            .vaults
            .iter()
            .zip(&renderings)
            .filter_map(|(facts, rendering)| summary::entry(world, facts, rendering))
            .collect(),
    };
    let hold =
        (!world.is_going() && !ids::is_held(metadata)).then(|| basis.step(Action::HoldFinalizer));
    let puts = renderings
        .into_iter()
        .filter(|_| blocked.is_none())
        .filter_map(Rendering::step);
    let steps: Vec<Step> = hold.into_iter().chain(puts).collect();
    let mut plan = basis.plan(steps, Status::Policy(status), next);
    plan.report
        .events
        .extend(announced.into_iter().chain(told).chain(drifts));
    plan.stakes = stakes;
    plan
}

/// The sooner of a look that is planned and a moment at which something changes by itself.
fn sooner(next: Next, moment: Option<Timestamp>, now: Timestamp) -> Next {
    let Some(until) = moment.map(|moment| now.duration_until(moment)) else {
        return next;
    };
    let until = until.max(SignedDuration::from_secs(1));
    match next {
        Next::Soon => Next::Soon,
        Next::After(delay) => Next::After(delay.min(until)),
        Next::Await => Next::After(until),
    }
}

/// Takes the policy out of the vaults where nothing uses it, and lets go. A vault that is gone, or not ours to ask any more, keeps it: a
/// policy without items does nothing. One that does not answer is asked again, unless the policy is to stay there.
fn leave(world: &PolicyWorld, basis: Basis) -> Plan {
    if world.is_orphaned() {
        let vaults = world.policy.status.iter().flat_map(|status| &status.vaults);
        let named: Vec<&str> = vaults.map(|vault| vault.name.as_str()).collect();
        if named.is_empty() {
            return basis.farewell(Action::ReleaseFinalizer);
        }
        let note = format!(
            "deletionPolicy is Orphan: the policy stays in {} as it is.",
            named.join(", ")
        );
        return basis.farewell_with(Event::warning("PolicyLeftAsItIs", cut(&note, 1024)));
    }
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
        let guard = basis.seen(world.vaults.iter().filter_map(|facts| {
            let id = world.policy_id(facts).ok()?;
            Some((Want::Policy(id), facts.arm.clone().map(Fact::Policy)))
        }));
        return basis.farewell_while(Action::ReleaseFinalizer, guard);
    }
    let (verdict, next) = match failed {
        Some(waiting) => (basis.waiting(&waiting), waiting.next(world.now)),
        None => (
            Verdict::working(REMOVING, "Being taken out of its vaults."),
            Next::Soon,
        ),
    };
    let status = BackupPolicyStatus {
        observed_generation: basis.generation,
        conditions: basis.conditions(ConditionType::Ready, &verdict, &[summary::approval(&[])]),
        ..world.policy.status.clone().unwrap_or_default()
    };
    basis.plan(removals, Status::Policy(status), next)
}

/// Whether the spec is something that can be said in Azure's terms at all, whoever may use it.
fn offered(world: &PolicyWorld) -> Result<(), Waiting> {
    terms::say(&following::terms_at(&world.policy.spec, world.now)?)
}
