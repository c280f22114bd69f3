//! Which recovery points a policy leaves, by brute force over days and from the documents alone: nothing of the engine is used,
//! nor a library's calendar.
//!
//! Days are counted from 1 January 1970. A run is at one wall-clock time of a zone that is always the same hours ahead of UTC,
//! as Azure takes every zone to be; so a date there is all that a run needs to be known by.

use std::collections::BTreeMap;

/// How long each tier keeps, and which days it takes: the first run of such a day carries its tag for good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gfs {
    pub(super) days: i64,
    pub(super) weeks: i64,
    /// 0 is Monday.
    pub(super) weekday: i64,
    pub(super) months: i64,
    pub(super) years: i64,
}

/// A recovery point: the tags that it was given when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    weekly: bool,
    monthly: bool,
    yearly: bool,
}

/// All points there are, by the day of their run.
#[derive(Debug, Default)]
pub(super) struct Reference {
    points: BTreeMap<i64, Made>,
    pub(super) removed: u64,
}

/// Why a point is kept longest.
pub(super) type Rule = &'static str;

impl Reference {
    /// The run of a day. Monthly is the first Sunday of a month, yearly that of January.
    pub(super) fn run(&mut self, day: i64, policy: &Gfs) {
        let (_, month, date) = civil(day);
        let first_sunday = weekday(day) == 6 && date <= 7;
        self.points.insert(
            day,
            Made {
                weekly: weekday(day) == policy.weekday,
                monthly: first_sunday,
                yearly: first_sunday && month == 1,
            },
        );
    }

    /// A cleanup on `today`, before the hour of its run: what ended on an earlier day goes, but never the newest point. How many
    /// went.
    pub(super) fn clean(&mut self, today: i64, policy: &Gfs) -> u64 {
        let newest = self.points.keys().next_back().copied();
        let before = self.points.len();
        self.points
            .retain(|day, made| end(*day, *made, policy).0 >= today || Some(*day) == newest);
        let gone = (before - self.points.len()) as u64;
        self.removed += gone;
        gone
    }

    /// The points there are, each with the day on which it ends, and the rule that says so.
    pub(super) fn points(&self, policy: &Gfs) -> BTreeMap<i64, (i64, Rule)> {
        let each = self.points.iter();
        each.map(|(day, made)| (*day, end(*day, *made, policy)))
            .collect()
    }
}

fn end(day: i64, made: Made, policy: &Gfs) -> (i64, Rule) {
    let mut ends = vec![(day + policy.days, "Daily")];
    if made.weekly {
        ends.push((day + 7 * policy.weeks, "Weekly"));
    }
    if made.monthly {
        ends.push((months_later(day, policy.months), "Monthly"));
    }
    if made.yearly {
        ends.push((months_later(day, 12 * policy.years), "Yearly"));
    }
    let last = ends.iter().map(|(until, _)| *until).max().unwrap();
    *ends.iter().rfind(|(until, _)| *until == last).unwrap()
}

/// The same date so many months later, or the month's last.
fn months_later(day: i64, months: i64) -> i64 {
    let (year, month, date) = civil(day);
    let all = year * 12 + month - 1 + months;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    let first = first_of(year, month);
    let next = first_of(if month == 12 { year + 1 } else { year }, month % 12 + 1);
    first + (date - 1).min(next - first - 1)
}

/// 0 is Monday; 1 January 1970 was a Thursday.
pub(super) fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// Year, month, date: counted through, a year and a month at a time.
pub(super) fn civil(day: i64) -> (i64, i64, i64) {
    let mut year = 1970;
    while first_of(year + 1, 1) <= day {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && first_of(year, month + 1) <= day {
        month += 1;
    }
    (year, month, day - first_of(year, month) + 1)
}

/// The day of a month's first.
pub(super) fn first_of(year: i64, month: i64) -> i64 {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i64 = (1970..year)
        .map(|year| if leap(year) { 366 } else { 365 })
        .sum();
    let lengths = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let months: i64 = lengths
        .iter()
        .take(usize::try_from(month - 1).unwrap())
        .sum();
    years + months
}

#[test]
fn the_references_calendar_is_the_one_on_the_wall() {
    assert_eq!(civil(0), (1970, 1, 1));
    assert_eq!(first_of(2000, 3), 11_017);
    assert_eq!(civil(first_of(2028, 2) + 28), (2028, 2, 29));
    assert_eq!(
        weekday(first_of(2026, 11) + 21),
        6,
        "22 November 2026 is a Sunday"
    );
    assert_eq!(
        months_later(first_of(2027, 1) + 30, 1),
        first_of(2027, 2) + 27
    );
    assert_eq!(
        months_later(first_of(2028, 2) + 28, 12),
        first_of(2029, 2) + 27
    );
}
