//! What movers report, and what it means: rows appear and vanish on a mover's evidence and on nothing else.

use kluis_vault::{Event, FailureCode};

use super::rows::{
    BackupWork, Copied, Fault, FilesMade, Item, Job, Kind, Phase, Saved, Stage, Work,
};
use super::{
    bitmaps, comparison, endings, failure, instants, queue, restore, scheduler, scrubs, snapshot,
    stale, transfer,
};
use crate::core::{Context, Effect, MoverReport, What};
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
    let (before, mut effects) = (job.clone(), Vec::new());
    match &report.what {
        What::Event(event) => heard(event, ctx, tx, &mut job, &mut effects)?,
        What::Exited { code, stderr } => exited(*code, stderr, ctx, tx, &mut job)?,
        What::StandsStill { seconds } => stands_still(*seconds, &mut job),
    }
    if job.has_mover() {
        // What changed nothing is not worth a write to the disk.
        if job != before {
            job.keep(tx)?;
        }
    } else {
        effects.extend(released(ctx, tx, &job)?);
    }
    Ok(effects)
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
    let mut effects = let_go(ctx, tx, job)?;
    effects.extend(queue::dispatch(ctx, tx)?);
    Ok(effects)
}

/// A job that has ended lets go of its item: what was due for it meanwhile is queued or done.
pub(super) fn let_go(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &Job,
) -> Result<Vec<Effect>, StoreError> {
    let Some(key) = job.item.as_ref().filter(|_| !job.is_active()) else {
        return Ok(Vec::new());
    };
    if let Some(item) = tx.get::<Item>(key)? {
        bitmaps::review(ctx, tx, &item)?;
        scheduler::consider(ctx, tx, item)?;
    }
    let mut effects = instants::run_due_of(ctx, tx, key)?;
    effects.extend(instants::given_up(job));
    Ok(effects)
}

fn heard(
    event: &Event,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
    effects: &mut Vec<Effect>,
) -> Result<(), StoreError> {
    match event {
        Event::Started { .. } => started(ctx, job),
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
            if phase(job) == Some(Phase::Snapshot) {
                if !job.backup().is_some_and(BackupWork::is_taken) {
                    // It was found in the vault after its mover had been killed; the next one makes it anew.
                    return Ok(());
                }
                snapshot::finished(ctx, tx, job)?;
            }
            transfer::saved(saved, ctx, tx, job)?;
        }
        Event::Restored {
            disk,
            bytes,
            sha256,
        } => restore::restored(disk, *bytes, sha256, ctx, tx, job)?,
        Event::Written { path, .. } => restore::written(path, ctx, tx, job)?,
        Event::LeftOut {
            count,
            unsupported,
            first,
        } => restore::left_out(*count, *unsupported, first, job),
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
        Event::Forgotten { .. } => effects.extend(forgotten(tx, job)?),
        Event::Script { .. }
        | Event::Released { .. }
        | Event::Straight { .. }
        | Event::Snapshotted { .. } => {
            snapshot::heard(event, job);
        }
        Event::Compared { .. } | Event::Diverged { .. } => stale::heard(event, job),
        Event::Disk { .. } | Event::Checked { .. } => {}
        Event::Scrubbed { total, oldest, .. } => {
            scrubs::read(*total, *oldest, ctx, tx, job)?;
            effects.extend(comparison::want_now(ctx, tx, &job.vault)?);
        }
        Event::SnapshotGone { .. } => {
            effects.extend(comparison::want_now(ctx, tx, &job.vault)?);
        }
        Event::Damage { .. } => scrubs::damage(event, ctx, tx, job)?,
        Event::Failed {
            code,
            message,
            recommendation,
        } => {
            let fault = failure::reported(*code, message, recommendation);
            if *code == FailureCode::SnapshotNotFound {
                // What the job was to read is not there: nor, perhaps, is more.
                effects.extend(comparison::want_now(ctx, tx, &job.vault)?);
            }
            if job.stage == Stage::Cancelling {
                endings::cancel(ctx, tx, job)?;
            } else {
                endings::fail(ctx, tx, job, fault)?;
            }
        }
        Event::Finished if phase(job) == Some(Phase::Snapshot) => snapshot::finished(ctx, tx, job)?,
        Event::Finished => endings::evidence(ctx, tx, job)?,
    }
    Ok(())
}

/// A job that stands still may be cancelled whatever it does.
fn stands_still(seconds: u64, job: &mut Job) {
    job.stands_still = seconds > 0;
    let said = match seconds {
        0 => "moving again".to_owned(),
        seconds => format!("no byte was moved for {seconds} s; the job can be cancelled"),
    };
    job.state("Progress", said);
}

fn phase(job: &Job) -> Option<Phase> {
    job.backup().map(|work| work.phase)
}

fn started(ctx: &Context<'_>, job: &mut Job) {
    job.copied.started.get_or_insert(ctx.now);
    if let Work::Backup(work) = &mut job.work {
        let span = if work.phase == Phase::Snapshot {
            &mut work.snapshot
        } else {
            &mut work.transfer
        };
        span.began.get_or_insert(ctx.now);
    }
}

/// Adds a remark to those that the job has, as long as they can be read at a glance. A backup warns of it, too: a recovery
/// point that is no single moment of its disks must not look like one that is. So does a restore of disks, which came from
/// elsewhere than they were to. The remark goes before what is known of the schedule, for a client may show the first
/// warning only.
fn note(job: &mut Job, message: &str) {
    let fault = match (job.kind, &job.work) {
        (Kind::Backup, _) => Some(failure::remark(message)),
        (_, Work::Restore(_)) => Some(failure::restore_remark(message)),
        _ => None,
    };
    let known = |fault: &Fault| {
        job.warnings
            .iter()
            .any(|known| known.message == fault.message)
    };
    if let Some(fault) = fault.filter(|fault| !known(fault))
        && job.warnings.len() < MOST_REMARKS
    {
        job.warnings.insert(0, fault);
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

/// The snapshots are gone: now, and not before, so are their points, and the items that were to go with them.
fn forgotten(tx: &mut Tx<'_>, job: &mut Job) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    let Work::Forget(work) = &mut job.work else {
        return Ok(effects);
    };
    for point in work.points.drain(..) {
        effects.extend(instants::remove_point(tx, &point.key)?);
        work.removed.add(&point);
    }
    for item in work.items.drain(..) {
        tx.delete::<Item>(&item)?;
    }
    Ok(effects)
}

fn exited(
    code: Option<i32>,
    stderr: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    job: &mut Job,
) -> Result<(), StoreError> {
    if phase(job) == Some(Phase::Taken) {
        // The mover of the snapshots, which has done its work.
        return again(tx, job);
    }
    if job.stage == Stage::Cancelling && job.kind == Kind::Scrub {
        // It made room for somebody, and goes on when nobody waits.
        return again(tx, job);
    }
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
    job.stands_still = false;
    job.copied = Copied {
        started: job.copied.started,
        ..Copied::default()
    };
    job.keep(tx)
}
