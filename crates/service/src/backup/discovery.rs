//! Discovery: what the inventory has that no vault protects yet.

use std::borrow::Cow;

use kluis_arm::container::BackupManagementType;
use kluis_arm::protectable::{Protectable, ProtectableItem, ProtectableState, ProtectableVm};
use kluis_arm::resource::Resource;

use super::job_words::value;
use super::refusals;
use super::rows::Item;
use crate::core::{Answer, Context, Request, VaultPath, page_of};
use crate::estate;
use crate::inventory::VirtualMachine;
use crate::operations::{self, Scope};
use crate::store::Tx;
use crate::vaults::VaultRow;

/// `POST V/backupFabrics/Azure/refreshContainers`. The inventory is always at hand: there is nothing to wait for.
pub(super) fn refresh(
    request: &Request,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    refusals::filter(request, &["backupManagementType"])?;
    let operation = operations::done(tx, ctx, &at.key, None, None)?;
    Ok((operation.accepted(request, at, Scope::Fabric), Vec::new()))
}

/// `GET V/backupProtectableItems?$filter=…`: machines of the vault's region that no vault protects.
pub(super) fn list(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Answer {
    let filter = refusals::filter(
        request,
        &[
            "backupManagementType",
            "workloadType",
            "friendlyName",
            "status",
        ],
    )?;
    let mut machines = estate::known_vms(ctx, tx)?;
    machines.retain(|vm| {
        same_region(&vm.location, &vault.location)
            && filter.allows("backupManagementType", "AzureIaasVM")
            && filter.allows("workloadType", "VM")
            && filter.allows("friendlyName", &vm.name)
            && filter.allows("status", "NotProtected")
    });
    let shown = |vm: Cow<'_, VirtualMachine>| {
        let items: Vec<Item> = tx.about(&Item::machine_of(&vm.resource_group, &vm.name), None)?;
        let is_free = |item: &Item| item.vault != at.key && item.is_soft_deleted();
        let is_protectable = items.iter().all(is_free);
        Ok(is_protectable.then(|| value(&render(&vm, at, ctx))))
    };
    let page = page_of(request, machines, |vm| id(vm, at), shown)?;
    Ok((page, Vec::new()))
}

fn id(vm: &VirtualMachine, at: &VaultPath) -> String {
    let short = short_name(vm);
    format!(
        "{}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{short}/protectableItems/vm;{short}",
        at.id
    )
}

fn short_name(vm: &VirtualMachine) -> String {
    format!("iaasvmcontainerv2;{};{}", vm.resource_group, vm.name)
}

/// Whether two texts mean one region: `West Europe` is `westeurope`.
pub(super) fn same_region(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "").to_lowercase();
    plain(a) == plain(b)
}

/// The machine's ARM id.
pub(super) fn vm_id(vm: &VirtualMachine, ctx: &Context<'_>) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}",
        ctx.subscription, vm.resource_group, vm.name
    )
}

fn render(vm: &VirtualMachine, at: &VaultPath, ctx: &Context<'_>) -> Resource<ProtectableItem> {
    let detail = ProtectableVm {
        friendly_name: Some(vm.name.clone()),
        backup_management_type: Some(BackupManagementType::AzureIaasVm),
        protection_state: Some(ProtectableState::NotProtected),
        virtual_machine_id: Some(vm_id(vm, ctx)),
        virtual_machine_version: Some("Compute".to_owned()),
        resource_group: Some(vm.resource_group.clone()),
        ..ProtectableVm::default()
    };
    Resource::new(
        &id(vm, at),
        short_name(vm),
        Protectable::TYPE,
        detail.into(),
    )
}
