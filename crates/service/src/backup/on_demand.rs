//! A backup now, because a person asks for it.

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use kluis_arm::backup::{BackupRequest, TriggerBackup};
use kluis_arm::error::code;

use super::items::Named;
use super::rows::{BackupWork, Cause, Item, Job, Kind, Work};
use super::{failure, job_words, jobs, queue, refusals};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};

/// Without an expiry, a point on demand is kept this many days.
const DEFAULT_DAYS: i64 = 30;
/// Azure keeps nothing longer.
const MOST_YEARS: i64 = 99;
/// Within this time the backups on demand of a machine are counted.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// `POST item/backup`.
pub(super) fn trigger(
    request: &Request,
    named: &Named,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let body = request.parse::<TriggerBackup>()?;
    let BackupRequest::VirtualMachine(wanted) = body.properties else {
        return Err(refusals::invalid_input(format!(
            "'objectType' must be 'IaasVMBackupRequest' for a virtual machine; it is '{}'.",
            body.properties.tag()
        )));
    };
    let item = named.item(at, tx)?;
    if !item.state.is_scheduled() {
        return Err(Refusal::bad_request(
            "UserErrorProtectionStopped",
            format!(
                "The protection of '{}' is stopped; resume it before backing it up.",
                item.vm
            ),
        ));
    }
    refusals::unlocked(tx, &item)?;
    let asked = wanted
        .recovery_point_expiry_time_in_utc
        .as_ref()
        .map(kluis_arm::time::WireTime::moment)
        .transpose();
    let asked = asked
        .map_err(|error| {
            refusals::invalid_input(format!("'recoveryPointExpiryTimeInUTC': {error}."))
        })?
        .flatten();
    let until = expiry(asked, ctx.now)?;
    let today = on_demand_within_a_day(&item, ctx.now, tx)?;
    let limits = ctx.on_demand;
    if let Some(until) = room_from(&today, limits.most) {
        return Err(Refusal::bad_request(
            code::ON_DEMAND_LIMIT,
            format!(
                "'{}' was backed up on demand {} times within 24 hours; no more than {} are taken (rule 7). The next one is from {} on.",
                item.vm,
                today.len(),
                limits.most,
                until.strftime("%Y-%m-%d %H:%M:%SZ")
            ),
        )
        .retry_after(seconds(ctx.now.duration_until(until))));
    }
    let work = BackupWork::new(
        jobs::point_name(&ctx.new_id()),
        item.policy.clone(),
        Cause::Demand { until },
    );
    let mut job = jobs::for_item(ctx, tx, &item, Kind::Backup, Work::Backup(Box::new(work)))?;
    job.state(
        "Recovery Point Expiry Time in UTC",
        job_words::moment(until),
    );
    if today.len() >= limits.advised {
        job.warnings
            .push(failure::many_on_demand(today.len() + 1, limits));
    }
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

fn expiry(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Refusal> {
    let Some(until) = asked else {
        return Ok(now
            .checked_add(SignedDuration::from_hours(24 * DEFAULT_DAYS))
            .unwrap_or(Timestamp::MAX));
    };
    if until <= now {
        return Err(refusals::invalid_input(format!(
            "'recoveryPointExpiryTimeInUTC' must lie in the future; it is {until} and now is {now}."
        )));
    }
    let latest = now
        .to_zoned(TimeZone::UTC)
        .checked_add(MOST_YEARS.years())
        .map_or(Timestamp::MAX, |latest| latest.timestamp());
    if until > latest {
        return Err(refusals::invalid_input(format!(
            "A recovery point is kept for {MOST_YEARS} years at most; '{until}' is later."
        )));
    }
    Ok(until)
}

/// When the machine's backups on demand of the last day began, the oldest first.
fn on_demand_within_a_day(
    item: &Item,
    now: Timestamp,
    tx: &Tx<'_>,
) -> Result<Vec<Timestamp>, Refusal> {
    let since = now.checked_sub(A_DAY).unwrap_or(Timestamp::MIN);
    let asked = |job: &&Job| {
        job.began > since
            && job
                .backup()
                .is_some_and(|work| matches!(work.cause, Cause::Demand { .. }))
    };
    let recent: Vec<Job> = tx.about(&item.key(), Some(since))?;
    let mut began: Vec<Timestamp> = recent.iter().filter(asked).map(|job| job.began).collect();
    began.sort_unstable();
    Ok(began)
}

/// From when on there is room for one more, given when those of the last day began; None when there is now.
fn room_from(began: &[Timestamp], most: usize) -> Option<Timestamp> {
    let last_to_go = began.len().checked_sub(most)?;
    // Where none at all is taken, there is room a day after the last one.
    let goes = began.get(last_to_go).or(began.last())?;
    Some(goes.checked_add(A_DAY).unwrap_or(Timestamp::MAX))
}

/// Whole seconds, not too few.
fn seconds(wait: SignedDuration) -> u64 {
    let more = i64::from(wait.subsec_nanos() > 0);
    u64::try_from(wait.as_secs() + more)
        .unwrap_or_default()
        .max(1)
}
