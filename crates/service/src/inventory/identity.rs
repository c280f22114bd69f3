//! Identities as the inventory's file writes them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_yaml::Spanned;

use super::{Federated, Identity};
use crate::core::Role;

/// The audience that Microsoft's clients ask their token for, and so the usual one.
const AUDIENCE: &str = "api://AzureADTokenExchange";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenIdentity {
    client_id: Spanned<String>,
    secret_file: Option<PathBuf>,
    federated: Option<WrittenFederated>,
    role: Role,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenFederated {
    issuer: String,
    subject: String,
    audience: Option<String>,
    keys_file: PathBuf,
}

impl WrittenIdentity {
    /// The identity with absolute paths, or the line and what is wrong with it.
    pub(super) fn checked(self, folder: &Path) -> Result<Identity, (u64, String)> {
        if self.secret_file.is_none() && self.federated.is_none() {
            let message = format!(
                "the identity '{}' needs a secretFile, or federated to sign in with another issuer's token",
                self.client_id.value
            );
            return Err((self.client_id.referenced.line(), message));
        }
        Ok(Identity {
            client_id: self.client_id.value,
            secret_file: self.secret_file.map(|file| folder.join(file)),
            federated: self.federated.map(|written| Federated {
                issuer: written.issuer,
                subject: written.subject,
                audience: written.audience.unwrap_or_else(|| AUDIENCE.to_owned()),
                keys_file: folder.join(written.keys_file),
            }),
            role: self.role,
        })
    }
}
