//! Which disks of a recovery point are restored, and which files they become.

use kluis_arm::error::code;
use kluis_arm::id::Name;
use kluis_vault::DiskFormat;

use super::super::refusals;
use super::super::rows::{Point, PointDisk, RestoreDisk};
use super::wanted::Luns;
use super::{Asked, preflight};
use crate::core::{Context, Refusal};
use crate::estate;
use crate::store::Tx;

/// How recovery points list the OS disk, which has no LUN.
const OS_DISK: i32 = -1;

/// The OS disk and the data disks of the list: what a machine can be made of.
pub(super) fn with_the_os_disk(luns: &Luns, point: &Point) -> Result<Vec<PointDisk>, Refusal> {
    of_the_point(luns, point)?;
    let wanted = |disk: &&PointDisk| match luns {
        Luns::All => true,
        Luns::These(luns) => disk.lun.is_none() || luns.iter().any(|lun| is_at(disk, *lun)),
    };
    Ok(point.disks.iter().filter(wanted).cloned().collect())
}

/// The disks of the list and no other; of an empty list the OS disk.
pub(super) fn exactly(luns: &Luns, point: &Point) -> Result<Vec<PointDisk>, Refusal> {
    of_the_point(luns, point)?;
    let wanted = |disk: &&PointDisk| match luns {
        Luns::All => true,
        Luns::These(luns) if luns.is_empty() => disk.lun.is_none(),
        Luns::These(luns) => luns.iter().any(|lun| is_at(disk, *lun)),
    };
    Ok(point.disks.iter().filter(wanted).cloned().collect())
}

fn is_at(disk: &PointDisk, lun: i32) -> bool {
    match disk.lun {
        None => lun == OS_DISK,
        Some(known) => i64::from(known) == i64::from(lun),
    }
}

fn of_the_point(luns: &Luns, point: &Point) -> Result<(), Refusal> {
    let Luns::These(luns) = luns else {
        return Ok(());
    };
    let absent = luns
        .iter()
        .find(|lun| !point.disks.iter().any(|disk| is_at(disk, **lun)));
    match absent {
        None => Ok(()),
        Some(lun) => Err(refusals::invalid_input(format!(
            "The recovery point '{}' holds no disk at LUN {lun}.",
            point.name
        ))),
    }
}

/// The kind of the disks in a storage account as this service shows them.
const ACCOUNTS_KIND: &str = "Standard_LRS";

/// Disks that were not managed ones are restored through the staging account, and are all of its kind: all standard, none
/// premium (rule 29). Managed disks keep their own.
pub(super) fn of_one_kind(mut disks: Vec<PointDisk>, asked: &Asked<'_>) -> Vec<PointDisk> {
    if !preflight::is_managed(asked.point, asked.source) {
        for disk in &mut disks {
            ACCOUNTS_KIND.clone_into(&mut disk.sku);
        }
    }
    disks
}

/// What a person has to know of disks that come back as another kind than they were.
pub(super) fn remark(disks: &[RestoreDisk], point: &Point) -> Option<String> {
    let was = |disk: &RestoreDisk| point.disks.iter().find(|was| was.lun == disk.disk.lun);
    let other = disks
        .iter()
        .any(|disk| was(disk).is_some_and(|was| was.sku != disk.disk.sku));
    other.then(|| {
        format!(
            "The disks of '{}' were not managed ones: what is restored is all {ACCOUNTS_KIND}, the kind of the staging account (rule 29).",
            point.vm
        )
    })
}

/// A name is tried with this many numbers behind it; restores to one place within one second are fewer.
const MOST_TRIES: u32 = 100;

/// The files that these disks become, under the first names of which all are free: `name` is told what to put behind a disk's, first
/// what `first` says, then the time, then the time and a number.
pub(super) fn free(
    chosen: &[PointDisk],
    group: &str,
    first: impl Iterator<Item = String>,
    name: impl Fn(&PointDisk, &str) -> String,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Vec<RestoreDisk>, Refusal> {
    let stamp = ctx.now.strftime("-%Y%m%d-%H%M%S").to_string();
    let numbered = (2..=MOST_TRIES).map(|number| format!("{stamp}-{number}"));
    for tail in first.chain([stamp.clone()]).chain(numbered) {
        let disks = targets(chosen.to_vec(), group, |disk| name(disk, &tail), ctx)?;
        let mut taken = false;
        for disk in &disks {
            taken |= preflight::is_taken(group, &disk.name, &disk.path, ctx, tx)?;
            taken |= !tail.is_empty() && estate::disk(ctx, tx, group, &disk.name)?.is_some();
        }
        if !taken {
            return Ok(disks);
        }
    }
    Err(Refusal::conflict(
        code::TARGET_DISK_EXISTS,
        format!("Disks named '…{stamp}' are in resource group '{group}' already; try again."),
    ))
}

/// The files that these disks become: an image of the form that the disk was backed up from, under a name of `name`'s.
pub(super) fn targets(
    disks: Vec<PointDisk>,
    group: &str,
    name: impl Fn(&PointDisk) -> String,
    ctx: &Context<'_>,
) -> Result<Vec<RestoreDisk>, Refusal> {
    let folder = ctx.inventory.restored.join(group);
    let target = |disk: PointDisk| {
        let name = name(&disk);
        Name::new(name.as_str()).map_err(|error| {
            refusals::invalid_input(format!("A disk can't be restored under its name: {error}."))
        })?;
        let extension = match disk.format {
            DiskFormat::Raw => "raw",
            DiskFormat::Qcow2 => "qcow2",
        };
        Ok(RestoreDisk {
            path: folder.join(format!("{name}.{extension}")),
            disk,
            name,
            bytes: 0,
            sha256: None,
        })
    };
    disks.into_iter().map(target).collect()
}
