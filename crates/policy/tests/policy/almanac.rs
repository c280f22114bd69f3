//! A calendar made by walking from one day to the next, and zones as a fixed number of seconds: the reference that
//! schedules and retention are compared with.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The zones of the tests with their base offset in seconds: both hemispheres, half hours and quarters, a summer of
/// thirty minutes, no summer time, and the two zones whose saving is negative.
pub(crate) const ZONES: [(&str, i64); 11] = [
    ("UTC", 0),
    ("Europe/Amsterdam", HOUR),
    ("Europe/London", 0),
    ("Europe/Dublin", 0),
    ("Africa/Casablanca", 0),
    ("America/New_York", -5 * HOUR),
    ("America/St_Johns", -3 * HOUR - HOUR / 2),
    ("Asia/Kolkata", 5 * HOUR + HOUR / 2),
    ("Asia/Kathmandu", 5 * HOUR + 3 * HOUR / 4),
    ("Australia/Sydney", 10 * HOUR),
    ("Australia/Lord_Howe", 10 * HOUR + HOUR / 2),
];

pub(crate) const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// A day of the almanac. `weekday` counts from Monday, 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) weekday: usize,
}

/// Every day from 1 January 1970, a Thursday, for 250 years.
static DAYS: LazyLock<Vec<Day>> = LazyLock::new(|| {
    let mut today = Day {
        year: 1970,
        month: 1,
        day: 1,
        weekday: 3,
    };
    let mut days = Vec::new();
    while today.year < 2220 {
        days.push(today);
        today.weekday = (today.weekday + 1) % 7;
        today.day += 1;
        if today.day > length(today.year, today.month) {
            today.day = 1;
            today.month += 1;
        }
        if today.month > 12 {
            today.month = 1;
            today.year += 1;
        }
    }
    days
});

/// The days of a month.
pub(crate) fn length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day number of a local second, and the day.
pub(crate) fn day_of(local: i64) -> (usize, Day) {
    let number = usize::try_from(local.div_euclid(DAY)).unwrap();
    (number, DAYS[number])
}

/// The numbers of the first days of the months, January 1970 first.
static FIRSTS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let firsts = DAYS.iter().enumerate().filter(|(_, day)| day.day == 1);
    firsts.map(|(number, _)| number).collect()
});

/// The number of a date.
pub(crate) fn number_of(year: i64, month: i64, day: i64) -> usize {
    let month = usize::try_from((year - 1970) * 12 + month - 1).unwrap();
    FIRSTS[month] + usize::try_from(day - 1).unwrap()
}

/// Whether this day is the `nth` (0 for the first, 4 for the last) of its weekday in its month, by counting them.
pub(crate) fn is_nth_weekday(number: usize, nth: usize) -> bool {
    let today = DAYS[number];
    let first = number - usize::try_from(today.day - 1).unwrap();
    let last = first + usize::try_from(length(today.year, today.month)).unwrap();
    let same: Vec<usize> = (first..last)
        .filter(|n| DAYS[*n].weekday == today.weekday)
        .collect();
    if nth == 4 {
        same.last() == Some(&number)
    } else {
        same.get(nth) == Some(&number)
    }
}

/// `local`, as many months later, on the last day of the month where it has no such day.
pub(crate) fn months_later(local: i64, months: i64) -> i64 {
    let (_, from) = day_of(local);
    let total = from.year * 12 + from.month - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let number = number_of(year, month, from.day.min(length(year, month)));
    i64::try_from(number).unwrap() * DAY + local.rem_euclid(DAY)
}

pub(crate) fn zone(name: &str) -> TimeZone {
    kluis_policy::zones::get(name).unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}
