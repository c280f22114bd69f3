//! Until when the points of an item are kept, and why; and which of them are to go, and why.
//!
//! The newest point never goes by its age, nor does the newest in the vault, nor the newest there that is not damaged: a machine whose backups keep failing does not
//! lose the last copy it has, and the last away from the machine even less. A point
//! whose removal has begun is no copy any more: it is never the newest, and always goes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kluis_policy::{Reason, State, Verdict, pruning};

use super::rows::{Item, Job, Over, Point};
use super::rules::Rules;
use super::{comparison, judgement, scheduler};
use crate::core::Context;
use crate::estate;
use crate::store::{Row as _, StoreError, Tx};

/// What becomes of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Kept until then, or for as long as things stay as they are.
    Kept { until: Option<Timestamp>, why: Why },
    /// Goes with the next cleanup.
    Goes { since: Timestamp, why: Over },
}

/// Why a point is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The policy, or the way in which the item's protection ended.
    Policy(Reason),
    /// Its time is over, but no newer one has taken its place: here, or in the vault.
    Newest,
    /// It never reached the vault, and goes with its snapshot.
    Snapshot,
    /// Its item is soft-deleted, and goes with all its points.
    SoftDeleted,
    /// The vault does not have it any more: kept on the list for as long as it would have been kept.
    Lost,
    /// State and vault were found to differ: nothing goes by its age for a while.
    Held,
}

/// An item's points, the newest first, each with what becomes of it.
pub(super) fn judged(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<(Point, Fate)>, StoreError> {
    let points = Point::of(tx, &item.key())?;
    if let Some(at) = item.state.purge_at() {
        let softly = Fate::Kept {
            until: Some(at),
            why: Why::SoftDeleted,
        };
        return Ok(all(points, ctx.now, softly));
    }
    let rules = scheduler::rules(tx, item)?;
    let Some(rules) = rules.filter(|_| !matches!(item.state, State::Stopped { .. })) else {
        let stopped = Fate::Kept {
            until: None,
            why: Why::Policy(Reason::Stopped),
        };
        return Ok(all(points, ctx.now, stopped));
    };
    let gone = estate::vm(ctx, tx, &item.resource_group, &item.vm)?.is_none();
    let by = item.state.pruning(gone);
    let before = judgement::before(tx, item)?;
    let is_copy = |point: &&Point| !point.removing && point.lost.is_none();
    let usable: Vec<_> = points.iter().filter(is_copy).collect();
    // What a restore replaced is not what the newest is kept for: behind it, the newest of the others stays as well.
    let mut wanted = usable.iter().filter(|point| !point.is_before_replacing());
    let is_whole = |point: &&&Point| point.hardened.is_some() && point.damaged.is_none();
    let last = [
        usable.first(),
        usable.iter().find(|point| point.hardened.is_some()),
        wanted.clone().next(),
        wanted.find(|point| point.hardened.is_some()),
        usable.iter().find(is_whole),
    ]
    .map(|point| point.map(|point| point.name.clone()));
    let seen: Vec<_> = usable.iter().map(|point| point.for_retention()).collect();
    let zone = &rules.schedule.zone;
    // Each point has its own present: up to when its time has certainly passed.
    let mut ends = pruning::verdicts(by, &rules.retention, &seen, zone, Timestamp::MIN).into_iter();
    let at_work = made_now(tx, item, &points)?;
    let mut fate = |point: &Point| {
        if point.removing {
            return going(point, ctx.now);
        }
        let proven = ctx.clock.proven(ctx.now, point.time);
        if point.lost.is_some() {
            return of_lost(point, &rules, before.as_ref(), proven);
        }
        let over_since = match ends.next() {
            Some(Verdict::Kept { until, reason }) if until.is_none_or(|until| until > proven) => {
                Err(Fate::Kept {
                    until,
                    why: Why::Policy(reason),
                })
            }
            _ if last.contains(&Some(point.name.clone())) => Err(Fate::Kept {
                until: None,
                why: Why::Newest,
            }),
            Some(Verdict::Kept { until, .. }) => Ok(until.unwrap_or(proven)),
            Some(Verdict::Expired { .. }) => Ok(ctx.now),
            None => Err(going(point, ctx.now)),
        };
        let by_policy = over_since.map_or_else(
            |fate| fate,
            |since| Fate::Goes {
                since,
                why: over(point, &rules, before.as_ref(), proven),
            },
        );
        match &point.instant {
            Some(instant) if point.hardened.is_none() && !at_work.contains(&point.name) => {
                let is_newest = last.first() == Some(&Some(point.name.clone()));
                of_snapshot(by_policy, instant.until, is_newest, proven)
            }
            Some(_) | None => by_policy,
        }
    };
    let held = comparison::held(ctx, tx, &item.vault)?;
    let held = held.map(|until| Fate::Kept {
        until: Some(until),
        why: Why::Held,
    });
    Ok(points
        .into_iter()
        .map(|point| {
            let fate = match (fate(&point), held) {
                (Fate::Goes { .. }, Some(held)) if !point.removing => held,
                (fate, _) => fate,
            };
            (point, fate)
        })
        .collect())
}

/// What becomes of a point that the vault has no more: its row goes when the point would have gone.
fn of_lost(point: &Point, rules: &Rules, before: Option<&Rules>, now: Timestamp) -> Fate {
    let kluis_policy::Point { time, origin } = point.for_retention();
    let until = match origin {
        kluis_policy::Origin::OnDemand { until } => Some(until),
        kluis_policy::Origin::Scheduled { tags } => {
            let zone = &rules.schedule.zone;
            rules
                .retention
                .kept_until(time, tags, zone)
                .map(|(until, _)| until)
        }
    };
    match until {
        Some(since) if since <= now => Fate::Goes {
            since,
            why: over(point, rules, before, now),
        },
        until => Fate::Kept {
            until,
            why: Why::Lost,
        },
    }
}

/// What becomes of a point that is a snapshot and nothing else, and that no job is bringing into the vault: it goes when the days of its
/// snapshot are over, whatever the policy would have kept it for; but not while it is the newest, the only copy of its time.
fn of_snapshot(by_policy: Fate, over: Timestamp, is_newest: bool, now: Timestamp) -> Fate {
    let Fate::Kept { until, why } = by_policy else {
        return by_policy;
    };
    if until.is_some_and(|until| until <= over) {
        return by_policy;
    }
    match (over > now, is_newest) {
        (true, _) => Fate::Kept {
            until: Some(over),
            why: Why::Snapshot,
        },
        (false, true) if until.is_none() => Fate::Kept { until, why },
        (false, true) => Fate::Kept {
            until: None,
            why: Why::Newest,
        },
        (false, false) => Fate::Goes {
            since: over,
            why: Over::Snapshot,
        },
    }
}

/// The points that an unfinished job is making. None is asked for where all have reached the vault.
fn made_now(tx: &Tx<'_>, item: &Item, points: &[Point]) -> Result<BTreeSet<String>, StoreError> {
    if points.iter().all(|point| point.hardened.is_some()) {
        return Ok(BTreeSet::new());
    }
    let jobs = Job::of_item(tx, &item.key())?;
    let made = jobs
        .iter()
        .filter_map(|job| Some(job.backup()?.point.clone()));
    Ok(made.collect())
}

/// The points that a cleanup removes, each with the reason.
pub(super) fn expired(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<(Point, Over)>, StoreError> {
    let judged = judged(ctx, tx, item)?.into_iter();
    Ok(judged
        .filter_map(|(point, fate)| match fate {
            Fate::Kept { .. } => None,
            Fate::Goes { why, .. } => Some((point, why)),
        })
        .collect())
}

/// How many points of an item are kept beyond their end, because the time until it is not proven to have passed.
pub(super) fn held_back(ctx: &Context<'_>, tx: &Tx<'_>, item: &Item) -> Result<usize, StoreError> {
    let is_past = |until: Option<Timestamp>| until.is_some_and(|until| until <= ctx.now);
    let judged = judged(ctx, tx, item)?.into_iter();
    Ok(judged
        .filter(|(_, fate)| matches!(fate, Fate::Kept { until, .. } if is_past(*until)))
        .count())
}

/// One fate for all, but for those whose removal has begun.
fn all(points: Vec<Point>, now: Timestamp, fate: Fate) -> Vec<(Point, Fate)> {
    let of = |point: &Point| {
        if point.removing {
            going(point, now)
        } else {
            fate
        }
    };
    points
        .into_iter()
        .map(|point| {
            let fate = of(&point);
            (point, fate)
        })
        .collect()
}

fn going(point: &Point, now: Timestamp) -> Fate {
    Fate::Goes {
        since: now.max(point.time),
        why: Over::BegunBefore,
    }
}

/// Why the policy lets go of a point: by its age, or because somebody changed the policy. The tier is the one that kept it
/// longest.
fn over(point: &Point, rules: &Rules, before: Option<&Rules>, now: Timestamp) -> Over {
    let kluis_policy::Point { time, origin } = point.for_retention();
    let kluis_policy::Origin::Scheduled { tags } = origin else {
        return Over::OnDemand;
    };
    let until = |rules: &Rules| {
        let zone = &rules.schedule.zone;
        rules.retention.kept_until(time, tags, zone)
    };
    let would_stay = |rules: &Rules| until(rules).is_some_and(|(until, _)| until > now);
    if before.is_some_and(would_stay) {
        return Over::PolicyChanged;
    }
    match until(rules) {
        Some((_, tier)) => tier.into(),
        None => Over::PolicyChanged,
    }
}
