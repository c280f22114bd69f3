//! What an edit of a policy would cost an item: the recovery points that the next cleanup would delete, and those that
//! would go sooner than now.
//!
//! Azure does not say which run made a point, and says until when it is kept of some points only. Both are worked out from
//! the times of the points and the policy in force, in the same way for what is in force and what is wanted, so that an
//! edit which only lengthens never looks like a loss. Three things an item's past may have left are allowed for:
//!
//! - a point that no run of the schedule in force explains was made by an earlier schedule, at its own time;
//! - a point that is there although the policy in force would have let it go was tagged by an earlier policy. It is taken
//!   to be kept by whichever of the long-term tiers still covers its age, and the worst is assumed.
//! - a point that the vault says it keeps for longer than the policy in force explains carries an earlier policy's tag,
//!   too. It is taken to be kept by the tier that explains it, or, where none does, the worst is assumed.
//!
//! The newest of all points never goes by its age, so no edit deletes it: it goes when a newer one is there, which is
//! sooner than now, and that is what it counts as. A newer point on demand is a newer one, too: then the newest of the
//! schedule goes like any other.
//!
//! What can't be seen is an old tag on a point that the policy in force still keeps anyway, where the vault does not tell
//! its end: it counts by the policy in force. An end that is told and sooner is not believed: it may be as old as the
//! point. Points on demand don't belong here; no policy prunes them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::beat::Beat;
use crate::clock::{Clock, floor};
use crate::day::{Day, SECONDS};
use crate::retention::{Retention, Tags};
use crate::runs::GRACE;
use crate::schedule::Schedule;
use crate::tiers::{FOR_EVER, Tiers};

/// When points are made and how long they are kept.
#[derive(Debug, Clone, Copy)]
pub struct Ruling<'a> {
    pub schedule: &'a Schedule,
    pub retention: &'a Retention,
}

/// What keeps an item's points now.
#[derive(Debug, Clone, Copy)]
pub enum InForce<'a> {
    /// A policy.
    Ruling(Ruling<'a>),
    /// Nothing prunes them: protection is stopped with its data retained. Taking it up again ends "for ever" for every
    /// point, so that only what goes at once is counted.
    ForEver(Tagged),
}

/// Which policy chose an item's points for the long-term tiers, when they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// The wanted one, as far as is known.
    AsWanted,
    /// Another: no point is taken to be chosen for a tier of the wanted policy that is longer than its daily one.
    Otherwise,
}

/// What an edit costs one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Points deleted at the next cleanup.
    pub deleted: u32,
    /// Points kept, and for a shorter time than now.
    pub shortened: u32,
    /// The oldest of the points deleted or shortened.
    pub oldest: Option<Timestamp>,
    /// The newest of them.
    pub newest: Option<Timestamp>,
}

/// A point of a schedule, as its vault lists it. From a time alone where the vault says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub made: Timestamp,
    /// Until when the vault says that it is kept.
    pub until: Option<Timestamp>,
}

impl From<Timestamp> for Listed {
    fn from(made: Timestamp) -> Self {
        Self { made, until: None }
    }
}

/// What an edit would cost an item of these scheduled points, in the order in which they were made, and whose newest usable
/// point, on demand or not, was made at `newest`. For many items use one [`Comparison`].
pub fn cost<P: Copy + Into<Listed>>(
    points: &[P],
    newest: Option<Timestamp>,
    in_force: &InForce<'_>,
    wanted: &Ruling<'_>,
    now: Timestamp,
) -> Cost {
    let oldest = points.first().map_or(now, |point| (*point).into().made);
    Comparison::since(oldest, in_force, wanted, now).cost(points, newest)
}

/// Two rulings made ready to be compared for item after item.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What made the points, and tagged them.
    beat: Beat,
    clock: Clock,
    tagging: Tiers,
    /// `None` for ever.
    old: Option<Tiers>,
    new: Tiers,
    /// The clock of the wanted policy where it is another.
    new_clock: Option<Clock>,
    now: i64,
}

/// Points are deleted some time after they expire, at a cleanup: until then their being there needs no explanation.
const CLEANUP: i64 = 2 * SECONDS;

/// The age of points that a [`Comparison`] is fast for.
const DECADE: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

impl Comparison {
    /// Compares what is in force with what is wanted, at `now`.
    pub fn new(in_force: &InForce<'_>, wanted: &Ruling<'_>, now: Timestamp) -> Comparison {
        let since = now.checked_sub(DECADE).unwrap_or(Timestamp::MIN);
        Comparison::since(since, in_force, wanted, now)
    }

    fn since(
        oldest: Timestamp,
        in_force: &InForce<'_>,
        wanted: &Ruling<'_>,
        now: Timestamp,
    ) -> Comparison {
        let (basis, old) = match in_force {
            InForce::Ruling(ruling) => (ruling, Some(Tiers::new(ruling.retention))),
            InForce::ForEver(_) => (wanted, None),
        };
        let tagging = match in_force {
            InForce::ForEver(Tagged::Otherwise) => Tiers::new(&Retention::default()),
            InForce::ForEver(Tagged::AsWanted) | InForce::Ruling(_) => Tiers::new(basis.retention),
        };
        let new = Tiers::new(wanted.retention);
        let horizon = old
            .as_ref()
            .map_or(now, |old| old.horizon(now))
            .max(new.horizon(now));
        let over = |zone: &TimeZone| Clock::over(zone, oldest, horizon);
        let zone = &basis.schedule.zone;
        Comparison {
            beat: Beat::new(&basis.schedule.frequency),
            clock: over(zone),
            tagging,
            old,
            new,
            new_clock: (wanted.schedule.zone != *zone).then(|| over(&wanted.schedule.zone)),
            now: floor(now).0,
        }
    }

    /// What the edit would cost an item of these scheduled points, in the order in which they were made, and whose newest
    /// usable point, on demand or not, was made at `newest`. Where no point is known to be usable none stays as the newest.
    pub fn cost<P: Copy + Into<Listed>>(&self, points: &[P], newest: Option<Timestamp>) -> Cost {
        let mut cost = Cost::default();
        // The first run of the day that was looked at last.
        let mut first: Option<(i64, i64)> = None;
        for point in points {
            let Listed { made, until } = (*point).into();
            let due = self.due(floor(made).0);
            let day = self.clock.local(due).div_euclid(SECONDS);
            let (first_day, first_due) = *first.get_or_insert((day, due));
            if first_day != day {
                first = Some((day, due));
            }
            let tags = if first_day != day || first_due == due {
                self.tagging.tags(Day::of(day))
            } else {
                Tags::default()
            };
            let is_newest = newest.is_some_and(|newest| made >= newest);
            let told = until.map(|until| floor(until).0);
            match self.fate(due, tags, told, is_newest) {
                Fate::Same => continue,
                Fate::Deleted => cost.deleted = cost.deleted.saturating_add(1),
                Fate::Shortened => cost.shortened = cost.shortened.saturating_add(1),
            }
            cost.oldest.get_or_insert(made);
            cost.newest = Some(made);
        }
        cost
    }

    /// The run that made a point: the snapshot comes some minutes after it.
    fn due(&self, second: i64) -> i64 {
        self.beat
            .previous_at_or_before(&self.clock, second)
            .filter(|run| second - run <= GRACE.as_secs())
            .unwrap_or(second)
    }

    fn fate(&self, due: i64, tags: Tags, told: Option<i64>, is_newest: bool) -> Fate {
        let fate = match &self.old {
            None => self.fate_from(FOR_EVER, due, tags),
            Some(old) => match old.kept_until(&self.clock, due, tags) {
                was if told.is_some_and(|told| self.is_longer(told, was.map(|(was, _)| was))) => {
                    self.fate_of_tagged(old, due, told.unwrap_or_default())
                }
                Some((was, _)) if was > self.now => self.fate_from(was, due, tags),
                // The newest, or one that the next cleanup takes anyway.
                Some((was, _)) if is_newest || was > self.now - CLEANUP => Fate::Same,
                None if is_newest => Fate::Same,
                _ => self.fate_of_survivor(old, due),
            },
        };
        match fate {
            Fate::Deleted if is_newest => self.shortened(),
            Fate::Shortened => self.shortened(),
            fate => fate,
        }
    }

    /// What goes later than at once, and sooner than for ever, is no loss.
    fn shortened(&self) -> Fate {
        match self.old {
            Some(_) => Fate::Shortened,
            None => Fate::Same,
        }
    }

    /// Whether the end that the vault tells is beyond what the policy in force explains, and beyond the next cleanups.
    fn is_longer(&self, told: i64, was: Option<i64>) -> bool {
        told > was
            .map_or(self.now, |was| was.max(self.now))
            .saturating_add(CLEANUP)
    }

    /// The fate of a point that an earlier policy tagged, so that it is kept until `told`.
    fn fate_of_tagged(&self, old: &Tiers, due: i64, told: i64) -> Fate {
        let explains = |tags: &Tags| {
            let end = old.kept_until(&self.clock, due, *tags);
            let end = end.filter(|(end, _)| end.abs_diff(told) <= CLEANUP.unsigned_abs());
            end.map(|(end, _)| self.fate_from(end, due, *tags))
        };
        let explained = ALONE.iter().filter_map(explains).max();
        // A tier that is not there any more: what it is kept by after the edit is not known either.
        let unexplained = || {
            let none = Tags::default();
            let tags = ALONE.iter().chain(std::iter::once(&none));
            let fates = tags.map(|tags| self.fate_from(told.saturating_sub(CLEANUP), due, *tags));
            fates.max().unwrap_or(Fate::Deleted)
        };
        explained.unwrap_or_else(unexplained)
    }

    /// The fate of a point that the policy in force would have let go.
    fn fate_of_survivor(&self, old: &Tiers, due: i64) -> Fate {
        ALONE
            .into_iter()
            .filter_map(|tags| {
                let (was, _) = old.kept_until(&self.clock, due, tags)?;
                (was > self.now).then(|| self.fate_from(was, due, tags))
            })
            .max()
            .unwrap_or(Fate::Same)
    }

    /// The fate of a point that would have gone at `was`.
    fn fate_from(&self, was: i64, due: i64, tags: Tags) -> Fate {
        let clock = self.new_clock.as_ref().unwrap_or(&self.clock);
        match self.new.kept_until(clock, due, tags) {
            Some((until, _)) if until >= was => Fate::Same,
            Some((until, _)) if until > self.now => Fate::Shortened,
            _ => Fate::Deleted,
        }
    }
}

/// What one of the long-term tiers alone makes of a point.
const ALONE: [Tags; 3] = {
    const NONE: Tags = Tags {
        weekly: false,
        monthly: false,
        yearly: false,
    };
    [
        Tags {
            weekly: true,
            ..NONE
        },
        Tags {
            monthly: true,
            ..NONE
        },
        Tags {
            yearly: true,
            ..NONE
        },
    ]
};

/// What an edit makes of a point, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Same,
    Shortened,
    Deleted,
}
