//! Protection: begun, changed, stopped, taken up again, deleted and undone. All but the removal of data change rows only,
//! and are done when they are answered; each leaves a job behind, as in Azure.

use kluis_arm::error::code;
use kluis_arm::item::{self, ProtectedItem, ProtectionState, VmItem};
use kluis_policy::{Event, State};

use super::items::Named;
use super::rows::{Item, Job, Kind};
use super::{
    bitmaps, cleanup, discovery, eligibility, ends, immutability, jobs, judgement, refusals,
};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::estate;
use crate::operations::{self, Scope};
use crate::store::Tx;
use crate::vaults::VaultRow;

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
    eligibility::same_machine(&wanted, named, ctx)?;
    let found = named.find(at, tx)?;
    if let Some(item) = &found {
        refusals::unlocked(tx, item)?;
    }
    let items: Vec<Item> = found.iter().cloned().collect();
    let change = |tx: &mut Tx<'_>| changed(&wanted, found, named, at, vault, ctx, tx);
    let ((item, job), nearer) = ends::guarded(vault, &items, ctx, tx, change)?;
    bitmaps::review(ctx, tx, &item)?;
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    let scope = Scope::Item(&item.container_name(), &item.item_name());
    let response = operation.accepted(request, at, scope).bringing(nearer);
    Ok((response, Vec::new()))
}

/// The item after what is wanted of it, and the job that says so.
fn changed(
    wanted: &VmItem,
    found: Option<Item>,
    named: &Named,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(Item, Job), Refusal> {
    if wanted.is_rehydrate == Some(true) {
        undelete(existing(found, named, at)?, at, ctx, tx)
    } else {
        match &wanted.protection_state {
            Some(ProtectionState::ProtectionStopped) => stop(existing(found, named, at)?, ctx, tx),
            Some(ProtectionState::BackupsSuspended) => {
                suspend(existing(found, named, at)?, vault, ctx, tx)
            }
            _ => protect(wanted, found, named, at, vault, ctx, tx),
        }
    }
}

fn existing(found: Option<Item>, named: &Named, at: &VaultPath) -> Result<Item, Refusal> {
    found.ok_or_else(|| refusals::item_not_found(&named.vm, &at.name))
}

fn undelete(
    item: Item,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(Item, Job), Refusal> {
    let item = after(item, Event::Undelete, ctx)?;
    eligibility::room_to_return(at, tx)?;
    tx.put(&item)?;
    let job = jobs::done(ctx, tx, &item, Kind::Undelete, &[("Undelete flag", "True")])?;
    Ok((item, job))
}

fn stop(item: Item, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(Item, Job), Refusal> {
    let mut item = after(item, Event::StopRetain, ctx)?;
    // What its points were promised is not forgotten with the policy.
    judgement::record(tx, &item)?;
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
    let vault_immutable = vault.is_immutable();
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
    let (policy, rules) = eligibility::policy(wanted, at, tx)?;
    let vm = estate::vm(ctx, tx, &named.resource_group, &named.vm)?.ok_or_else(|| {
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
                 a machine is protected by a vault of its own region (rule 26).",
                vm.name, vm.location, at.name, vault.location
            ),
        ));
    }
    if found.is_none() {
        eligibility::elsewhere(vm.resource_group.as_str(), vm.name.as_str(), at, tx)?;
        eligibility::room(at, tx)?;
    }
    let choice = eligibility::disks(wanted)?;
    eligibility::machine(&vm, choice.as_ref(), found.as_ref(), &rules, ctx)?;
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
        vm_id: discovery::vm_id(&vm, ctx),
        state: State::IrPending,
        policy: String::new(),
        data_id: jobs::point_name(&ctx.new_id()),
        disks: None,
        handled: ctx.now,
        waiting: None,
        next: None,
        last_backup: None,
        last_point: None,
    });
    if item.policy != policy.name || !item.state.is_scheduled() {
        eligibility::no_downgrade(&item, &rules, tx)?;
        immutability::keeps_under(vault, &item, &rules, tx)?;
        // A new policy's first run is the next one: none is due for the time before.
        item.schedule_anew(ctx.now);
        if !is_new {
            cleanup::want(ctx, tx, &at.key)?;
        }
    }
    item.state = state.unwrap_or(State::IrPending);
    item.policy.clone_from(&policy.name);
    if let Some(choice) = choice {
        item.disks = choice;
    }
    tx.put(&item)?;
    if is_new {
        judgement::record(tx, &item)?;
        let mut vault = vault.clone();
        if vault.assign_storage() {
            tx.put(&vault)?;
        }
    }
    let job = jobs::done(
        ctx,
        tx,
        &item,
        Kind::ConfigureBackup,
        &[("Policy Name", &policy.name)],
    )?;
    Ok((item, job))
}

/// The item after an event, or why it can't happen.
pub(super) fn after(mut item: Item, event: Event, ctx: &Context<'_>) -> Result<Item, Refusal> {
    match State::after(Some(item.state), event, ctx.now) {
        Ok(state) => {
            item.state = state.unwrap_or(item.state);
            item.next = None;
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
