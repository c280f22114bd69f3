//! Key vaults, as far as an inventory knows them: which keys and secrets there are, never what they are.

use serde_json::{Value, json};

use super::render::id;
use super::{Inventory, KeyVault, Keys, ResourceGroup, same};
use crate::core::Context;

pub(super) const KEY_VAULT: &str = "Microsoft.KeyVault/vaults";

/// What of a machine's keys is not in its key vault, in words; `None` when all of it is.
pub(crate) fn missing(inventory: &Inventory, keys: &Keys) -> Option<String> {
    let group = inventory.resource_group(&keys.resource_group);
    let vaults = group.map(|group| &group.key_vaults);
    let found = vaults.and_then(|vaults| {
        let mut vaults = vaults.iter();
        vaults.find(|(name, _)| same(name, &keys.key_vault))
    });
    let Some((_, vault)) = found else {
        return Some(format!("the key vault '{}' is not there", keys.key_vault));
    };
    let has = |names: &[String], wanted: &str| names.iter().any(|name| same(name, wanted));
    if !has(&vault.secrets, &keys.secret) {
        return Some(format!(
            "the secret '{}' is not in the key vault '{}'",
            keys.secret, keys.key_vault
        ));
    }
    let key = keys.key.as_ref().filter(|key| !has(&vault.keys, key))?;
    Some(format!(
        "the key '{key}' is not in the key vault '{}'",
        keys.key_vault
    ))
}

/// Where the keys are, as machines and recovery points tell it: the ARM id of the key vault, the secret's address, the key's.
pub(crate) fn in_vault(keys: &Keys, ctx: &Context<'_>) -> (String, String, Option<String>) {
    let at = |kind: &str, name: &str| {
        format!(
            "https://{}.vault.azure.net/{kind}/{name}",
            keys.key_vault.to_lowercase()
        )
    };
    (
        id(&keys.resource_group, KEY_VAULT, &keys.key_vault, ctx),
        at("secrets", &keys.secret),
        keys.key.as_ref().map(|key| at("keys", key)),
    )
}

/// A key vault as ARM shows it, without what is in it.
pub(super) fn render(group: &ResourceGroup, name: &str, ctx: &Context<'_>) -> Value {
    json!({
        "id": id(&group.name, KEY_VAULT, name, ctx), "name": name, "type": KEY_VAULT, "location": group.location, "tags": {},
        "properties": {
            "tenantId": ctx.tenant, "sku": { "family": "A", "name": "standard" }, "provisioningState": "Succeeded",
            "vaultUri": format!("https://{}.vault.azure.net/", name.to_lowercase()),
        },
    })
}

/// A secret or a key of a vault by ARM, which tells that it is there and never what it is.
pub(super) fn part(
    group: &ResourceGroup,
    vault: &str,
    kind: &str,
    name: &str,
    ctx: &Context<'_>,
) -> Option<Value> {
    let (vault, held) = group.key_vaults.iter().find(|(own, _)| same(own, vault))?;
    let names = held.of(kind)?;
    let name = names.iter().find(|own| same(own, name))?;
    Some(json!({
        "id": format!("{}/{kind}/{name}", id(&group.name, KEY_VAULT, vault, ctx)), "name": name,
        "type": format!("{KEY_VAULT}/{kind}"), "location": group.location,
        "properties": { "attributes": { "enabled": true } },
    }))
}

impl KeyVault {
    fn of(&self, kind: &str) -> Option<&[String]> {
        match kind {
            "secrets" => Some(&self.secrets),
            "keys" => Some(&self.keys),
            _ => None,
        }
    }
}
