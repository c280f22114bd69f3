//! A backup policy of a vault, kept as the document that Azure would answer with.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::VaultKey;
use crate::store::Row;

/// One policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    pub(crate) vault: VaultKey,
    /// Its name, in the case it was made with.
    pub(crate) name: String,
    /// ARM's `properties`, without `protectedItemsCount`, which is counted when asked for.
    pub(crate) properties: Value,
}

impl Row for Policy {
    const TABLE: &'static str = "policies";

    fn key(&self) -> String {
        Self::key_of(&self.vault, &self.name)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl Policy {
    /// The key of a policy in a vault, whether it exists or not.
    pub(crate) fn key_of(vault: &VaultKey, name: &str) -> String {
        format!("{vault}/{}", name.to_lowercase())
    }
}
