//! By which policy an item's points were judged last: what a changed policy lets go of is told from what has grown too old.
//!
//! Written when a machine is protected and at each cleanup of its vault, so that it is the policy before until a cleanup has
//! acted on the change.

use serde::{Deserialize, Serialize};

use super::rows::{Item, Policy};
use super::rules::Rules;
use crate::core::VaultKey;
use crate::store::{Row, StoreError, Tx};

/// A policy as it was when an item's points were judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Judgement {
    /// The item's key.
    item: String,
    policy: Policy,
}

impl Row for Judgement {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.item)
    }

    fn vault(&self) -> String {
        self.policy.vault.as_str().to_owned()
    }
}

impl Judgement {
    fn key_of(item: &str) -> String {
        format!("judgements/{item}")
    }
}

/// The rules by which the item's points were judged last, if that is known.
pub(super) fn before(tx: &Tx<'_>, item: &Item) -> Result<Option<Rules>, StoreError> {
    let known = tx.get::<Judgement>(&Judgement::key_of(&item.key()))?;
    Ok(known.and_then(|known| Rules::of(&known.policy)))
}

/// Records that the item's points are judged by the policy that it has now. One that has none keeps its points.
pub(super) fn record(tx: &mut Tx<'_>, item: &Item) -> Result<(), StoreError> {
    let Some(policy) = of(tx, &item.vault, &item.policy)? else {
        return Ok(());
    };
    let judgement = Judgement {
        item: item.key(),
        policy,
    };
    let known = tx.get::<Judgement>(&judgement.key())?;
    if known.as_ref() == Some(&judgement) {
        return Ok(());
    }
    tx.put(&judgement)
}

fn of(tx: &Tx<'_>, vault: &VaultKey, policy: &str) -> Result<Option<Policy>, StoreError> {
    tx.get::<Policy>(&Policy::key_of(vault, policy))
}
