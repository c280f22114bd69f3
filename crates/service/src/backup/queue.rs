//! Which jobs may start: in the order they were asked for, as many as there may be movers, one at a time on an item, and
//! a removal of snapshots alone in its vault (a prune beside a writer would see data that no snapshot refers to yet).

use std::collections::BTreeSet;

use kluis_vault::{
    BackupTask, DiskFormat, DiskSource, DiskTarget, ForgetTask, JobFile, RestoreTask, Task,
};

use super::rows::{Fault, Item, Job, Point, PointDisk, Stage, Work};
use super::{cleanup, endings, failure};
use crate::core::{Context, Effect};
use crate::estate;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// Azure's limit of recovery points an item.
const MOST_POINTS: usize = 9_999;

/// Starts what may start.
pub(super) fn dispatch(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    // A job that ended when its turn came held others up: they are looked at again.
    while pass(ctx, tx, &mut effects)? {}
    Ok(effects)
}

/// Goes through the queue once. Whether a job ended instead of starting, because nothing was left to do or to be done.
fn pass(ctx: &Context<'_>, tx: &mut Tx<'_>, effects: &mut Vec<Effect>) -> Result<bool, StoreError> {
    let jobs = Job::active(tx)?;
    let mut busy = Busy::default();
    jobs.iter()
        .filter(|job| job.has_mover())
        .for_each(|job| busy.took(job));
    for mut job in jobs.into_iter().filter(|job| job.stage == Stage::Queued) {
        if busy.movers >= ctx.max_jobs.max(1) {
            break;
        }
        if !busy.admits(&job) {
            continue;
        }
        match prepare(ctx, tx, &mut job)? {
            Prepared::Start(file) => {
                job.stage = Stage::Running;
                busy.took(&job);
                job.keep(tx)?;
                effects.push(Effect::StartMover(file));
            }
            Prepared::Nothing => {
                endings::evidence(ctx, tx, &mut job)?;
                return Ok(true);
            }
            Prepared::Impossible(fault) => {
                endings::fail(ctx, tx, &mut job, fault)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What the running jobs, and those that wait for them, keep from starting.
#[derive(Default)]
struct Busy {
    movers: usize,
    items: BTreeSet<String>,
    /// Vaults where something reads or writes.
    used: BTreeSet<String>,
    /// Vaults where snapshots are removed, or where a removal waits for its turn.
    reserved: BTreeSet<String>,
}

impl Busy {
    fn took(&mut self, job: &Job) {
        self.movers += 1;
        self.items.extend(job.item.clone());
        let vaults = if job.forget().is_some() {
            &mut self.reserved
        } else {
            &mut self.used
        };
        vaults.insert(job.vault.to_string());
    }

    fn admits(&mut self, job: &Job) -> bool {
        let vault = job.vault.to_string();
        let free = !self.reserved.contains(&vault)
            && job
                .item
                .as_ref()
                .is_none_or(|item| !self.items.contains(item));
        if job.forget().is_none() {
            return free;
        }
        let alone = free && !self.used.contains(&vault);
        // Later jobs of this vault wait behind the removal, or it would never have its turn.
        self.reserved.insert(vault);
        alone
    }
}

enum Prepared {
    Start(JobFile),
    /// Nothing is left to move.
    Nothing,
    Impossible(Fault),
}

/// Writes the job file, by what is true now and not when the job was asked for.
fn prepare(ctx: &Context<'_>, tx: &mut Tx<'_>, job: &mut Job) -> Result<Prepared, StoreError> {
    let Some(vault) = tx.get::<VaultRow>(job.vault.as_str())? else {
        return Ok(Prepared::Impossible(failure::vault_gone()));
    };
    cleanup::recheck(ctx, tx, job)?;
    let task = match &mut job.work {
        Work::Nothing => return Ok(Prepared::Nothing),
        Work::Backup(_) => match backup(ctx, tx, job)? {
            Ok(task) => Task::Backup(task),
            Err(fault) => return Ok(Prepared::Impossible(fault)),
        },
        Work::Restore(work) => {
            let disks: Vec<DiskTarget> = work
                .disks
                .iter()
                .filter(|disk| disk.sha256.is_none())
                .map(|disk| DiskTarget {
                    name: disk.disk.name.clone(),
                    path: disk.path.clone(),
                    format: DiskFormat::Raw,
                    instant: None,
                })
                .collect();
            if disks.is_empty() {
                return Ok(Prepared::Nothing);
            }
            Task::Restore(RestoreTask {
                snapshot: work.snapshot.clone(),
                vm: work.vm.clone(),
                disks,
            })
        }
        Work::Forget(work) => {
            if work.points.is_empty() && work.items.is_empty() {
                return Ok(Prepared::Nothing);
            }
            work.begun = true;
            for forgetting in &work.points {
                if let Some(mut point) = tx.get::<Point>(&forgetting.key)? {
                    point.removing = true;
                    tx.put(&point)?;
                }
            }
            let snapshots: Vec<String> = work
                .points
                .iter()
                .map(|point| point.snapshot.clone())
                .collect();
            Task::Forget(ForgetTask {
                snapshots,
                prune: true,
            })
        }
    };
    let path = ctx.vault_path(&vault.resource_group, &vault.name);
    Ok(Prepared::Start(JobFile {
        job: job.id.clone(),
        vault: path,
        task,
    }))
}

fn backup(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    job: &mut Job,
) -> Result<Result<BackupTask, Fault>, StoreError> {
    let Some(key) = job.item.clone() else {
        return Ok(Err(failure::vault_gone()));
    };
    let Some(item) = tx.get::<Item>(&key)? else {
        return Ok(Err(failure::vault_gone()));
    };
    let Some(vm) = estate::vm(ctx, tx, &item.resource_group, &item.vm)? else {
        return Ok(Err(failure::vm_not_found(&item.vm, &item.resource_group)));
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
        return Ok(Err(failure::no_disks(&item.vm)));
    }
    let points = Point::of(tx, &key)?;
    if points.len() >= MOST_POINTS {
        return Ok(Err(failure::too_many_points(MOST_POINTS)));
    }
    let Work::Backup(work) = &mut job.work else {
        return Ok(Err(failure::vault_gone()));
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
        })
        .collect();
    Ok(Ok(BackupTask {
        vm: item.vm.clone(),
        time: ctx.now,
        tags: vec![format!("rp={}", work.point)],
        description: format!("{} in {}", item.vm_id, job.vault),
        parent: points
            .iter()
            .find(|point| !point.removing)
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
    }))
}
