//! Damage of a vault: what of it is lost, and which recovery points that takes.

use super::{Problem, Severity};
use crate::backup::rows::{Item, Point, Scrubs};
use crate::core::Context;
use crate::store::{Row as _, StoreError, Tx};
use crate::vaults::VaultRow;

/// Points that a message names.
const MOST_NAMED: usize = 5;

/// The damaged points of an item.
pub(super) fn of_item(
    _: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    let damage = Scrubs::find(tx, &item.vault)?.and_then(|scrubs| scrubs.damage);
    if damage.is_none_or(|damage| damage.snapshots.is_empty()) {
        return Ok(Vec::new());
    }
    let points = Point::of(tx, &item.key())?;
    let damaged: Vec<_> = points
        .iter()
        .filter_map(|point| Some((point, point.damaged.as_ref()?)))
        .collect();
    let Some(since) = damaged.iter().map(|(_, damage)| damage.since).min() else {
        return Ok(Vec::new());
    };
    let mut named: Vec<String> = damaged
        .iter()
        .take(MOST_NAMED)
        .map(|(point, _)| format!("{} of {}", point.name, point.time))
        .collect();
    if damaged.len() > MOST_NAMED {
        named.push(format!("{} more", damaged.len() - MOST_NAMED));
    }
    let message = format!(
        "{} of {} recovery points can't be restored whole, because the vault has lost a part of them: {}.",
        damaged.len(),
        points.len(),
        named.join(", ")
    );
    let problem = Problem::new(
        900_101,
        Severity::Error,
        "RecoveryPointsDamaged",
        message,
        &[
            "Back the machine up: what it still has of the lost data is stored again, and the points that are whole then are told so.",
            "Until then restore another point. Look after the volume that the vault lies on.",
        ],
    );
    Ok(vec![problem.since(Some(since))])
}

/// All damage of a vault.
pub(super) fn of_vault(
    _: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let damage = Scrubs::find(tx, &vault.id_key())?.and_then(|scrubs| scrubs.damage);
    let Some(damage) = damage else {
        return Ok(Vec::new());
    };
    let points = damage.snapshots.len();
    let (severity, advice) = if points == 0 {
        let advice = "Nothing is lost: what leans on it is stored elsewhere, and the next scrub or backup repairs it. Look after the volume that the vault lies on.";
        (Severity::Warning, advice)
    } else {
        let advice = "Back up the machines whose points are damaged: what they still have is stored again. Look after the volume that the vault lies on.";
        (Severity::Error, advice)
    };
    let message = format!(
        "The repository is damaged: {} packs are not what was written, {} blobs are lost, {points} recovery points can't be restored whole. {}",
        damage.packs,
        damage.blobs,
        damage.first.join(" ")
    );
    let problem = Problem::new(
        900_102,
        severity,
        "VaultDamaged",
        message.trim_end(),
        &[advice],
    );
    Ok(vec![problem.since(Some(damage.since))])
}
