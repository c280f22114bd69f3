//! What an edit would cost: the recovery points that the next cleanup would delete, and those it would delete sooner (law 3).
//!
//! Azure does not say which tier keeps a point. What the present terms and the new ones make of it is computed the same way for both, so
//! that an edit which only lengthens never looks like a loss.

use std::fmt;

use jiff::Timestamp;
use kluis_arm::policy::Terms;
use kluis_arm::recovery_point::RecoveryPoint;

use crate::point::{is_on_demand, time};

/// The points that an edit would cost, item by item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// By item, `<namespace>/<name>`; only those that would lose any.
    pub items: Vec<ItemLoss>,
    /// Items that the policy protects and that are not known here: what they would lose cannot be counted.
    pub uncounted: u32,
}

/// The points that one item would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemLoss {
    pub item: String,
    /// Deleted at the next cleanup.
    pub deleted: u32,
    /// Kept, and for a shorter time than now.
    pub shortened: u32,
}

/// What keeps the points now.
pub(crate) enum Present<'a> {
    /// A policy.
    Terms(&'a Terms),
    /// Nothing prunes them: protection is stopped with its data retained.
    ForEver,
}

impl Loss {
    /// Whether anything would be lost.
    pub fn is_none(&self) -> bool {
        self.items.is_empty() && self.uncounted == 0
    }

    /// Counts one item in.
    pub(crate) fn add(&mut self, item: String, deleted: u32, shortened: u32) {
        if deleted > 0 || shortened > 0 {
            self.items.push(ItemLoss {
                item,
                deleted,
                shortened,
            });
        }
    }
}

/// How many of the points the new terms would delete at once, and how many they would keep for a shorter time. Taking up a stopped
/// protection again ends "for ever" for every point: there, only what goes at once is counted.
pub(crate) fn assess(
    points: &[RecoveryPoint],
    present: &Present<'_>,
    wanted: &Terms,
    now: Timestamp,
) -> (u32, u32) {
    let (Ok(new), old) = (wanted.schedule(), present_schedule(present)) else {
        return (count(points.len()), 0);
    };
    // What somebody asked for is kept until the day that they said, whatever the policy.
    let scheduled = points.iter().filter(|point| !is_on_demand(point));
    let mut times: Vec<Timestamp> = scheduled.filter_map(time).collect();
    times.sort_unstable();
    let (mut deleted, mut shortened) = (0, 0);
    for (index, time) in times.iter().enumerate() {
        // The run that made the point: the snapshot comes some minutes after it.
        let basis = old.as_ref().unwrap_or(&new);
        let due = basis.previous_at_or_before(*time).unwrap_or(*time);
        let earlier = times
            .get(..index)
            .unwrap_or_default()
            .iter()
            .map(|time| basis.previous_at_or_before(*time).unwrap_or(*time));
        let tagging = match present {
            Present::Terms(terms) => &terms.retention,
            Present::ForEver => &wanted.retention,
        };
        let tags = tagging.tags(due, earlier, &basis.zone);
        let until = wanted
            .retention
            .kept_until(due, tags, &new.zone)
            .map(|(until, _)| until);
        let was = match (present, &old) {
            (Present::Terms(terms), Some(old)) => terms
                .retention
                .kept_until(due, tags, &old.zone)
                .map(|(until, _)| until),
            _ => Some(Timestamp::MAX),
        };
        let Some(was) = was.filter(|was| *was > now) else {
            continue;
        };
        if until.is_none_or(|until| until <= now) {
            deleted += 1;
        } else if until.is_some_and(|until| until < was) && matches!(present, Present::Terms(_)) {
            shortened += 1;
        }
    }
    (deleted, shortened)
}

/// Whether any point, at any time, could be kept for a shorter time under the new terms: what to go by where points cannot be counted.
pub(crate) fn is_shorter(present: &Terms, wanted: &Terms) -> bool {
    let (old, new) = (&present.retention, &wanted.retention);
    fn less<T>(old: Option<&T>, new: Option<&T>, keep: impl Fn(&T) -> u32) -> bool {
        match (old, new) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(old), Some(new)) => keep(new) < keep(old),
        }
    }
    less(old.daily.as_ref(), new.daily.as_ref(), |tier| tier.keep)
        || less(old.weekly.as_ref(), new.weekly.as_ref(), |tier| tier.keep)
        || less(old.monthly.as_ref(), new.monthly.as_ref(), |tier| tier.keep)
        || less(old.yearly.as_ref(), new.yearly.as_ref(), |tier| tier.keep)
}

fn present_schedule(present: &Present<'_>) -> Option<kluis_policy::Schedule> {
    match present {
        Present::Terms(terms) => terms.schedule().ok(),
        Present::ForEver => None,
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deleted: u32 = self.items.iter().map(|item| item.deleted).sum();
        let shortened: u32 = self.items.iter().map(|item| item.shortened).sum();
        f.write_str("Not carried out: ")?;
        if deleted > 0 || shortened > 0 {
            write!(
                f,
                "the edit would delete {deleted} recovery points and keep {shortened} more for a shorter time ("
            )?;
            for (index, item) in self.items.iter().take(5).enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                write!(
                    f,
                    "{comma}{}: {} and {}",
                    item.item, item.deleted, item.shortened
                )?;
            }
            if self.items.len() > 5 {
                write!(f, ", and {} more items", self.items.len() - 5)?;
            }
            f.write_str(")")?;
        }
        if self.uncounted > 0 {
            let also = if self.items.is_empty() {
                ""
            } else {
                "; besides, "
            };
            write!(
                f,
                "{also}the edit would shorten the retention of {} items that are not managed here",
                self.uncounted
            )?;
        }
        f.write_str(". Revert it, or put the new terms into another BackupPolicy for new items.")
    }
}
