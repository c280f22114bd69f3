//! Which backups of a database are kept: [`crate::pruning`] where backups need each other.
//!
//! Each kind has its own days, and none goes while another that is still kept cannot be restored without it. The
//! verdicts are on what is there: a log that was deleted by hand keeps nothing.

use jiff::{SignedDuration, Timestamp};

use crate::chain::{self, Kind, Link};
use crate::clock::Clock;
use crate::pruning::{Origin, Point, Pruning, Reason, Verdict, by_tier, verdict};
use crate::strategy::Strategy;
use crate::tiers::Tiers;

/// A backup of a workload whose backups need each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub kind: Kind,
    pub point: Point,
}

/// The verdicts at `now` on the backups of one item under the policy in force, in the order of `backups`, which may be
/// any order; of two made at one time a full comes first and a log last.
///
/// A kind that the policy no longer makes has no days left: such backups go at the next cleanup, as the daily points of
/// a policy that became weekly do, but for those that others need.
pub fn verdicts(
    pruning: Pruning,
    strategy: &Strategy,
    backups: &[Backup],
    now: Timestamp,
) -> Vec<Verdict> {
    let stopped = Verdict::Kept {
        until: None,
        reason: Reason::Stopped,
    };
    if pruning == Pruning::KeepAll {
        return vec![stopped; backups.len()];
    }
    let mut order: Vec<usize> = (0..backups.len()).collect();
    let place = |index: &usize| backups.get(*index).map(|it| (it.point.time, it.kind));
    order.sort_by_key(place);
    let ordered: Vec<&Backup> = order.iter().filter_map(|at| backups.get(*at)).collect();

    let ends = ends(strategy, &ordered);
    let newest = (pruning == Pruning::KeepNewest).then(|| ordered.len().saturating_sub(1));
    let links: Vec<Link> = ordered
        .iter()
        .zip(&ends)
        .enumerate()
        .map(|(index, (backup, end))| Link {
            kind: backup.kind,
            until: match end {
                _ if Some(index) == newest => Timestamp::MAX,
                Some((until, _)) => *until,
                None => Timestamp::MIN,
            },
        })
        .collect();

    let mut verdicts = vec![stopped; backups.len()];
    let needs = chain::needs(&links);
    for (index, ((need, end), at)) in needs.into_iter().zip(ends).zip(order).enumerate() {
        let by = need.by.and_then(|by| Some((by, ordered.get(by)?)));
        let found = match by {
            _ if Some(index) == newest => Verdict::Kept {
                until: None,
                reason: Reason::NewestOfLostSource,
            },
            Some((by, dependent)) if need.until > now => Verdict::Kept {
                until: (Some(by) != newest).then_some(need.until),
                reason: Reason::ChainNeeds(dependent.point.time),
            },
            Some(_) => Verdict::Expired { since: need.until },
            None => verdict(end, now),
        };
        if let Some(slot) = verdicts.get_mut(at) {
            *slot = found;
        }
    }
    verdicts
}

/// The end that each backup has for its own sake.
fn ends(strategy: &Strategy, ordered: &[&Backup]) -> Vec<Option<(Timestamp, Reason)>> {
    let tiers = Tiers::new(&strategy.retention);
    let time = |backup: Option<&&Backup>| backup.map_or_else(Timestamp::default, |b| b.point.time);
    let (oldest, newest) = (time(ordered.first()), time(ordered.last()));
    let clock = Clock::over(&strategy.zone, oldest, tiers.horizon(newest));
    let end = |backup: &&Backup| match backup.point.origin {
        Origin::OnDemand { until } => Some((until, Reason::OnDemand)),
        Origin::Scheduled { tags } => match own_days(strategy, backup.kind) {
            None => by_tier(&tiers, &clock, backup.point.time, tags),
            Some(days) => days.map(|days| (later(backup.point.time, days), Reason::Days)),
        },
    };
    ordered.iter().map(end).collect()
}

/// The days that the policy keeps a kind of backup: `None` for the kinds that its tiers keep, `Some(None)` when it does
/// not make this kind at all.
pub(crate) fn own_days(strategy: &Strategy, kind: Kind) -> Option<Option<u32>> {
    let between = |kind: &Option<crate::strategy::Between>| kind.as_ref().map(|it| it.keep_days);
    match kind {
        Kind::Full | Kind::CopyOnlyFull => None,
        Kind::Differential => Some(between(&strategy.differential)),
        Kind::Incremental => Some(between(&strategy.incremental)),
        Kind::Log => Some(strategy.log.map(|log| log.keep_days)),
    }
}

/// So many days of 24 hours later.
pub(crate) fn later(at: Timestamp, days: u32) -> Timestamp {
    at.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .unwrap_or(Timestamp::MAX)
}
