//! What is known of a vault's scrubs, and of the damage that was found in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::core::VaultKey;
use crate::store::{Row, StoreError, Tx};

/// A share of the vault that is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScrubWork {
    /// Whether its mover said that it was.
    pub(crate) read: bool,
}

/// A vault's scrubs. When each pack was read is written down in the vault itself; here is what a person asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scrubs {
    pub(crate) vault: VaultKey,
    /// When the next share is due.
    pub(crate) next: Timestamp,
    /// When the last one was read.
    pub(crate) last: Option<Timestamp>,
    /// Bytes of the vault's packs, as of then.
    pub(crate) total: u64,
    /// Since when the byte that was read longest ago has not been.
    pub(crate) oldest: Option<Timestamp>,
    /// Why the last scrub failed, and since when they do.
    pub(crate) failing: Option<(Timestamp, Fault)>,
    pub(crate) damage: Option<VaultDamage>,
}

/// The damage of a vault, as its movers last told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VaultDamage {
    pub(crate) since: Timestamp,
    /// Blobs that snapshots want and of which there is no whole copy.
    pub(crate) blobs: u64,
    /// Packs that are damaged and not repaired yet.
    pub(crate) packs: u64,
    /// Sentences about some of it.
    pub(crate) first: Vec<String>,
    /// The snapshots that can't be restored whole, each with its damaged disks; none are named where all are in doubt.
    pub(crate) snapshots: BTreeMap<String, Vec<String>>,
}

impl Row for Scrubs {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.vault)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl Scrubs {
    const PREFIX: &'static str = "scrubs/";

    fn key_of(vault: &VaultKey) -> String {
        format!("{}{vault}", Self::PREFIX)
    }

    /// Those of a vault, if they have begun.
    pub(crate) fn find(tx: &Tx<'_>, vault: &VaultKey) -> Result<Option<Self>, StoreError> {
        tx.get(&Self::key_of(vault))
    }

    /// Those of all vaults.
    pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(Self::PREFIX)
    }
}
