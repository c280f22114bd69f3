//! A vault as the store keeps it: its ARM document, and what the service reads from it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::properties::ASSIGNED_STORAGE;
use crate::core::VaultKey;
use crate::store::{Row, StoreError, Tx};

/// A vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultRow {
    /// Its resource group, in the case it was made with.
    pub resource_group: String,
    /// Its name, in the case it was made with.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Its tags, an object of texts.
    pub tags: Value,
    /// `{name, …}` of its price tier.
    pub sku: Value,
    /// `{type, …}` of its managed identity, when it has one.
    pub identity: Option<Value>,
    /// The entity tag of its latest change.
    pub etag: String,
    /// ARM's `properties`, whole; `provisioningState` says whether its repository exists.
    pub properties: Value,
    /// The operation that makes, changes or deletes it.
    pub operation: Option<String>,
    /// The name by which it is being soft-deleted (`Deleting`), or was and comes back (`Provisioning`).
    #[serde(default)]
    pub shelf: Option<String>,
    /// What agents and Site Recovery have written into its `extendedInformation`.
    #[serde(default)]
    pub extended_info: Option<Value>,
}

/// What happens to an item's points when the item is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftDelete {
    /// Whether they stay for a while.
    pub enabled: bool,
    /// For how many days.
    pub retention_days: u32,
}

impl Row for VaultRow {
    const TABLE: &'static str = "vaults";

    fn key(&self) -> String {
        self.id_key().as_str().to_owned()
    }

    fn vault(&self) -> String {
        self.key()
    }
}

/// Whether a vault's immutability is locked; a vault that is not there has none.
pub(crate) fn is_locked(tx: &Tx<'_>, vault: &VaultKey) -> Result<bool, StoreError> {
    let row = tx.get::<VaultRow>(vault.as_str())?;
    Ok(row.is_some_and(|row| row.is_locked()))
}

/// Locks a vault's immutability, as it was known to be. Whether that is news.
pub(crate) fn lock(tx: &mut Tx<'_>, vault: &VaultKey) -> Result<bool, StoreError> {
    let row = tx.get::<VaultRow>(vault.as_str())?;
    let Some(mut row) = row.filter(|row| !row.is_locked()) else {
        return Ok(false);
    };
    row.properties["securitySettings"]["immutabilitySettings"] = json!({ "state": "Locked" });
    tx.put(&row)?;
    Ok(true)
}

impl VaultRow {
    /// The key by which everything in this vault is stored.
    #[must_use]
    pub fn id_key(&self) -> VaultKey {
        VaultKey::new(&self.resource_group, &self.name)
    }

    /// `Provisioning`, `Succeeded`, `Deleting` or `Failed`.
    #[must_use]
    pub fn state(&self) -> &str {
        self.properties["provisioningState"]
            .as_str()
            .unwrap_or_default()
    }

    /// The vault's soft delete, from `securitySettings.softDeleteSettings`.
    #[must_use]
    pub fn soft_delete(&self) -> SoftDelete {
        let settings = &self.properties["securitySettings"]["softDeleteSettings"];
        SoftDelete {
            enabled: settings["softDeleteState"]
                .as_str()
                .is_none_or(|state| !state.eq_ignore_ascii_case("Disabled")),
            retention_days: settings["softDeleteRetentionPeriodInDays"]
                .as_u64()
                .and_then(|d| u32::try_from(d).ok())
                .unwrap_or(14),
        }
    }

    /// The vault's immutability: `Disabled`, `Unlocked` or `Locked`.
    #[must_use]
    pub fn immutability(&self) -> &str {
        self.properties["securitySettings"]["immutabilitySettings"]["state"]
            .as_str()
            .unwrap_or("Disabled")
    }

    /// Whether points can't be lost before their time, be that locked or not.
    #[must_use]
    pub fn is_immutable(&self) -> bool {
        !self.immutability().eq_ignore_ascii_case("Disabled")
    }

    /// Whether that is so for good.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.immutability().eq_ignore_ascii_case("Locked")
    }

    /// Has the vault's storage assigned, once something is registered in it. Whether that is news.
    pub(crate) fn assign_storage(&mut self) -> bool {
        let version = &mut self.properties["backupStorageVersion"];
        let is_new = version != ASSIGNED_STORAGE;
        *version = json!(ASSIGNED_STORAGE);
        is_new
    }

    /// Azure's word for the redundancy: `GeoRedundant`, `LocallyRedundant` or `ZoneRedundant`.
    #[must_use]
    pub fn redundancy(&self) -> &str {
        self.properties["redundancySettings"]["standardTierStorageRedundancy"]
            .as_str()
            .unwrap_or("GeoRedundant")
    }
}
