//! Files of restores that were given up: they are removed, whatever comes between.
//!
//! A row names them from the moment the job ends without success, in the same transaction; it goes once they are gone.
//! Effects are carried out in order, so that a restore to the same place that is accepted meanwhile begins after.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::rows::{Job, Work};
use crate::core::{Context, Effect};
use crate::estate::RestoredDisk;
use crate::store::{Row, StoreError, Tx};

const PREFIX: &str = "restore/abandoned/";

/// What a restore may have left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Abandoned {
    job: String,
    paths: Vec<PathBuf>,
}

impl Row for Abandoned {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.job.to_lowercase())
    }

    fn vault(&self) -> String {
        String::new()
    }
}

/// The job ended without success: what it made is to go. What took effect stays.
pub(in crate::backup) fn abandon(tx: &mut Tx<'_>, job: &Job) -> Result<(), StoreError> {
    let paths = match &job.work {
        Work::Restore(work) if !work.done => work.files(),
        // The folder, once it has its name; what has not is beside it, and goes with its mover.
        Work::Files(work) if work.made.is_none() => vec![work.to.clone()],
        Work::Nothing
        | Work::Backup(_)
        | Work::Restore(_)
        | Work::Files(_)
        | Work::Forget(_)
        | Work::Scrub(_) => {
            return Ok(());
        }
    };
    tx.put(&Abandoned {
        job: job.id.clone(),
        paths,
    })
}

/// What is still to be removed.
pub(in crate::backup) fn removals(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    let rows = tx.starting::<Abandoned>(PREFIX)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let restored: BTreeSet<PathBuf> = tx
        .all::<RestoredDisk>()?
        .into_iter()
        .map(|disk| disk.path)
        .collect();
    let mut effects = Vec::new();
    for row in rows {
        // A later restore may have made a disk of the same name since.
        let left = |path: &PathBuf| ctx.facts.exists(path) && !restored.contains(path);
        if row.paths.iter().any(left) {
            effects.push(Effect::RemoveFiles {
                job: row.job,
                paths: row.paths,
            });
        } else {
            tx.delete::<Abandoned>(&row.key())?;
        }
    }
    Ok(effects)
}

/// Whether what is at this path is to go.
pub(super) fn leaves(tx: &Tx<'_>, path: &Path) -> Result<bool, StoreError> {
    let rows = tx.starting::<Abandoned>(PREFIX)?;
    Ok(rows
        .iter()
        .any(|row| row.paths.iter().any(|gone| gone == path)))
}
