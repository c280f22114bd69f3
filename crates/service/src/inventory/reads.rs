//! What clients read of the world outside the vaults: subscriptions, resource groups, machines, disks, accounts, networks.

use http::Method;
use serde_json::Value;

use super::render::{
    ACCOUNT, DISK, NETWORK, VM, account, attached, locations, machine, network, provider,
    resource_group, subscription, tenant, unattached,
};
use super::{ResourceGroup, same};
use crate::backup;
use crate::core::{Context, Refusal, Request, Response, page};
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
            let all = ctx
                .inventory
                .resource_groups
                .iter()
                .flat_map(|group| entries(group, namespace, kind, ctx));
            page(
                request,
                all.chain(made_here(namespace, kind, None, ctx, tx)?),
            )?
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
            let listed = ctx
                .inventory
                .resource_group(name)
                .map(|group| entries(group, namespace, kind, ctx));
            let made = made_here(namespace, kind, Some(name), ctx, tx)?;
            if listed.is_none() && made.is_empty() {
                existing(name, ctx)?;
            }
            page(request, listed.unwrap_or_default().into_iter().chain(made))?
        }
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

const PROVIDERS: [&str; 4] = [
    "Microsoft.RecoveryServices",
    "Microsoft.Compute",
    "Microsoft.Storage",
    "Microsoft.Network",
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
    ctx.inventory.resource_group(name).ok_or_else(|| {
        Refusal::not_found(
            "ResourceGroupNotFound",
            format!("Resource group '{name}' could not be found."),
        )
    })
}

/// A group's resources of one kind.
fn entries(group: &ResourceGroup, namespace: &str, kind: &str, ctx: &Context<'_>) -> Vec<Value> {
    let full = format!("{namespace}/{kind}");
    let machines = group.virtual_machines.iter();
    if same(&full, VM) {
        machines.map(|vm| machine(vm, ctx)).collect()
    } else if same(&full, DISK) {
        machines
            .flat_map(|vm| {
                vm.disks
                    .iter()
                    .map(|disk| attached(vm, &disk.name, ctx))
                    .collect::<Vec<_>>()
            })
            .collect()
    } else if same(&full, ACCOUNT) {
        group
            .storage_accounts
            .iter()
            .map(|name| account(&group.name, &group.location, name, ctx))
            .collect()
    } else if same(&full, NETWORK) {
        group
            .virtual_networks
            .iter()
            .map(|(name, subnets)| network(group, name, subnets, ctx))
            .collect()
    } else {
        Vec::new()
    }
}

/// What is not in the inventory but in the service's state: disks that restores made, accounts they were staged in.
fn made_here(
    namespace: &str,
    kind: &str,
    group: Option<&str>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Vec<Value>, Refusal> {
    let full = format!("{namespace}/{kind}");
    let wanted = |of: &str| group.is_none_or(|name| same(name, of));
    if same(&full, DISK) {
        let disks = backup::restored_disks(tx)?;
        return Ok(disks
            .iter()
            .filter(|d| wanted(&d.resource_group))
            .map(|d| unattached(d, ctx))
            .collect());
    }
    if same(&full, ACCOUNT) {
        let accounts = backup::staging_accounts(tx)?;
        let unlisted = accounts.iter().filter(|found| {
            let listed = ctx
                .inventory
                .resource_group(&found.resource_group)
                .map(|group| &group.storage_accounts);
            wanted(&found.resource_group)
                && !listed.is_some_and(|names| names.iter().any(|name| same(name, &found.name)))
        });
        return Ok(unlisted
            .map(|found| account(&found.resource_group, &found.location, &found.name, ctx))
            .collect());
    }
    Ok(Vec::new())
}

fn one(
    group: &str,
    namespace: &str,
    kind: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Option<Value>, Refusal> {
    let mut all = made_here(namespace, kind, Some(group), ctx, tx)?;
    all.extend(
        ctx.inventory
            .resource_group(group)
            .map(|g| entries(g, namespace, kind, ctx))
            .unwrap_or_default(),
    );
    Ok(all.into_iter().find(|entry| {
        entry["name"]
            .as_str()
            .is_some_and(|found| same(found, name))
    }))
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
