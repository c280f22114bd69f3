//! The policies of a backup vault: read, written within Azure's limits, and deleted. A policy keeps the kind of data that it
//! is for.

use kluis_arm::dataprotection::{self, as_stored, check_limits};
use kluis_arm::error::code;
use kluis_arm::id::is_policy_name;
use serde_json::{Value, json};

use super::row::{BackupPolicy, BackupVault};
use crate::core::{Context, Refusal, Request, Response, page};
use crate::store::Tx;

const KIND: &str = "Microsoft.DataProtection/backupVaults/backupPolicies";
/// As many as a recovery services vault can have, for Azure publishes no number.
const MOST: u64 = 200;

/// `GET D/backupPolicies`.
pub(super) fn list(
    request: &Request,
    vault: &BackupVault,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Response, Refusal> {
    let policies: Vec<BackupPolicy> = tx.list(vault.vault_key().as_str())?;
    page(
        request,
        policies.iter().map(|policy| render(policy, vault, ctx)),
    )
}

/// `GET D/backupPolicies/{policy}`.
pub(super) fn get(
    name: &str,
    vault: &BackupVault,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Response, Refusal> {
    let key = BackupPolicy::key_of(&vault.vault_key(), name);
    let policy: Option<BackupPolicy> = tx.get(&key)?;
    policy
        .map(|policy| Response::ok(render(&policy, vault, ctx)))
        .ok_or_else(|| {
            Refusal::not_found(
                "UserErrorGenericResourceNotFound",
                format!("The backup vault '{}' has no policy '{name}'.", vault.name),
            )
        })
}

/// `PUT D/backupPolicies/{policy}`: 200 with the policy.
pub(super) fn put(
    request: &Request,
    name: &str,
    vault: &BackupVault,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let wanted = request.parse::<dataprotection::Policy>()?.properties;
    check_limits(&wanted).map_err(|broken| {
        Refusal::bad_request(
            broken.code,
            format!("The policy breaks a limit: properties.{broken}."),
        )
    })?;
    let key = BackupPolicy::key_of(&vault.vault_key(), name);
    let found: Option<BackupPolicy> = tx.get(&key)?;
    let name = match &found {
        Some(policy) => policy.name.clone(),
        None => new_name(name, vault, tx)?,
    };
    let policy = BackupPolicy {
        vault: vault.vault_key(),
        name,
        properties: serde_json::to_value(as_stored(wanted)).unwrap_or_default(),
    };
    if let Some(found) = found {
        same_data(&found, &policy)?;
    }
    tx.put(&policy)?;
    Ok(Response::ok(render(&policy, vault, ctx)))
}

/// `DELETE D/backupPolicies/{policy}`.
pub(super) fn delete(
    name: &str,
    vault: &BackupVault,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let key = BackupPolicy::key_of(&vault.vault_key(), name);
    Ok(Response::empty(if tx.delete::<BackupPolicy>(&key)? {
        200
    } else {
        204
    }))
}

fn new_name(name: &str, vault: &BackupVault, tx: &Tx<'_>) -> Result<String, Refusal> {
    if !is_policy_name(name) {
        return Err(Refusal::bad_request(
            code::INVALID_POLICY,
            format!(
                "'{name}' can't name a policy: 3 to 150 letters, digits and hyphens, beginning with a letter and not ending with a hyphen."
            ),
        ));
    }
    if tx.count::<BackupPolicy>(vault.vault_key().as_str())? >= MOST {
        return Err(Refusal::bad_request(
            "UserErrorPolicyLimitReached",
            format!(
                "The backup vault '{}' has {MOST} policies, as many as it can have. Delete one first.",
                vault.name
            ),
        ));
    }
    Ok(name.to_owned())
}

/// A policy that is there is written over by one for the same kind of data and no other.
fn same_data(found: &BackupPolicy, wanted: &BackupPolicy) -> Result<(), Refusal> {
    let kinds = |policy: &BackupPolicy| policy.properties["datasourceTypes"].to_string();
    let (is, would) = (kinds(found), kinds(wanted));
    if is.eq_ignore_ascii_case(&would) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        code::INVALID_RULES,
        format!(
            "The policy '{}' is for {is} and can't become one for {would}. Give the new one another name, or delete this one first.",
            found.name
        ),
    ))
}

fn render(policy: &BackupPolicy, vault: &BackupVault, ctx: &Context<'_>) -> Value {
    json!({
        "id": format!("{}/backupPolicies/{}", vault.id(ctx), policy.name),
        "name": policy.name,
        "type": KIND,
        "properties": policy.properties,
    })
}
