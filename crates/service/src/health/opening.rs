//! A vault that can't be opened, or whose passphrase is in danger; and what state and vault do not agree on.

use super::{Problem, Severity};
use crate::backup;
use crate::backup::rows::{Item, Point};
use crate::core::{Context, VaultKey};
use crate::store::{Row as _, StoreError, Tx};
use crate::vaults::{self, VaultRow};

/// A vault that can't be opened is each of its items' problem, too; so are the item's points that the vault has no more.
pub(super) fn of_item(
    _: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    let mut found: Vec<Problem> = trouble(tx, &item.vault)?.into_iter().collect();
    found.retain(|problem| problem.severity == Severity::Error);
    if backup::comparison(tx, &item.vault)?.missing > 0 {
        let points = Point::of(tx, &item.key())?;
        let lost = points.iter().filter(|point| point.lost.is_some()).count();
        found.extend((lost > 0).then(|| missing(lost as u64)));
    }
    Ok(found)
}

/// What is wrong with a vault's header, and how it differs from the state.
pub(super) fn of_vault(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let key = vault.id_key();
    let mut found: Vec<Problem> = trouble(tx, &key)?.into_iter().collect();
    let compared = backup::comparison(tx, &key)?;
    if compared.missing > 0 {
        found.push(missing(compared.missing));
    }
    if let Some(until) = backup::held(ctx, tx, &key)? {
        let message = format!(
            "The state was found to be older than the vault, or not to agree with it: {} recovery points were taken in from the \
             vault, {} are missing there. Until {until} nothing is removed by its age.",
            compared.taken_in, compared.missing
        );
        let problem = Problem::new(
            900_121,
            Severity::Warning,
            "StateDiffersFromVault",
            message,
            &[
                "Look at the vault's policies and items: they may be older ones, too. Correct them before that time. (A lock of its immutability that \
                 the vault's snapshots know of is put back.)",
            ],
        );
        found.push(problem.since(compared.differed));
    }
    if compared.of_strangers > 0 {
        let message = format!(
            "The vault has {} snapshots of machines that have no item in it: {}.",
            compared.of_strangers,
            compared.strangers.join(", ")
        );
        found.push(Problem::new(
            900_122,
            Severity::Warning,
            "SnapshotsOfUnknownItems",
            message,
            &["Protect the machine in this vault and start the service again: its recovery points are taken in. Nothing removes them meanwhile."],
        ));
    }
    Ok(found)
}

fn trouble(tx: &Tx<'_>, vault: &VaultKey) -> Result<Option<Problem>, StoreError> {
    let Some(trouble) = vaults::trouble_of(tx, vault)? else {
        return Ok(None);
    };
    let severity = if trouble.closed {
        Severity::Error
    } else {
        Severity::Warning
    };
    let advice = [trouble.recommendation.as_str()];
    let problem = Problem::new(900_120, severity, &trouble.code, trouble.message, &advice);
    Ok(Some(problem.since(Some(trouble.since))))
}

fn missing(points: u64) -> Problem {
    Problem::new(
        900_123,
        Severity::Error,
        "RecoveryPointsMissing",
        format!("The vault does not have {points} recovery points any more that the state knows."),
        &[
            "Put the vault's files back, if they were moved or an older copy was mounted: the points are given back then. Else they are lost; look at what removed them.",
        ],
    )
}
