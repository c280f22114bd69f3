//! Forgetting: snapshots that are no longer kept go, and what nothing else refers to goes with them.
//!
//! Both halves may be interrupted and done again. The second one needs the vault for itself; while another job uses it,
//! the space is given back by the next forget instead.

use rustic_core::{FileType, PruneOptions};

use crate::{
    error::VaultError, event::Event, id::Id, job::ForgetTask, lock::Lock, repair,
    repository::Vault, rustic, snapshot,
};

pub(crate) fn run(
    vault: &Vault,
    task: &ForgetTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let ids = task
        .snapshots
        .iter()
        .map(|id| id.parse::<Id>())
        .collect::<Result<Vec<_>, _>>()?;
    let before = vault.store().size()?;
    let snapshots = remove(vault, ids)?;
    let mut pruned = false;
    if task.prune {
        match Lock::alone(vault.path())? {
            Some(alone) => {
                vault.store().remove_temporaries()?;
                let is_sound = repair::repair(vault, &alone)?;
                if is_sound && snapshot::list(vault)?.damaged.is_empty() {
                    prune(vault)?;
                    pruned = true;
                } else {
                    emit(Event::Note {
                        message: "The vault is damaged, and recovery points lean on what is lost: the space is given back once it is repaired, or they are gone.".to_owned(),
                    });
                }
            }
            None => emit(Event::Note {
                message:
                    "Another job is using the vault: the space is given back at the next cleanup."
                        .to_owned(),
            }),
        }
    }
    let freed = before.saturating_sub(vault.store().size()?);
    emit(Event::Forgotten {
        snapshots,
        freed,
        pruned,
    });
    Ok(())
}

/// Removes the snapshots, but under nobody's prune: that would look for those it has just listed.
fn remove(vault: &Vault, ids: Vec<Id>) -> Result<Vec<String>, VaultError> {
    let _lock = Lock::shared(vault.path())?;
    let mut snapshots = Vec::new();
    for id in ids {
        if vault.store().remove(FileType::Snapshot, &id)? {
            snapshots.push(id.to_string());
        }
    }
    Ok(snapshots)
}

fn prune(vault: &Vault) -> Result<(), VaultError> {
    let failed = |error| rustic::unwrap("prune the vault at", vault.path(), &error);
    let repository = vault.rustic()?;
    let mut options = PruneOptions::default();
    // Nobody else is writing: the lock says so. Deleting in two phases would wait for 23 hours of the machine's clock.
    options.instant_delete = true;
    // Small packs of small backups stay as they are: rewriting them at each prune costs more than they do.
    options.no_resize = true;
    let plan = repository
        .prune_plan(&options)
        .map_err(|error| failed(*error))?;
    repository
        .prune(&options, plan)
        .map_err(|error| failed(*error))
}
