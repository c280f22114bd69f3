//! What the mover of a restore is told, by what is true when its turn has come.

use std::path::Path;

use kluis_vault::{
    DiskFormat, DiskImage, DiskTarget, Document, RestoreFilesTask, RestoreTask, Task,
};

use super::super::failure;
use super::super::prepare::Next;
use super::super::rows::{
    Fault, FilesWork, Goal, Job, Papers, Point, RestoreDisk, RestoreWork, SnapshotFile, Work,
};
use super::in_place;
use crate::core::Context;
use crate::store::{StoreError, Tx};

/// Whether a restore in place still waits for the backup that is made before it.
pub(in crate::backup) fn waits(tx: &Tx<'_>, job: &Job) -> Result<bool, StoreError> {
    let Work::Restore(work) = &job.work else {
        return Ok(false);
    };
    let Goal::InPlace(replacing) = &work.goal else {
        return Ok(false);
    };
    let before = Job::find(tx, &replacing.before)?;
    Ok(before.is_some_and(|before| before.is_active()))
}

/// The disks and papers that are not there yet, each from the nearest place that has it.
pub(in crate::backup) fn next(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<Next, StoreError> {
    let Work::Restore(work) = &job.work else {
        return Ok(Next::Nothing);
    };
    if work.missing().is_none() {
        return Ok(Next::Nothing);
    }
    if let Goal::InPlace(replacing) = &work.goal {
        match in_place::ready(replacing, work, ctx, tx)? {
            Ok(point) => job.state("Recovery Point Before", point),
            Err(fault) => return Ok(Next::Impossible(fault)),
        }
    }
    let Work::Restore(work) = &job.work else {
        return Ok(Next::Nothing);
    };
    let point = match usable(tx, &work.point)? {
        Ok(point) => point,
        Err(fault) => return Ok(Next::Impossible(fault)),
    };
    Ok(match task(work, &point, ctx) {
        Ok(task) => Next::Task(Task::Restore(task)),
        Err(fault) => Next::Impossible(fault),
    })
}

fn task(work: &RestoreWork, point: &Point, ctx: &Context<'_>) -> Result<RestoreTask, Fault> {
    let hardened = point.hardened.as_ref();
    let mut disks = Vec::new();
    for disk in work.disks.iter().filter(|disk| disk.sha256.is_none()) {
        let instant = instant(point, disk, ctx);
        if instant.is_none() && hardened.is_none() {
            return Err(failure::point_has_no_data(&point.name));
        }
        disks.push(DiskTarget {
            name: disk.disk.name.clone(),
            path: disk.path.clone(),
            format: disk.disk.format,
            instant: instant.map(Path::to_owned),
            size: disk.disk.size,
        });
    }
    let papers = work.papers.iter().flat_map(Papers::all);
    Ok(RestoreTask {
        snapshot: hardened
            .map(|hardened| hardened.snapshot.clone())
            .unwrap_or_default(),
        vm: work.vm.clone(),
        disks,
        documents: papers
            .filter(|paper| !paper.written)
            .map(|paper| Document {
                path: paper.path.clone(),
                text: paper.text.clone(),
            })
            .collect(),
    })
}

/// The disk's snapshot beside the machine, if its file still is.
fn instant<'a>(point: &'a Point, disk: &RestoreDisk, ctx: &Context<'_>) -> Option<&'a Path> {
    let file = point.instant_file(&disk.disk.name)?;
    ctx.facts.exists(&file.path).then_some(file.path.as_path())
}

/// The point's snapshot files, where files can be read out of them: out of all or none.
pub(in crate::backup) fn images(point: &Point) -> Option<Vec<DiskImage>> {
    let instant = point.instant.as_ref();
    let files = &instant
        .filter(|instant| instant.is_beside_the_vault())?
        .files;
    let raw = files.iter().all(|file| file.format == DiskFormat::Raw);
    let image = |file: &SnapshotFile| DiskImage {
        name: file.disk.clone(),
        path: file.path.clone(),
    };
    raw.then(|| files.iter().map(image).collect())
}

/// The files that are to be made, out of the vault where the point is there, else out of its snapshots.
pub(in crate::backup) fn files(tx: &Tx<'_>, work: &FilesWork) -> Result<Next, StoreError> {
    if work.made.is_some() {
        return Ok(Next::Nothing);
    }
    let point = match usable(tx, &work.point)? {
        Ok(point) => point,
        Err(fault) => return Ok(Next::Impossible(fault)),
    };
    let snapshot = point.hardened.as_ref().map(|there| there.snapshot.clone());
    let images = if snapshot.is_some() {
        None
    } else {
        images(&point)
    };
    if snapshot.is_none() && images.is_none() {
        return Ok(Next::Impossible(failure::point_has_no_data(&point.name)));
    }
    Ok(Next::Task(Task::RestoreFiles(RestoreFilesTask {
        snapshot: snapshot.unwrap_or_default(),
        vm: work.vm.clone(),
        images: images.unwrap_or_default(),
        volume: work.volume.clone(),
        paths: work.paths.clone(),
        to: work.to.clone(),
    })))
}

fn usable(tx: &Tx<'_>, key: &str) -> Result<Result<Point, Fault>, StoreError> {
    let name = key.rsplit('/').next().unwrap_or_default();
    Ok(match tx.get::<Point>(key)? {
        Some(point) if point.is_usable() => Ok(point),
        _ => Err(failure::point_has_no_data(name)),
    })
}
