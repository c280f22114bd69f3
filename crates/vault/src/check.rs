//! Checking: every byte of a vault's packs is read and compared with its name, and every snapshot is proved.
//!
//! Not rustic's own check: that one reads only the packs that snapshots use, and ends in a panic where data does not
//! decompress, which is just what a check is there to report.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rustic_core::FileType;

use crate::{
    codec::Decoder,
    error::VaultError,
    event::Event,
    id::Id,
    index::{Index, IndexDocument},
    lock::Lock,
    meter::{Failure, Meter, workers},
    pack::Blob,
    proof,
    repository::Vault,
    snapshot,
};

pub(crate) fn run(vault: &Vault, emit: &mut dyn FnMut(Event)) -> Result<(), VaultError> {
    let _lock = Lock::shared(vault.path())?;
    let index = Index::load(vault)?;
    let snapshots = snapshot::list(vault)?;
    for snapshot in &snapshots {
        proof::prove_in(vault, &index, &snapshot.saved)?;
    }
    let mut packs = HashMap::new();
    for (id, _) in vault.store().list(FileType::Index)? {
        let document: IndexDocument = vault.document(FileType::Index, &id)?;
        packs.extend(document.packs.into_iter().map(|pack| (pack.id, pack.blobs)));
    }
    let packs: Vec<(Id, Vec<Blob>)> = packs
        .into_iter()
        .map(|(id, blobs)| (id, blobs.iter().map(Blob::from).collect()))
        .collect();
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
        let mut decoder = vault.decoder()?;
        while let Some((id, blobs)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failure.is_set() {
                break;
            }
            meter.add(read_pack(vault, &mut decoder, id, blobs)?);
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

/// Reads a pack whole: its hash is its name, and each of its blobs is what the index says. Returns its size in bytes.
fn read_pack(
    vault: &Vault,
    decoder: &mut Decoder,
    id: &Id,
    blobs: &[Blob],
) -> Result<u64, VaultError> {
    let damaged = |why: String| VaultError::Damaged(format!("pack {id} {why}"));
    let mut bytes = vault
        .store()
        .read(FileType::Pack, id)
        .map_err(|error| match error {
            VaultError::Io { source, .. } => damaged(format!("cannot be read ({source})")),
            error => error,
        })?;
    if Id::of(&bytes) != *id {
        return Err(damaged("is not what was written".to_owned()));
    }
    for blob in blobs {
        let start = blob.offset as usize;
        let sealed = bytes.get_mut(start..start + blob.length as usize);
        if sealed
            .and_then(|sealed| decoder.open(&blob.id, sealed, blob.raw))
            .is_none()
        {
            return Err(damaged(format!(
                "does not have blob {} where the index says",
                blob.id
            )));
        }
    }
    Ok(bytes.len() as u64)
}
