//! The world around a BackupPolicy: the items that name it, and the vaults that it therefore goes into.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kluis_api::{BackupPolicy, PolicyRef, ProtectedVM, VaultRef};
use kluis_plan::{PolicyItem, PolicyVaultFacts, PolicyWorld};
use serde::Deserialize;
use serde_json::Value;

use super::{Lines, Observation, ObserveError, complete, objects, rest::rests};
use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::ObjectsError,
};

pub(super) async fn observe(
    key: &Key,
    object: &Value,
    ctx: &Ctx,
) -> Result<Observation, ObserveError> {
    let policy: BackupPolicy = objects::decode(key, object)?;
    let namespace = objects::namespace(key);
    let (users, mut by_vault) = items(key, ctx).await?;
    let listed = policy.status.iter().flat_map(|status| &status.vaults);
    let names: BTreeSet<String> = by_vault
        .keys()
        .cloned()
        .chain(listed.map(|vault| vault.name.clone()))
        .collect();

    let mut lines = Lines::none(ctx);
    let mut vaults = Vec::new();
    for name in names {
        let (within, of) = name.split_once('/').unwrap_or((namespace, &name));
        let reference = VaultRef {
            name: of.to_owned(),
            namespace: Some(within.to_owned()),
        };
        // One that cannot be read is the business of its owner and of who uses it.
        let vault = match objects::vault(namespace, &reference, ctx).await {
            Err(ObserveError::Undecodable { .. }) => None,
            vault => vault?,
        };
        let access = objects::access(namespace, vault.as_ref(), ctx).await?;
        lines
            .add(access.service.as_ref(), vault.as_ref(), ctx)
            .await?;
        let items = by_vault.remove(&name).unwrap_or_default();
        let edits = edits(&Key::new(Kind::Vault, within, of), ctx).await?;
        let others = by_azure_name(&Key::new(Kind::Vault, within, of), ctx).await?;
        let mut facts = PolicyVaultFacts::new(name, vault, access, items, edits);
        facts.by_azure_name = others;
        vaults.push(facts);
    }
    if rests(object, lines.now()) {
        lines.rest();
    }
    let world = PolicyWorld {
        now: lines.now(),
        policy,
        users,
        vaults,
    };
    Ok(complete(world, |world, now| world.now = now, lines).await)
}

/// The items of a vault that name their policy by its name in Azure. A vault has a thousand: only these are decoded.
async fn by_azure_name(vault: &Key, ctx: &Ctx) -> Result<Vec<PolicyItem>, ObjectsError> {
    let items = ctx.objects.users(vault, Kind::ProtectedVM).await?;
    let items = items.into_iter().map(|(_, kept)| kept);
    let named = items.filter(|kept| {
        let names = kept.decode::<Names>();
        names.is_ok_and(|names| names.spec.policy_ref.azure_name.is_some())
    });
    Ok(named
        .filter_map(|kept| Some(PolicyItem::from(&kept.decode::<ProtectedVM>().ok()?)))
        .collect())
}

/// Which policy an item names, and nothing else of it.
#[derive(Deserialize)]
struct Names {
    spec: NamesSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamesSpec {
    policy_ref: PolicyRef,
}

/// When policies of a vault were edited, as the statuses of all of them tell.
///
/// # Errors
/// When Kubernetes does not answer.
pub(crate) async fn edits(vault: &Key, ctx: &Ctx) -> Result<Vec<Timestamp>, ObjectsError> {
    let name = format!("{}/{}", objects::namespace(vault), vault.name);
    let policies = ctx.objects.users(vault, Kind::BackupPolicy).await?;
    let mut found = Vec::new();
    for (_, kept) in policies {
        let policy = kept.object();
        let vaults = policy["status"]["vaults"].as_array().into_iter().flatten();
        let of_it = vaults.filter(|vault| vault["name"] == name.as_str());
        let edits = of_it.flat_map(|vault| vault["edits"].as_array().into_iter().flatten());
        found.extend(edits.filter_map(|edit| edit.as_str()?.parse::<Timestamp>().ok()));
    }
    Ok(found)
}

/// Who names the policy, and of these the ones that decode, by the vault they are in. One that doesn't decode holds
/// the policy all the same.
async fn items(
    policy: &Key,
    ctx: &Ctx,
) -> Result<(Vec<Key>, BTreeMap<String, Vec<PolicyItem>>), ObserveError> {
    let mut users = Vec::new();
    let mut by_vault: BTreeMap<String, Vec<PolicyItem>> = BTreeMap::new();
    for (key, kept) in ctx.objects.users(policy, Kind::ProtectedVM).await? {
        users.push(key);
        let Ok(item) = kept.decode::<ProtectedVM>() else {
            continue;
        };
        let own = item.metadata.namespace.as_deref().unwrap_or_default();
        let vault = &item.spec.vault_ref;
        let vault = format!(
            "{}/{}",
            vault.namespace.as_deref().unwrap_or(own),
            vault.name
        );
        by_vault
            .entry(vault)
            .or_default()
            .push(PolicyItem::from(&item));
    }
    users.sort();
    for items in by_vault.values_mut() {
        items.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok((users, by_vault))
}
