//! What an edit of the policy would cost in one vault (law 3): item by item, of all that the policy protects there, whoever declared it.
//!
//! Points are read only where the edit could cost any, and not again within the hour while nobody has approved it.

use std::collections::HashMap;

use kluis_api::OperationKind;
use kluis_arm::id::{ItemId, PolicyId};
use kluis_arm::policy::{Policy, Terms, parse};

use super::following;
use crate::approval::{self, Consent, Stake};
use crate::ids;
use crate::loss::{self, Assessment, Loss, Present};
use crate::terms;
use crate::waiting::Waiting;
use crate::world::{ItemFact, Observed, PolicyItem, PolicyVaultFacts, PolicyWorld, Want};

/// What is in force in the vault, and what is wanted, in one form.
pub(super) struct Edit<'a> {
    pub(super) found: &'a Policy,
    pub(super) present: Terms,
    pub(super) wanted: Terms,
}

/// What still has to be read to know what the edit would cost.
pub(super) fn wants(world: &PolicyWorld, facts: &PolicyVaultFacts, id: &PolicyId) -> Vec<Want> {
    let Some(edit) = edit(world, facts).filter(Edit::could_cost) else {
        return Vec::new();
    };
    match &facts.protected {
        None => vec![Want::ProtectedBy(id.clone())],
        Some(Observed::Found(items)) => {
            let case = Case::of(world, facts, id, &edit, items);
            if case.counted(world, facts).is_some() {
                return Vec::new();
            }
            let unread = case
                .pruned
                .into_iter()
                .filter(|item| !facts.points.contains_key(item));
            unread.map(Want::Points).collect()
        }
        Some(Observed::Absent | Observed::Unknown(_)) => Vec::new(),
    }
}

/// What it would cost; None when nothing.
pub(super) fn assess(
    world: &PolicyWorld,
    facts: &PolicyVaultFacts,
    id: &PolicyId,
    edit: &Edit<'_>,
) -> Result<Option<Stake>, Waiting> {
    if !edit.could_cost() {
        return Ok(None);
    }
    let unread = |what: &str| Waiting::StillProvisioning {
        what: what.to_owned(),
    };
    let items = match &facts.protected {
        Some(Observed::Found(items)) => items,
        Some(Observed::Unknown(failure)) => {
            return Err(Waiting::LossUnknown {
                failure: failure.clone(),
            });
        }
        Some(Observed::Absent) | None => return Err(unread("the items of the policy")),
    };
    let case = Case::of(world, facts, id, edit, items);
    let (loss, counted_at) = match case.counted(world, facts) {
        Some(counted) => counted,
        None => {
            let mut loss = Loss::default();
            let names = names(facts, id);
            let assessment =
                Assessment::of(&Present::Terms(&edit.present), &edit.wanted, world.now);
            for item in &case.pruned {
                match facts.points.get(item) {
                    Some(Observed::Found(points)) => {
                        let cost = assessment.cost(points);
                        let name = names.get(item).cloned();
                        loss.add(name.unwrap_or_else(|| approval::machine(item)), cost);
                    }
                    Some(Observed::Absent) => {}
                    Some(Observed::Unknown(failure)) => {
                        return Err(Waiting::LossUnknown {
                            failure: failure.clone(),
                        });
                    }
                    None => return Err(unread("the count of recovery points")),
                }
            }
            loss.uncounted =
                protects(edit.found).saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
            (loss, world.now)
        }
    };
    Ok((!loss.is_none()).then(|| Stake {
        vault: facts.name.clone(),
        approval: consent(world).to(&case.digest),
        digest: case.digest,
        loss,
        counted_at,
    }))
}

/// What the vault has and what is wanted there, where both can be read and differ.
fn edit<'a>(world: &PolicyWorld, facts: &'a PolicyVaultFacts) -> Option<Edit<'a>> {
    let found = facts.arm.as_ref()?.found()?;
    let wanted = terms::rendered(&following::terms_at(&world.policy.spec, world.now).ok()?).ok()?;
    Some(Edit {
        found,
        present: parse(&found.properties).ok()?,
        wanted: parse(&wanted).ok()?,
    })
}

impl Edit<'_> {
    pub(super) fn could_cost(&self) -> bool {
        loss::could_cost(&self.present, &self.wanted)
    }
}

/// One edit by its name, and the items whose points it reaches.
struct Case {
    digest: String,
    pruned: Vec<ItemId>,
}

impl Case {
    fn of(
        world: &PolicyWorld,
        facts: &PolicyVaultFacts,
        id: &PolicyId,
        edit: &Edit<'_>,
        items: &[ItemFact],
    ) -> Self {
        let pruned: Vec<ItemId> = items
            .iter()
            .filter(|item| item.is_pruned())
            .map(|item| item.id.clone())
            .collect();
        // A change of the clocks in between is no other wish: the declared times are what is approved.
        let declared = terms::terms(&world.policy.spec)
            .and_then(|declared| terms::rendered(&declared))
            .ok()
            .and_then(|declared| parse(&declared).ok());
        let wanted = declared.as_ref().unwrap_or(&edit.wanted);
        let present = following::as_declared(&world.policy.spec, &edit.present, world.now);
        let in_force = approval::in_words(Some(&present));
        // What is declared to come under the policy is named from the beginning: else an approval would lapse when it has come.
        let coming = facts.items.iter().filter(|item| item.is_to_come);
        let coming = coming.filter_map(|item| item_id(facts, id, item));
        Self {
            digest: approval::digest(
                &id.vault,
                pruned.iter().cloned().chain(coming),
                &in_force,
                &approval::in_words(Some(wanted)),
            ),
            pruned,
        }
    }

    fn counted(
        &self,
        world: &PolicyWorld,
        facts: &PolicyVaultFacts,
    ) -> Option<(Loss, jiff::Timestamp)> {
        let status = world.policy.status.as_ref()?;
        let vault = status
            .vaults
            .iter()
            .find(|vault| vault.name == facts.name)?;
        let given = consent(world).to(&self.digest);
        approval::counted(vault.approval.as_ref(), &self.digest, given, world.now)
    }
}

/// What may bring an item under the policy. An item that is on its way here is listed with the policy that it comes from until it has
/// arrived.
pub(super) fn arriving(facts: &PolicyVaultFacts, id: &PolicyId) -> Option<Waiting> {
    let by_azure_name = facts.by_azure_name.iter().filter(|item| {
        let name = item.azure_name.as_deref();
        name.is_some_and(|name| id.name == *name)
    });
    facts.items.iter().chain(by_azure_name).find_map(moving)
}

/// What is being done to an item, or what is declared of it since it was looked at last.
fn moving(item: &PolicyItem) -> Option<Waiting> {
    if item.is_unseen {
        return Some(Waiting::ItemNotSeen {
            item: item.name.clone(),
        });
    }
    let kind = item.operation?;
    matches!(
        kind,
        OperationKind::Protect | OperationKind::ModifyProtection | OperationKind::Undelete
    )
    .then_some(Waiting::OperationInProgress { kind })
}

fn consent(world: &PolicyWorld) -> Consent<'_> {
    Consent {
        control: world.policy.spec.change_control,
        approved: world.policy.spec.approved_loss.as_deref(),
    }
}

/// The items by their objects, `<namespace>/<name>`.
fn names(facts: &PolicyVaultFacts, id: &PolicyId) -> HashMap<ItemId, String> {
    let named = facts.items.iter().filter_map(|object| {
        let item = item_id(facts, id, object)?;
        Some((item, object.name.clone()))
    });
    named.collect()
}

/// Where an object's item is in the vault.
fn item_id(facts: &PolicyVaultFacts, id: &PolicyId, object: &PolicyItem) -> Option<ItemId> {
    let service = facts.access.service.as_ref()?;
    let vm = ids::vm_id(service, &object.vm).ok()?;
    Some(ItemId::for_vm(&id.vault, &vm))
}

/// How many items the policy protects in the vault, as the vault says.
pub(super) fn protects(policy: &Policy) -> u32 {
    let count = policy.properties.protected_items_count();
    count
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or_default()
}
