//! The first part of a backup: snapshots of the machine's disks. At their end, and not before, the recovery point exists.

use jiff::{SignedDuration, Timestamp};
use kluis_policy::Tags;
use kluis_vault::{
    Event, ScriptOutcome, SnapshotMethod, SnapshotSource, SnapshotTask, StraightTask, Task, Which,
};

use super::prepare::Next;
use super::rows::{
    BackupWork, Cause, Copied, Instant, Item, Job, Origin, Phase, Point, Policy, Shape, Shot,
    SnapshotFile, Span, Stage, Taken, Work,
};
use super::rules::Rules;
use super::{bitmaps, carried, consistency, disks, endings, failure, locks, transfer};
use crate::core::{Context, InstantRestore};
use crate::estate;
use crate::inventory::Os;
use crate::operations;
use crate::store::{StoreError, Tx};
use crate::vaults::{self, VaultRow};

/// Azure's limit of recovery points an item.
const MOST_POINTS: usize = 9_999;
/// Snapshots stay this many days where no policy says.
const USUAL_DAYS: u32 = 2;

/// What the mover takes snapshots of, by what is so now.
pub(super) fn next(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
    vault: &VaultRow,
) -> Result<Next, StoreError> {
    let item = match &job.item {
        Some(key) => tx.get::<Item>(key)?,
        None => None,
    };
    let (Some(item), Work::Backup(work)) = (item, &mut job.work) else {
        return Ok(Next::Impossible(failure::vault_gone()));
    };
    let Some(vm) = estate::vm(ctx, tx, &item.resource_group, &item.vm)? else {
        let fault = failure::vm_not_found(&item.vm, &item.resource_group);
        bitmaps::release(ctx, tx, &item, |_| false)?;
        return Ok(Next::Impossible(fault));
    };
    let rules = rules(tx, job.vault.as_str(), work)?;
    // Whatever is chosen: what is about to be replaced has to be there before.
    let choice = match work.cause {
        Cause::BeforeReplacing => None,
        Cause::Schedule { .. } | Cause::Demand { .. } => item.disks.as_ref(),
    };
    let chosen = disks::chosen(&vm, choice);
    let enhanced = rules.as_ref().is_some_and(|rules| rules.enhanced);
    if let Err(fault) = disks::fit(&vm, &chosen, enhanced, |path| ctx.facts.size(path)) {
        return Ok(Next::Impossible(fault));
    }
    let key = crate::store::Row::key(&item);
    if Point::count(tx, &key)? >= MOST_POINTS {
        return Ok(Next::Impossible(failure::too_many_points(MOST_POINTS)));
    }
    let locked = match locks::outlook(ctx, tx, &item)? {
        locks::Outlook::Nothing => None,
        locks::Outlook::Warning(fault) => Some(fault),
        locks::Outlook::Full(fault) => return Ok(Next::Impossible(fault)),
    };
    let crash_only = rules.as_ref().is_some_and(|rules| rules.crash_only);
    let planned = consistency::planned(&vm, crash_only, ctx.inventory.consistency);
    let folder = ctx
        .snapshots_path()
        .join(&vault.resource_group)
        .join(&vault.name)
        .join(&work.point);
    let remembered = |disk: &&crate::inventory::Disk| disks::remembered(&vm, disk);
    work.taken = Some(ctx.now);
    work.disks = chosen.taken.iter().map(remembered).collect();
    work.excluded = chosen.left_out.iter().map(remembered).collect();
    work.snapshot = Span::default();
    work.awaited = consistency::awaited(planned.scripts.as_ref());
    work.consistency = Some(planned.consistency);
    work.made_by = planned.made_by;
    // The bitmaps of points that never reached the vault are nobody's: the next snapshot clears them away.
    let keep = Point::newest_hardened(tx, &key)?.map(|point| Point::bitmap(&point.name));
    let mut tracked = Vec::new();
    for disk in &chosen.taken {
        tracked.push(bitmaps::is_tracked(tx, &key, &disk.path)?);
    }
    work.shots = chosen
        .taken
        .iter()
        .zip(tracked)
        .map(|(disk, tracked)| Shot {
            since: keep.clone().filter(|_| tracked),
            disk: disk.name.clone(),
            image: disk.path.clone(),
            to: folder.join(format!(
                "{}.{}",
                disk.name,
                if ctx.facts.is_qcow2(&disk.path) {
                    "qcow2"
                } else {
                    "raw"
                }
            )),
            taken: None,
            file: None,
            checkpoint: None,
        })
        .collect();
    work.read_anew();
    work.straight = false;
    let straight = match ctx.instant_restore {
        InstantRestore::Copy => None,
        InstantRestore::Vault => {
            let mut least = point(ctx, tx, &item, &job.vault, &job.id, work, rules.as_ref())?;
            for (disk, shot) in least.disks.iter_mut().zip(&work.shots) {
                disk.format = shot.format();
            }
            let (consistency, made_by) =
                consistency::reached((planned.consistency, planned.made_by), &[], false);
            let planned = Point {
                consistency,
                made_by,
                ..least.clone()
            };
            Some(Box::new(StraightTask {
                backup: transfer::task(ctx, tx, &item, &planned, &work.shots)?,
                about_otherwise: carried::of(&item, &least, vaults::is_locked(tx, &least.vault)?),
            }))
        }
    };
    let task = SnapshotTask {
        straight,
        disks: work
            .shots
            .iter()
            .zip(&chosen.taken)
            .map(|(shot, disk)| SnapshotSource {
                name: shot.disk.clone(),
                path: shot.image.clone(),
                to: shot.to.clone(),
                track: Some(Point::bitmap(&work.point)),
                keep: shot.since.clone(),
                in_use: disk.in_use,
            })
            .collect(),
        scripts: planned.scripts,
    };
    let images = work.shots.iter().filter(|shot| shot.is_qcow2());
    let images = images.map(|shot| shot.image.clone());
    bitmaps::track(ctx, tx, &item, &images.collect::<Vec<_>>())?;
    // A job that runs again says it again, not twice.
    job.warnings.retain(|fault| !failure::is_of_snapshot(fault));
    job.warnings.extend(planned.shortfall);
    job.warnings.extend(locked);
    for disk in &chosen.skipped {
        job.warnings.push(failure::disk_skipped(disk));
    }
    let missing = choice
        .map(|choice| disks::unknown_luns(&vm, choice))
        .unwrap_or_default();
    if !missing.is_empty() {
        job.warnings.push(failure::luns_missing(&vm.name, &missing));
    }
    Ok(Next::Task(Task::Snapshot(task)))
}

/// What a mover says while it takes snapshots.
pub(super) fn heard(event: &Event, job: &mut Job) {
    let Work::Backup(work) = &mut job.work else {
        return;
    };
    match event {
        Event::Script {
            which,
            outcome,
            output,
        } => script(*which, outcome, output, job),
        Event::Snapshotted {
            disk,
            size,
            format,
            method,
            tracked,
            touched,
            in_use,
            image,
            checkpoint,
        } => {
            for known in work.disks.iter_mut().filter(|known| known.name == *disk) {
                known.size = Some(*size);
                known.format = *format;
            }
            for shot in work.shots.iter_mut().filter(|shot| shot.disk == *disk) {
                shot.taken = Some(Taken {
                    format: *format,
                    method: *method,
                    tracked: *tracked,
                    touched: *touched,
                    in_use: *in_use,
                });
                shot.file = *image;
                shot.checkpoint.clone_from(checkpoint);
            }
        }
        Event::Straight { goes } => work.straight = *goes,
        Event::Released { outcome, output } if *outcome != ScriptOutcome::Succeeded => {
            let end = consistency::script_end(outcome);
            let fault = failure::not_released(&end, output.trim());
            if !job.warnings.contains(&fault) {
                job.warnings.push(fault);
            }
        }
        _ => {}
    }
}

fn script(which: Which, outcome: &ScriptOutcome, output: &str, job: &mut Job) {
    let name = consistency::script_name(which);
    let end = consistency::script_end(outcome);
    let fact = match which {
        Which::Pre => "Pre-script",
        Which::Post => "Post-script",
    };
    job.state(fact, end.clone());
    if *outcome == ScriptOutcome::Succeeded {
        if let Work::Backup(work) = &mut job.work {
            work.awaited.retain(|awaited| *awaited != which);
        }
        return;
    }
    job.warnings
        .push(failure::script(name, &end, output.trim()));
}

/// The mover says that it is done, or that what it took is in the vault: if every disk's snapshot is there, so is the recovery point. The mover is not gone yet,
/// and until it is nothing else of this job begins.
pub(super) fn finished(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let item = match &job.item {
        Some(key) => tx.get::<Item>(key)?,
        None => None,
    };
    let (Some(mut item), Work::Backup(work)) = (item, &mut job.work) else {
        return endings::fail(ctx, tx, job, failure::vault_gone());
    };
    let folder = work.shots.first().and_then(|shot| shot.to.parent());
    let folder = folder.filter(|_| work.is_taken());
    let Some(folder) = folder.map(std::path::Path::to_owned) else {
        let fault = failure::no_evidence("every disk's snapshot was taken");
        return endings::fail(ctx, tx, job, fault);
    };
    let rules = rules(tx, job.vault.as_str(), work)?;
    // A person may have turned the time back since.
    let time = work.taken.unwrap_or(ctx.now).min(ctx.now);
    let days = rules
        .as_ref()
        .map_or(USUAL_DAYS, |rules| rules.instant_days);
    let until = time
        .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .unwrap_or(Timestamp::MAX);
    let written = |shot: &Shot| {
        let taken = shot.taken;
        taken.is_some_and(|taken| taken.touched || taken.in_use)
    };
    let planned = work.consistency.unwrap_or(super::rows::Consistency::Crash);
    let (reached, made_by) = consistency::reached(
        (planned, work.made_by),
        &work.awaited,
        work.shots.iter().any(written),
    );
    work.consistency = Some(reached);
    work.made_by = made_by;
    work.phase = Phase::Taken;
    work.snapshot.ended = Some(ctx.now);
    let instant = Instant {
        folder,
        files: work.shots.iter().filter_map(file).collect(),
        until,
    };
    let point = Point {
        consistency: reached,
        made_by,
        instant: Some(instant),
        ..point(ctx, tx, &item, &job.vault, &job.id, work, rules.as_ref())?
    };
    tx.put(&point)?;
    item.has_point(time);
    tx.put(&item)?;
    job.crashes = 0;
    job.copied = Copied::default();
    job.state("Recovery Point Tier", "InstantRP");
    job.state("Consistency", consistency::sentence(reached, made_by));
    if job.stage == Stage::Cancelling {
        // Too late: the point is there, and what is there goes to the vault.
        job.stage = Stage::Running;
        if let Some(operation) = job.cancel.take() {
            operations::finish(tx, ctx, &operation, endings::too_late(&job.id))?;
        }
    }
    Ok(())
}

/// A recovery point that is nowhere yet.
pub(super) fn point(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
    vault: &crate::core::VaultKey,
    job: &str,
    work: &BackupWork,
    rules: Option<&Rules>,
) -> Result<Point, StoreError> {
    let vm = estate::vm(ctx, tx, &item.resource_group, &item.vm)?;
    let key = crate::store::Row::key(item);
    // A person may have turned the time back since.
    let time = work.taken.unwrap_or(ctx.now).min(ctx.now);
    Ok(Point {
        vault: vault.clone(),
        origin: origin(work.cause, time, rules, &key, tx)?,
        item: key,
        name: work.point.clone(),
        time,
        consistency: super::rows::Consistency::Crash,
        made_by: super::rows::MadeBy::Nothing,
        instant: None,
        hardened: None,
        job: job.to_owned(),
        enhanced: rules.is_some_and(|rules| rules.enhanced),
        vm: item.vm.clone(),
        vm_size: vm.as_ref().map(|vm| vm.size.clone()).unwrap_or_default(),
        windows: vm.as_ref().is_some_and(|vm| vm.os == Os::Windows),
        shape: vm.as_ref().map(Shape::from),
        disks: work.disks.clone(),
        excluded: work.excluded.clone(),
        removing: false,
        stale: Vec::new(),
        damaged: None,
        lost: None,
    })
}

/// The policy that the backup runs by, as it is now.
pub(super) fn rules(
    tx: &Tx<'_>,
    vault: &str,
    work: &BackupWork,
) -> Result<Option<Rules>, StoreError> {
    let key = format!("{vault}/{}", work.policy.to_lowercase());
    Ok(tx.get::<Policy>(&key)?.as_ref().and_then(Rules::of))
}

/// The shot's file; of a disk that went straight into the vault there is none.
fn file(shot: &Shot) -> Option<SnapshotFile> {
    let taken = shot
        .taken
        .filter(|taken| taken.method != SnapshotMethod::Vault)?;
    Some(SnapshotFile {
        disk: shot.disk.clone(),
        path: shot.to.clone(),
        format: taken.format,
        method: taken.method,
        tracked: shot.is_tracked(),
        file: shot.file,
        checkpoint: shot.checkpoint.clone(),
    })
}

/// What the point expires by. One that is made before disks are replaced is kept like a run of the schedule, but takes no
/// run's tags but a weekly one where days keep nothing: under a policy without a daily tier, and where there is no policy, as
/// of a stopped machine, since the one that takes it up again may have none and would let the point go at once.
fn origin(
    cause: Cause,
    time: Timestamp,
    rules: Option<&Rules>,
    item: &str,
    tx: &Tx<'_>,
) -> Result<Origin, StoreError> {
    Ok(match cause {
        Cause::Schedule { due } => {
            let earlier = Point::runs(tx, item)?;
            let tags = rules
                .map(|rules| rules.retention.tags(due, earlier, &rules.schedule.zone))
                .unwrap_or_default();
            Origin::Schedule { due, tags }
        }
        Cause::Demand { until } => Origin::Demand { until },
        Cause::BeforeReplacing => Origin::BeforeReplacing {
            at: time,
            tags: Tags {
                weekly: rules.is_none_or(|rules| rules.retention.daily.is_none()),
                ..Tags::default()
            },
        },
    })
}
