//! Whether what a request for protection names fits together: the machine, the policy, the vault, the disks.

use kluis_arm::error::code;
use kluis_arm::id::{PolicyId, VmId};
use kluis_arm::item::VmItem;

use super::items::Named;
use super::rows::{DiskChoice, Item, Point, Policy};
use super::rules::Rules;
use super::{disks, refusals};
use crate::core::{Context, Refusal, VaultKey, VaultPath};
use crate::inventory::VirtualMachine;
use crate::store::{Row as _, Tx};

/// Azure's limits of a vault: machines that are protected or stopped, and items, which soft-deleted ones are, too.
const MOST_MACHINES: u64 = 1_000;
const MOST_ITEMS: u64 = 2_000;

/// The policy that the body names: one of this vault, for virtual machines.
pub(super) fn policy(
    wanted: &VmItem,
    at: &VaultPath,
    tx: &Tx<'_>,
) -> Result<(Policy, Rules), Refusal> {
    let text = wanted.policy_id.as_deref().unwrap_or_default();
    let id: PolicyId = text.parse().map_err(|_| {
        refusals::invalid_protection(format!(
            "'policyId' must be the id of a policy of this vault; it is '{text}'."
        ))
    })?;
    let vault = VaultKey::new(id.vault.resource_group.as_str(), id.vault.name.as_str());
    if vault != at.key {
        return Err(refusals::invalid_protection(format!(
            "The policy '{text}' is of another vault than '{}'.",
            at.name
        )));
    }
    let policy: Policy = tx
        .get(&Policy::key_of(&at.key, id.name.as_str()))?
        .ok_or_else(|| {
            Refusal::not_found(
                code::POLICY_NOT_FOUND,
                format!("The vault '{}' has no policy '{}'.", at.name, id.name),
            )
        })?;
    let rules = Rules::of(&policy).ok_or_else(|| {
        refusals::invalid_protection(format!(
            "The policy '{}' is not one for virtual machines.",
            policy.name
        ))
    })?;
    Ok((policy, rules))
}

/// A machine under an enhanced policy can't go back to a standard one. One whose protection was stopped has no policy, and its
/// points still say which it had.
pub(super) fn no_downgrade(item: &Item, rules: &Rules, tx: &Tx<'_>) -> Result<(), Refusal> {
    let before = tx
        .get::<Policy>(&Policy::key_of(&item.vault, &item.policy))?
        .as_ref()
        .and_then(Rules::of);
    if rules.enhanced {
        return Ok(());
    }
    let was_enhanced = before.is_some_and(|before| before.enhanced)
        || Point::of(tx, &item.key())?
            .iter()
            .any(|point| point.enhanced);
    if was_enhanced {
        return Err(refusals::invalid_protection(format!(
            "'{}' is protected by an enhanced policy (V2); it can't be given a standard one.",
            item.vm
        )));
    }
    Ok(())
}

/// Refuses a machine that another vault protects or keeps data of.
pub(super) fn elsewhere(
    resource_group: &str,
    vm: &str,
    at: &VaultPath,
    tx: &Tx<'_>,
) -> Result<(), Refusal> {
    let other = |item: &Item| item.vault != at.key && !item.is_soft_deleted();
    let items: Vec<Item> = tx.about(&Item::machine_of(resource_group, vm), None)?;
    match items.into_iter().find(other) {
        None => Ok(()),
        Some(other) => Err(Refusal::bad_request(
            "UserErrorVmAlreadyProtectedInAnotherVault",
            format!(
                "The virtual machine '{vm}' is protected in the vault '{}'. Stop its protection there and delete its data first.",
                other.vault
            ),
        )),
    }
}

/// Refuses one more machine in a vault that has as many as it can.
pub(super) fn room(at: &VaultPath, tx: &Tx<'_>) -> Result<(), Refusal> {
    if tx.count::<Item>(at.key.as_str())? >= MOST_ITEMS {
        return Err(full(at, MOST_ITEMS, "items, soft-deleted ones included"));
    }
    room_to_return(at, tx)
}

/// The same for a soft-deleted one that comes back: it is among the items already, and among the machines again.
pub(super) fn room_to_return(at: &VaultPath, tx: &Tx<'_>) -> Result<(), Refusal> {
    if tx.count::<Item>(at.key.as_str())? < MOST_MACHINES {
        return Ok(());
    }
    let items: Vec<Item> = tx.list(at.key.as_str())?;
    let protected = items.iter().filter(|item| !item.is_soft_deleted()).count() as u64;
    if protected >= MOST_MACHINES {
        return Err(full(at, MOST_MACHINES, "virtual machines"));
    }
    Ok(())
}

fn full(at: &VaultPath, most: u64, of: &str) -> Refusal {
    Refusal::bad_request(
        "UserErrorVaultItemLimitReached",
        format!(
            "The vault '{}' has {most} {of}, as many as a vault can have (rule 38). Use another vault.",
            at.name
        ),
    )
}

/// Whether the machine and the disks that are to be backed up are within Azure's limits.
pub(super) fn machine(
    vm: &VirtualMachine,
    wanted: Option<&Option<DiskChoice>>,
    found: Option<&Item>,
    rules: &Rules,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    let choice = match wanted {
        Some(choice) => choice.as_ref(),
        None => found.and_then(|item| item.disks.as_ref()),
    };
    if let Some(choice) = choice.filter(|_| wanted.is_some()) {
        let unknown = disks::unknown_luns(vm, choice);
        if let Some(lun) = unknown.first() {
            return Err(refusals::invalid_protection(format!(
                "'diskLunList' asks for the disk at LUN {lun}; the virtual machine '{}' has none there.",
                vm.name
            )));
        }
    }
    let chosen = disks::chosen(vm, choice);
    disks::fit(vm, &chosen, rules.enhanced, |path| ctx.facts.size(path)).map_err(|fault| {
        let advice = fault.recommendations.join(" ");
        Refusal::bad_request(fault.title, format!("{} {advice}", fault.message))
    })
}

/// The disks that the body chooses: `Some(None)` is all, `None` says nothing of them.
pub(super) fn disks(wanted: &VmItem) -> Result<Option<Option<DiskChoice>>, Refusal> {
    let Some(properties) = &wanted.extended_properties else {
        return Ok(None);
    };
    let Some(chosen) = &properties.disk_exclusion_properties else {
        return Ok(Some(None));
    };
    let luns = chosen
        .disk_lun_list
        .iter()
        .flatten()
        .map(|lun| u32::try_from(*lun))
        .collect::<Result<Vec<u32>, _>>();
    let luns = luns.map_err(|_| {
        refusals::invalid_protection("'diskLunList' must hold LUNs, which are 0 or more.")
    })?;
    let inclusion = chosen.is_inclusion_list.unwrap_or(false);
    if luns.is_empty() && !inclusion {
        return Ok(Some(None));
    }
    Ok(Some(Some(DiskChoice { luns, inclusion })))
}

/// The machine of the body must be that of the path.
pub(super) fn same_machine(
    wanted: &VmItem,
    named: &Named,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    for text in [&wanted.source_resource_id, &wanted.virtual_machine_id]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
    {
        let id: VmId = text.parse().map_err(|_| {
            refusals::invalid_protection(format!(
                "'sourceResourceId' must be the id of a virtual machine; it is '{text}'."
            ))
        })?;
        if id.subscription != *ctx.subscription {
            return Err(Refusal::bad_request(
                "UserErrorVmAndVaultSubscriptionMismatch",
                format!(
                    "The virtual machine '{text}' is in another subscription than the vault, '{}'; \
                     a machine is protected by a vault of its own subscription (rule 26).",
                    ctx.subscription
                ),
            ));
        }
        if id.resource_group != *named.resource_group.as_str() || id.name != *named.vm.as_str() {
            return Err(refusals::invalid_protection(format!(
                "The body names the machine '{text}', the path '{}' of resource group '{}'.",
                named.vm, named.resource_group
            )));
        }
    }
    Ok(())
}
