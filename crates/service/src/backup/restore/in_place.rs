//! A restore in place: restored disks take the place of the machine's own, which stay, unattached.
//!
//! What the machine's disks hold now becomes a recovery point first, by an ordinary backup of their own: the restore waits
//! for it, and is given up when it fails. Nothing of the machine is touched until every new disk is there; then one row
//! says that it has them.

use super::super::rows::{
    BackupWork, Cause, Goal, InPlace, Item, Job, Kind, PointDisk, RestoreDisk, Work,
};
use super::super::{discovery, failure, jobs};
use super::preflight::ENCRYPTED;
use super::wanted::{Wanted, ZoneChoice};
use super::{Asked, choice, zone};
use crate::core::{Context, Refusal};
use crate::estate::{self, Attached, Swap};
use crate::inventory::{Encryption, Power, VirtualMachine};
use crate::store::{StoreError, Tx};

use super::super::rows::{Fault, RestoreWork};
use kluis_arm::error::code;

/// The group, the disks and what they replace.
pub(super) fn planned(
    wanted: &Wanted,
    asked: &Asked<'_>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<(String, Vec<RestoreDisk>, Goal), Refusal> {
    let vm = replaceable(wanted, asked)?;
    let chosen = choice::exactly(&wanted.luns, asked.point)?;
    let replaces = chosen
        .iter()
        .map(|disk| replaced(disk, vm))
        .collect::<Result<Vec<_>, _>>()?;
    let group = vm.resource_group.clone();
    let name = |disk: &PointDisk, tail: &str| match disk.lun {
        None => format!("{}-os{tail}", vm.name),
        Some(lun) => format!("{}-lun{lun}{tail}", vm.name),
    };
    let disks = choice::free(&chosen, &group, std::iter::empty(), name, ctx, tx)?;
    let goal = Goal::InPlace(InPlace {
        before: String::new(),
        replaces,
    });
    Ok((group, disks, goal))
}

/// The machine, if its disks can be replaced (rule 28): it exists, where the vault is, and its disks are managed and not encrypted.
fn replaceable<'a>(wanted: &Wanted, asked: &Asked<'a>) -> Result<&'a VirtualMachine, Refusal> {
    let item = asked.item;
    let vm = asked.source.ok_or_else(|| {
        Refusal::bad_request(
            code::VM_NOT_FOUND,
            format!(
                "The virtual machine '{}' of resource group '{}' does not exist, and so has no disks to replace (rule 28). Restore it as a new one.",
                item.vm, item.resource_group
            ),
        )
    })?;
    if !vm.managed {
        return Err(Refusal::bad_request(
            "UserErrorReplaceDisksNotSupportedForUnmanagedVm",
            format!(
                "The disks of '{}' are not managed disks; only those can be replaced (rule 28). Restore its disks beside them.",
                vm.name
            ),
        ));
    }
    if vm.encryption != Encryption::None {
        return Err(Refusal::bad_request(
            ENCRYPTED,
            format!(
                "The disks of '{}' are encrypted; only others can be replaced (rule 28). Restore its disks beside them.",
                vm.name
            ),
        ));
    }
    if let ZoneChoice::Zone(zone) = &wanted.zone
        && Some(zone) != vm.zone.as_ref()
    {
        return Err(Refusal::bad_request(
            "UserErrorInvalidZone",
            format!(
                "'{}' is in {}, and its disks stay there; 'zones' is '{zone}' (rule 29).",
                vm.name,
                zone::in_words(vm.zone.as_deref())
            ),
        ));
    }
    if !discovery::same_region(&vm.location, &asked.vault.location) {
        return Err(Refusal::bad_request(
            "UserErrorRestoreRegionMismatch",
            format!(
                "'{}' is in region '{}', the vault in '{}'; disks are replaced within a region (rule 28).",
                vm.name, vm.location, asked.vault.location
            ),
        ));
    }
    Ok(vm)
}

fn replaced(disk: &PointDisk, vm: &VirtualMachine) -> Result<Attached, Refusal> {
    let there = vm.disks.iter().find(|there| there.lun == disk.lun);
    there.map(Attached::from).ok_or_else(|| {
        Refusal::bad_request(
            "UserErrorDiskToReplaceNotFound",
            format!(
                "'{}' has no disk at LUN {} any more that '{}' could replace. Leave it out by 'restoreDiskLunList'.",
                vm.name,
                disk.lun.map_or(-1, i64::from),
                disk.name
            ),
        )
    })
}

/// Queues the backup of what the machine's disks hold now; its job's id.
pub(super) fn backup_before(
    item: &Item,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<String, StoreError> {
    let point = jobs::point_name(&ctx.new_id());
    let work = BackupWork::new(point, item.policy.clone(), Cause::BeforeReplacing);
    let mut job = jobs::for_item(ctx, tx, item, Kind::Backup, Work::Backup(Box::new(work)))?;
    job.state("Job Type", "Before replacing disks");
    job.keep(tx)?;
    Ok(job.id)
}

/// Why the disks can't be replaced now that it is their turn; otherwise the name of the point that was made before.
pub(super) fn ready(
    replacing: &InPlace,
    work: &RestoreWork,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Result<String, Fault>, StoreError> {
    let before = Job::find(tx, &replacing.before)?;
    let made = before
        .as_ref()
        .filter(|job| job.is_complete())
        .and_then(Job::backup);
    let Some(made) = made else {
        let why = before.as_ref().and_then(|job| job.fault.as_ref());
        let why = why.map_or("it was cancelled", |fault| fault.message.as_str());
        return Ok(Err(failure::not_backed_up_before(&work.vm, why)));
    };
    Ok(match machine(replacing, work, ctx, tx)? {
        None => Err(failure::disks_changed(&work.vm)),
        Some(_) => Ok(made.point.clone()),
    })
}

/// The machine, while it has the very disks that are to be replaced.
fn machine(
    replacing: &InPlace,
    work: &RestoreWork,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Option<VirtualMachine>, StoreError> {
    let vm = estate::vm(ctx, tx, &work.resource_group, &work.vm)?;
    let has = |vm: &VirtualMachine, disk: &Attached| {
        vm.disks
            .iter()
            .any(|there| there.lun == disk.lun && there.path == disk.path)
    };
    Ok(vm.filter(|vm| replacing.replaces.iter().all(|disk| has(vm, disk))))
}

/// Gives the machine its new disks, all of them; `false` when it has others now than it had.
pub(super) fn swap(
    replacing: &InPlace,
    work: &RestoreWork,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<bool, StoreError> {
    let Some(vm) = machine(replacing, work, ctx, tx)? else {
        return Ok(false);
    };
    let disks: Vec<Attached> = work.disks.iter().map(super::machine::attached).collect();
    Swap::put(tx, &vm, &disks, ctx.now)?;
    Ok(true)
}

/// What a person has to know of a machine that ran while its disks were replaced: nobody here can stop or start it.
pub(super) fn remark(vm: &VirtualMachine) -> Option<String> {
    (vm.power == Power::Running).then(|| {
        format!(
            "'{}' ran while its disks were replaced: it has the new ones from when it is started from them.",
            vm.name
        )
    })
}
