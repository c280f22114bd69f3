//! That an item has, or had, points that may hold older data in places. It spares everybody else to look at all points.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::VaultKey;
use crate::store::{Row, StoreError, Tx};

const PREFIX: &str = "older/";

/// An item of which a bitmap was once found to lie. Which points lean on that bitmap is theirs to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OlderData {
    pub(crate) vault: VaultKey,
    /// The item's key.
    pub(crate) item: String,
    /// When that was last found.
    pub(crate) since: Timestamp,
}

impl Row for OlderData {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.item)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl OlderData {
    /// That of an item.
    pub(crate) fn of(tx: &Tx<'_>, item: &str) -> Result<Option<Self>, StoreError> {
        tx.get(&format!("{PREFIX}{item}"))
    }

    /// All of them: few at any time.
    pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(PREFIX)
    }
}
