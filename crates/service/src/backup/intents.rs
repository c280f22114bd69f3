//! Protection intents: the wish that a machine be protected by a policy, as the portal writes it. A wish for a virtual
//! machine is carried out at once, by the same rules as a `PUT` of its item; the intent itself is only a note of it.

use kluis_arm::id::{ItemName, VmId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::items::Named;
use super::rows::Item;
use super::{protection, refusals};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultKey, VaultPath, page};
use crate::store::{Row, StoreError, Tx};
use crate::vaults::VaultRow;

const INTENT: &str = "intent/";

/// A wish that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intent {
    vault: VaultKey,
    /// `vm;iaasvmcontainerv2;<resource group>;<name>`, as it was written.
    name: String,
    /// The id of the policy, as it was written.
    policy: String,
    /// The key of the item that it protects.
    item: String,
}

impl Row for Intent {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.vault, &self.name)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl Intent {
    fn key_of(vault: &VaultKey, name: &str) -> String {
        format!("{INTENT}{vault}/{}", name.to_lowercase())
    }

    /// The intent of that name, or 404.
    fn of(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Result<Self, Refusal> {
        tx.get(&Self::key_of(&at.key, name))?.ok_or_else(|| {
            Refusal::not_found(
                "BMSUserErrorProtectionIntentNotFound",
                format!("The vault '{}' has no protection intent '{name}'.", at.name),
            )
        })
    }

    fn render(&self, at: &VaultPath, tx: &Tx<'_>) -> Result<Value, StoreError> {
        let item = tx.get::<Item>(&self.item)?;
        let protected = item.as_ref().is_some_and(|item| item.state.is_scheduled());
        let mut body = json!({
            "id": format!("{}/backupFabrics/Azure/backupProtectionIntent/{}", at.id, self.name),
            "name": self.name,
            "type": "Microsoft.RecoveryServices/vaults/backupProtectionIntent",
            "properties": {
                "protectionIntentItemType": "AzureResourceItem",
                "backupManagementType": "AzureIaasVM",
                "policyId": self.policy,
                "protectionState": if protected { "Protected" } else { "NotProtected" },
            },
        });
        if let Some(item) = item {
            body["properties"]["sourceResourceId"] = json!(item.vm_id);
            body["properties"]["itemId"] = json!(format!(
                "{}/backupFabrics/Azure/protectionContainers/{}/protectedItems/{}",
                at.id,
                item.container_name(),
                item.item_name()
            ));
        }
        Ok(body)
    }
}

/// `GET V/backupProtectionIntents[?$filter=…]`.
pub(super) fn list(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let fields = ["backupManagementType", "itemType", "parentName", "itemName"];
    let filter = refusals::filter(request, &fields)?;
    let mut entries = Vec::new();
    for intent in tx.starting::<Intent>(&format!("{INTENT}{}/", at.key))? {
        let shown = filter.allows("backupManagementType", "AzureIaasVM")
            && filter.allows("itemType", "VM")
            && filter.allows("itemName", &intent.name);
        if shown {
            entries.push(intent.render(at, tx)?);
        }
    }
    Ok((page(request, entries)?, Vec::new()))
}

/// `GET V/backupFabrics/Azure/backupProtectionIntent/{intent}`.
pub(super) fn get(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let intent = Intent::of(name, at, tx)?;
    Ok((Response::ok(intent.render(at, tx)?), Vec::new()))
}

/// `PUT V/backupFabrics/Azure/backupProtectionIntent/{intent}`: protects the machine, and answers when that is done.
pub(super) fn put(
    request: &Request,
    name: &str,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let wanted = request.json()?.unwrap_or_default()["properties"].clone();
    let kind = wanted["protectionIntentItemType"]
        .as_str()
        .unwrap_or_default();
    if kind.is_empty() {
        return Err(refusals::invalid_input(
            "The body needs 'properties' with 'protectionIntentItemType', for example AzureResourceItem.",
        ));
    }
    if !kind.eq_ignore_ascii_case("AzureResourceItem") {
        return Err(Refusal::bad_request(
            kluis_arm::error::code::NOT_SUPPORTED,
            format!(
                "'protectionIntentItemType' is '{kind}'; this service takes 'AzureResourceItem', for virtual machines. Databases \
                 are not protected of themselves yet."
            ),
        ));
    }
    let text = |field: &str| wanted[field].as_str().unwrap_or_default().to_owned();
    let source: VmId = text("sourceResourceId").parse().map_err(|_| {
        refusals::invalid_input("'sourceResourceId' must be the id of a virtual machine.")
    })?;
    let named = Named {
        resource_group: source.resource_group.to_string(),
        vm: source.name.to_string(),
    };
    named_after(name, &named)?;
    let mut asked = request.clone();
    asked.body = json!({ "properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": source.to_string(),
        "policyId": text("policyId"),
    } })
    .to_string()
    .into_bytes();
    let (_, effects) = protection::put(&asked, &named, at, vault, ctx, tx)?;
    let intent = Intent {
        vault: at.key.clone(),
        name: name.to_owned(),
        policy: text("policyId"),
        item: named.item(at, tx)?.key(),
    };
    tx.put(&intent)?;
    Ok((Response::ok(intent.render(at, tx)?), effects))
}

/// `DELETE V/backupFabrics/Azure/backupProtectionIntent/{intent}`: forgets the wish. What it protects stays protected.
pub(super) fn delete(name: &str, at: &VaultPath, tx: &mut Tx<'_>) -> Answer {
    tx.delete::<Intent>(&Intent::key_of(&at.key, name))?;
    Ok((Response::empty(204), Vec::new()))
}

/// An intent for a machine is named like its item.
fn named_after(name: &str, named: &Named) -> Result<(), Refusal> {
    let machine = name.parse::<ItemName>().ok().and_then(|name| name.vm());
    let same = machine.is_some_and(|(group, vm)| {
        group == *named.resource_group.as_str() && vm == *named.vm.as_str()
    });
    if same {
        return Ok(());
    }
    Err(refusals::invalid_input(format!(
        "'{name}' does not name the machine of 'sourceResourceId'; its intent is named \
         'vm;iaasvmcontainerv2;{};{}'.",
        named.resource_group, named.vm
    )))
}
