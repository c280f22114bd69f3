//! What a restore's mover has shown, and the one moment at which a restore takes effect.

use std::path::Path;

use super::super::failure;
use super::super::rows::{FilesMade, Goal, Job, RestoreWork, Work};
use super::in_place;
use crate::core::Context;
use crate::estate::{MadeMachine, RestoredDisk};
use crate::inventory::Os;
use crate::store::{StoreError, Tx};

/// A disk is at its place, read back and compared.
pub(in crate::backup) fn restored(
    name: &str,
    bytes: u64,
    sha256: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let Work::Restore(work) = &mut job.work else {
        return Ok(());
    };
    if let Some(disk) = work.disks.iter_mut().find(|disk| disk.disk.name == name) {
        disk.sha256 = Some(sha256.to_owned());
        disk.bytes = bytes;
    }
    take_effect(ctx, tx, job)
}

/// A paper is at its place and was read back.
pub(in crate::backup) fn written(
    path: &Path,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let Work::Restore(work) = &mut job.work else {
        return Ok(());
    };
    if let Some(paper) = work.papers.as_mut().and_then(|papers| papers.at(path)) {
        paper.written = true;
    }
    take_effect(ctx, tx, job)
}

/// Some of what was asked for can't be had back: the restore ends with that warning, told once however often its mover ran.
pub(in crate::backup) fn left_out(count: u64, unsupported: u64, first: &[String], job: &mut Job) {
    let fault = failure::files_left_out(count, unsupported, first);
    job.warnings.retain(|known| known.code != fault.code);
    job.warnings.insert(0, fault);
    job.state("Files Left Out", count.to_string());
    if unsupported > 0 {
        job.state("Files Not Supported", unsupported.to_string());
    }
}

/// Files are at their place, read back and compared.
pub(in crate::backup) fn files_restored(made: FilesMade, job: &mut Job) {
    let Work::Files(work) = &mut job.work else {
        return;
    };
    work.made = Some(made);
    job.state("Restored Files", made.files.to_string());
    job.state("Restored Directories", made.directories.to_string());
    job.state("Restored Bytes", made.bytes.to_string());
}

/// Once everything is proven, the rows that make it so are written together: before, nobody sees any of it.
fn take_effect(ctx: &Context<'_>, tx: &mut Tx<'_>, job: &mut Job) -> Result<(), StoreError> {
    let Work::Restore(work) = &mut job.work else {
        return Ok(());
    };
    if work.done || !work.is_proven() {
        return Ok(());
    }
    let there = match work.goal.clone() {
        Goal::Disks => true,
        Goal::Machine(made) => {
            tx.put(&MadeMachine {
                created: ctx.now,
                ..*made
            })?;
            true
        }
        Goal::InPlace(replacing) => in_place::swap(&replacing, work, ctx, tx)?,
    };
    if !there {
        return Ok(());
    }
    write_disks(work, ctx, tx)?;
    work.done = true;
    let bytes = work.disks.iter().map(|disk| disk.bytes);
    let bytes = bytes.fold(0, u64::saturating_add);
    let names: Vec<&str> = work.disks.iter().map(|disk| disk.name.as_str()).collect();
    let names = names.join(", ");
    let stated = work.papers.as_ref().map(|papers| {
        [
            ("Config Blob Name", papers.config.name.clone()),
            ("Config Blob Container Name", papers.container.clone()),
            ("Config Blob Uri", papers.uri(&papers.config)),
            ("Template Blob Uri", papers.uri(&papers.template)),
        ]
    });
    for (name, value) in stated.into_iter().flatten() {
        job.state(name, value);
    }
    job.state("Restored Bytes", bytes.to_string());
    if !names.is_empty() {
        job.state("Restored Disks", names);
    }
    Ok(())
}

fn write_disks(work: &RestoreWork, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for disk in &work.disks {
        tx.put(&RestoredDisk {
            resource_group: work.resource_group.clone(),
            name: disk.name.clone(),
            location: work.location.clone(),
            size_bytes: disk.bytes,
            sku: disk.disk.sku.clone(),
            os: disk.disk.os.map(Os::from),
            zone: work.zone.clone(),
            created: ctx.now,
            source_vm_id: work.vm_id.clone(),
            path: disk.path.clone(),
            sha256: disk.sha256.clone().unwrap_or_default(),
        })?;
    }
    Ok(())
}
