//! Storage accounts that restores staged in: known from then on, whether the inventory lists them or not.

use serde::{Deserialize, Serialize};

use crate::store::{Row, StoreError, Tx};

const PREFIX: &str = "staging/";

/// A storage account that a restore staged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StagingAccount {
    /// Its resource group, as the request wrote it.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// Its region: that of the vault.
    pub location: String,
}

impl Row for StagingAccount {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        format!(
            "{PREFIX}{}/{}",
            self.resource_group.to_lowercase(),
            self.name.to_lowercase()
        )
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl StagingAccount {
    pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(PREFIX)
    }
}
