//! Asking whether a restore would be taken, without asking for it. The restore itself is asked for, in a trial that leaves
//! nothing behind: so no check is there twice, or only here.

use kluis_arm::id::RecoveryPointId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::items::Named;
use super::{refusals, restore};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath};
use crate::operations::{self, Scope};
use crate::store::Tx;
use crate::vaults::VaultRow;

/// `POST V/backupValidateOperation`: answers at once.
pub(super) fn validate(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    Ok((
        Response::ok(response(request, at, vault, ctx, tx)?),
        Vec::new(),
    ))
}

/// `POST V/backupTriggerValidateOperation`: 202, and the same answer in the status and the result of its operation.
pub(super) fn trigger(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let result = response(request, at, vault, ctx, tx)?;
    let operation = operations::done(tx, ctx, &at.key, None, Some(result))?;
    Ok((
        operation.accepted(request, at, Scope::Validation),
        Vec::new(),
    ))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    id: String,
    properties: Value,
}

/// `{"validateOperationResponse": {"validationResults": […]}}`: without results the operation would be taken.
fn response(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Value, Refusal> {
    let asked = request.parse::<Asked>()?;
    let kind = asked.properties["objectType"].as_str().unwrap_or_default();
    let known = [
        "ValidateIaasVMRestoreOperationRequest",
        "ValidateRestoreOperationRequest",
    ];
    if !known.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return Err(Refusal::bad_request(
            kluis_arm::error::code::NOT_SUPPORTED,
            format!(
                "'objectType' is '{kind}'; this service validates '{}'.",
                known[0]
            ),
        ));
    }
    let results = match checked(&asked, request, at, vault, ctx, tx) {
        Ok(()) => Vec::new(),
        Err(refusal) if refusal.status >= 500 => return Err(refusal),
        Err(refusal) => vec![json!({
            "code": refusal.code,
            "message": refusal.message,
            "recommendations": ["Mend what the message names; the restore would be refused with it."],
        })],
    };
    Ok(json!({ "validateOperationResponse": { "validationResults": results } }))
}

fn checked(
    asked: &Asked,
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), Refusal> {
    let point: RecoveryPointId = asked.id.parse().map_err(|_| {
        refusals::invalid_input(format!(
            "'id' must be the id of a recovery point of this vault; it is '{}'.",
            asked.id
        ))
    })?;
    let of = point.item.vault();
    if ctx.vault_key(of.resource_group.as_str(), of.name.as_str()) != at.key {
        return Err(refusals::invalid_input(format!(
            "'{}' is a recovery point of another vault than '{}'.",
            asked.id, at.name
        )));
    }
    let named = Named::new(
        &point.item.container.name.to_string(),
        &point.item.name.to_string(),
    )?;
    let mut wanted = request.clone();
    wanted.body = json!({ "properties": asked.properties["restoreRequest"] })
        .to_string()
        .into_bytes();
    tx.trial(|tx| restore::trigger(&wanted, &named, point.name.as_str(), at, vault, ctx, tx))?
        .map(drop)
}
