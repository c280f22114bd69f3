//! What movers report, and what it means: rows appear and vanish on a mover's evidence and on nothing else.

use jiff::Timestamp;
use kluis_policy::Tags;
use kluis_vault::Event;

use super::rows::{
    Cause, Consistency, Copied, FilesMade, Hardened, Item, Job, Kind, Origin, Point, Policy, Saved,
    Shape, Stage, Work,
};
use super::rules::Rules;
use super::{endings, failure, queue, restore, scheduler};
use crate::core::{Context, Effect, MoverReport, What};
use crate::estate;
use crate::inventory::Os;
use crate::store::{StoreError, Tx};

/// A job whose mover has ended this often without a word is not run again.
const MOST_CRASHES: u32 = 3;
/// Remarks beyond this many bytes are left out of a job's facts.
const LONGEST_NOTES: usize = 1_000;
/// A backup warns of no more remarks than this: more than a machine has disks.
const MOST_REMARKS: usize = 100;

/// Takes in a report. One of a job that has no mover is old news, and changes nothing.
pub(super) fn on_mover(
    report: &MoverReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    let Some(mut job) = Job::find(tx, &report.job)?.filter(Job::has_mover) else {
        return Ok(Vec::new());
    };
    if says_little(&report.what, &job) {
        return Ok(Vec::new());
    }
    match &report.what {
        What::Event(event) => heard(event, ctx, tx, &mut job)?,
        What::Exited { code, stderr } => exited(*code, stderr, ctx, tx, &mut job)?,
    }
    if job.has_mover() {
        job.keep(tx)?;
        return Ok(Vec::new());
    }
    released(ctx, tx, &job)
}

/// Whether a report is progress of less than a thousandth: not worth a write to the disk.
fn says_little(what: &What, job: &Job) -> bool {
    let What::Event(Event::Progress { done, total }) = what else {
        return false;
    };
    let thousandths = |done: u64| u128::from(done) * 1000 / u128::from((*total).max(1));
    done < total && job.copied.total == *total && thousandths(*done) <= thousandths(job.copied.done)
}

/// A job no longer has a mover: whoever waited for its item or its place goes on.
pub(super) fn released(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &Job,
) -> Result<Vec<Effect>, StoreError> {
    if !job.is_active()
        && let Some(key) = &job.item
        && let Some(item) = tx.get::<Item>(key)?
    {
        scheduler::consider(ctx, tx, item)?;
    }
    queue::dispatch(ctx, tx)
}

fn heard(
    event: &Event,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    match event {
        Event::Started { .. } => {
            job.copied.started.get_or_insert(ctx.now);
        }
        Event::Disk { name, size } => {
            if let Work::Backup(work) = &mut job.work {
                work.disks
                    .iter_mut()
                    .filter(|disk| disk.name == *name)
                    .for_each(|disk| disk.size = Some(*size));
            }
        }
        Event::Progress { done, total } => {
            job.copied.done = job.copied.done.max(*done);
            job.copied.total = *total;
            if *total > 0 && done >= total {
                job.copied.read.get_or_insert(ctx.now);
            }
        }
        Event::Note { message } => note(job, message),
        Event::Saved {
            snapshot,
            logical,
            read,
            stored,
        } => {
            let saved = Saved {
                snapshot: snapshot.clone(),
                logical: *logical,
                read: *read,
                stored: *stored,
            };
            self::saved(saved, ctx, tx, job)?;
        }
        Event::Restored {
            disk,
            bytes,
            sha256,
        } => restore::restored(disk, *bytes, sha256, ctx, tx, job)?,
        Event::Written { path, .. } => restore::written(path, ctx, tx, job)?,
        Event::FilesRestored {
            files,
            directories,
            bytes,
        } => {
            let made = FilesMade {
                files: *files,
                directories: *directories,
                bytes: *bytes,
            };
            restore::files_restored(made, job);
        }
        Event::Forgotten { .. } => forgotten(tx, job)?,
        Event::Script { .. } | Event::Snapshotted { .. } | Event::Checked { .. } => {}
        Event::Failed {
            code,
            message,
            recommendation,
        } => {
            let fault = failure::reported(*code, message, recommendation);
            if job.stage == Stage::Cancelling {
                endings::cancel(ctx, tx, job)?;
            } else {
                endings::fail(ctx, tx, job, fault)?;
            }
        }
        Event::Finished => endings::evidence(ctx, tx, job)?,
    }
    Ok(())
}

/// Adds a remark to those that the job has, as long as they can be read at a glance. A backup warns of it, too: a recovery
/// point that is no single moment of its disks must not look like one that is. The remark goes before what is known of the
/// schedule, for a client may show the first warning only.
fn note(job: &mut Job, message: &str) {
    let known = job.warnings.iter().any(|fault| fault.message == message);
    if job.kind == Kind::Backup && !known && job.warnings.len() < MOST_REMARKS {
        job.warnings.insert(0, failure::remark(message));
    }
    let known = job
        .facts
        .iter()
        .find(|(name, _)| name == "Notes")
        .map(|(_, text)| text.clone());
    match known {
        None => job.state("Notes", message),
        Some(text) if text.len() < LONGEST_NOTES && !text.contains(message) => {
            job.state("Notes", format!("{text} {message}"));
        }
        Some(_) => {}
    }
}

/// The snapshot is in the vault: now, and not before, there is a recovery point.
pub(super) fn saved(
    saved: Saved,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    let (Some(key), Work::Backup(work)) = (job.item.clone(), &mut job.work) else {
        return Ok(());
    };
    if work.saved.is_some() {
        return Ok(());
    }
    let Some(mut item) = tx.get::<Item>(&key)? else {
        return Ok(());
    };
    let time = work.taken.unwrap_or(ctx.now);
    let rules = tx
        .get::<Policy>(&Policy::key_of(&job.vault, &work.policy))?
        .and_then(|policy| Rules::of(&policy));
    let cause = work.cause;
    let origin = origin(cause, time, rules.as_ref(), &key, tx)?;
    let vm = estate::vm(ctx, tx, &item.resource_group, &item.vm)?;
    let point = Point {
        vault: job.vault.clone(),
        item: key,
        name: work.point.clone(),
        time,
        origin,
        consistency: Consistency::Crash,
        instant: None,
        hardened: Some(Hardened {
            snapshot: saved.snapshot.clone(),
            logical: saved.logical,
            read: saved.read,
            stored: saved.stored,
            tracked: Vec::new(),
        }),
        job: job.id.clone(),
        enhanced: rules.is_some_and(|rules| rules.enhanced),
        vm: item.vm.clone(),
        vm_size: vm.as_ref().map(|vm| vm.size.clone()).unwrap_or_default(),
        windows: vm.as_ref().is_some_and(|vm| vm.os == Os::Windows),
        shape: vm.as_ref().map(Shape::from),
        disks: work.disks.clone(),
        excluded: work.excluded.clone(),
        removing: false,
    };
    let size = saved.logical;
    work.saved = Some(saved);
    tx.put(&point)?;
    item.has_point(time);
    tx.put(&item)?;
    job.state("Backup Size", format!("{} MB", size.div_ceil(1 << 20)));
    job.copied.read.get_or_insert(ctx.now);
    Ok(())
}

/// What the point expires by. One that is made before disks are replaced is kept like a run of the schedule, but takes no
/// run's tags.
fn origin(
    cause: Cause,
    time: Timestamp,
    rules: Option<&Rules>,
    item: &str,
    tx: &Tx<'_>,
) -> Result<Origin, StoreError> {
    Ok(match cause {
        Cause::Schedule { due } => {
            let earlier: Vec<_> = Point::of(tx, item)?
                .iter()
                .filter_map(|point| match point.origin {
                    Origin::Schedule { due, .. } => Some(due),
                    Origin::Demand { .. } | Origin::BeforeReplacing { .. } => None,
                })
                .collect();
            let tags = rules
                .map(|rules| rules.retention.tags(due, earlier, &rules.schedule.zone))
                .unwrap_or_default();
            Origin::Schedule { due, tags }
        }
        Cause::Demand { until } => Origin::Demand { until },
        Cause::BeforeReplacing => Origin::BeforeReplacing {
            at: time,
            tags: Tags {
                weekly: rules.is_some_and(|rules| rules.retention.daily.is_none()),
                ..Tags::default()
            },
        },
    })
}

/// The snapshots are gone: now, and not before, so are their points, and the items that were to go with them.
fn forgotten(tx: &mut Tx<'_>, job: &mut Job) -> Result<(), StoreError> {
    let Work::Forget(work) = &mut job.work else {
        return Ok(());
    };
    for point in work.points.drain(..) {
        tx.delete::<Point>(&point.key)?;
    }
    for item in work.items.drain(..) {
        tx.delete::<Item>(&item)?;
    }
    Ok(())
}

fn exited(
    code: Option<i32>,
    stderr: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    if job.stage == Stage::Cancelling {
        return endings::cancel(ctx, tx, job);
    }
    if endings::missing(job).is_none() {
        return endings::complete(ctx, tx, job);
    }
    job.crashes += 1;
    if job.crashes >= MOST_CRASHES {
        return endings::fail(ctx, tx, job, failure::crashed(code, stderr));
    }
    again(tx, job)
}

/// Puts a job back in its place in the queue: the same job, so that its work is done once.
pub(super) fn again(tx: &mut Tx<'_>, job: &mut Job) -> Result<(), StoreError> {
    job.stage = Stage::Queued;
    job.copied = Copied {
        started: job.copied.started,
        ..Copied::default()
    };
    job.keep(tx)
}
