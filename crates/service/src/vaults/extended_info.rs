//! A vault's extended information: keys that agents and Site Recovery agree on by way of it. It is kept for them as they
//! wrote it and means nothing here.

use http::Method;
use serde_json::{Value, json};

use super::VaultRow;
use super::config::{part, writes};
use crate::core::{Refusal, Request, Response, VaultPath};
use crate::store::Tx;

/// The members it may have, each a text.
const MEMBERS: [&str; 4] = [
    "integrityKey",
    "encryptionKey",
    "encryptionKeyThumbprint",
    "algorithm",
];
/// The longest text of a member: Azure's keys have a few dozen characters.
const LONGEST: usize = 4096;

/// `GET`, `PUT` and `PATCH V/extendedInformation/vaultExtendedInfo`. A vault has none until somebody writes it.
pub(super) fn answer(
    request: &Request,
    at: &VaultPath,
    vault: &VaultRow,
    tx: &mut Tx<'_>,
) -> Result<Response, Refusal> {
    let known = match request.method {
        Method::GET => vault.extended_info.clone(),
        _ => Some(written(request, vault, tx)?),
    };
    let known = known.ok_or_else(|| {
        Refusal::not_found(
            "ResourceExtendedInfoNotFound",
            format!(
                "The vault '{}' has no extended information: nobody has written any. Virtual machines need none.",
                at.name
            ),
        )
    })?;
    Ok(Response::ok(part(
        at,
        "extendedInformation",
        "vaultExtendedInfo",
        &known,
    )))
}

fn written(request: &Request, vault: &VaultRow, tx: &mut Tx<'_>) -> Result<Value, Refusal> {
    writes(request)?;
    let body = request.json()?.unwrap_or_default();
    let mut known = match &vault.extended_info {
        Some(known) if request.method == Method::PATCH => known.clone(),
        _ => json!({}),
    };
    for member in MEMBERS {
        match &body["properties"][member] {
            Value::Null => {}
            Value::String(text) if text.len() <= LONGEST => known[member] = json!(text),
            _ => {
                return Err(Refusal::bad_request(
                    kluis_arm::error::code::INVALID_REQUEST_CONTENT,
                    format!("'properties.{member}' must be a text of at most {LONGEST} bytes."),
                ));
            }
        }
    }
    tx.put(&VaultRow {
        extended_info: Some(known.clone()),
        ..vault.clone()
    })?;
    Ok(known)
}
