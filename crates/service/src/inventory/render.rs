//! How Azure shows what there is: the resources of the inventory, and what restores made.

use serde_json::{Value, json};

use super::{Disk, Encryption, Os, Power, ResourceGroup, StorageAccount, VirtualMachine, in_vault};
use crate::core::Context;
use crate::estate::{MadeMachine, Placed};

pub(super) const VM: &str = "Microsoft.Compute/virtualMachines";
pub(super) const DISK: &str = "Microsoft.Compute/disks";
pub(super) const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
pub(super) const NETWORK: &str = "Microsoft.Network/virtualNetworks";
pub(super) const NIC: &str = "Microsoft.Network/networkInterfaces";

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

/// The ARM id of a resource.
pub(super) fn id(group: &str, kind: &str, name: &str, ctx: &Context<'_>) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{group}/providers/{kind}/{name}",
        ctx.subscription
    )
}

pub(super) fn machine(vm: &VirtualMachine, made: Option<&MadeMachine>, ctx: &Context<'_>) -> Value {
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
    let (mut os, data) = disks
        .split_first()
        .map_or((Value::Null, &[][..]), |(os, data)| (os.clone(), data));
    if vm.encryption == Encryption::Ade {
        os["encryptionSettings"] = encryption_settings(vm, ctx);
    }
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
    tied(vm, &mut value, ctx);
    if let Some(made) = made {
        let interface = id(&made.resource_group, NIC, &interface_name(made), ctx);
        value["properties"]["networkProfile"]["networkInterfaces"] =
            json!([{ "id": interface, "properties": { "primary": true } }]);
        value["properties"]["timeCreated"] = json!(made.created.to_string());
    }
    value
}

/// How Azure says that a machine's disks are encrypted inside it: on its OS disk, with where the keys are.
fn encryption_settings(vm: &VirtualMachine, ctx: &Context<'_>) -> Value {
    let mut settings = json!({ "enabled": true });
    if let Some(keys) = &vm.keys {
        let (vault, secret, key) = in_vault(keys, ctx);
        settings["diskEncryptionKey"] =
            json!({ "secretUrl": secret, "sourceVault": { "id": vault } });
        if let Some(key) = key {
            settings["keyEncryptionKey"] = json!({ "keyUrl": key, "sourceVault": { "id": vault } });
        }
    }
    settings
}

/// What ties the machine, each where Azure says it: the set, the plan, and among its extensions that of Azure's diagnostics.
fn tied(vm: &VirtualMachine, value: &mut Value, ctx: &Context<'_>) {
    const SET: &str = "Microsoft.Compute/availabilitySets";
    const EXTENSION: &str = "Microsoft.Insights.VMDiagnosticsSettings";
    if let Some(set) = &vm.ties.availability_set {
        let set = id(&vm.resource_group, SET, set, ctx);
        value["properties"]["availabilitySet"] = json!({ "id": set });
    }
    if let Some(plan) = &vm.ties.plan {
        value["plan"] =
            json!({ "publisher": plan.publisher, "product": plan.product, "name": plan.name });
    }
    if vm.ties.diagnostics {
        let kind = match vm.os {
            Os::Linux => "LinuxDiagnostic",
            Os::Windows => "IaaSDiagnostics",
        };
        let machine = id(&vm.resource_group, VM, &vm.name, ctx);
        value["resources"] = json!([{
            "id": format!("{machine}/extensions/{EXTENSION}"), "name": EXTENSION, "location": vm.location,
            "type": format!("{VM}/extensions"),
            "properties": { "publisher": "Microsoft.Azure.Diagnostics", "type": kind, "provisioningState": "Succeeded" },
        }]);
    }
}

fn interface_name(made: &MadeMachine) -> String {
    format!("{}-nic", made.name)
}

/// The network interface of a machine that a restore made: it holds no address, for there is no network to have one in.
pub(super) fn interface(made: &MadeMachine, ctx: &Context<'_>) -> Value {
    let name = interface_name(made);
    let of = id(&made.resource_group, NIC, &name, ctx);
    json!({
        "id": of, "name": name, "type": NIC, "location": made.location, "tags": {},
        "properties": {
            "provisioningState": "Succeeded", "primary": true,
            "virtualMachine": { "id": id(&made.resource_group, VM, &made.name, ctx) },
            "ipConfigurations": [{
                "id": format!("{of}/ipConfigurations/ipconfig"), "name": "ipconfig",
                "properties": {
                    "primary": true, "privateIPAllocationMethod": "Dynamic", "provisioningState": "Succeeded",
                    "subnet": { "id": made.subnet_id },
                },
            }],
        },
    })
}

pub(super) fn disk(disk: &Placed, ctx: &Context<'_>) -> Value {
    let row = disk.restored.as_ref();
    let bytes = row.map_or_else(|| ctx.facts.size(&disk.path), |row| Some(row.size_bytes));
    let source = row.map(|row| row.source_vm_id.as_str());
    let state = if disk.machine.is_some() {
        "Attached"
    } else {
        "Unattached"
    };
    let mut value = json!({
        "id": id(&disk.resource_group, DISK, &disk.name, ctx), "name": disk.name, "type": DISK, "location": disk.location,
        "tags": source.map_or_else(|| json!({}), |source| json!({ "RSVaultBackup": source })),
        "sku": { "name": disk.sku },
        "properties": {
            "osType": disk.os.map(|os| format!("{os:?}")), "diskSizeGB": bytes.map(gib), "diskSizeBytes": bytes,
            "diskState": state, "provisioningState": "Succeeded", "maxShares": if disk.shared { 2 } else { 1 },
            "creationData": source.map_or_else(
                || json!({ "createOption": "Empty" }),
                |source| json!({ "createOption": "Restore", "sourceResourceId": source }),
            ),
        },
    });
    if let Some(machine) = &disk.machine {
        value["managedBy"] = json!(id(&disk.resource_group, VM, machine, ctx));
    }
    if let Some(row) = row {
        value["properties"]["timeCreated"] = json!(row.created.to_string());
        if let Some(zone) = &row.zone {
            value["zones"] = json!([zone]);
        }
    }
    value
}

pub(super) fn account(group: &ResourceGroup, account: &StorageAccount, ctx: &Context<'_>) -> Value {
    let (location, name) = (&group.location, &account.name);
    json!({
        "id": id(&group.name, ACCOUNT, name, ctx), "name": name, "type": ACCOUNT, "location": location, "tags": {},
        "kind": account.kind, "sku": { "name": "Standard_LRS", "tier": "Standard" },
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
