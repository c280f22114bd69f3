//! After the service was killed: what each job that had a mover becomes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kluis_vault::{JobFile, Task};

use super::rows::{Job, Kind, Phase, Saved, Stage};
use super::{bitmaps, endings, progress, queue, scrubs, transfer};
use crate::core::{Context, Effect, VaultKey};
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// A backup whose mover was lost: the vault may hold what it saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The job's id, which the vault's snapshot would carry.
    pub job: String,
    /// The vault.
    pub vault: VaultKey,
    /// The vault's repository.
    pub vault_path: PathBuf,
}

/// The backups to ask the vaults about, before [`resume`].
pub(super) fn interrupted(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Interrupted>, StoreError> {
    let mut found = Vec::new();
    for job in Job::active(tx)? {
        // A version that took no snapshots read the disks straight into the vault.
        let unsaved = job.backup().is_some_and(|work| {
            let transfers = work.phase == Phase::Transfer || work.shots.is_empty();
            work.saved.is_none() && transfers
        });
        if !job.has_mover() || !unsaved {
            continue;
        }
        if let Some(vault) = tx.get::<VaultRow>(job.vault.as_str())? {
            let vault_path = ctx.vault_path(&vault.resource_group, &vault.name);
            found.push(Interrupted {
                job: job.id,
                vault: job.vault,
                vault_path,
            });
        }
    }
    Ok(found)
}

/// Whether what a lost mover was told to do is still to be done, as far as anybody heard: what it left is then nobody's. The
/// snapshots of a backup that went on to its transfer are a recovery point's.
pub(super) fn is_half_done(tx: &Tx<'_>, file: &JobFile) -> Result<bool, StoreError> {
    let Some(job) = Job::find(tx, &file.job)?.filter(Job::has_mover) else {
        return Ok(false);
    };
    Ok(match (&file.task, job.backup()) {
        (Task::Snapshot(_), Some(work)) => work.phase == Phase::Snapshot,
        _ => true,
    })
}

/// Goes on: what was saved is completed, what was being cancelled is cancelled, the rest runs again under the same id.
pub(super) fn resume(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    saved: &BTreeMap<String, Saved>,
) -> Result<Vec<Effect>, StoreError> {
    scrubs::begin_everywhere(ctx, tx)?;
    let mut effects = Vec::new();
    for mut job in Job::active(tx)?.into_iter().filter(Job::has_mover) {
        if let Some(saved) = saved.get(&job.id) {
            transfer::saved(saved.clone(), ctx, tx, &mut job)?;
        }
        if endings::missing(&job).is_none() {
            endings::complete(ctx, tx, &mut job)?;
        } else if job.stage == Stage::Cancelling && job.kind != Kind::Scrub {
            endings::cancel(ctx, tx, &mut job)?;
        } else {
            progress::again(tx, &mut job)?;
        }
        effects.extend(progress::let_go(ctx, tx, &job)?);
    }
    effects.extend(queue::dispatch(ctx, tx)?);
    bitmaps::resume(tx)?;
    Ok(effects)
}
