//! Whether the newest recovery point is young enough: the recovery point objective (RPO).

use jiff::{SignedDuration, Timestamp};

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
}

impl Standing {
    /// Whether the objective is met. An item without a point does not meet it.
    pub fn is_within(&self) -> bool {
        matches!(self, Standing::Within { .. })
    }
}
