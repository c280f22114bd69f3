//! What items, points and jobs tell in numbers.

use jiff::Timestamp;
use kluis_policy::State;

use super::rows::{
    BitmapRemoval, DamageTotals, ItemGlance, Job, OlderData, Point, Scrubs, Stage, VaultDamage,
};
use super::stale;
use crate::core::{ClockVerdict, Context, Gauge};
use crate::store::{StoreError, Tx};

/// Counts of what is there now. Jobs that have ended are not counted: there are a hundred and eighty days of them.
pub fn gauges(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Gauge>, StoreError> {
    let items: Vec<ItemGlance> = tx.all()?;
    let jobs = Job::active(tx)?;
    let count =
        |so: &dyn Fn(&ItemGlance) -> bool| items.iter().filter(|item| so(item)).count() as f64;
    let ended = |how| count(&|item| item.last_backup_succeeded() == how);
    let at = |stage| jobs.iter().filter(move |job| job.stage == stage);
    let oldest = |stage| {
        let began = at(stage).map(|job| job.began).min();
        began.map_or(0.0, |began| seconds(began, ctx.now))
    };
    let scrubs = Scrubs::all(tx)?;
    let unread = scrubs.iter().filter_map(Scrubs::unread_since).min();
    let damaged = |count: &dyn Fn(&VaultDamage) -> u64| {
        let damage = scrubs.iter().filter_map(|scrubs| scrubs.damage.as_ref());
        damage.map(count).sum::<u64>() as f64
    };
    let totals = DamageTotals::of(tx)?;
    let older = OlderData::all(tx)?;
    let older = older.iter().map(|told| stale::points(tx, told));
    let older = older.collect::<Result<Vec<_>, _>>()?.concat();
    Ok(vec![
        Gauge::by(
            "items",
            "Protected items, by the state of their protection",
            "state",
            STATES.map(|word| (word, count(&|item| word_of(&item.state) == word))),
        ),
        Gauge::by(
            "last_backups",
            "Protected items, by how their latest backup ended",
            "result",
            [
                ("Completed", ended(Some(true))),
                ("Failed", ended(Some(false))),
                ("None", ended(None)),
            ],
        ),
        Gauge::one(
            "recovery_points",
            "Recovery points, in all vaults and snapshots",
            tx.total::<Point>()? as f64,
        ),
        Gauge::by(
            "jobs",
            "Jobs that have not ended, by their stage",
            "stage",
            STAGES.map(|(word, stage)| (word, at(stage).count() as f64)),
        ),
        Gauge::by(
            "oldest_job_seconds",
            "How long ago the oldest job of a stage was asked for, by the service's clock; 0 when there is none",
            "stage",
            STAGES.map(|(word, stage)| (word, oldest(stage))),
        ),
        Gauge::one(
            "clock_ahead_seconds",
            "How far the machine's clock is ahead of the service's time, behind it below 0; 0 while they agree",
            match ctx.clock.verdict {
                ClockVerdict::Trusted => 0.0,
                ClockVerdict::Behind { by } => -by.as_secs_f64(),
                ClockVerdict::Ahead { by } => by.as_secs_f64(),
            },
        ),
        Gauge::one(
            "recovery_points_held_back",
            "Recovery points that are kept beyond their end because the time until it is not proven to have passed",
            super::held_back(ctx, tx, None)? as f64,
        ),
        Gauge::one(
            "oldest_unread_seconds",
            "How long ago the byte of all vaults was read that was read longest ago; of a vault that nobody has read yet, how long ago its first data came; 0 without any",
            unread.map_or(0.0, |oldest| seconds(oldest, ctx.now)),
        ),
        Gauge::by(
            "damage",
            "What is known to be damaged in all vaults: packs that are not repaired, blobs without a whole copy, and the recovery points that can't be restored whole",
            "what",
            [
                ("Packs", damaged(&|damage| damage.packs)),
                ("Blobs", damaged(&|damage| damage.blobs)),
                (
                    "RecoveryPoints",
                    damaged(&|damage| damage.snapshots.len() as u64),
                ),
            ],
        ),
        Gauge::by(
            "damage_found",
            "What of all vaults was found damaged since the service was first started: packs, and blobs without a whole copy",
            "what",
            [
                ("Packs", totals.found_packs as f64),
                ("Blobs", totals.found_blobs as f64),
            ],
        )
        .total(),
        Gauge::by(
            "damage_repaired",
            "What of that is damaged no more: stored anew, given back by its disk, or wanted by nobody any more",
            "what",
            [
                ("Packs", totals.repaired_packs as f64),
                ("Blobs", totals.repaired_blobs as f64),
            ],
        )
        .total(),
        Gauge::one(
            "scrubs_failing",
            "Vaults whose last scrub could not read them",
            scrubs
                .iter()
                .filter(|scrubs| scrubs.failing.is_some())
                .count() as f64,
        ),
        Gauge::one(
            "recovery_points_of_older_data",
            "Recovery points that may hold older data in places, because a dirty bitmap said that it had not changed",
            older.len() as f64,
        ),
        Gauge::one(
            "bitmaps_not_removed",
            "Images of machines from which dirty bitmaps that nobody needs any more could not be removed",
            BitmapRemoval::in_trouble(tx)?.len() as f64,
        ),
    ])
}

const STAGES: [(&str, Stage); 3] = [
    ("Queued", Stage::Queued),
    ("Running", Stage::Running),
    ("Cancelling", Stage::Cancelling),
];

const STATES: [&str; 5] = [
    "IRPending",
    "Protected",
    "ProtectionStopped",
    "BackupsSuspended",
    "SoftDeleted",
];

fn word_of(state: &State) -> &'static str {
    match state {
        State::IrPending => "IRPending",
        State::Protected => "Protected",
        State::Stopped { .. } => "ProtectionStopped",
        State::Suspended { .. } => "BackupsSuspended",
        State::SoftDeleted { .. } => "SoftDeleted",
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
