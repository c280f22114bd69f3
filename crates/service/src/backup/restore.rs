//! Restoring disks out of a recovery point, with everything checked first that can be known before the first byte.

use kluis_arm::error::code;
use kluis_arm::id::{Name, ResourceGroupId, StorageAccountId, VmId};
use kluis_arm::restore::{RecoveryType, RestoreRequest, TriggerRestore, VmRestoreRequest};

use super::items::Named;
use super::rows::{Job, Kind, Point, PointDisk, RestoreDisk, RestoreWork, Work};
use super::{job_words, jobs, points, queue, refusals};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::estate::{self, StagingAccount};
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};
use crate::vaults::VaultRow;

/// `POST item/recoveryPoints/{point}/restore`.
pub(super) fn trigger(
    request: &Request,
    named: &Named,
    point: &str,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let wanted = understood(request)?;
    let item = named.item(at, tx)?;
    if item.is_soft_deleted() {
        return Err(Refusal::bad_request(
            "UserErrorItemInSoftDeletedState",
            format!(
                "'{}' is soft-deleted; undelete it before restoring it.",
                item.vm
            ),
        ));
    }
    refusals::unlocked(tx, &item)?;
    let point = points::find(&item, point, tx)?;
    consistent(&wanted, named, &point, vault)?;
    let staging = staging(&wanted)?;
    let group = target_group(&wanted, &item.resource_group, ctx)?;
    let disks = chosen(&wanted, &point)?;
    let targets = targets(&disks, &group, ctx)?;
    preflight(&targets, &point, &group, ctx, tx)?;

    tx.put(&StagingAccount {
        resource_group: staging.resource_group.to_string(),
        name: staging.name.to_string(),
        location: vault.location.clone(),
    })?;
    let work = RestoreWork {
        point: point.key(),
        snapshot: point
            .hardened
            .as_ref()
            .map(|hardened| hardened.snapshot.clone())
            .unwrap_or_default(),
        vm: point.vm.clone(),
        time: point.time,
        resource_group: group.clone(),
        location: vault.location.clone(),
        disks: targets,
    };
    let mut job = jobs::for_item(ctx, tx, &item, Kind::Restore, Work::Restore(work))?;
    job.state("Job Type", "Recover disks");
    job.state("Target Storage Account Name", staging.name.to_string());
    job.state("Target resource group", group);
    job.state("Recovery point time ", job_words::moment(point.time));
    job.keep(tx)?;
    let effects = queue::dispatch(ctx, tx)?;
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    Ok((
        operation.accepted(
            request,
            at,
            Scope::Item(&item.container_name(), &item.item_name()),
        ),
        effects,
    ))
}

/// The request, when it is one for disks.
fn understood(request: &Request) -> Result<VmRestoreRequest, Refusal> {
    let not_offered = |what: &str| {
        Refusal::bad_request(
            "UserErrorRestoreTypeNotSupported",
            format!(
                "{what} is not offered by this service yet; restore the disks with recoveryType 'RestoreDisks'."
            ),
        )
    };
    match request.parse::<TriggerRestore>()?.properties {
        RestoreRequest::VirtualMachine(wanted) => match &wanted.recovery_type {
            Some(RecoveryType::RestoreDisks) => Ok(*wanted),
            Some(RecoveryType::AlternateLocation) => Err(not_offered(
                "Restoring to a new virtual machine ('AlternateLocation')",
            )),
            Some(RecoveryType::OriginalLocation) => Err(not_offered(
                "Replacing a machine's disks ('OriginalLocation')",
            )),
            Some(other) => Err(not_offered(&format!("A restore of type '{other}'"))),
            None => Err(refusals::invalid_input(
                "'recoveryType' is missing; it must be 'RestoreDisks'.",
            )),
        },
        RestoreRequest::ArchivedVirtualMachine(_) => Err(not_offered("Restoring from the archive")),
        RestoreRequest::Other(other) => {
            let kind = other
                .get(RestoreRequest::KEY)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            Err(refusals::invalid_input(format!(
                "'objectType' must be 'IaasVMRestoreRequest'; it is '{kind}'."
            )))
        }
    }
}

/// What the body repeats must be what the path says.
fn consistent(
    wanted: &VmRestoreRequest,
    named: &Named,
    point: &Point,
    vault: &VaultRow,
) -> Result<(), Refusal> {
    if let Some(name) = wanted
        .recovery_point_id
        .as_deref()
        .filter(|name| !name.is_empty())
        && name.rsplit('/').next() != Some(point.name.as_str())
    {
        return Err(refusals::invalid_input(format!(
            "The body asks for recovery point '{name}', the path for '{}'.",
            point.name
        )));
    }
    if let Some(text) = wanted
        .source_resource_id
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        let same = text.parse::<VmId>().is_ok_and(|id| {
            id.resource_group == *named.resource_group.as_str() && id.name == *named.vm.as_str()
        });
        if !same {
            return Err(refusals::invalid_input(format!(
                "'sourceResourceId' must be the machine that was backed up, '{}' of resource group '{}'; it is '{text}'.",
                named.vm, named.resource_group
            )));
        }
    }
    match wanted.region.as_deref().filter(|region| !region.is_empty()) {
        Some(region) if !super::discovery::same_region(region, &vault.location) => {
            Err(Refusal::bad_request(
                "UserErrorRestoreRegionMismatch",
                format!(
                    "Restores go to the vault's region '{}'; 'region' is '{region}'.",
                    vault.location
                ),
            ))
        }
        _ => Ok(()),
    }
}

fn staging(wanted: &VmRestoreRequest) -> Result<StorageAccountId, Refusal> {
    let text = wanted.storage_account_id.as_deref().unwrap_or_default();
    text.parse().map_err(|_| {
        refusals::invalid_input(format!(
            "'storageAccountId' must be the id of the storage account to stage in; it is '{text}'."
        ))
    })
}

/// The resource group of the new disks, as the inventory writes it: the one asked for, or the machine's own.
fn target_group(
    wanted: &VmRestoreRequest,
    own: &str,
    ctx: &Context<'_>,
) -> Result<String, Refusal> {
    let name = match wanted
        .target_resource_group_id
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        None => own.to_owned(),
        Some(text) => text
            .parse::<ResourceGroupId>()
            .map_err(|_| {
                refusals::invalid_input(format!(
                    "'targetResourceGroupId' must be the id of a resource group; it is '{text}'."
                ))
            })?
            .name
            .to_string(),
    };
    let group = ctx.inventory.resource_group(&name).ok_or_else(|| {
        Refusal::not_found(
            code::RESOURCE_GROUP_NOT_FOUND,
            format!("Resource group '{name}' could not be found."),
        )
    })?;
    Ok(group.name.clone())
}

/// The disks to restore: all, or the OS disk and those of a list of LUNs.
fn chosen(wanted: &VmRestoreRequest, point: &Point) -> Result<Vec<PointDisk>, Refusal> {
    let Some(luns) = &wanted.restore_disk_lun_list else {
        return Ok(point.disks.clone());
    };
    let has = |lun: &i32| {
        point.disks.iter().any(|disk| {
            disk.lun
                .is_some_and(|known| i64::from(known) == i64::from(*lun))
        })
    };
    if let Some(lun) = luns.iter().find(|lun| !has(lun)) {
        return Err(refusals::invalid_input(format!(
            "The recovery point '{}' holds no disk at LUN {lun}.",
            point.name
        )));
    }
    let wanted = |disk: &&PointDisk| {
        disk.lun
            .is_none_or(|lun| luns.iter().any(|asked| i64::from(*asked) == i64::from(lun)))
    };
    Ok(point.disks.iter().filter(wanted).cloned().collect())
}

fn targets(
    disks: &[PointDisk],
    group: &str,
    ctx: &Context<'_>,
) -> Result<Vec<RestoreDisk>, Refusal> {
    let folder = ctx.inventory.restored.join(group);
    disks
        .iter()
        .map(|disk| {
            Name::new(disk.name.as_str()).map_err(|error| {
                refusals::invalid_input(format!(
                    "A disk can't be restored under its name: {error}."
                ))
            })?;
            Ok(RestoreDisk {
                disk: disk.clone(),
                path: folder.join(format!("{}.raw", disk.name)),
                sha256: None,
            })
        })
        .collect()
}

/// Nothing is written over, and there is room for what will be written.
fn preflight(
    targets: &[RestoreDisk],
    point: &Point,
    group: &str,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<(), Refusal> {
    let active = Job::active(tx)?;
    for target in targets {
        let promised = active
            .iter()
            .filter_map(Job::restore)
            .flat_map(|work| &work.disks)
            .any(|other| other.path == target.path);
        let recorded = estate::restored(ctx, tx, group, &target.disk.name)?.is_some();
        if promised || recorded || ctx.facts.exists(&target.path) {
            return Err(Refusal::conflict(
                "UserErrorTargetDiskAlreadyExists",
                format!(
                    "A restored disk '{}' is already in resource group '{group}', or being written there. \
                     Restore into another resource group, or remove that disk first.",
                    target.disk.name
                ),
            ));
        }
    }
    let queued = active
        .iter()
        .filter_map(Job::forget)
        .any(|work| work.points.iter().any(|removed| removed.key == point.key()));
    if queued || point.removing {
        return Err(Refusal::conflict(
            "UserErrorRecoveryPointBeingDeleted",
            format!(
                "The recovery point '{}' is no longer kept and is being removed; restore a newer one.",
                point.name
            ),
        ));
    }
    let needed: u64 = targets
        .iter()
        .map(|target| target.disk.size.unwrap_or_default())
        .fold(0, u64::saturating_add);
    match ctx.facts.free_bytes(&ctx.inventory.restored) {
        Some(free) if free < needed => Err(Refusal::bad_request(
            "UserErrorInsufficientSpaceForRestore",
            format!(
                "The disks can grow to {} MiB and {} MiB are free where disks are restored to. Free some space, or restore fewer disks.",
                needed.div_ceil(1 << 20),
                free >> 20
            ),
        )),
        _ => Ok(()),
    }
}
