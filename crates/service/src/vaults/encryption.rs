//! How a vault's data are encrypted at rest: by the service's own key, always. A key of the customer's would be shown and do
//! nothing, so one is refused wherever a client can name it.

use http::Method;
use serde_json::{Value, json};

use super::config::{part, writes};
use crate::core::{Refusal, Request, Response, VaultPath};

/// `GET` and `PUT V/backupEncryptionConfigs/backupResourceEncryptionConfig`. What a client reads it may write back.
pub(super) fn answer(request: &Request, at: &VaultPath) -> Result<Response, Refusal> {
    if request.method != Method::GET {
        writes(request)?;
        let body = request.json()?.unwrap_or_default();
        let said = &body["properties"];
        is_word(said, "encryptionAtRestType", "MicrosoftManaged")?;
        is_word(said, "infrastructureEncryptionState", "Disabled")?;
        is_empty(said, "keyUri")?;
        is_empty(said, "userAssignedIdentity")?;
    }
    Ok(Response::ok(part(
        at,
        "backupEncryptionConfigs",
        "backupResourceEncryptionConfig",
        &json!({
            "encryptionAtRestType": "MicrosoftManaged", "infrastructureEncryptionState": "Disabled",
            "lastUpdateStatus": "NotEnabled", "useSystemAssignedIdentity": true,
        }),
    )))
}

/// Refuses a key in `properties.encryption` of a recovery services vault.
pub(super) fn of_a_vault(encryption: &Value) -> Result<(), Refusal> {
    is_empty(encryption, "keyVaultProperties")?;
    is_empty(encryption, "kekIdentity")?;
    is_word(encryption, "infrastructureEncryption", "Disabled")
}

/// Refuses a key in `properties.securitySettings.encryptionSettings` of a backup vault.
pub(crate) fn of_a_backup_vault(settings: &Value) -> Result<(), Refusal> {
    is_word(settings, "state", "Disabled")?;
    of_a_vault(settings)
}

/// What is nothing, or holds nothing: clients write null, an empty text and an object of nulls alike.
pub(crate) fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.values().all(says_nothing),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

fn is_empty(of: &Value, member: &str) -> Result<(), Refusal> {
    if says_nothing(&of[member]) {
        return Ok(());
    }
    Err(not_offered(member, &of[member]))
}

fn is_word(of: &Value, member: &str, word: &str) -> Result<(), Refusal> {
    let value = &of[member];
    let is_it = value
        .as_str()
        .is_some_and(|text| text.eq_ignore_ascii_case(word));
    if is_it || says_nothing(value) {
        return Ok(());
    }
    Err(not_offered(member, value))
}

fn not_offered(member: &str, value: &Value) -> Refusal {
    Refusal::bad_request(
        kluis_arm::error::code::NOT_SUPPORTED,
        format!(
            "'{member}' is {value}; this service encrypts its vaults with its own key (AES-256, opened by its passphrase file), \
             which it calls 'MicrosoftManaged'. Keys of the customer in a Key Vault are not offered."
        ),
    )
}
