//! Checking: every byte of a vault's packs is read and compared with its name, and every snapshot is proved.
//!
//! Not rustic's own check: that one reads only the packs that snapshots use, and ends in a panic where data does not
//! decompress, which is just what a check is there to report.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{
    damage,
    error::VaultError,
    event::Event,
    id::Id,
    index::{Index, IndexFiles},
    lock::Lock,
    meter::{Failure, Meter, workers},
    pack::Blob,
    pack_check::{Found, PackChecker},
    proof,
    repository::Vault,
    snapshot,
};

pub(crate) fn run(vault: &Vault, emit: &mut dyn FnMut(Event)) -> Result<(), VaultError> {
    let _lock = Lock::shared(vault.path())?;
    let index = Index::load(vault)?;
    let (snapshots, files) = (snapshot::list(vault)?, IndexFiles::read(vault)?);
    let damaged = |what: &str, id: &Id| {
        Err(VaultError::Damaged(format!(
            "{what} {id} is not what was written"
        )))
    };
    if let Some(id) = files.damaged.first() {
        return damaged("index", id);
    }
    if let Some(id) = snapshots.damaged.first() {
        return damaged("snapshot", id);
    }
    let snapshots = snapshots.whole;
    for snapshot in &snapshots {
        proof::prove_in(vault, &index, &snapshot.saved)?;
    }
    let mut packs = HashMap::new();
    for (_, document) in files.documents {
        packs.extend(document.packs.iter().map(|pack| (pack.id, pack.blobs())));
    }
    let packs: Vec<(Id, Vec<Blob>)> = packs.into_iter().collect();
    let bytes = packs
        .iter()
        .map(|(_, blobs)| crate::pack::file_size(blobs))
        .sum();
    let meter = Meter::new(bytes);
    meter.watch(emit, || read(vault, &packs, &meter))?;
    emit(Event::Checked {
        snapshots: snapshots.len() as u64,
        packs: packs.len() as u64,
        bytes,
    });
    Ok(())
}

fn read(vault: &Vault, packs: &[(Id, Vec<Blob>)], meter: &Meter) -> Result<(), VaultError> {
    let failure = Failure::default();
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut checker = PackChecker::new(vault)?;
        while let Some((id, blobs)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failure.is_set() {
                break;
            }
            meter.add(read_pack(vault, &mut checker, id, blobs)?);
        }
        Ok(())
    };
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| failure.watch(worker));
        }
    });
    failure.first().map_or(Ok(()), Err)
}

/// Reads a pack and compares it with its name and its index. Returns its size in bytes.
fn read_pack(
    vault: &Vault,
    checker: &mut PackChecker<'_>,
    id: &Id,
    blobs: &[Blob],
) -> Result<u64, VaultError> {
    let (found, bytes) = checker.check(id, blobs)?;
    let why = match found {
        Found::Sound => return Ok(bytes),
        Found::Damaged(found) => {
            let defect = found.defect;
            damage::note(vault, *id, found)?;
            defect.words()
        }
        Found::OtherThanIndexed => "does not have what the index says",
    };
    Err(VaultError::Damaged(format!("pack {id} {why}")))
}
