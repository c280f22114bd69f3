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

use std::collections::{BTreeMap, BTreeSet};

use crate::backup::rows::Item;
use crate::core::{Context, Gauge};
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

/// What is wrong with a vault, by its title: told from the start, with a 0. What keeps one from being opened has titles of its
/// own beside these (those of [`crate::vaults::RepositoryTrouble`]), which are there while one has them.
const TITLES: [&str; 18] = [
    "AuditTrailNotWritten",
    "BitmapsNotRemoved",
    "ClockAhead",
    "ClockBehind",
    "ExpiriesHeldBack",
    "RecoveryPointsMissing",
    "ScrubBehind",
    "ScrubFailed",
    "ScrubOff",
    "SnapshotsOfUnknownItems",
    "StateDiffersFromVault",
    "VaultDamaged",
    "VaultKeyDamaged",
    "VaultKeyMissing",
    "VaultNotAVault",
    "VaultPassphraseMissing",
    "VaultRepositoryNotReady",
    "VaultWrongPassphrase",
];

/// How many vaults have a problem, by its title. No vault is named: who may read metrics may not read vaults.
///
/// # Errors
/// When the store fails.
pub(crate) fn gauges(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Gauge>, StoreError> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    counts.extend(TITLES.map(|title| (title.to_owned(), 0.0)));
    for vault in tx.all::<VaultRow>()? {
        let problems = vault_problems(ctx, tx, &vault)?.into_iter();
        for title in problems
            .map(|problem| problem.title)
            .collect::<BTreeSet<_>>()
        {
            *counts.entry(title).or_default() += 1.0;
        }
    }
    let values = counts
        .into_iter()
        .map(|(title, count)| (vec![("title", title)], count));
    Ok(vec![Gauge {
        values: values.collect(),
        ..Gauge::by(
            "vault_problems",
            "Vaults that have a problem, by its title in their health",
            "title",
            [],
        )
    }])
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::TITLES;

    /// What is sent stands in the table, by its number and its title, and nothing else does.
    #[test]
    fn every_problem_is_in_the_table_of_health_md() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/health");
        let files = own.read_dir().unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let sources = paths.filter(|path| !path.ends_with("mod.rs"));
        let texts: String = sources
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        let table = include_str!("../../../../docs/health.md");
        let row = |number: &str| {
            let mut rows = table.lines();
            rows.find(|line| line.starts_with(&format!("| {number} |")))
        };
        let mut count = 0;
        for (at, _) in texts.match_indices("900_") {
            let number = texts[at..].chars().take(7).collect::<String>();
            let number = number.replace('_', "");
            assert!(row(&number).is_some(), "{number} is not in docs/health.md");
            count += 1;
        }
        assert!(count > 15, "{count}");
        let ours = table.lines().filter_map(|line| line.strip_prefix("| 900"));
        for line in ours {
            let mut cells = line.split(" | ");
            let (number, title) = (cells.next().unwrap(), cells.next().unwrap());
            let is_sent = texts.contains(&format!("900_{number}"));
            assert!(is_sent, "900{number} is in docs/health.md and never sent");
            if let Some(title) = title.strip_prefix('`') {
                let title = title.strip_suffix('`').unwrap();
                assert!(texts.contains(&format!("\"{title}\"")), "{title}");
            }
        }
        let lost = include_str!("../../../../docs/lost-files.md");
        for title in TITLES {
            let name = format!("`{title}`");
            assert!(table.contains(&name) || lost.contains(&name), "{title}");
        }
    }
}
