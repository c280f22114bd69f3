//! Whether the newest recovery point is young enough: the recovery point objective (RPO), and whether a schedule can meet it at all.

use jiff::{SignedDuration, Timestamp};

use crate::follow;
use crate::retention::Retention;
use crate::simulate;
use crate::strategy::Strategy;

/// How old the newest recovery point may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objective {
    pub rpo: SignedDuration,
}

/// How an item stands against its objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no recovery point. `next` is the run that may make the first one.
    NoPoint { next: Option<Timestamp> },
    /// The newest point is young enough, and stays so until `until`. `gap` when the next run is due no sooner than
    /// that: the objective will be broken although every backup succeeds, so it is tighter than the schedule.
    Within {
        newest: Timestamp,
        next: Option<Timestamp>,
        until: Timestamp,
        gap: bool,
    },
    /// The newest point is too old, since `since`.
    Broken {
        newest: Timestamp,
        next: Option<Timestamp>,
        since: Timestamp,
    },
}

impl Objective {
    /// How an item stands at `now`, with its newest recovery point and its next scheduled run.
    ///
    /// The objective is broken from the very moment the point is `rpo` old, so that asking again at `until` gives
    /// another answer.
    pub fn standing(
        &self,
        newest: Option<Timestamp>,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Standing {
        let Some(newest) = newest else {
            return Standing::NoPoint { next };
        };
        let until = newest.checked_add(self.rpo).unwrap_or(Timestamp::MAX);
        if now < until {
            let gap = next.is_none_or(|run| run >= until);
            Standing::Within {
                newest,
                next,
                until,
                gap,
            }
        } else {
            Standing::Broken {
                newest,
                next,
                since: until,
            }
        }
    }

    /// The longest time that a strategy leaves between two backups within a year and a month of `now`, where that is no
    /// shorter than the objective: it is then broken although every backup succeeds. `None` where it can be met.
    pub fn out_of_reach(&self, strategy: &Strategy, now: Timestamp) -> Option<SignedDuration> {
        longest_gap(strategy, now).filter(|gap| *gap >= self.rpo)
    }
}

impl Standing {
    /// Whether the objective is met. An item without a point does not meet it.
    pub fn is_within(&self) -> bool {
        matches!(self, Standing::Within { .. })
    }
}

/// The longest time between two backups of whatever kind, within a year and a month of `now`; `None` where there are
/// never two.
///
/// A schedule repeats itself week by week as long as no clock changes, so the coming days and those around each change
/// are all that has to be looked at.
fn longest_gap(strategy: &Strategy, now: Timestamp) -> Option<SignedDuration> {
    // How long points are kept makes no difference.
    let strategy = Strategy {
        retention: Retention::default(),
        ..strategy.clone()
    };
    let next = |at: &Timestamp| {
        let (change, _) = follow::next_change(&strategy.zone, *at)?;
        (change.duration_since(now) <= WATCHED).then_some(change)
    };
    std::iter::successors(next(&now), next)
        .take(CHANGES)
        .map(|change| change.checked_sub(A_WEEK).unwrap_or(change).max(now))
        .chain([now])
        .filter_map(|from| {
            let to = from.checked_add(A_WEEK * 2).unwrap_or(Timestamp::MAX);
            let due: Vec<Timestamp> = simulate::timeline(&strategy, from, to)
                .map(|made| made.due)
                .collect();
            let gaps = due.iter().zip(due.iter().skip(1));
            gaps.map(|(one, other)| other.duration_since(*one)).max()
        })
        .max()
}

/// So long a schedule has to be watched to have seen each of its gaps.
const WATCHED: SignedDuration = SignedDuration::from_hours(24 * 396);

/// A week, and what the clocks, and a zone that changes sides of the date line, may move a run by.
const A_WEEK: SignedDuration = SignedDuration::from_hours(24 * 9);

/// No zone changes its clocks more often within [`WATCHED`].
const CHANGES: usize = 8;
