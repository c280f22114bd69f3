//! A retention as sets of bits and lengths in seconds, for judging millions of points: the same sentences as
//! [`Retention`]'s, which are asked for one point.

use jiff::Timestamp;

use crate::beat;
use crate::calendar::{DayOfMonth, Month, MonthDays, Week};
use crate::clock::Clock;
use crate::day::{Day, SECONDS};
use crate::retention::{Retention, Tags, Tier};

/// Kept beyond every instant that a [`Timestamp`] holds.
pub(crate) const FOR_EVER: i64 = i64::MAX;

/// The tiers of a retention.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tiers {
    /// Seconds.
    daily: Option<i64>,
    /// The weekdays, bit 0 for Monday, and seconds.
    weekly: Option<(u8, i64)>,
    /// Months.
    monthly: Option<(Named, i64)>,
    /// The months of the year, bit 1 for January, and how long, in months.
    yearly: Option<(u16, Named, i64)>,
}

/// The days of a month that are named.
#[derive(Debug, Clone, Copy)]
enum Named {
    /// Bit 0 is the first week, bit 4 the last; bit 0 is Monday.
    Weekdays { weeks: u8, on: u8 },
    /// Bit 1 is the first day.
    Dates { days: u64, last: bool },
}

impl Tiers {
    pub(crate) fn new(retention: &Retention) -> Tiers {
        let days = |count: u32, days: i64| i64::from(count) * days * SECONDS;
        Tiers {
            daily: retention.daily.as_ref().map(|tier| days(tier.keep, 1)),
            weekly: retention
                .weekly
                .as_ref()
                .map(|tier| (beat::weekdays(&tier.on), days(tier.keep, 7))),
            monthly: retention
                .monthly
                .as_ref()
                .map(|tier| (Named::new(&tier.on), i64::from(tier.keep))),
            yearly: retention.yearly.as_ref().map(|tier| {
                let months = |set, month: &Month| set | 1 << month.number();
                (
                    tier.months.iter().fold(0, months),
                    Named::new(&tier.on),
                    12 * i64::from(tier.keep),
                )
            }),
        }
    }

    /// The tags that the first point of a day carries.
    pub(crate) fn tags(&self, day: Day) -> Tags {
        Tags {
            weekly: self
                .weekly
                .is_some_and(|(on, _)| on & 1 << day.weekday() != 0),
            monthly: self.monthly.is_some_and(|(named, _)| named.holds(day)),
            yearly: self
                .yearly
                .is_some_and(|(months, named, _)| months & 1 << day.month != 0 && named.holds(day)),
        }
    }

    /// When a point of `due` with these tags is let go, and the tier that keeps it longest, the longer-lived one where
    /// two end together; `None` when no tier keeps it. In seconds; [`FOR_EVER`] beyond the calendar.
    pub(crate) fn kept_until(&self, clock: &Clock, due: i64, tags: Tags) -> Option<(i64, Tier)> {
        self.end(clock, clock.local(due), tags)
    }

    /// The same for a point whose run began when the clock showed `local`.
    pub(crate) fn end(&self, clock: &Clock, local: i64, tags: Tags) -> Option<(i64, Tier)> {
        let mut longest: Option<(i64, Tier)> = None;
        let mut keep = |end: i64, tier: Tier| {
            if longest.is_none_or(|(until, _)| end >= until) {
                longest = Some((end, tier));
            }
        };
        if let Some(length) = self.daily {
            keep(local.saturating_add(length), Tier::Daily);
        }
        if let Some((_, length)) = self.weekly.filter(|_| tags.weekly) {
            keep(local.saturating_add(length), Tier::Weekly);
        }
        if let Some((_, months)) = self.monthly.filter(|_| tags.monthly) {
            keep(months_later(local, months), Tier::Monthly);
        }
        if let Some((_, _, months)) = self.yearly.filter(|_| tags.yearly) {
            keep(months_later(local, months), Tier::Yearly);
        }
        longest.map(|(end, tier)| (instant(clock, end), tier))
    }

    /// The longest that any point of `from` is kept, roughly: never less, and less than a year more.
    pub(crate) fn horizon(&self, from: Timestamp) -> Timestamp {
        let months = |months: i64| months.saturating_mul(31 * SECONDS);
        let longest = [
            self.daily,
            self.weekly.map(|(_, length)| length),
            self.monthly.map(|(_, length)| months(length)),
            self.yearly.map(|(_, _, length)| months(length)),
        ];
        let length = longest.into_iter().flatten().max().unwrap_or_default();
        let end = from.as_second().saturating_add(length + 2 * SECONDS);
        Timestamp::from_second(end).unwrap_or(Timestamp::MAX)
    }
}

impl Named {
    fn new(days: &MonthDays) -> Named {
        match days {
            MonthDays::Weekdays { weeks, on } => Named::Weekdays {
                weeks: weeks.iter().fold(0, |set, week| set | 1 << *week as u8),
                on: beat::weekdays(on),
            },
            MonthDays::Dates(dates) => Named::Dates {
                days: dates.iter().fold(0, |set, date| match date {
                    DayOfMonth::Day(day @ 1..=31) => set | 1 << day,
                    _ => set,
                }),
                last: dates.contains(&DayOfMonth::Last),
            },
        }
    }

    fn holds(self, day: Day) -> bool {
        match self {
            Named::Weekdays { weeks, on } => {
                let has = |week: i64| weeks & 1 << week != 0;
                let (nth, last) = ((day.day - 1) / 7, Week::Last as i64);
                on & 1 << day.weekday() != 0
                    && (nth < last && has(nth) || has(last) && day.day > day.month_length() - 7)
            }
            Named::Dates { days, last } => {
                days & 1 << day.day != 0 || last && day.day == day.month_length()
            }
        }
    }
}

fn months_later(local: i64, months: i64) -> i64 {
    let day = Day::of(local.div_euclid(SECONDS)).months_later(months);
    day.saturating_mul(SECONDS)
        .saturating_add(local.rem_euclid(SECONDS))
}

fn instant(clock: &Clock, local: i64) -> i64 {
    if local > Timestamp::MAX.as_second() {
        return FOR_EVER;
    }
    let second = clock.instant(local);
    if second > Timestamp::MAX.as_second() {
        FOR_EVER
    } else {
        second
    }
}
