//! Scheduled backups: each policy's runs at its hour in its zone.
//!
//! A run that is due while another job holds the item waits for it. Runs that passed while the service was down are made
//! good by one, late, and the job says so.

use jiff::{SignedDuration, Timestamp};
use kluis_policy::runs;

use super::rows::{BackupWork, Cause, Item, Job, Kind, Policy, Waiting, Work};
use super::rules::Rules;
use super::{cleanup, failure, job_words, jobs, scrubs};
use crate::core::Context;
use crate::store::{Row, StoreError, Tx};

/// From this long after its time on, a run is late enough to be said so.
const PUNCTUAL: SignedDuration = SignedDuration::from_mins(5);

/// Queues a backup for every item that has a run due, and a cleanup for every soft-deleted one whose time is over.
pub(super) fn run_due(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for mut item in tx.due::<Item>(ctx.now)? {
        if item.state.is_scheduled() {
            consider(ctx, tx, item)?;
        } else {
            cleanup::want(ctx, tx, &item.vault)?;
            // Should its removal fail, the vault's next day tries again.
            item.next = Some(Timestamp::MAX);
            tx.put(&item)?;
        }
    }
    Ok(())
}

/// A person has set the service's time: what is due next is found out anew, and where it was turned back, no run that was made by the later time
/// counts.
pub(super) fn clock_was_set(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for mut item in tx.all::<Item>()? {
        if item.handled > ctx.now {
            item.schedule_anew(ctx.now);
        }
        item.next = None;
        tx.put(&item)?;
    }
    Ok(())
}

/// Queues a backup of the item if a run is due and nothing holds it.
pub(super) fn consider(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    mut item: Item,
) -> Result<(), StoreError> {
    if !item.state.is_scheduled() {
        return Ok(());
    }
    if item.next.is_none() {
        cleanup::begin(ctx, tx, &item.vault)?;
        scrubs::begin(ctx, tx, &item.vault)?;
    }
    let rules = rules(tx, &item)?;
    let schedule = rules.as_ref().map(|rules| &rules.schedule);
    let next = schedule
        .and_then(|schedule| schedule.next_after(ctx.now))
        .unwrap_or(Timestamp::MAX);
    let due = schedule.and_then(|schedule| runs::due(schedule, item.handled, ctx.now));
    let before = item.clone();
    item.next = Some(next);
    let Some(due) = due else {
        return if item == before {
            Ok(())
        } else {
            tx.put(&item)
        };
    };
    if let Some(mut holder) = Job::holding(tx, &item.key())? {
        let waiting = Waiting {
            due: due.at,
            job: holder.id.clone(),
        };
        if item.waiting.as_ref() != Some(&waiting) {
            item.waiting = Some(waiting);
            let run = job_words::moment(due.at);
            holder.state("Delays", format!("the run that is due at {run}"));
            holder.keep(tx)?;
        }
        return if item == before {
            Ok(())
        } else {
            tx.put(&item)
        };
    }
    let work = BackupWork::new(
        jobs::point_name(&ctx.new_id()),
        item.policy.clone(),
        Cause::Schedule { due: due.at },
    );
    let mut job = jobs::for_item(ctx, tx, &item, Kind::Backup, Work::Backup(Box::new(work)))?;
    job.state("Policy Name", item.policy.clone());
    job.state("Scheduled Time", job_words::moment(due.at));
    say_late(ctx, &mut job, &item, due);
    job.keep(tx)?;
    item.handled = due.at;
    item.waiting = None;
    tx.put(&item)
}

/// When something is due for any item. A run that waits for a job is not counted: the job's end starts it.
pub(super) fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    Ok(tx.first_due::<Item>()?.map(|first| first.max(ctx.now)))
}

/// The rules of the item's policy.
pub(super) fn rules(tx: &Tx<'_>, item: &Item) -> Result<Option<Rules>, StoreError> {
    Ok(tx
        .get::<Policy>(&Policy::key_of(&item.vault, &item.policy))?
        .as_ref()
        .and_then(Rules::of))
}

fn say_late(ctx: &Context<'_>, job: &mut Job, item: &Item, due: runs::Due) {
    let late = ctx.now.duration_since(due.at);
    if due.missed > 0 {
        job.state("Missed Runs", due.missed.to_string());
    }
    if late < PUNCTUAL && due.missed == 0 {
        return;
    }
    let cause = match &item.waiting {
        Some(waiting) => format!("job {} held the item", waiting.job),
        None => "the service was not running".to_owned(),
    };
    let missed = match due.missed {
        0 => String::new(),
        1 => "; one earlier run was missed".to_owned(),
        more => format!("; {more} earlier runs were missed"),
    };
    let message = format!(
        "The run that was due at {} began {} late because {cause}{missed}.",
        job_words::moment(due.at),
        job_words::length(late)
    );
    job.state("Started Late", message.clone());
    if item.waiting.is_none() {
        job.warnings.push(failure::late(message));
    }
}
