//! Whether a machine is protected, asked before anybody knows in which vault.

use kluis_arm::id::VmId;
use serde::Deserialize;
use serde_json::json;

use super::refusals;
use super::rows::Item;
use crate::core::{Answer, Context, Request, Response};
use crate::store::Tx;
use crate::vaults::VaultRow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    resource_type: Option<String>,
    resource_id: Option<String>,
}

/// `POST /subscriptions/{s}/providers/Microsoft.RecoveryServices/locations/{l}/backupStatus`.
///
/// # Errors
/// 400 when the body does not name a virtual machine.
pub(super) fn backup_status(request: &Request, ctx: &Context<'_>, tx: &Tx<'_>) -> Answer {
    let asked = request.parse::<Asked>()?;
    let text = asked.resource_id.unwrap_or_default();
    let kind = asked.resource_type.unwrap_or_else(|| "VM".to_owned());
    let vm: VmId = text
        .parse()
        .ok()
        .filter(|_| kind.eq_ignore_ascii_case("VM"))
        .ok_or_else(|| refusals::invalid_input(format!("'resourceId' must be the id of a virtual machine and 'resourceType' VM; they are '{text}' and '{kind}'.")))?;
    let short = format!("iaasvmcontainerv2;{};{}", vm.resource_group, vm.name).to_lowercase();
    let mut body = json!({
        "protectionStatus": "NotProtected",
        "fabricName": "Azure",
        "containerName": format!("iaasvmcontainer;{short}"),
        "protectedItemName": format!("vm;{short}"),
        "protectedItemsCount": 0,
        "objectType": "BackupStatusResponse",
    });
    let machine = Item::machine_of(vm.resource_group.as_str(), vm.name.as_str());
    let items: Vec<Item> = tx.about(&machine, None)?;
    if let Some(item) = items.into_iter().find(|item| item.state.is_scheduled())
        && let Some(vault) = tx.get::<VaultRow>(item.vault.as_str())?
    {
        body["protectionStatus"] = json!("Protected");
        body["vaultId"] = json!(ctx.vault_id(&vault.resource_group, &vault.name));
        body["policyName"] = json!(item.policy);
    }
    Ok((Response::ok(body), Vec::new()))
}
