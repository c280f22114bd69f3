//! Which recovery points are kept, until when and why: what a cleanup deletes, and what an edit of a policy would cost.
//!
//! The verdicts are values. Nothing here deletes; whoever does asks again just before it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::{Clock, floor};
use crate::retention::{Retention, Tags, Tier, instant};
use crate::tiers::Tiers;

/// A recovery point, as far as its expiry is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// For a scheduled point the time its run was due; for one on demand the time it was taken.
    pub time: Timestamp,
    pub origin: Origin,
}

/// What made a point, which decides what it expires by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A run of the schedule; it expires by the policy in force.
    Scheduled { tags: Tags },
    /// A person's request; it expires when they said, whatever the policy.
    OnDemand { until: Timestamp },
}

/// How the points of an item end. Azure has three endings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruning {
    /// Protected or suspended: points expire.
    ByPolicy,
    /// The source is gone while its protection was never stopped: points expire, the newest stays for ever.
    KeepNewest,
    /// Stopped with its data retained, or soft-deleted: nothing expires and no edit of a policy reaches it.
    KeepAll,
}

/// What becomes of one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Kept until then; `None` is for ever, or until somebody decides anew.
    Kept {
        until: Option<Timestamp>,
        reason: Reason,
    },
    /// No longer kept: the next cleanup deletes it. `since` is when it expired, or the moment of asking where no tier
    /// of the policy keeps such points at all.
    Expired { since: Timestamp },
}

/// Why a point is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The tier that keeps it longest.
    Tier(Tier),
    /// It was asked for until then.
    OnDemand,
    /// It is the newest one of a source that is gone.
    NewestOfLostSource,
    /// Protection was stopped with the data retained.
    Stopped,
    /// The days of its own kind: differential, incremental or log.
    Days,
    /// Another backup cannot be restored without it: the one made at that time, which is kept longest of those.
    ChainNeeds(Timestamp),
    /// It is the newest of its item, which never goes by its age.
    Newest,
    /// Nothing: no tier of the policy covers such points, and the next cleanup deletes it.
    NoTier,
}

impl Verdict {
    /// Whether a cleanup leaves the point alone.
    pub fn is_kept(&self) -> bool {
        matches!(self, Verdict::Kept { .. })
    }
}

impl Retention {
    /// The verdicts on the points of an item under this policy, in their order. Short for [`verdicts`] with
    /// [`Pruning::ByPolicy`].
    pub fn verdicts(&self, points: &[Point], zone: &TimeZone, now: Timestamp) -> Vec<Verdict> {
        verdicts(Pruning::ByPolicy, self, points, zone, now)
    }
}

/// The verdicts at `now` on the points of one item, in the order of `points`, which may be any order. A point whose
/// time has come is expired: it is kept up to `until` and no longer.
pub fn verdicts(
    pruning: Pruning,
    retention: &Retention,
    points: &[Point],
    zone: &TimeZone,
    now: Timestamp,
) -> Vec<Verdict> {
    let newest = points.iter().map(|point| point.time).max();
    let oldest = points.iter().map(|point| point.time).min();
    let tiers = Tiers::new(retention);
    let clock = Clock::over(
        zone,
        oldest.unwrap_or_default(),
        tiers.horizon(newest.unwrap_or_default()),
    );
    let verdict = |point: &Point| match pruning {
        Pruning::KeepAll => Verdict::Kept {
            until: None,
            reason: Reason::Stopped,
        },
        Pruning::KeepNewest if Some(point.time) == newest => Verdict::Kept {
            until: None,
            reason: Reason::NewestOfLostSource,
        },
        Pruning::KeepNewest | Pruning::ByPolicy => by_policy(&tiers, &clock, point, now),
    };
    points.iter().map(verdict).collect()
}

fn by_policy(tiers: &Tiers, clock: &Clock, point: &Point, now: Timestamp) -> Verdict {
    let kept = match point.origin {
        Origin::OnDemand { until } => Some((until, Reason::OnDemand)),
        Origin::Scheduled { tags } => by_tier(tiers, clock, point.time, tags),
    };
    verdict(kept, now)
}

/// The end that the tiers of a policy give a scheduled point.
pub(crate) fn by_tier(
    tiers: &Tiers,
    clock: &Clock,
    due: Timestamp,
    tags: Tags,
) -> Option<(Timestamp, Reason)> {
    let (second, nanosecond) = floor(due);
    let (until, tier) = tiers.kept_until(clock, second, tags)?;
    Some((instant(until, nanosecond), Reason::Tier(tier)))
}

/// What becomes of a point with this end; `None` when nothing gives it one.
pub(crate) fn verdict(end: Option<(Timestamp, Reason)>, now: Timestamp) -> Verdict {
    match end {
        Some((until, reason)) if until > now => Verdict::Kept {
            until: Some(until),
            reason,
        },
        Some((until, _)) => Verdict::Expired { since: until },
        None => Verdict::Expired { since: now },
    }
}
