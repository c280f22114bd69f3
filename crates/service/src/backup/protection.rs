//! Protection: begun, changed, stopped, taken up again, deleted and undone. All but the removal of data change rows only,
//! and are done when they are answered; each leaves a job behind, as in Azure.

use kluis_arm::error::code;
use kluis_arm::id::{PolicyId, VmId};
use kluis_arm::item::{self, ProtectedItem, ProtectionState, VmItem};
use kluis_policy::{Event, State};

use super::items::Named;
use super::rows::{DiskChoice, ForgetWork, Item, Job, Kind, Point, Policy, Work};
use super::rules::Rules;
use super::{cleanup, discovery, jobs, queue, refusals};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath};
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};
use crate::vaults::VaultRow;

/// Azure's limit of virtual machines a vault.
const MOST_ITEMS: u64 = 1_000;

/// `PUT item`: one call for six things, told apart by the body and by what is there.
pub(super) fn put(
    request: &Request,
    named: &Named,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let body = request.parse::<item::Item>()?;
    let ProtectedItem::VirtualMachine(wanted) = body.properties else {
        return Err(refusals::invalid_protection(format!(
            "Items of type '{}' are not offered yet; protectedItemType must be 'Microsoft.Compute/virtualMachines'.",
            body.properties.tag()
        )));
    };
    same_machine(&wanted, named)?;
    let found = named.find(at, tx)?;
    if let Some(item) = &found {
        refusals::unlocked(tx, item)?;
    }
    let (item, job) = if wanted.is_rehydrate == Some(true) {
        undelete(existing(found, named, at)?, ctx, tx)?
    } else {
        match &wanted.protection_state {
            Some(ProtectionState::ProtectionStopped) => stop(existing(found, named, at)?, ctx, tx)?,
            Some(ProtectionState::BackupsSuspended) => {
                suspend(existing(found, named, at)?, vault, ctx, tx)?
            }
            _ => protect(&wanted, found, named, at, vault, ctx, tx)?,
        }
    };
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    let scope = Scope::Item(&item.container_name(), &item.item_name());
    Ok((operation.accepted(request, at, scope), Vec::new()))
}

/// `DELETE item`: with soft delete the data stay for a while, without they are removed now.
pub(super) fn delete(
    request: &Request,
    named: &Named,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let Some(item) = named.find(at, tx)? else {
        return Ok((Response::empty(204), Vec::new()));
    };
    refusals::unlocked(tx, &item)?;
    if vault.immutability() == "Locked" {
        return Err(Refusal::bad_request(
            code::IMMUTABLE,
            format!(
                "The vault '{}' is immutable: the data of '{}' can't be deleted before their retention ends.",
                at.name, item.vm
            ),
        ));
    }
    let soft = vault.soft_delete();
    let days = u16::try_from(soft.retention_days).unwrap_or(u16::MAX);
    let points = Point::of(tx, &item.key())?;
    let count = points.len().to_string();
    let facts = [("Number of Recovery Points", count.as_str())];
    let (job, effects) = if soft.enabled {
        let item = after(
            item,
            Event::Delete {
                soft_delete_days: Some(days),
            },
            ctx,
        )?;
        tx.put(&item)?;
        (
            jobs::done(ctx, tx, &item, Kind::DeleteBackupData, &facts)?,
            Vec::new(),
        )
    } else if points.is_empty() {
        tx.delete::<Item>(&item.key())?;
        (
            jobs::done(ctx, tx, &item, Kind::DeleteBackupData, &facts)?,
            Vec::new(),
        )
    } else {
        remove(item, points, ctx, tx)?
    };
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    Ok((operation.accepted(request, at, Scope::Backup), effects))
}

/// Queues the removal of an item's data. No backup of it is due any more; its rows go once the snapshots are gone.
fn remove(
    mut item: Item,
    points: Vec<Point>,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(Job, Vec<crate::core::Effect>), Refusal> {
    if !item.is_soft_deleted() {
        item = after(item, Event::StopRetain, ctx)?;
        item.policy.clear();
        tx.put(&item)?;
    }
    let count = points.len().to_string();
    let work = ForgetWork {
        points: cleanup::forgetting(points),
        items: vec![item.key()],
    };
    let mut job = jobs::for_item(ctx, tx, &item, Kind::DeleteBackupData, Work::Forget(work))?;
    job.state("Number of Recovery Points", count);
    job.keep(tx)?;
    let effects = queue::dispatch(ctx, tx)?;
    Ok((job, effects))
}

fn existing(found: Option<Item>, named: &Named, at: &VaultPath) -> Result<Item, Refusal> {
    found.ok_or_else(|| refusals::item_not_found(&named.vm, &at.name))
}

fn undelete(item: Item, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(Item, Job), Refusal> {
    let item = after(item, Event::Undelete, ctx)?;
    tx.put(&item)?;
    let job = jobs::done(ctx, tx, &item, Kind::Undelete, &[("Undelete flag", "True")])?;
    Ok((item, job))
}

fn stop(item: Item, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(Item, Job), Refusal> {
    let mut item = after(item, Event::StopRetain, ctx)?;
    item.policy.clear();
    item.waiting = None;
    tx.put(&item)?;
    let job = jobs::done(ctx, tx, &item, Kind::DisableBackup, &[("Policy Name", "")])?;
    Ok((item, job))
}

fn suspend(
    item: Item,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(Item, Job), Refusal> {
    let vault_immutable = vault.immutability() != "Disabled";
    let mut item = after(item, Event::Suspend { vault_immutable }, ctx)?;
    item.waiting = None;
    tx.put(&item)?;
    let policy = item.policy.clone();
    let job = jobs::done(
        ctx,
        tx,
        &item,
        Kind::DisableBackup,
        &[("Policy Name", &policy)],
    )?;
    Ok((item, job))
}

fn protect(
    wanted: &VmItem,
    found: Option<Item>,
    named: &Named,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(Item, Job), Refusal> {
    let (policy, rules) = policy(wanted, at, tx)?;
    let vm = ctx
        .inventory
        .vm(&named.resource_group, &named.vm)
        .ok_or_else(|| {
            Refusal::bad_request(
                code::VM_NOT_FOUND,
                format!(
                    "The virtual machine '{}' of resource group '{}' does not exist.",
                    named.vm, named.resource_group
                ),
            )
        })?;
    if !discovery::same_region(&vm.location, &vault.location) {
        return Err(Refusal::bad_request(
            "UserErrorVmAndVaultRegionMismatch",
            format!(
                "The virtual machine '{}' is in region '{}' and the vault '{}' in region '{}'; \
                 a machine is protected by a vault of its own region.",
                vm.name, vm.location, at.name, vault.location
            ),
        ));
    }
    if found.is_none() {
        elsewhere(vm.resource_group.as_str(), vm.name.as_str(), at, tx)?;
        if tx.count::<Item>(at.key.as_str())? >= MOST_ITEMS {
            return Err(Refusal::bad_request(
                "UserErrorVaultItemLimitReached",
                format!(
                    "The vault '{}' protects {MOST_ITEMS} virtual machines, as many as a vault can. Use another vault.",
                    at.name
                ),
            ));
        }
    }
    let state = State::after(
        found.as_ref().map(|item| item.state),
        Event::Protect,
        ctx.now,
    )
    .map_err(|error| refused(&error))?;
    let is_new = found.is_none();
    let mut item = found.unwrap_or_else(|| Item {
        vault: at.key.clone(),
        resource_group: vm.resource_group.clone(),
        vm: vm.name.clone(),
        vm_id: discovery::vm_id(vm, ctx),
        state: State::IrPending,
        policy: String::new(),
        data_id: jobs::point_name(&ctx.new_id()),
        disks: None,
        handled: ctx.now,
        waiting: None,
        last_backup: None,
        last_point: None,
    });
    if item.policy != policy.name || !item.state.is_scheduled() {
        downgrade(&item, &rules, tx)?;
        // A new policy's first run is the next one: none is due for the time before.
        item.handled = ctx.now;
        item.waiting = None;
        if !is_new {
            cleanup::want(ctx, tx, &at.key)?;
        }
    }
    item.state = state.unwrap_or(State::IrPending);
    item.policy.clone_from(&policy.name);
    if let Some(choice) = disks(wanted)? {
        item.disks = choice;
    }
    tx.put(&item)?;
    let job = jobs::done(
        ctx,
        tx,
        &item,
        Kind::ConfigureBackup,
        &[("Policy Name", &policy.name)],
    )?;
    Ok((item, job))
}

/// The policy that the body names: one of this vault, for virtual machines.
fn policy(wanted: &VmItem, at: &VaultPath, tx: &Tx<'_>) -> Result<(Policy, Rules), Refusal> {
    let text = wanted.policy_id.as_deref().unwrap_or_default();
    let id: PolicyId = text.parse().map_err(|_| {
        refusals::invalid_protection(format!(
            "'policyId' must be the id of a policy of this vault; it is '{text}'."
        ))
    })?;
    let vault =
        crate::core::VaultKey::new(id.vault.resource_group.as_str(), id.vault.name.as_str());
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

/// A machine under an enhanced policy can't go back to a standard one.
fn downgrade(item: &Item, rules: &Rules, tx: &Tx<'_>) -> Result<(), Refusal> {
    let before = tx
        .get::<Policy>(&Policy::key_of(&item.vault, &item.policy))?
        .as_ref()
        .and_then(Rules::of);
    if before.is_some_and(|before| before.enhanced) && !rules.enhanced {
        return Err(refusals::invalid_protection(format!(
            "'{}' is protected by an enhanced policy (V2); it can't be given a standard one.",
            item.vm
        )));
    }
    Ok(())
}

/// Refuses a machine that another vault protects or keeps data of.
fn elsewhere(resource_group: &str, vm: &str, at: &VaultPath, tx: &Tx<'_>) -> Result<(), Refusal> {
    let same = |item: &Item| {
        item.vault != at.key
            && !item.is_soft_deleted()
            && item.resource_group.eq_ignore_ascii_case(resource_group)
            && item.vm.eq_ignore_ascii_case(vm)
    };
    match tx.all::<Item>()?.into_iter().find(same) {
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

/// The disks that the body chooses: `Some(None)` is all, `None` says nothing of them.
fn disks(wanted: &VmItem) -> Result<Option<Option<DiskChoice>>, Refusal> {
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
fn same_machine(wanted: &VmItem, named: &Named) -> Result<(), Refusal> {
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
        if id.resource_group != *named.resource_group.as_str() || id.name != *named.vm.as_str() {
            return Err(refusals::invalid_protection(format!(
                "The body names the machine '{text}', the path '{}' of resource group '{}'.",
                named.vm, named.resource_group
            )));
        }
    }
    Ok(())
}

fn after(mut item: Item, event: Event, ctx: &Context<'_>) -> Result<Item, Refusal> {
    match State::after(Some(item.state), event, ctx.now) {
        Ok(state) => {
            item.state = state.unwrap_or(item.state);
            if matches!(item.state, State::SoftDeleted { .. }) {
                item.policy.clear();
                item.waiting = None;
            }
            Ok(item)
        }
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &kluis_policy::Refusal) -> Refusal {
    let code = match error {
        kluis_policy::Refusal::SoftDeleted => "UserErrorItemInSoftDeletedState",
        kluis_policy::Refusal::NotDeleted => "UserErrorItemNotInSoftDeletedState",
        kluis_policy::Refusal::VaultNotImmutable => code::IMMUTABLE,
        kluis_policy::Refusal::NotProtected => code::ITEM_NOT_FOUND,
        kluis_policy::Refusal::Stopped | kluis_policy::Refusal::NotBefore(_) => {
            "BMSUserErrorInvalidInput"
        }
    };
    Refusal::bad_request(code, format!("Not possible now: {error}."))
}
