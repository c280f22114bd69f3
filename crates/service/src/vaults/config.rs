//! What is configured below a vault: storage and soft delete. Each is a view of the vault's own properties.

use http::Method;
use kluis_arm::error::code;
use serde_json::{Value, json};

use super::identity::Left;
use super::settings::{Only, only};
use super::{KIND, VaultRow, encryption, extended_info, properties, usages};
use crate::backup;
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath};
use crate::store::Tx;

/// Answers a path below a vault that is about the vault itself; `None` when it is about its contents.
pub fn below(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Option<Answer> {
    let lower = at.lower();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let answer = match words.as_slice() {
        ["backupstorageconfig", "vaultstorageconfig"] => storage(request, at, vault, ctx, tx),
        ["backupconfig", "vaultconfig"] => soft_delete(request, at, vault, ctx, tx),
        ["backupencryptionconfigs", "backupresourceencryptionconfig"] => {
            encryption::answer(request, at)
        }
        ["extendedinformation", "vaultextendedinfo"] => {
            extended_info::answer(request, at, vault, tx)
        }
        ["usages"] => usages::list(request, at, tx),
        _ => return None,
    };
    Some(answer.map(|response| (response, Vec::new())))
}

fn storage(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let locked = backup::redundancy_locked(tx, &at.key)?;
    let mut vault = vault.clone();
    if request.method != Method::GET {
        writes(request)?;
        let said = request.json()?.unwrap_or_default()["properties"].clone();
        let redundancy = [&said["storageModelType"], &said["storageType"]]
            .into_iter()
            .find(|value| !value.is_null());
        not_offered(&said)?;
        let body = json!({ "properties": { "redundancySettings": {
            "standardTierStorageRedundancy": redundancy,
        } } });
        save(&mut vault, &body, locked, ctx, tx)?;
    }
    if request.method == Method::PATCH {
        return Ok(Response::empty(204));
    }
    let redundancy = vault.redundancy();
    Ok(Response::ok(part(
        at,
        "backupstorageconfig",
        "vaultstorageconfig",
        &json!({
            "storageModelType": redundancy, "storageType": redundancy,
            "storageTypeState": if locked { "Locked" } else { "Unlocked" },
            "crossRegionRestoreFlag": false, "dedupState": "Disabled", "xcoolState": "Disabled",
        }),
    )))
}

/// Refuses what would be answered as done and is not.
fn not_offered(said: &Value) -> Result<(), Refusal> {
    let crossing = &said["crossRegionRestoreFlag"];
    if !crossing.is_null() && *crossing != json!(false) {
        return Err(Refusal::bad_request(
            code::NOT_SUPPORTED,
            format!(
                "'crossRegionRestoreFlag' is {crossing}; this service keeps a vault in its one region, and restores there alone. It can only \
                 be false: leave it out; copies elsewhere are made of the vault's own folder."
            ),
        ));
    }
    only(said, &STORES, code::NOT_SUPPORTED)
}

const STORES: [Only; 2] = [
    Only {
        pointer: "/dedupState",
        value: "Disabled",
        because: "keeps what is alike once in every vault, and has no switch for it",
    },
    Only {
        pointer: "/xcoolState",
        value: "Disabled",
        because: "has no colder storage",
    },
];

fn soft_delete(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let mut vault = vault.clone();
    if request.method != Method::GET {
        writes(request)?;
        let said = request.json()?.unwrap_or_default()["properties"].clone();
        let body = json!({ "properties": { "securitySettings": { "softDeleteSettings": {
            "softDeleteState": said["softDeleteFeatureState"],
            "softDeleteRetentionPeriodInDays": said["softDeleteRetentionPeriodInDays"],
            "enhancedSecurityState": said["enhancedSecurityState"],
        } } } });
        save(&mut vault, &body, false, ctx, tx)?;
    }
    let shown = properties::with_consequences(&vault);
    let settings = &shown["securitySettings"]["softDeleteSettings"];
    let always = settings["softDeleteState"]
        .as_str()
        .is_some_and(|state| state.eq_ignore_ascii_case("AlwaysON"));
    Ok(Response::ok(part(
        at,
        "backupconfig",
        "vaultconfig",
        &json!({
            "enhancedSecurityState": settings["enhancedSecurityState"],
            "softDeleteFeatureState": settings["softDeleteState"],
            "softDeleteRetentionPeriodInDays": settings["softDeleteRetentionPeriodInDays"],
            "isSoftDeleteFeatureStateEditable": !always,
        }),
    )))
}

fn save(
    vault: &mut VaultRow,
    body: &Value,
    locked: bool,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), Refusal> {
    vault.take(body, locked, Left::Stay, ctx)?;
    vault.etag = super::one::etag(ctx);
    Ok(tx.put(vault)?)
}

pub(super) fn part(at: &VaultPath, kind: &str, name: &str, properties: &Value) -> Value {
    json!({
        "id": format!("{}/{kind}/{name}", at.id), "name": name, "type": format!("{KIND}/{kind}"), "properties": properties,
    })
}

pub(super) fn writes(request: &Request) -> Result<(), Refusal> {
    if request.method == Method::PUT || request.method == Method::PATCH {
        return Ok(());
    }
    Err(Refusal::wrong_method(&request.method, &request.path))
}
