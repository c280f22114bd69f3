//! A backup vault and its policies, as they are remembered.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{KIND, properties};
use crate::core::{Context, VaultKey};
use crate::store::{Row, StoreError, Tx};

/// One backup vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackupVault {
    /// Its names, in the case it was made with.
    pub(super) resource_group: String,
    pub(super) name: String,
    pub(super) location: String,
    pub(super) tags: Value,
    pub(super) identity: Option<Value>,
    pub(super) etag: String,
    /// ARM's `properties`.
    pub(super) properties: Value,
}

/// The beginning of the keys of all backup vaults. A recovery services vault's key has one separator, these have two.
const PLACE: &str = "dataprotection/";

impl Row for BackupVault {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        self.vault()
    }

    fn vault(&self) -> String {
        self.vault_key().as_str().to_owned()
    }
}

impl BackupVault {
    /// The key of a backup vault, whether it exists or not.
    pub(super) fn key_of(group: &str, name: &str) -> VaultKey {
        VaultKey::new(&format!("{PLACE}{group}"), name)
    }

    pub(super) fn vault_key(&self) -> VaultKey {
        Self::key_of(&self.resource_group, &self.name)
    }

    /// All of them, in the order of their keys.
    pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(PLACE)
    }

    /// Its ARM id.
    pub(super) fn id(&self, ctx: &Context<'_>) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{KIND}/{}",
            ctx.subscription, self.resource_group, self.name
        )
    }

    /// The vault as ARM shows it.
    pub(super) fn render(&self, ctx: &Context<'_>) -> Value {
        let mut body = json!({
            "id": self.id(ctx), "name": self.name, "type": KIND, "location": self.location, "tags": self.tags,
            "eTag": self.etag, "properties": properties::with_consequences(&self.properties),
        });
        if let Some(identity) = &self.identity {
            body["identity"] = identity.clone();
        }
        body
    }
}

/// Whose operations are those of a region, which outlive their vault. It is no vault's key: the names in those have no blanks.
pub(super) fn region_key(region: &str) -> VaultKey {
    VaultKey::new("dataprotection in", region)
}

/// A policy of a backup vault, kept as the document that Azure would answer with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackupPolicy {
    pub(super) vault: VaultKey,
    /// Its name, in the case it was made with.
    pub(super) name: String,
    /// ARM's `properties`.
    pub(super) properties: Value,
}

impl Row for BackupPolicy {
    const TABLE: &'static str = "policies";

    fn key(&self) -> String {
        Self::key_of(&self.vault, &self.name)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl BackupPolicy {
    /// The key of a policy in a vault, whether it exists or not.
    pub(super) fn key_of(vault: &VaultKey, name: &str) -> String {
        format!("{vault}/{}", name.to_lowercase())
    }
}
