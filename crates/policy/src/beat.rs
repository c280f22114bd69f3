//! A frequency as seconds of a day on certain weekdays: what finding the next run, and walking from run to run, need.
//!
//! Whole seconds since 1970 go in and out. Runs of a window that reaches past midnight belong to the day it began.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::clock::Clock;
use crate::day::{self, SECONDS};
use crate::schedule::Frequency;

/// Past this many days without a run there is none. The longest wait is a week and the shift of a zone that changes
/// sides of the date line, whose day may come twice or not at all.
const HORIZON_DAYS: i64 = 10;
const DATE_LINE_DAYS: i64 = 2;

/// When runs begin, in seconds after midnight, on which weekdays.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    /// Bit 0 is Monday.
    weekdays: u8,
    /// In order.
    seconds: Vec<i64>,
}

/// A walk over the runs of a beat, in order.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    day: i64,
    index: usize,
    /// The last run given out, or the moment after which the walk begins.
    last: i64,
}

impl Beat {
    pub(crate) fn new(frequency: &Frequency) -> Beat {
        let (weekdays, seconds) = match frequency {
            Frequency::Daily { at } => (ALL_WEEK, vec![of_day(*at)]),
            Frequency::Weekly { on, at } => (weekdays(on), vec![of_day(*at)]),
            Frequency::Hourly {
                every,
                from,
                window,
            } => {
                let hours = (0..=(*window).min(23)).step_by(usize::from((*every).max(1)));
                let seconds = hours.map(|hour| of_day(*from) + i64::from(hour) * 3_600);
                (ALL_WEEK, seconds.collect())
            }
            Frequency::Minutes { every } => {
                let minutes = (0..1_440).step_by(usize::from((*every).max(1)));
                (ALL_WEEK, minutes.map(|minute| minute * 60).collect())
            }
        };
        Beat { weekdays, seconds }
    }

    /// The first run strictly after `second`, `None` when there is none.
    pub(crate) fn next_after(&self, clock: &Clock, second: i64) -> Option<i64> {
        self.after(clock, second).next(self, clock)
    }

    /// The last run at or before `second`, `None` when there is none.
    pub(crate) fn previous_at_or_before(&self, clock: &Clock, second: i64) -> Option<i64> {
        let today = clock.local(second).div_euclid(SECONDS);
        (today - HORIZON_DAYS..=today + DATE_LINE_DAYS)
            .rev()
            .flat_map(|day| self.on(day).iter().rev().map(move |of_day| (day, of_day)))
            .find_map(|(day, of_day)| {
                instant(clock, day * SECONDS + of_day).filter(|run| *run <= second)
            })
    }

    /// A walk over the runs strictly after `second`.
    pub(crate) fn after(&self, clock: &Clock, second: i64) -> Runs {
        Runs {
            day: clock.local(second).div_euclid(SECONDS) - DATE_LINE_DAYS,
            index: 0,
            last: second,
        }
    }

    /// The seconds after midnight of the runs that begin on a day.
    pub(crate) fn on(&self, day: i64) -> &[i64] {
        if self.weekdays & 1 << day::weekday(day) == 0 {
            &[]
        } else {
            &self.seconds
        }
    }

    /// The weekdays that have runs; bit 0 is Monday.
    pub(crate) fn weekdays(&self) -> u8 {
        self.weekdays
    }
}

impl Runs {
    /// The next run, `None` when there is none.
    pub(crate) fn next(&mut self, beat: &Beat, clock: &Clock) -> Option<i64> {
        let mut idle = 0;
        while idle <= HORIZON_DAYS + DATE_LINE_DAYS {
            let Some(of_day) = beat.on(self.day).get(self.index) else {
                self.day += 1;
                self.index = 0;
                idle += 1;
                continue;
            };
            self.index += 1;
            let run = instant(clock, self.day * SECONDS + of_day);
            if let Some(run) = run.filter(|run| *run > self.last) {
                self.last = run;
                return Some(run);
            }
        }
        None
    }
}

/// A set of weekdays; bit 0 is Monday.
pub(crate) fn weekdays(on: &[jiff::civil::Weekday]) -> u8 {
    on.iter()
        .fold(0, |set, day| set | 1 << day.to_monday_zero_offset())
}

const ALL_WEEK: u8 = 0b111_1111;

fn of_day(at: Time) -> i64 {
    i64::from(at.hour()) * 3_600 + i64::from(at.minute()) * 60 + i64::from(at.second())
}

/// The instant of a reading, where a [`Timestamp`] holds it.
fn instant(clock: &Clock, local: i64) -> Option<i64> {
    let second = clock.instant(local);
    let held = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    held.contains(&second).then_some(second)
}
