//! A backup: the disks of a machine become one snapshot, and that it is complete is proved before it is said.
//!
//! Packs, then the index, then the snapshot: whatever happens in between, the vault is whole and holds what it held
//! before. A job that is run again after a crash finds the snapshot it saved, if it got that far, and proves that one.

use std::{collections::BTreeSet, sync::mpsc::SyncSender};

use rustic_core::FileType;
use serde_json::Value;

use crate::{
    block_map::{self, BlockMap, ZeroIds},
    error::{VaultError, describe},
    event::Event,
    id::Id,
    index::Index,
    job::{BackupTask, DiskSource, Retire},
    layout::{self, ZEROS},
    lock::Lock,
    meter::Meter,
    pack::{Kind, Pack},
    packer::Packer,
    parent::Parent,
    proof, qemu,
    repository::Vault,
    snapshot::{self, Contents, Saved},
    source::Source,
    tree::{self, StoredDisk, Tree},
};

pub(crate) fn run(
    vault: &Vault,
    job: &str,
    task: &BackupTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    check_task(job, task)?;
    let _lock = enter(vault)?;
    let saved = match snapshot::of_job(vault, job)? {
        Some(snapshot) => {
            proof::prove(vault, &snapshot.saved)?;
            snapshot.saved
        }
        None => {
            let mut make =
                || back_up_and_prove(vault, job, task, &mut |_, _| Ok(task.about.clone()), emit);
            match make() {
                // What it leaned on was found to be damaged in the meantime: this time it is stored again.
                Err(VaultError::Damaged(_)) => make()?,
                done => done?,
            }
        }
    };
    tell(saved, task, emit);
    Ok(())
}

/// What is done once the disks have been read, by the names of those that were written to meanwhile, and what the snapshot is to carry
/// ([`BackupTask::about`]); an error gives the backup up.
pub(crate) type OnceRead<'a> =
    dyn FnMut(&[String], &mut dyn FnMut(Event)) -> Result<Option<Value>, VaultError> + 'a;

/// Makes the snapshot anew and proves it, in a vault that was entered. Nobody is told of it yet.
pub(crate) fn store(
    vault: &Vault,
    job: &str,
    task: &BackupTask,
    once_read: &mut OnceRead<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Saved, VaultError> {
    check_task(job, task)?;
    // An earlier run's, of which nobody was told: what the disks recorded since then is lost.
    if let Some(earlier) = snapshot::of_job(vault, job)? {
        remove(vault, &earlier.saved)?;
    }
    back_up_and_prove(vault, job, task, once_read, emit)
}

/// Takes the vault for a backup, beside others; what a killed one left is removed first, where there are no others.
pub(crate) fn enter(vault: &Vault) -> Result<Lock, VaultError> {
    if let Some(_alone) = Lock::alone(vault.path())? {
        vault.store().remove_temporaries()?;
    }
    Lock::shared(vault.path())
}

/// Tells of a snapshot that was proved, and removes the bitmaps that it made superfluous.
pub(crate) fn tell(saved: Saved, task: &BackupTask, emit: &mut dyn FnMut(Event)) {
    let Saved {
        snapshot,
        logical,
        read,
        stored,
    } = saved;
    emit(Event::Saved {
        snapshot,
        logical,
        read,
        stored,
    });
    for disk in &task.disks {
        retire(disk, emit);
    }
}

/// A snapshot that cannot be proved goes again: nobody was told of it yet.
fn back_up_and_prove(
    vault: &Vault,
    job: &str,
    task: &BackupTask,
    once_read: &mut OnceRead<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Saved, VaultError> {
    let saved = back_up(vault, job, task, once_read, emit)?;
    proof::prove(vault, &saved).inspect_err(|_| {
        let _ = remove(vault, &saved);
    })?;
    Ok(saved)
}

fn remove(vault: &Vault, saved: &Saved) -> Result<(), VaultError> {
    let id = saved.snapshot.parse()?;
    vault.store().remove(FileType::Snapshot, &id).map(|_| ())
}

/// Removes the dirty bitmaps that the snapshot made superfluous. One that stays costs a little space and some time at each
/// write, and is no failure of the backup.
fn retire(disk: &DiskSource, emit: &mut dyn FnMut(Event)) {
    let Some(Retire { path, bitmap }) = &disk.retire else {
        return;
    };
    if let Err(error) = qemu::remove_bitmaps(path, |name| name == bitmap, None) {
        let why = describe(&error);
        emit(Event::Note {
            message: format!(
                "A dirty bitmap of disk {} could not be removed: {why}.",
                disk.name
            ),
        });
    }
}

fn check_task(job: &str, task: &BackupTask) -> Result<(), VaultError> {
    let invalid = |why: &str| Err(VaultError::InvalidJob(why.to_owned()));
    layout::check_name("virtual machine", &task.vm)?;
    if task.disks.is_empty() {
        return invalid("a backup needs a disk");
    }
    let mut names = BTreeSet::new();
    for disk in &task.disks {
        layout::check_name("disk", &disk.name)?;
        if !names.insert(&disk.name) {
            return invalid(&format!("two disks are called {}", disk.name));
        }
    }
    if job.is_empty()
        || task
            .tags
            .iter()
            .map(String::as_str)
            .chain([job])
            .any(|tag| tag.contains(','))
    {
        return invalid("a job's id must not be empty, and neither it nor a tag may have a comma");
    }
    Ok(())
}

fn back_up(
    vault: &Vault,
    job: &str,
    task: &BackupTask,
    once_read: &mut OnceRead<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Saved, VaultError> {
    let sources = task
        .disks
        .iter()
        .map(Source::open)
        .collect::<Result<Vec<_>, _>>()?;
    for source in &sources {
        emit(Event::Disk {
            name: source.name.clone(),
            size: source.size,
        });
    }
    let logical = sources.iter().map(|source| source.size).sum();
    let index = Index::load(vault)?;
    let packer = Packer::new(vault, &index);
    let zeros = ZeroIds::new();
    let parent = Parent::find(vault, &index, task, emit);
    let mut maps = Vec::with_capacity(sources.len());
    for (source, disk) in sources.into_iter().zip(&task.disks) {
        maps.push(parent.map(source, disk, &packer, &zeros, emit)?);
    }
    let mut proofs = Vec::new();
    let meter = Meter::new(maps.iter().map(BlockMap::bytes_to_read).sum());
    let written = meter.watch(emit, || {
        packer.while_writing(|full| {
            let mut read = block_map::fill(&maps, &zeros, &packer, &meter, full)?;
            for map in &mut maps {
                proofs.push(proof_of(map));
                map.read_the_rest(&zeros)?;
                meter.extend(map.bytes_to_read());
            }
            read += block_map::fill(&maps, &zeros, &packer, &meter, full)?;
            let disks = maps.into_iter().map(BlockMap::finish).collect::<Vec<_>>();
            let touched = settle(&disks, &zeros, &packer, full)?;
            let tree = plant(task, disks, &packer, full)?;
            Ok((read, tree, touched))
        })
    });
    let (about, (read, tree, touched)) = written
        .and_then(|written| Ok((once_read(&written.2, emit)?, written)))
        .inspect_err(|_| packer.discard())?;
    for disk in touched {
        let message = format!(
            "Disk {disk} was written to while it was read: the recovery point is no single moment of it."
        );
        emit(Event::Note { message });
    }
    proofs.into_iter().flatten().for_each(&mut *emit);
    let stored = packer.seal()?;
    snapshot::save(
        vault,
        job,
        task,
        &Contents {
            about,
            tree,
            parent: parent.id(),
            logical,
            read,
            stored,
            folder: false,
        },
    )
}

/// What the share that was read of an unchanged rest has shown.
fn proof_of(map: &BlockMap) -> Option<Event> {
    let proof = map.proof.as_ref()?;
    let disk = map.source.name.clone();
    Some(match map.refuted() {
        0 => Event::Compared {
            disk,
            bytes: map.bytes_to_compare(),
            of: proof.of,
        },
        chunks => Event::Diverged { disk, chunks },
    })
}

/// Closes the disks: stores the chunks of zeros that holes stand for, and returns the names of disks that were written to
/// while they were read.
fn settle(
    disks: &[(Source, StoredDisk)],
    zeros: &ZeroIds,
    packer: &Packer<'_>,
    full: &SyncSender<Pack>,
) -> Result<Vec<String>, VaultError> {
    let mut encoder = packer.encoder()?;
    let mut touched = Vec::new();
    for (source, disk) in disks {
        if !source.check_unchanged()? {
            touched.push(source.name.clone());
        }
        for length in [ZEROS.len(), layout::last_chunk_length(disk.size)] {
            let id = zeros.of_length(length);
            if disk.ids.contains(&id) {
                packer.add(Kind::Data, id, &ZEROS[..length], &mut encoder, full)?;
            }
        }
    }
    Ok(touched)
}

/// Stores the snapshot's directories and returns the top one.
fn plant(
    task: &BackupTask,
    disks: Vec<(Source, StoredDisk)>,
    packer: &Packer<'_>,
    full: &SyncSender<Pack>,
) -> Result<Id, VaultError> {
    let mut encoder = packer.encoder()?;
    let mut add = |tree: &Tree| packer.add_tree(tree, &mut encoder, full);
    let mut machine = Tree::default();
    for (source, disk) in disks {
        machine
            .nodes
            .push(tree::disk_node(&source.name, disk, &mut add)?);
    }
    tree::root(&task.vm, machine, &mut add)
}
