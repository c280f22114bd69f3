//! How Azure shows the resources of the inventory, and the disks that restores made.

use serde_json::{Value, json};

use super::{Disk, Os, Power, ResourceGroup, VirtualMachine};
use crate::backup::RestoredDisk;
use crate::core::Context;

pub(super) const VM: &str = "Microsoft.Compute/virtualMachines";
pub(super) const DISK: &str = "Microsoft.Compute/disks";
pub(super) const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
pub(super) const NETWORK: &str = "Microsoft.Network/virtualNetworks";

pub(super) fn tenant(ctx: &Context<'_>) -> Value {
    json!({ "id": format!("/tenants/{}", ctx.tenant), "tenantId": ctx.tenant, "displayName": "Kluis", "tenantCategory": "Home" })
}

pub(super) fn subscription(ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("/subscriptions/{}", ctx.subscription), "subscriptionId": ctx.subscription, "tenantId": ctx.tenant,
        "displayName": "Kluis", "state": "Enabled", "authorizationSource": "RoleBased", "managedByTenants": [],
        "subscriptionPolicies": { "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off" },
    })
}

pub(super) fn locations(ctx: &Context<'_>) -> Vec<Value> {
    let mut names: Vec<&str> = ctx
        .inventory
        .resource_groups
        .iter()
        .map(|group| group.location.as_str())
        .collect();
    names.extend(ctx.inventory.vms().map(|vm| vm.location.as_str()));
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            json!({ "id": format!("/subscriptions/{}/locations/{name}", ctx.subscription), "name": name, "displayName": name, "type": "Region" })
        })
        .collect()
}

pub(super) fn provider(name: &str, ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("/subscriptions/{}/providers/{name}", ctx.subscription), "namespace": name,
        "registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": [],
    })
}

pub(super) fn resource_group(group: &ResourceGroup, ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", ctx.subscription, group.name), "name": group.name,
        "type": "Microsoft.Resources/resourceGroups", "location": group.location, "tags": {},
        "properties": { "provisioningState": "Succeeded" },
    })
}

fn id(group: &str, kind: &str, name: &str, ctx: &Context<'_>) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{group}/providers/{kind}/{name}",
        ctx.subscription
    )
}

pub(super) fn machine(vm: &VirtualMachine, ctx: &Context<'_>) -> Value {
    let disk = |index: usize, disk: &Disk| {
        let mut value = json!({
            "name": disk.name, "createOption": "Attach", "caching": "None",
            "osType": format!("{:?}", vm.os),
            "lun": disk.lun,
            "writeAcceleratorEnabled": disk.write_accelerator,
            "diskSizeGB": ctx.facts.size(&disk.path).map(gib),
        });
        if vm.managed {
            let of = id(&vm.resource_group, DISK, &disk.name, ctx);
            value["managedDisk"] = json!({ "id": of, "storageAccountType": disk.sku });
        }
        if let Some(map) = value.as_object_mut() {
            if index > 0 {
                map.remove("osType");
            }
            map.retain(|_, value| !value.is_null());
        }
        value
    };
    let disks: Vec<Value> = vm
        .disks
        .iter()
        .enumerate()
        .map(|(i, d)| disk(i, d))
        .collect();
    let (os, data) = disks
        .split_first()
        .map_or((Value::Null, &[][..]), |(os, data)| (os.clone(), data));
    let power = match vm.power {
        Power::Running => ("PowerState/running", "VM running"),
        Power::Stopped => ("PowerState/deallocated", "VM deallocated"),
    };
    let mut value = json!({
        "id": id(&vm.resource_group, VM, &vm.name, ctx), "name": vm.name, "type": VM, "location": vm.location, "tags": {},
        "properties": {
            "vmId": guid_of(&format!("{}/{}", vm.resource_group, vm.name)),
            "hardwareProfile": { "vmSize": vm.size },
            "provisioningState": "Succeeded",
            "storageProfile": { "osDisk": os, "dataDisks": data },
            "osProfile": { "computerName": vm.name },
            "networkProfile": { "networkInterfaces": [] },
            "instanceView": {
                "hyperVGeneration": format!("V{}", vm.generation),
                "vmAgent": { "statuses": [{ "code": if vm.agent { "ProvisioningState/succeeded" } else { "ProvisioningState/Unavailable" } }] },
                "statuses": [
                    { "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded" },
                    { "code": power.0, "level": "Info", "displayStatus": power.1 },
                ],
            },
        },
    });
    if let Some(zone) = &vm.zone {
        value["zones"] = json!([zone]);
    }
    value
}

pub(super) fn attached(vm: &VirtualMachine, name: &str, ctx: &Context<'_>) -> Value {
    let Some(disk) = vm.disks.iter().find(|disk| disk.name == name) else {
        return Value::Null;
    };
    let bytes = ctx.facts.size(&disk.path);
    json!({
        "id": id(&vm.resource_group, DISK, name, ctx), "name": name, "type": DISK, "location": vm.location, "tags": {},
        "managedBy": id(&vm.resource_group, VM, &vm.name, ctx), "sku": { "name": disk.sku },
        "properties": {
            "osType": disk.lun.is_none().then(|| format!("{:?}", vm.os)), "diskSizeGB": bytes.map(gib), "diskSizeBytes": bytes,
            "diskState": "Attached", "provisioningState": "Succeeded", "maxShares": if disk.shared { 2 } else { 1 },
            "creationData": { "createOption": "Empty" },
        },
    })
}

pub(super) fn unattached(disk: &RestoredDisk, ctx: &Context<'_>) -> Value {
    json!({
        "id": id(&disk.resource_group, DISK, &disk.name, ctx), "name": disk.name, "type": DISK, "location": disk.location,
        "tags": { "RSVaultBackup": disk.source_vm_id }, "sku": { "name": disk.sku },
        "properties": {
            "osType": disk.os.map(|os: Os| format!("{os:?}")), "diskSizeGB": gib(disk.size_bytes), "diskSizeBytes": disk.size_bytes,
            "diskState": "Unattached", "provisioningState": "Succeeded", "timeCreated": disk.created.to_string(),
            "creationData": { "createOption": "Restore", "sourceResourceId": disk.source_vm_id },
        },
    })
}

pub(super) fn account(group: &str, location: &str, name: &str, ctx: &Context<'_>) -> Value {
    json!({
        "id": id(group, ACCOUNT, name, ctx), "name": name, "type": ACCOUNT, "location": location, "tags": {},
        "kind": "StorageV2", "sku": { "name": "Standard_LRS", "tier": "Standard" },
        "properties": { "provisioningState": "Succeeded", "primaryLocation": location, "statusOfPrimary": "available" },
    })
}

pub(super) fn network(
    group: &ResourceGroup,
    name: &str,
    subnets: &[String],
    ctx: &Context<'_>,
) -> Value {
    let of = id(&group.name, NETWORK, name, ctx);
    let subnets: Vec<Value> = subnets
        .iter()
        .map(|subnet| json!({ "id": format!("{of}/subnets/{subnet}"), "name": subnet, "properties": { "provisioningState": "Succeeded" } }))
        .collect();
    json!({
        "id": of, "name": name, "type": NETWORK, "location": group.location, "tags": {},
        "properties": { "provisioningState": "Succeeded", "subnets": subnets },
    })
}

/// Whole GiB, rounded up, as Azure gives a disk's size.
fn gib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30)
}

/// A GUID that is always the same for the same text: what identifies a machine that the inventory doesn't give one.
fn guid_of(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let hash = hex::encode(Sha256::digest(text.to_lowercase().as_bytes()));
    format!(
        "{}-{}-{}-{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..16],
        &hash[16..20],
        &hash[20..32]
    )
}
