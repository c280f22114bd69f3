//! The schedule against what has run: which run is due, and which one never happened.

use jiff::{SignedDuration, Timestamp};

use crate::schedule::Schedule;

/// How long after its time Azure may start a scheduled backup. Before that a run is late, not missed. It is shorter
/// than the shortest interval of a schedule, so a missed run is noticed before the next one is due.
pub const GRACE: SignedDuration = SignedDuration::from_hours(2);

/// No count of missed runs goes beyond this, the number of recovery points an item can have.
pub const MISSED_MAX: usize = 9_999;

/// A run that is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time it was due. After a pause this is the newest such time: one backup makes good for all.
    pub at: Timestamp,
    /// How many earlier runs passed unnoticed, at most [`MISSED_MAX`].
    pub missed: usize,
}

/// What is known of the newest scheduled run whose grace is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRun {
    /// No run was due so far.
    NoneDue,
    /// A backup began at or after the run's time.
    Began { due: Timestamp, at: Timestamp },
    /// No backup began.
    Missed { due: Timestamp },
}

/// The run that is due at `now` when everything up to `handled` has been dealt with (at first, the moment the item was
/// protected); `None` when there is none. The caller records `at` as handled, whatever comes of the backup.
pub fn due(schedule: &Schedule, handled: Timestamp, now: Timestamp) -> Option<Due> {
    let at = schedule
        .previous_at_or_before(now)
        .filter(|at| *at > handled)?;
    let earlier = |run: &Timestamp| before(schedule, *run).filter(|run| *run > handled);
    let missed = std::iter::successors(earlier(&at), earlier)
        .take(MISSED_MAX)
        .count();
    Some(Due { at, missed })
}

/// What became of the newest run that was due at least `grace` before `now`. `since` is the moment from which the
/// schedule counts: the item's protection, its resumption, or a change of the schedule, whichever is latest. `began`
/// are the times at which scheduled backups of the item began, in any order.
pub fn last_run(
    schedule: &Schedule,
    since: Timestamp,
    began: impl IntoIterator<Item = Timestamp>,
    grace: SignedDuration,
    now: Timestamp,
) -> LastRun {
    let decided = now
        .checked_sub(grace)
        .ok()
        .and_then(|at| schedule.previous_at_or_before(at));
    let Some(due) = decided.filter(|due| *due > since) else {
        return LastRun::NoneDue;
    };
    match began.into_iter().filter(|at| *at >= due).min() {
        Some(at) => LastRun::Began { due, at },
        None => LastRun::Missed { due },
    }
}

fn before(schedule: &Schedule, run: Timestamp) -> Option<Timestamp> {
    schedule.previous_at_or_before(run.checked_sub(SignedDuration::from_nanos(1)).ok()?)
}
