//! Discovery: what the inventory has that no vault protects yet.

use std::collections::BTreeSet;

use kluis_arm::container::BackupManagementType;
use kluis_arm::protectable::{Protectable, ProtectableItem, ProtectableState, ProtectableVm};
use kluis_arm::resource::Resource;

use super::job_words::value;
use super::refusals;
use super::rows::Item;
use crate::core::{Answer, Context, Request, VaultPath, page};
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
    let taken: BTreeSet<(String, String)> = tx
        .all::<Item>()?
        .into_iter()
        .filter(|item| item.vault == at.key || !item.is_soft_deleted())
        .map(|item| (item.resource_group.to_lowercase(), item.vm.to_lowercase()))
        .collect();
    let machines = estate::vms(ctx, tx)?;
    let shown = machines.iter().filter(|vm| {
        same_region(&vm.location, &vault.location)
            && !taken.contains(&(vm.resource_group.to_lowercase(), vm.name.to_lowercase()))
            && filter.allows("backupManagementType", "AzureIaasVM")
            && filter.allows("workloadType", "VM")
            && filter.allows("friendlyName", &vm.name)
            && filter.allows("status", "NotProtected")
    });
    Ok((
        page(request, shown.map(|vm| value(&render(vm, at, ctx))))?,
        Vec::new(),
    ))
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
    let short = format!("iaasvmcontainerv2;{};{}", vm.resource_group, vm.name);
    let id = format!(
        "{}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{short}/protectableItems/vm;{short}",
        at.id
    );
    let detail = ProtectableVm {
        friendly_name: Some(vm.name.clone()),
        backup_management_type: Some(BackupManagementType::AzureIaasVm),
        protection_state: Some(ProtectableState::NotProtected),
        virtual_machine_id: Some(vm_id(vm, ctx)),
        virtual_machine_version: Some("Compute".to_owned()),
        resource_group: Some(vm.resource_group.clone()),
        ..ProtectableVm::default()
    };
    Resource::new(&id, short, Protectable::TYPE, detail.into())
}
