//! Containers: a machine as a vault registers it. One exists as long as its item does.

use kluis_arm::container::{
    BackupManagementType, ProtectionContainer, RegistrationStatus, VmContainer,
};
use kluis_arm::error::code;
use kluis_arm::id::ContainerName;
use kluis_arm::resource::Resource;

use super::job_words::value;
use super::refusals;
use super::rows::Item;
use crate::core::{Answer, Refusal, Request, Response, VaultPath, page};
use crate::store::Tx;

const TYPE: &str = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers";

/// `GET V/backupProtectionContainers?$filter=backupManagementType eq '…' [and …]`. Azure wants that filter, too.
pub(super) fn list(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let fields = [
        "backupManagementType",
        "status",
        "friendlyName",
        "healthState",
        "containerName",
        "fabricName",
    ];
    let filter = refusals::filter(request, &fields)?;
    if filter.get("backupManagementType").is_none() {
        return Err(refusals::invalid_input(
            "Containers are listed by their kind: $filter=backupManagementType eq 'AzureIaasVM'.",
        ));
    }
    let items: Vec<Item> = tx.list(at.key.as_str())?;
    let shown = items.iter().filter(|item| {
        filter.allows("backupManagementType", "AzureIaasVM")
            && filter.allows("status", status(item).as_str())
            && filter.allows("friendlyName", &item.vm)
            && filter.allows("healthState", "Healthy")
            && filter.allows("fabricName", "Azure")
            && filter.allows("containerName", &item.container_name())
    });
    Ok((
        page(request, shown.map(|item| value(&render(item, at))))?,
        Vec::new(),
    ))
}

/// `GET V/backupDeletedProtectionContainers`: those whose items are soft-deleted.
pub(super) fn list_deleted(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let filter = refusals::filter(request, &["backupManagementType", "workloadType"])?;
    let items: Vec<Item> = tx.list(at.key.as_str())?;
    let shown = items.iter().filter(|item| {
        item.is_soft_deleted() && filter.allows("backupManagementType", "AzureIaasVM")
    });
    Ok((
        page(request, shown.map(|item| value(&render(item, at))))?,
        Vec::new(),
    ))
}

/// `DELETE V/backupFabrics/Azure/protectionContainers/{container}`: a machine's container goes with its item, so there is
/// either nothing to do, or an item in the way.
pub(super) fn unregister(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    match get(name, at, tx) {
        Err(refusal) if refusal.status == 404 => Ok((Response::empty(204), Vec::new())),
        Err(refusal) => Err(refusal),
        Ok(_) => Err(Refusal::bad_request(
            code::CONTAINER_HAS_ITEMS,
            format!(
                "The container '{name}' can't be unregistered while the vault '{}' protects its virtual machine or has data of \
                 it. Stop protection with delete data; the container goes with the data, at the end of their soft delete.",
                at.name
            ),
        )),
    }
}

/// `GET V/backupFabrics/Azure/protectionContainers/{container}`.
pub(super) fn get(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let not_found = || {
        Refusal::not_found(
            "BMSUserErrorContainerObjectNotFound",
            format!("The vault '{}' has no container '{name}'.", at.name),
        )
    };
    let (group, vm) = name
        .parse::<ContainerName>()
        .ok()
        .and_then(|name| name.vm())
        .ok_or_else(not_found)?;
    let item: Item = tx
        .get(&Item::key_of(&at.key, group.as_str(), vm.as_str()))?
        .ok_or_else(not_found)?;
    Ok((Response::ok(value(&render(&item, at))), Vec::new()))
}

fn status(item: &Item) -> RegistrationStatus {
    if item.is_soft_deleted() {
        RegistrationStatus::SoftDeleted
    } else {
        RegistrationStatus::Registered
    }
}

fn render(item: &Item, at: &VaultPath) -> Resource<ProtectionContainer> {
    let detail = VmContainer {
        friendly_name: Some(item.vm.clone()),
        backup_management_type: Some(BackupManagementType::AzureIaasVm),
        registration_status: Some(status(item)),
        health_status: Some("Healthy".to_owned()),
        protectable_object_type: Some("Microsoft.Compute/virtualMachines".to_owned()),
        virtual_machine_id: Some(item.vm_id.clone()),
        virtual_machine_version: Some("Compute".to_owned()),
        resource_group: Some(item.resource_group.clone()),
        ..VmContainer::default()
    };
    let name = item.container_name();
    Resource::new(
        &format!("{}/backupFabrics/Azure/protectionContainers/{name}", at.id),
        name,
        TYPE,
        detail.into(),
    )
}
