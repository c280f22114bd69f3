//! How long recovery points are to be kept: the four tiers of a policy, and the tags that say which of them a point
//! belongs to.
//!
//! A point is tagged once, when it is made, by the policy in force then ([`Retention::tags`]). Its expiry is computed
//! at each cleanup from the durations of the policy in force *now*: an edit of a duration reaches old points, an edit
//! of the days that qualify reaches new points alone. So Azure describes it, and so no point that was promised a year
//! is lost because somebody moved the weekly tag from Sunday to Monday.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::calendar::{Month, MonthDays};
use crate::clock::{Clock, floor};
use crate::day::{Day, SECONDS};
use crate::tiers::Tiers;

/// The retention of a policy. A tier that is absent keeps nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    pub daily: Option<Daily>,
    pub weekly: Option<Weekly>,
    pub monthly: Option<Monthly>,
    pub yearly: Option<Yearly>,
}

/// Every scheduled point is kept this many days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daily {
    pub keep: u32,
}

/// The first point of these weekdays is kept this many weeks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    pub keep: u32,
    pub on: Vec<Weekday>,
}

/// The first point of these days is kept this many months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monthly {
    pub keep: u32,
    pub on: MonthDays,
}

/// The first point of these days in these months is kept this many years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yearly {
    pub keep: u32,
    pub months: Vec<Month>,
    pub on: MonthDays,
}

/// A tier of retention, the shortest-lived first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Tier {
    /// All four.
    pub const ALL: [Tier; 4] = [Tier::Daily, Tier::Weekly, Tier::Monthly, Tier::Yearly];
}

/// The long-term tiers a point was chosen for. The daily tier needs no tag: it covers every scheduled point, which is
/// how weekly points live on when their policy becomes a daily one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tags {
    pub weekly: bool,
    pub monthly: bool,
    pub yearly: bool,
}

/// Longer than any date lasts on any zone's clock, also on one that changes sides of the date line.
const A_DATE: SignedDuration = SignedDuration::from_hours(51);

impl Retention {
    /// Whether any point, at any time, could be kept for a shorter time than by `before`: a tier is gone, or keeps less. The days that
    /// qualify for a tier are none of it: an edit of those reaches new points alone.
    pub fn is_shorter_than(&self, before: &Self) -> bool {
        fn less<T>(before: Option<&T>, after: Option<&T>, keep: impl Fn(&T) -> u32) -> bool {
            let kept = before.map_or(0, &keep);
            after.map_or(0, &keep) < kept
        }
        less(before.daily.as_ref(), self.daily.as_ref(), |tier| tier.keep)
            || less(before.weekly.as_ref(), self.weekly.as_ref(), |tier| {
                tier.keep
            })
            || less(before.monthly.as_ref(), self.monthly.as_ref(), |tier| {
                tier.keep
            })
            || less(before.yearly.as_ref(), self.yearly.as_ref(), |tier| {
                tier.keep
            })
    }

    /// The tags of a point of the run that was due at `due`.
    ///
    /// `due` is the scheduled time, not the moment the snapshot was taken: a Sunday run that starts after midnight is
    /// still Sunday's. `earlier` are the due times of points made before it; the first point of a day that qualifies
    /// carries the tags, later ones of that day carry none.
    pub fn tags(
        &self,
        due: Timestamp,
        earlier: impl IntoIterator<Item = Timestamp>,
        zone: &TimeZone,
    ) -> Tags {
        let (second, _) = floor(due);
        // Nothing further away can be of the same date, so that most of a long history costs a comparison.
        let near = due.checked_sub(A_DATE).unwrap_or(Timestamp::MIN);
        let clock = Clock::over(zone, near, due);
        let day = |second: i64| clock.local(second).div_euclid(SECONDS);
        let today = day(second);
        let first = earlier
            .into_iter()
            .filter(|other| (near..due).contains(other))
            .all(|other| day(floor(other).0) != today);
        if first {
            Tiers::new(self).tags(Day::of(today))
        } else {
            Tags::default()
        }
    }

    /// The tags that the first point of `date` carries.
    pub fn tags_of_day(&self, date: Date) -> Tags {
        Tags {
            weekly: self
                .weekly
                .as_ref()
                .is_some_and(|tier| tier.on.contains(&date.weekday())),
            monthly: self
                .monthly
                .as_ref()
                .is_some_and(|tier| tier.on.holds(date)),
            yearly: self.yearly.as_ref().is_some_and(|tier| {
                tier.months.iter().any(|month| month.holds(date)) && tier.on.holds(date)
            }),
        }
    }

    /// When this retention lets go of a point of `due` with these tags, and the tier that keeps it longest. `None`
    /// when no tier keeps it at all, as with yesterday's daily points once a policy has become weekly.
    ///
    /// Days and weeks are 24 hours and seven times that; months and years are the calendar's, a date that the month
    /// does not have becoming its last.
    pub fn kept_until(
        &self,
        due: Timestamp,
        tags: Tags,
        zone: &TimeZone,
    ) -> Option<(Timestamp, Tier)> {
        let (second, nanosecond) = floor(due);
        let (until, tier) = Tiers::new(self).kept_until(&Clock::new(zone), second, tags)?;
        Some((instant(until, nanosecond), tier))
    }
}

/// An end in seconds as an instant: what is kept beyond the calendar is kept for ever.
pub(crate) fn instant(second: i64, nanosecond: i32) -> Timestamp {
    Timestamp::new(second, nanosecond).unwrap_or(Timestamp::MAX)
}
