//! After a job: what of the vault's damage can be repaired is, and what is left of it is told, with the snapshots that it takes.

use crate::{
    damage::Damage,
    damaged_points,
    error::{VaultError, describe},
    event::Event,
    index::Index,
    job::{JobFile, Task},
    key::MasterKey,
    lock::Lock,
    repair,
    repository::Vault,
};

/// Sentences about the damage.
const MOST_TOLD: usize = 10;

/// Repairs and tells, if there is something to be told. What keeps it from that is no failure of the job.
pub(crate) fn tell(
    job: &JobFile,
    key: MasterKey,
    done: &Result<(), VaultError>,
    emit: &mut dyn FnMut(Event),
) {
    let always = match (&job.task, done) {
        (Task::Snapshot(task), _) if task.straight.is_none() => return,
        (Task::Scrub(_), Err(_)) => return,
        (Task::Scrub(_), Ok(())) | (_, Err(VaultError::Damaged(_))) => true,
        _ => false,
    };
    if let Err(error) = look(job, key, always, emit) {
        tracing::warn!(job = %job.job, error = %describe(&error), "the vault's damage could not be repaired or told");
    }
}

fn look(
    job: &JobFile,
    key: MasterKey,
    always: bool,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let vault = Vault::open(&job.vault, key)?;
    let before = Damage::load(&vault);
    if !always && before.is_empty() {
        return Ok(());
    }
    if let Some(alone) = Lock::alone(vault.path())? {
        repair::repair(&vault, &alone)?;
    }
    let _lock = Lock::shared(vault.path())?;
    let damage = Damage::load(&vault);
    let mut repaired = before.packs.keys().collect::<Vec<_>>();
    repaired.retain(|pack| !damage.packs.contains_key(pack));
    let points = damaged_points::find(&vault, &Index::for_reading(&vault)?)?;
    let packs = damage.packs.iter().map(|(pack, damaged)| {
        let lost = match &damaged.blobs {
            None => "all of its blobs are lost".to_owned(),
            Some(blobs) => format!("{} of its blobs are lost", blobs.len()),
        };
        format!("Pack {pack} {}: {lost}.", damaged.defect.words())
    });
    let unreadable = points
        .snapshots
        .iter()
        .filter(|point| point.disks.is_empty());
    let unreadable =
        unreadable.map(|point| format!("Snapshot {} cannot be restored.", point.snapshot));
    emit(Event::Damage {
        blobs: points.lost.len() as u64,
        packs: damage.packs.len() as u64,
        first: packs.chain(unreadable).take(MOST_TOLD).collect(),
        snapshots: points.snapshots,
        repaired: repaired.len() as u64,
        repaired_packs: repaired
            .into_iter()
            .take(MOST_TOLD)
            .map(ToString::to_string)
            .collect(),
    });
    Ok(())
}
