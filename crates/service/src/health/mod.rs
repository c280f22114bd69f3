//! What is wrong with an item or a vault, told from one place.
//!
//! A source of problems is a file here, and a line in `OF_ITEM` or `OF_VAULT`. An item's problems go out as Azure's own
//! `healthStatus` and `healthDetails`; a vault's, for which Azure has no field, below `/kluis/v1`. Nothing here is stored: a
//! problem is worked out from the rows each time it is asked for, and so it ends by itself.

mod audit;
mod bitmaps;
mod clock;
mod damage;
mod last_backup;
mod older_data;
mod opening;
mod problem;
mod report;
mod repository;
mod scrub;
mod source_missing;

use crate::backup::rows::Item;
use crate::core::Context;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

pub use problem::{Problem, Severity};
pub(crate) use problem::{detail, health_status};
pub use report::{is_of, route};

type OfItem = fn(&Context<'_>, &Tx<'_>, &Item) -> Result<Vec<Problem>, StoreError>;
type OfVault = fn(&Context<'_>, &Tx<'_>, &VaultRow) -> Result<Vec<Problem>, StoreError>;

/// Where an item's problems come from. Of two with one code the first counts.
const OF_ITEM: [OfItem; 6] = [
    opening::of_item,
    source_missing::problems,
    damage::of_item,
    older_data::problems,
    last_backup::problems,
    clock::of_item,
];

/// Where a vault's problems come from.
const OF_VAULT: [OfVault; 7] = [
    opening::of_vault,
    repository::problems,
    damage::of_vault,
    scrub::problems,
    bitmaps::problems,
    audit::problems,
    clock::of_vault,
];

/// What is wrong with an item, the worst first. Asked for each item of a list, so that a source reads little.
pub(crate) fn item_problems(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    let mut found = Vec::new();
    for source in OF_ITEM {
        found.extend(source(ctx, tx, item)?);
    }
    Ok(worst_first(found))
}

/// What is wrong with a vault, the worst first.
pub(crate) fn vault_problems(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let mut found = Vec::new();
    for source in OF_VAULT {
        found.extend(source(ctx, tx, vault)?);
    }
    Ok(worst_first(found))
}

fn worst_first(found: Vec<Problem>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for problem in found {
        if !problems.iter().any(|known| known.code == problem.code) {
            problems.push(problem);
        }
    }
    problems.sort_by_key(|problem| problem.severity);
    problems
}
