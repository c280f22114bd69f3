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
    /// Since when the vault can have had anything to be read.
    pub(crate) began: Option<Timestamp>,
    /// Since when the byte that was read longest ago has not been; nothing where the vault was empty, or was never read.
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

/// What of all vaults was ever found damaged, and what became whole again: stored anew, given back by the disk, or wanted by
/// nobody any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DamageTotals {
    pub(crate) found_packs: u64,
    pub(crate) found_blobs: u64,
    pub(crate) repaired_packs: u64,
    pub(crate) repaired_blobs: u64,
}

impl Row for DamageTotals {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl DamageTotals {
    const KEY: &'static str = "damageTotals";

    /// Until now.
    pub(crate) fn of(tx: &Tx<'_>) -> Result<Self, StoreError> {
        Ok(tx.get(Self::KEY)?.unwrap_or_default())
    }

    pub(crate) fn plus(&self, more: &Self) -> Self {
        Self {
            found_packs: self.found_packs.saturating_add(more.found_packs),
            found_blobs: self.found_blobs.saturating_add(more.found_blobs),
            repaired_packs: self.repaired_packs.saturating_add(more.repaired_packs),
            repaired_blobs: self.repaired_blobs.saturating_add(more.repaired_blobs),
        }
    }
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

    /// Since when nobody has read some of the vault: also where nobody ever has.
    pub(crate) fn unread_since(&self) -> Option<Timestamp> {
        self.oldest.or(self.last).or(self.began)
    }

    /// Those of all vaults.
    pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(Self::PREFIX)
    }
}
