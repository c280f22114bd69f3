//! What is looked at before a restore is accepted: that its point can be used, and that nothing is written over.

use kluis_arm::error::code;

use super::super::refusals;
use super::super::rows::{Goal, Item, Job, Point, RestoreWork, Work};
use super::abandon;
use super::wanted::{Luns, Target, Wanted};
use crate::core::{Context, Refusal};
use crate::estate;
use crate::inventory::{self, Encryption, Keys, VirtualMachine, same};
use crate::store::{Row as _, StoreError, Tx};

/// The item can be restored from, and no other operation holds it. One that transfers a newer point to the vault is in
/// nobody's way but that of a restore in place: points can be restored from their snapshots on, and the others are there.
pub(super) fn item(item: &Item, in_place: bool, tx: &Tx<'_>) -> Result<(), Refusal> {
    if item.is_soft_deleted() {
        return Err(Refusal::bad_request(
            "UserErrorItemInSoftDeletedState",
            format!(
                "'{}' is soft-deleted; undelete it before restoring it.",
                item.vm
            ),
        ));
    }
    let holding = Job::all_holding(tx, &item.key())?;
    match holding.iter().find(|job| in_place || !job.is_transfer()) {
        Some(job) => Err(refusals::locked(job)),
        None => Ok(()),
    }
}

/// The point is not being removed, and no job waits to remove it.
pub(super) fn point(point: &Point, tx: &Tx<'_>) -> Result<(), Refusal> {
    let key = point.key();
    let active = Job::active(tx)?;
    let queued = active
        .iter()
        .filter_map(Job::forget)
        .any(|work| work.points.iter().any(|removed| removed.key == key));
    if queued || point.removing {
        return Err(Refusal::conflict(
            code::POINT_GOES,
            format!(
                "The recovery point '{}' is no longer kept and is being removed; restore a newer one.",
                point.name
            ),
        ));
    }
    there(point)
}

/// Something of the point is there, as far as is known.
pub(in crate::backup) fn there(point: &Point) -> Result<(), Refusal> {
    match point.lost {
        Some(since) if !point.is_usable() => Err(Refusal::conflict(
            code::POINT_LOST,
            format!(
                "The vault does not have the recovery point '{}' any more, as was found at {since}. Put the vault's files back, or \
                 restore another point.",
                point.name
            ),
        )),
        _ => Ok(()),
    }
}

/// The vault has all of what is restored, or it lies in snapshot files.
pub(super) fn damage(point: &Point, work: &RestoreWork, ctx: &Context<'_>) -> Result<(), Refusal> {
    let Some(damage) = &point.damaged else {
        return Ok(());
    };
    let lost = |name: &&str| {
        let file = point.instant_file(name);
        damage.hits(name) && !file.is_some_and(|file| ctx.facts.exists(&file.path))
    };
    let disks = work.disks.iter().map(|disk| disk.disk.name.as_str());
    match disks.into_iter().find(lost) {
        None => Ok(()),
        Some(disk) => Err(Refusal::conflict(
            code::POINT_DAMAGED,
            format!(
                "The recovery point '{}' can't be restored whole: the vault has lost a part of its disk '{disk}', known since {}. Restore another \
                 point, or disks that are not damaged; the next backup stores again what the machine still has.",
                point.name, damage.since
            ),
        )),
    }
}

/// What is answered where an encrypted machine stands in the way.
pub(super) const ENCRYPTED: &str = "UserErrorOperationNotSupportedForEncryptedVm";

/// An encrypted machine is restored whole, and beside itself: its keys are not ours to put into a machine that runs. They have
/// to be where they were before a byte is restored that nobody could read.
pub(super) fn encryption(
    wanted: &Wanted,
    point: &Point,
    source: Option<&VirtualMachine>,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    if !is_encrypted(point, source) {
        return Ok(());
    }
    let what = match (&wanted.target, &wanted.luns) {
        (Target::InPlace, _) => "the disks of an encrypted machine can't be replaced (rule 28)",
        (_, Luns::These(_)) => "an encrypted machine is restored with all of its disks (rule 31)",
        (Target::Disks { .. } | Target::Machine { .. }, Luns::All) => {
            return keys_are_there(point, source, ctx);
        }
    };
    Err(Refusal::bad_request(
        ENCRYPTED,
        format!(
            "'{}' is encrypted: {what}. Restore all disks, or a new machine.",
            point.vm
        ),
    ))
}

/// Rule 31, where it is known which keys the machine had.
fn keys_are_there(
    point: &Point,
    source: Option<&VirtualMachine>,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    match keys(point, source).and_then(|keys| inventory::missing(ctx.inventory, keys)) {
        None => Ok(()),
        Some(what) => Err(Refusal::bad_request(
            "UserErrorKeyVaultSecretOrKeyNotFound",
            format!(
                "'{}' is encrypted, and {what}: what is restored could not be read (rule 31). Put it back there first.",
                point.vm
            ),
        )),
    }
}

/// Where the machine's keys were when the point was made; where nobody wrote that down, where they are now.
pub(super) fn keys<'a>(point: &'a Point, source: Option<&'a VirtualMachine>) -> Option<&'a Keys> {
    match &point.shape {
        Some(shape) => shape.keys.as_ref(),
        None => source.and_then(|vm| vm.keys.as_ref()),
    }
}

/// Rule 30: what is encrypted inside the machine can't be read from outside it. Asked of the point, not of the machine as it is
/// now: that may be gone, or encrypted or decrypted since.
pub(in crate::backup) fn files(
    point: &Point,
    source: Option<&VirtualMachine>,
) -> Result<(), Refusal> {
    if !is_encrypted(point, source) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        ENCRYPTED,
        format!(
            "'{}' is encrypted: its files can't be read out of a recovery point (rule 30). Restore all of its disks, or a new machine.",
            point.vm
        ),
    ))
}

/// Whether the machine was encrypted when the point was made; where nobody wrote that down, whether it is now.
pub(super) fn is_encrypted(point: &Point, source: Option<&VirtualMachine>) -> bool {
    let then = point.shape.as_ref().map(|shape| shape.encryption);
    let encryption = then.or_else(|| source.map(|vm| vm.encryption));
    encryption.unwrap_or_default() != Encryption::None
}

/// Whether the machine's disks were managed ones when the point was made.
pub(super) fn is_managed(point: &Point, source: Option<&VirtualMachine>) -> bool {
    let then = point.shape.as_ref().map(|shape| shape.managed);
    then.or_else(|| source.map(|vm| vm.managed)).unwrap_or(true)
}

/// The resource group, as the inventory writes it.
pub(super) fn group(name: &str, ctx: &Context<'_>) -> Result<String, Refusal> {
    let group = ctx.inventory.resource_group(name);
    let group = group.ok_or_else(|| Refusal::no_group(name))?;
    Ok(group.name.clone())
}

/// Nothing is written over. Whether there is room the mover finds before its first byte: only the vault knows how much of a
/// disk is holes, and a large disk that is nearly empty fits where its size does not.
pub(super) fn targets(work: &RestoreWork, ctx: &Context<'_>, tx: &Tx<'_>) -> Result<(), Refusal> {
    let names: Vec<&str> = work.disks.iter().map(|disk| disk.name.as_str()).collect();
    for disk in &work.disks {
        let twice = names.iter().filter(|name| same(name, &disk.name)).count() > 1;
        if twice || is_taken(&work.resource_group, &disk.name, &disk.path, ctx, tx)? {
            return Err(Refusal::conflict(
                code::TARGET_DISK_EXISTS,
                format!(
                    "A restored disk '{}' is already in resource group '{}', or being written there. \
                     Restore into another resource group, or remove that disk first.",
                    disk.name, work.resource_group
                ),
            ));
        }
    }
    Ok(())
}

/// Whether a restored disk has this name, or is getting it, or something is at its path. What a restore that was given up
/// left there is removed before the next one begins.
pub(super) fn is_taken(
    group: &str,
    name: &str,
    path: &std::path::Path,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<bool, Refusal> {
    let promised = Job::active(tx)?.iter().any(|job| {
        job.restore().is_some_and(|work| {
            same(&work.resource_group, group)
                && work.disks.iter().any(|disk| same(&disk.name, name))
        })
    });
    if promised || estate::restored(ctx, tx, group, name)?.is_some() {
        return Ok(true);
    }
    Ok(is_there(path, ctx, tx)?)
}

/// Whether something is at this path that is to stay there.
pub(super) fn is_there(
    path: &std::path::Path,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<bool, StoreError> {
    Ok(ctx.facts.exists(path) && !abandon::leaves(tx, path)?)
}

/// Whether an unfinished restore makes a machine of these names.
pub(super) fn machine_is_promised(group: &str, name: &str, tx: &Tx<'_>) -> Result<bool, Refusal> {
    Ok(Job::active(tx)?.iter().any(|job| match &job.work {
        Work::Restore(work) => match &work.goal {
            Goal::Machine(made) => same(&made.resource_group, group) && same(&made.name, name),
            Goal::Disks | Goal::InPlace(_) => false,
        },
        _ => false,
    }))
}
