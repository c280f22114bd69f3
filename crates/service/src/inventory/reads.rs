//! What clients read of the world outside the vaults: subscriptions, resource groups, machines, disks, accounts, networks.

use http::Method;
use serde_json::{Value, json};

use super::{Inventory, Os, Power, ResourceGroup, VirtualMachine, same};
use crate::backup::{self, RestoredDisk};
use crate::core::{Context, Refusal, Request, Response, page};
use crate::store::Tx;

/// Answers a path outside the vaults' provider. All of it is read-only.
///
/// # Errors
/// 404 for what is not there, 405 for other methods than GET, 500 when the store fails.
pub fn route(request: &Request, segments: &[String], ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Response, Refusal> {
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let response = match words.as_slice() {
        ["tenants"] => page(request, [tenant(ctx)])?,
        ["subscriptions"] => page(request, [subscription(ctx)])?,
        ["subscriptions", _] => Response::ok(subscription(ctx)),
        ["subscriptions", _, "locations"] => page(request, locations(ctx))?,
        ["providers"] | ["subscriptions", _, "providers"] => page(request, PROVIDERS.map(|name| provider(name, ctx)))?,
        ["providers", name] | ["subscriptions", _, "providers", name] => {
            let known = PROVIDERS.into_iter().find(|known| same(known, name));
            let known = known.ok_or_else(|| {
                Refusal::not_found("InvalidResourceNamespace", format!("The resource namespace '{name}' is invalid."))
            })?;
            Response::ok(provider(known, ctx))
        }
        ["subscriptions", _, "resourcegroups"] => {
            page(request, ctx.inventory.resource_groups.iter().map(|group| resource_group(group, ctx)))?
        }
        ["subscriptions", _, "resourcegroups", name] => Response::ok(resource_group(existing(name, ctx)?, ctx)),
        ["subscriptions", _, "providers", namespace, kind] => {
            let all = ctx.inventory.resource_groups.iter().flat_map(|group| entries(group, namespace, kind, ctx));
            page(request, all.chain(restored(namespace, kind, None, ctx, tx)?))?
        }
        ["subscriptions", _, "resourcegroups", name, "providers", namespace, kind] => {
            let listed = ctx.inventory.resource_group(name).map(|group| entries(group, namespace, kind, ctx));
            let restored = restored(namespace, kind, Some(name), ctx, tx)?;
            if listed.is_none() && restored.is_empty() {
                existing(name, ctx)?;
            }
            page(request, listed.unwrap_or_default().into_iter().chain(restored))?
        }
        ["subscriptions", _, "resourcegroups", group, "providers", namespace, kind, name, below @ ..] => {
            let found = one(group, namespace, kind, name, ctx, tx)?;
            match found.and_then(|resource| part(resource, below)) {
                Some(resource) => Response::ok(resource),
                None => return Err(absent(segments)),
            }
        }
        _ => return Err(Refusal::no_route(&request.path)),
    };
    if request.method == Method::GET { Ok(response) } else { Err(Refusal::wrong_method(&request.method, &request.path)) }
}

const PROVIDERS: [&str; 4] =
    ["Microsoft.RecoveryServices", "Microsoft.Compute", "Microsoft.Storage", "Microsoft.Network"];

const VM: &str = "Microsoft.Compute/virtualMachines";
const DISK: &str = "Microsoft.Compute/disks";
const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
const NETWORK: &str = "Microsoft.Network/virtualNetworks";

fn absent(segments: &[String]) -> Refusal {
    let (group, kind, name) = (&segments[3], format!("{}/{}", segments[5], segments[6]), segments[7..].join("/"));
    Refusal::resource_not_found(&kind, &name, group)
}

fn existing<'a>(name: &str, ctx: &Context<'a>) -> Result<&'a ResourceGroup, Refusal> {
    ctx.inventory.resource_group(name).ok_or_else(|| {
        Refusal::not_found("ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
    })
}

fn tenant(ctx: &Context<'_>) -> Value {
    json!({ "id": format!("/tenants/{}", ctx.tenant), "tenantId": ctx.tenant, "displayName": "Kluis", "tenantCategory": "Home" })
}

fn subscription(ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("/subscriptions/{}", ctx.subscription), "subscriptionId": ctx.subscription, "tenantId": ctx.tenant,
        "displayName": "Kluis", "state": "Enabled", "authorizationSource": "RoleBased", "managedByTenants": [],
        "subscriptionPolicies": { "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off" },
    })
}

fn locations(ctx: &Context<'_>) -> Vec<Value> {
    let mut names: Vec<&str> = ctx.inventory.resource_groups.iter().map(|group| group.location.as_str()).collect();
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

fn provider(name: &str, ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("/subscriptions/{}/providers/{name}", ctx.subscription), "namespace": name,
        "registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": [],
    })
}

fn resource_group(group: &ResourceGroup, ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", ctx.subscription, group.name), "name": group.name,
        "type": "Microsoft.Resources/resourceGroups", "location": group.location, "tags": {},
        "properties": { "provisioningState": "Succeeded" },
    })
}

fn id(group: &str, kind: &str, name: &str, ctx: &Context<'_>) -> String {
    format!("/subscriptions/{}/resourceGroups/{group}/providers/{kind}/{name}", ctx.subscription)
}

/// A group's resources of one kind.
fn entries(group: &ResourceGroup, namespace: &str, kind: &str, ctx: &Context<'_>) -> Vec<Value> {
    let full = format!("{namespace}/{kind}");
    let machines = group.virtual_machines.iter();
    if same(&full, VM) {
        machines.map(|vm| machine(vm, ctx)).collect()
    } else if same(&full, DISK) {
        machines.flat_map(|vm| vm.disks.iter().map(|disk| attached(vm, &disk.name, ctx)).collect::<Vec<_>>()).collect()
    } else if same(&full, ACCOUNT) {
        group.storage_accounts.iter().map(|name| account(group, name, ctx)).collect()
    } else if same(&full, NETWORK) {
        group.virtual_networks.iter().map(|(name, subnets)| network(group, name, subnets, ctx)).collect()
    } else {
        Vec::new()
    }
}

fn restored(
    namespace: &str,
    kind: &str,
    group: Option<&str>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Vec<Value>, Refusal> {
    if !same(&format!("{namespace}/{kind}"), DISK) {
        return Ok(Vec::new());
    }
    let disks = backup::restored_disks(tx)?;
    Ok(disks.iter().filter(|d| group.is_none_or(|name| same(name, &d.resource_group))).map(|d| unattached(d, ctx)).collect())
}

fn one(
    group: &str,
    namespace: &str,
    kind: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Option<Value>, Refusal> {
    let mut all = restored(namespace, kind, Some(group), ctx, tx)?;
    all.extend(ctx.inventory.resource_group(group).map(|g| entries(g, namespace, kind, ctx)).unwrap_or_default());
    Ok(all.into_iter().find(|entry| entry["name"].as_str().is_some_and(|found| same(found, name))))
}

/// A part of a resource that is read by a path of its own.
fn part(resource: Value, below: &[&str]) -> Option<Value> {
    match below {
        [] => Some(resource),
        ["instanceview"] => resource["properties"].get("instanceView").cloned(),
        ["subnets", name] => resource["properties"]["subnets"]
            .as_array()?
            .iter()
            .find(|subnet| subnet["name"].as_str().is_some_and(|found| same(found, name)))
            .cloned(),
        _ => None,
    }
}

fn machine(vm: &VirtualMachine, ctx: &Context<'_>) -> Value {
    let disk = |index: usize, disk: &super::Disk| {
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
            map.retain(|key, value| !value.is_null() && !(key == "osType" && index > 0));
        }
        value
    };
    let disks: Vec<Value> = vm.disks.iter().enumerate().map(|(i, d)| disk(i, d)).collect();
    let (os, data) = disks.split_first().map_or((Value::Null, &[][..]), |(os, data)| (os.clone(), data));
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

fn attached(vm: &VirtualMachine, name: &str, ctx: &Context<'_>) -> Value {
    let Some(disk) = vm.disks.iter().find(|disk| disk.name == name) else { return Value::Null };
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

fn unattached(disk: &RestoredDisk, ctx: &Context<'_>) -> Value {
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

fn account(group: &ResourceGroup, name: &str, ctx: &Context<'_>) -> Value {
    json!({
        "id": id(&group.name, ACCOUNT, name, ctx), "name": name, "type": ACCOUNT, "location": group.location, "tags": {},
        "kind": "StorageV2", "sku": { "name": "Standard_LRS", "tier": "Standard" },
        "properties": { "provisioningState": "Succeeded", "primaryLocation": group.location, "statusOfPrimary": "available" },
    })
}

fn network(group: &ResourceGroup, name: &str, subnets: &[String], ctx: &Context<'_>) -> Value {
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
    format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
}

impl Inventory {
    /// The regions are lower-case words without blanks, however a client writes them.
    #[must_use]
    pub fn region(text: &str) -> String {
        text.to_lowercase().replace(' ', "")
    }
}
