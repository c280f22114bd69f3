//! A policy as the documentation puts it, in plain numbers; and the same in the engine's types.

use jiff::civil::{Time, Weekday};
use kluis_policy::{
    Between, Daily, DayOfMonth, DaylightSaving, Frequency, Log, Month, MonthDays, Monthly,
    Retention, Strategy, Week, Weekly, Workload, Yearly,
};

use crate::almanac::{WEEKDAYS, ZONES, zone};

/// A policy. Times of day are in minutes, weekdays count from Monday, 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paper {
    /// An index into the almanac's zones.
    pub(crate) zone: usize,
    pub(crate) full: When,
    pub(crate) daily: Option<i64>,
    pub(crate) weekly: Option<(Vec<usize>, i64)>,
    pub(crate) monthly: Option<(Which, i64)>,
    /// Months count from January, 1.
    pub(crate) yearly: Option<(Vec<i64>, Which, i64)>,
    /// Weekdays, minute, days kept.
    pub(crate) differential: Option<(Vec<usize>, i64, i64)>,
    pub(crate) incremental: Option<(Vec<usize>, i64, i64)>,
    /// Every so many minutes, days kept.
    pub(crate) log: Option<(i64, i64)>,
}

/// When a kind of backup is due.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum When {
    Daily(i64),
    Weekly(Vec<usize>, i64),
    /// Every so many hours, from a minute of the day, for so many hours.
    Hourly(i64, i64, i64),
    /// Every so many minutes from midnight.
    Minutes(i64),
}

/// Days of a month.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Which {
    /// Weeks (0 the first, 4 the last) and weekdays.
    Weekdays(Vec<usize>, Vec<usize>),
    /// Dates; 0 is the last day.
    Dates(Vec<i64>),
}

impl Paper {
    /// The base offset of its zone, in seconds.
    pub(crate) fn offset(&self) -> i64 {
        ZONES[self.zone].1
    }

    pub(crate) fn has_chains(&self) -> bool {
        self.differential.is_some() || self.incremental.is_some() || self.log.is_some()
    }

    /// What the engine is given.
    pub(crate) fn strategy(&self) -> Strategy {
        let between = |(on, minute, days): &(Vec<usize>, i64, i64)| Between {
            on: weekdays(on),
            at: time(*minute),
            keep_days: number(*days),
        };
        Strategy {
            workload: if self.has_chains() {
                Workload::SqlServer
            } else {
                Workload::VirtualMachine
            },
            zone: zone(ZONES[self.zone].0),
            daylight_saving: DaylightSaving::Ignore,
            full: frequency(&self.full),
            retention: self.retention(),
            differential: self.differential.as_ref().map(between),
            incremental: self.incremental.as_ref().map(between),
            log: self.log.map(|(every, days)| Log {
                every_minutes: u16::try_from(every).unwrap(),
                keep_days: number(days),
            }),
            instant_days: None,
        }
    }

    fn retention(&self) -> Retention {
        Retention {
            daily: self.daily.map(|keep| Daily { keep: number(keep) }),
            weekly: self.weekly.as_ref().map(|(on, keep)| Weekly {
                keep: number(*keep),
                on: weekdays(on),
            }),
            monthly: self.monthly.as_ref().map(|(which, keep)| Monthly {
                keep: number(*keep),
                on: month_days(which),
            }),
            yearly: self.yearly.as_ref().map(|(months, which, keep)| Yearly {
                keep: number(*keep),
                months: months
                    .iter()
                    .map(|month| Month::ALL[place(*month) - 1])
                    .collect(),
                on: month_days(which),
            }),
        }
    }
}

/// The engine's word for when a kind of backup is due.
pub(crate) fn frequency(when: &When) -> Frequency {
    match when {
        When::Daily(minute) => Frequency::Daily { at: time(*minute) },
        When::Weekly(on, minute) => Frequency::Weekly {
            on: weekdays(on),
            at: time(*minute),
        },
        When::Hourly(every, from, window) => Frequency::Hourly {
            every: u8::try_from(*every).unwrap(),
            from: time(*from),
            window: u8::try_from(*window).unwrap(),
        },
        When::Minutes(every) => Frequency::Minutes {
            every: u16::try_from(*every).unwrap(),
        },
    }
}

fn month_days(which: &Which) -> MonthDays {
    const WEEKS: [Week; 5] = [
        Week::First,
        Week::Second,
        Week::Third,
        Week::Fourth,
        Week::Last,
    ];
    match which {
        Which::Weekdays(weeks, on) => MonthDays::Weekdays {
            weeks: weeks.iter().map(|week| WEEKS[*week]).collect(),
            on: weekdays(on),
        },
        Which::Dates(dates) => {
            let day = |date: &i64| match date {
                0 => DayOfMonth::Last,
                day => DayOfMonth::Day(i8::try_from(*day).unwrap()),
            };
            MonthDays::Dates(dates.iter().map(day).collect())
        }
    }
}

fn weekdays(on: &[usize]) -> Vec<Weekday> {
    on.iter().map(|day| WEEKDAYS[*day]).collect()
}

fn time(minute: i64) -> Time {
    let field = |value: i64| i8::try_from(value).unwrap();
    Time::constant(field(minute / 60), field(minute % 60), 0, 0)
}

fn number(count: i64) -> u32 {
    u32::try_from(count).unwrap()
}

fn place(number: i64) -> usize {
    usize::try_from(number).unwrap()
}
