//! What clients ask of a region before anything is protected: whether a machine is, whether it could be, whether a feature
//! is there for it.

use kluis_arm::id::{VaultId, VmId};
use serde::Deserialize;
use serde_json::json;

use super::items::Named;
use super::{protection, refusals, status};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath};
use crate::store::Tx;
use crate::vaults::VaultRow;

/// Answers `POST /subscriptions/{s}/providers/Microsoft.RecoveryServices/locations/{l}/{question}`; `None` when the question
/// is not about backups.
pub fn asked(
    request: &Request,
    question: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Option<Answer> {
    match question {
        "backupstatus" => Some(status::backup_status(request, ctx, tx)),
        "backupvalidatefeatures" => Some(feature(request)),
        "backupprevalidateprotection" => Some(prevalidation(request, ctx, tx)),
        _ => None,
    }
}

/// Whether a feature can be had for a kind of machine: backing it up can, whatever its size; the older goals of the portal
/// are answered as Azure answers what it does not know.
fn feature(request: &Request) -> Answer {
    let body = request.json()?.unwrap_or_default();
    let status = match body["featureType"].as_str() {
        Some(kind) if kind.eq_ignore_ascii_case("AzureVMResourceBackup") => "Supported",
        Some(_) => "NotSupported",
        None => {
            return Err(refusals::invalid_input(
                "The body needs 'featureType', for example AzureVMResourceBackup.",
            ));
        }
    };
    Ok((Response::ok(json!({ "supportStatus": status })), Vec::new()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    resource_type: Option<String>,
    resource_id: Option<String>,
    vault_id: Option<String>,
}

/// Whether a machine could be protected by a vault, told as a value and not as an error.
fn prevalidation(request: &Request, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    let wanted = request.parse::<Wanted>()?;
    let kind = wanted.resource_type.unwrap_or_else(|| "VM".to_owned());
    let text = wanted.resource_id.unwrap_or_default();
    let vm: VmId = text
        .parse()
        .ok()
        .filter(|_| kind.eq_ignore_ascii_case("VM"))
        .ok_or_else(|| {
            refusals::invalid_input(format!(
                "'resourceId' must be the id of a virtual machine and 'resourceType' VM; they are '{text}' and '{kind}'."
            ))
        })?;
    let short = format!("iaasvmcontainerv2;{};{}", vm.resource_group, vm.name).to_lowercase();
    let mut body = json!({
        "status": "Succeeded",
        "containerName": format!("iaasvmcontainer;{short}"),
        "protectedItemName": format!("vm;{short}"),
    });
    if let Err(refusal) = protectable(request, &vm, &wanted.vault_id.unwrap_or_default(), ctx, tx) {
        if refusal.status >= 500 {
            return Err(refusal);
        }
        body["status"] = json!("Failed");
        body["errorCode"] = json!(refusal.code);
        body["errorMessage"] = json!(refusal.message);
        body["recommendation"] = json!("Mend what the message names, then enable protection.");
    }
    Ok((Response::ok(body), Vec::new()))
}

/// Asks for the protection itself, in a trial that leaves nothing behind.
fn protectable(
    request: &Request,
    vm: &VmId,
    vault: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), Refusal> {
    let id: VaultId = vault.parse().map_err(|_| {
        refusals::invalid_input(format!(
            "'vaultId' must be the id of a vault; it is '{vault}'."
        ))
    })?;
    let key = ctx.vault_key(id.resource_group.as_str(), id.name.as_str());
    let vault = tx.get::<VaultRow>(key.as_str())?.ok_or_else(|| {
        Refusal::resource_not_found(
            "Microsoft.RecoveryServices/vaults",
            id.name.as_str(),
            id.resource_group.as_str(),
        )
    })?;
    let at = VaultPath {
        id: ctx.vault_id(&vault.resource_group, &vault.name),
        resource_group: vault.resource_group.clone(),
        name: vault.name.clone(),
        key,
        rest: Vec::new(),
    };
    let named = Named {
        resource_group: vm.resource_group.to_string(),
        vm: vm.name.to_string(),
    };
    if named.find(&at, tx)?.is_some() {
        return Err(Refusal::bad_request(
            "VirtualMachineAlreadyProtected",
            format!(
                "The vault '{}' protects the virtual machine '{}' already, or has data of it.",
                at.name, named.vm
            ),
        ));
    }
    // Which policy is not asked; every vault begins with this one.
    let mut wanted = request.clone();
    wanted.body = json!({ "properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": vm.to_string(),
        "policyId": format!("{}/backupPolicies/DefaultPolicy", at.id),
    } })
    .to_string()
    .into_bytes();
    tx.trial(|tx| protection::put(&wanted, &named, &at, &vault, ctx, tx))?
        .map(drop)
}
