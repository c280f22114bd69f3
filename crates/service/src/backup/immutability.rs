//! What a vault with immutability refuses, be it unlocked or locked: whatever could lose a recovery point before its time. Unlocked, a person
//! turns immutability off first; locked, nobody can.
//!
//! Here are Azure's own rules, which look at policies and so at points that are still to be made; those that are there have [`super::ends`].

use kluis_arm::error::code;

use super::judgement;
use super::rows::{Item, Point, Policy};
use super::rules::Rules;
use crate::core::Refusal;
use crate::store::{Row as _, StoreError, Tx};
use crate::vaults::VaultRow;

/// Refuses to delete the data of an item that has any.
pub(super) fn keeps_data(vault: &VaultRow, item: &Item, points: usize) -> Result<(), Refusal> {
    if !vault.is_immutable() || points == 0 {
        return Ok(());
    }
    Err(refused(
        vault,
        &format!(
            "the data of '{}' can't be deleted before their retention ends. Stop its protection, or suspend it, instead",
            item.vm
        ),
    ))
}

/// Refuses to keep the points of a policy's items for a shorter time.
pub(super) fn keeps_retention(
    vault: &VaultRow,
    before: Option<&Rules>,
    after: Option<&Rules>,
) -> Result<(), Refusal> {
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    if !vault.is_immutable() || !after.retention.is_shorter_than(&before.retention) {
        return Ok(());
    }
    Err(refused(
        vault,
        "no policy may keep recovery points there for a shorter time than before. Keep each tier for at least as long",
    ))
}

/// The same where an item is given another policy.
pub(super) fn keeps_under(
    vault: &VaultRow,
    item: &Item,
    wanted: &Rules,
    tx: &Tx<'_>,
) -> Result<(), Refusal> {
    let before = present(item, tx)?;
    keeps_retention(vault, before.as_ref(), Some(wanted))
}

/// What keeps the item's points; of a stopped one, what kept them before.
fn present(item: &Item, tx: &Tx<'_>) -> Result<Option<Rules>, StoreError> {
    if item.policy.is_empty() {
        return match Point::count(tx, &item.key())? {
            0 => Ok(None),
            _ => judgement::before(tx, item),
        };
    }
    let policy = tx.get::<Policy>(&Policy::key_of(&item.vault, &item.policy))?;
    Ok(policy.as_ref().and_then(Rules::of))
}

pub(super) fn refused(vault: &VaultRow, why: &str) -> Refusal {
    let way_out = match vault.immutability() {
        "Locked" => "its immutability is locked",
        _ => "or turn the vault's immutability off first",
    };
    Refusal::bad_request(
        code::IMMUTABLE,
        format!("The vault '{}' is immutable: {why}; {way_out}.", vault.name),
    )
}
