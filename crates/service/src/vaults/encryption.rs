//! How a vault's data are encrypted at rest: by the service's own key, always.

use http::Method;
use serde_json::json;

use super::config::{part, writes};
use crate::core::{Refusal, Request, Response, VaultPath};

/// `GET` and `PUT V/backupEncryptionConfigs/backupResourceEncryptionConfig`. What a client reads it may write back.
pub(super) fn answer(request: &Request, at: &VaultPath) -> Result<Response, Refusal> {
    if request.method != Method::GET {
        writes(request)?;
        let body = request.json()?.unwrap_or_default();
        let wanted = &body["properties"]["encryptionAtRestType"];
        if wanted
            .as_str()
            .is_some_and(|kind| !kind.eq_ignore_ascii_case("MicrosoftManaged"))
        {
            return Err(Refusal::bad_request(
                kluis_arm::error::code::NOT_SUPPORTED,
                format!(
                    "'encryptionAtRestType' is {wanted}; this service encrypts its vaults with its own key (AES-256, opened by its \
                     passphrase file), which it calls 'MicrosoftManaged'. Keys of the customer in a Key Vault are not offered."
                ),
            ));
        }
    }
    Ok(Response::ok(part(
        at,
        "backupEncryptionConfigs",
        "backupResourceEncryptionConfig",
        &json!({
            "encryptionAtRestType": "MicrosoftManaged", "infrastructureEncryptionState": "Disabled",
            "lastUpdateStatus": "NotEnabled", "useSystemAssignedIdentity": false,
        }),
    )))
}
