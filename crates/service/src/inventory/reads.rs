//! What clients read of the world outside the vaults: subscriptions, resource groups, machines, disks, accounts, networks.

use http::Method;
use serde_json::Value;

use super::render::{
    ACCOUNT, DISK, NETWORK, NIC, VM, account, disk, interface, locations, machine, network,
    provider, resource_group, subscription, tenant,
};
use super::{ResourceGroup, key_vault, lock, same};
use crate::core::{Context, Refusal, Request, Response, page};
use crate::estate;
use crate::store::Tx;

/// Answers a path outside the vaults' provider. All of it is read-only.
///
/// # Errors
/// 404 for what is not there, 405 for other methods than GET, 500 when the store fails.
pub fn route(
    request: &Request,
    segments: &[String],
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Response, Refusal> {
    let lower: Vec<String> = segments
        .iter()
        .map(|segment| segment.to_lowercase())
        .collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let response = match words.as_slice() {
        ["tenants"] => page(request, [tenant(ctx)])?,
        ["subscriptions"] => page(request, [subscription(ctx)])?,
        ["subscriptions", _] => Response::ok(subscription(ctx)),
        ["subscriptions", _, "locations"] => page(request, locations(ctx))?,
        ["providers"] | ["subscriptions", _, "providers"] => {
            page(request, PROVIDERS.map(|name| provider(name, ctx)))?
        }
        ["providers", name] | ["subscriptions", _, "providers", name] => {
            let known = PROVIDERS.into_iter().find(|known| same(known, name));
            let known = known.ok_or_else(|| {
                Refusal::not_found(
                    "InvalidResourceNamespace",
                    format!("The resource namespace '{name}' is invalid."),
                )
            })?;
            Response::ok(provider(known, ctx))
        }
        ["subscriptions", _, "resourcegroups"] => page(
            request,
            ctx.inventory
                .resource_groups
                .iter()
                .map(|group| resource_group(group, ctx)),
        )?,
        ["subscriptions", _, "resourcegroups", name] => {
            Response::ok(resource_group(existing(name, ctx)?, ctx))
        }
        ["subscriptions", _, "providers", namespace, kind] => {
            page(request, entries(namespace, kind, None, ctx, tx)?)?
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            name,
            "providers",
            namespace,
            kind,
        ] => {
            let found = entries(namespace, kind, Some(name), ctx, tx)?;
            if found.is_empty() {
                existing(name, ctx)?;
            }
            page(request, found)?
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            group,
            "providers",
            "microsoft.keyvault",
            "vaults",
            vault,
            kind,
            name,
        ] => match key_vault::part(existing(group, ctx)?, vault, kind, name, ctx) {
            Some(part) => Response::ok(part),
            None => return Err(absent(segments)),
        },
        [
            "subscriptions",
            _,
            "resourcegroups",
            group,
            "providers",
            namespace,
            kind,
            name,
            below @ ..,
        ] => {
            let found = one(group, namespace, kind, name, ctx, tx)?;
            match found.and_then(|resource| part(resource, below)) {
                Some(resource) => Response::ok(resource),
                None => return Err(absent(segments)),
            }
        }
        _ => return Err(Refusal::no_route(&request.path)),
    };
    if request.method == Method::GET {
        Ok(response)
    } else {
        Err(Refusal::wrong_method(&request.method, &request.path))
    }
}

const PROVIDERS: [&str; 6] = [
    "Microsoft.RecoveryServices",
    "Microsoft.Compute",
    "Microsoft.Storage",
    "Microsoft.Network",
    "Microsoft.KeyVault",
    "Microsoft.Authorization",
];

fn absent(segments: &[String]) -> Refusal {
    let (group, kind, name) = (
        &segments[3],
        format!("{}/{}", segments[5], segments[6]),
        segments[7..].join("/"),
    );
    Refusal::resource_not_found(&kind, &name, group)
}

fn existing<'a>(name: &str, ctx: &Context<'a>) -> Result<&'a ResourceGroup, Refusal> {
    let group = ctx.inventory.resource_group(name);
    group.ok_or_else(|| Refusal::no_group(name))
}

/// The resources of one kind, of one group or of all.
fn entries(
    namespace: &str,
    kind: &str,
    group: Option<&str>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Vec<Value>, Refusal> {
    let full = format!("{namespace}/{kind}");
    let wanted = |of: &str| group.is_none_or(|name| same(name, of));
    let groups = || {
        let groups = ctx.inventory.resource_groups.iter();
        groups.filter(|group| wanted(&group.name))
    };
    Ok(if same(&full, VM) {
        let mut found = Vec::new();
        for vm in estate::vms(ctx, tx)?
            .iter()
            .filter(|vm| wanted(&vm.resource_group))
        {
            let made = estate::made(ctx, tx, &vm.resource_group, &vm.name)?;
            found.push(machine(vm, made.as_ref(), ctx));
        }
        found
    } else if same(&full, DISK) {
        let disks = estate::disks(ctx, tx)?;
        let disks = disks.iter().filter(|disk| wanted(&disk.resource_group));
        disks.map(|placed| disk(placed, ctx)).collect()
    } else if same(&full, NIC) {
        let mut found = Vec::new();
        for vm in estate::vms(ctx, tx)?
            .iter()
            .filter(|vm| wanted(&vm.resource_group))
        {
            let made = estate::made(ctx, tx, &vm.resource_group, &vm.name)?;
            found.extend(made.map(|made| interface(&made, ctx)));
        }
        found
    } else if same(&full, ACCOUNT) {
        groups()
            .flat_map(|group| {
                let accounts = group.storage_accounts.iter();
                accounts.map(|found| account(group, found, ctx))
            })
            .collect()
    } else if same(&full, NETWORK) {
        groups()
            .flat_map(|group| {
                let networks = group.virtual_networks.iter();
                networks.map(|(name, subnets)| network(group, name, subnets, ctx))
            })
            .collect()
    } else if same(&full, key_vault::KEY_VAULT) {
        groups()
            .flat_map(|group| {
                let vaults = group.key_vaults.keys();
                vaults.map(|name| key_vault::render(group, name, ctx))
            })
            .collect()
    } else if same(&full, lock::LOCK) {
        groups()
            .filter_map(|group| Some(lock::render(&group.name, group.lock?, ctx)))
            .collect()
    } else {
        Vec::new()
    })
}

fn one(
    group: &str,
    namespace: &str,
    kind: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Option<Value>, Refusal> {
    let full = format!("{namespace}/{kind}");
    if same(&full, VM) {
        let Some(vm) = estate::vm(ctx, tx, group, name)? else {
            return Ok(None);
        };
        let made = estate::made(ctx, tx, group, name)?;
        return Ok(Some(machine(&vm, made.as_ref(), ctx)));
    }
    if same(&full, DISK) {
        return Ok(estate::disk(ctx, tx, group, name)?.map(|placed| disk(&placed, ctx)));
    }
    let named = |entry: &Value| {
        entry["name"]
            .as_str()
            .is_some_and(|found| same(found, name))
    };
    Ok(entries(namespace, kind, Some(group), ctx, tx)?
        .into_iter()
        .find(named))
}

/// A part of a resource that is read by a path of its own.
fn part(resource: Value, below: &[&str]) -> Option<Value> {
    match below {
        [] => Some(resource),
        ["instanceview"] => resource["properties"].get("instanceView").cloned(),
        ["subnets", name] => resource["properties"]["subnets"]
            .as_array()?
            .iter()
            .find(|subnet| {
                subnet["name"]
                    .as_str()
                    .is_some_and(|found| same(found, name))
            })
            .cloned(),
        _ => None,
    }
}
