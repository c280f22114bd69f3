//! The transfer: a machine's disks become a snapshot in the vault.

use kluis_vault::{BackupTask, DiskSource, Task};

use super::failure;
use super::prepare::Next;
use super::rows::{Item, Job, Point, PointDisk, Work};
use crate::core::Context;
use crate::estate;
use crate::store::{StoreError, Tx};

/// Azure's limit of recovery points an item.
const MOST_POINTS: usize = 9_999;

/// What the mover reads.
pub(super) fn next(ctx: &Context<'_>, tx: &Tx<'_>, job: &mut Job) -> Result<Next, StoreError> {
    let Some(key) = job.item.clone() else {
        return Ok(Next::Impossible(failure::vault_gone()));
    };
    let Some(item) = tx.get::<Item>(&key)? else {
        return Ok(Next::Impossible(failure::vault_gone()));
    };
    let Some(vm) = estate::vm(ctx, tx, &item.resource_group, &item.vm)? else {
        let fault = failure::vm_not_found(&item.vm, &item.resource_group);
        return Ok(Next::Impossible(fault));
    };
    let taken: Vec<_> = vm
        .disks
        .iter()
        .filter(|disk| {
            item.disks
                .as_ref()
                .is_none_or(|choice| choice.takes(disk.lun))
        })
        .collect();
    if taken.is_empty() {
        return Ok(Next::Impossible(failure::no_disks(&item.vm)));
    }
    let points = Point::of(tx, &key)?;
    if points.len() >= MOST_POINTS {
        return Ok(Next::Impossible(failure::too_many_points(MOST_POINTS)));
    }
    let Work::Backup(work) = &mut job.work else {
        return Ok(Next::Impossible(failure::vault_gone()));
    };
    work.taken = Some(ctx.now);
    work.disks = taken
        .iter()
        .map(|disk| PointDisk {
            name: disk.name.clone(),
            lun: disk.lun,
            sku: disk.sku.clone(),
            size: None,
            os: disk.lun.is_none().then(|| vm.os.into()),
            format: kluis_vault::DiskFormat::Raw,
        })
        .collect();
    Ok(Next::Task(Task::Backup(BackupTask {
        vm: item.vm.clone(),
        time: ctx.now,
        tags: vec![format!("rp={}", work.point)],
        description: format!("{} in {}", item.vm_id, job.vault),
        parent: points
            .iter()
            .filter(|point| !point.removing)
            .find_map(|point| point.hardened.as_ref())
            .map(|newest| newest.snapshot.clone()),
        disks: taken
            .iter()
            .map(|disk| DiskSource {
                name: disk.name.clone(),
                path: disk.path.clone(),
                lun: disk.lun,
                changed: None,
                bitmap: None,
                retire: None,
            })
            .collect(),
    })))
}
