//! A backup now, because a person asks for it.

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use kluis_arm::backup::{BackupRequest, TriggerBackup};

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
/// From this many a day on, a job warns; beyond that many, none is taken.
const ADVISED: usize = 3;
const MOST: usize = 9;

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
    if today >= MOST {
        return Err(Refusal::bad_request(
            "CloudDosAbsoluteLimitReached",
            format!(
                "'{}' was backed up on demand {today} times within 24 hours; no more than {MOST} are taken (rule 7). Wait for the next scheduled run.",
                item.vm
            ),
        ));
    }
    let work = BackupWork::new(
        jobs::point_name(&ctx.new_id()),
        item.policy.clone(),
        Cause::Demand { until },
    );
    let mut job = jobs::for_item(ctx, tx, &item, Kind::Backup, Work::Backup(work))?;
    job.state(
        "Recovery Point Expiry Time in UTC",
        job_words::moment(until),
    );
    if today >= ADVISED {
        job.warnings.push(failure::many_on_demand(today + 1));
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

fn on_demand_within_a_day(item: &Item, now: Timestamp, tx: &Tx<'_>) -> Result<usize, Refusal> {
    let since = now
        .checked_sub(SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MIN);
    let asked = |job: &&Job| {
        job.began > since
            && job
                .backup()
                .is_some_and(|work| matches!(work.cause, Cause::Demand { .. }))
    };
    let recent: Vec<Job> = tx.about(&item.key(), Some(since))?;
    Ok(recent.iter().filter(asked).count())
}
