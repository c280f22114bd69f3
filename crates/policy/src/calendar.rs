//! The days of a month that monthly and yearly retention name: by date, or by the week and the weekday.

use jiff::civil::{Date, Weekday};

/// Which occurrence of a weekday in its month. A fifth one is reached as [`Week::Last`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Week {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

/// A day by its date. Azure takes 1 to 28 and the last one, so that every month has each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayOfMonth {
    Day(i8),
    Last,
}

/// A month of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Month {
    January,
    February,
    March,
    April,
    May,
    June,
    July,
    August,
    September,
    October,
    November,
    December,
}

/// The days that so many months have at the least, whichever months they are. More than seven years have a
/// leap day; beyond ten years there may be a day or two more.
pub const fn fewest_days(months: u32) -> u32 {
    let years = months / 12;
    let rest = match months % 12 {
        0 => 0,
        months => months * 367 / 12 - 2,
    };
    years
        .saturating_mul(365)
        .saturating_add(months.saturating_add(11) / 96 + rest)
}

/// The days of a month that qualify. A list that is empty qualifies no day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonthDays {
    /// Every combination of a week and a weekday: the first Sunday, the last Sunday.
    Weekdays { weeks: Vec<Week>, on: Vec<Weekday> },
    /// Dates.
    Dates(Vec<DayOfMonth>),
}

impl Week {
    /// Whether `date` is this occurrence of its weekday in its month.
    pub fn holds(self, date: Date) -> bool {
        let nth = |n: i8| (date.day() - 1) / 7 == n - 1;
        match self {
            Week::First => nth(1),
            Week::Second => nth(2),
            Week::Third => nth(3),
            Week::Fourth => nth(4),
            Week::Last => date.day() > date.days_in_month() - 7,
        }
    }
}

impl DayOfMonth {
    /// Whether `date` is this day of its month.
    pub fn holds(self, date: Date) -> bool {
        match self {
            DayOfMonth::Day(day) => date.day() == day,
            DayOfMonth::Last => date.day() == date.days_in_month(),
        }
    }
}

impl Month {
    /// All twelve, January first.
    pub const ALL: [Month; 12] = [
        Month::January,
        Month::February,
        Month::March,
        Month::April,
        Month::May,
        Month::June,
        Month::July,
        Month::August,
        Month::September,
        Month::October,
        Month::November,
        Month::December,
    ];

    /// 1 for January.
    pub fn number(self) -> i8 {
        self as i8 + 1
    }

    /// Whether `date` is in this month.
    pub fn holds(self, date: Date) -> bool {
        date.month() == self.number()
    }
}

impl MonthDays {
    /// Whether `date` is one of these days of its month.
    pub fn holds(&self, date: Date) -> bool {
        match self {
            MonthDays::Weekdays { weeks, on } => {
                on.contains(&date.weekday()) && weeks.iter().any(|week| week.holds(date))
            }
            MonthDays::Dates(days) => days.iter().any(|day| day.holds(date)),
        }
    }
}
