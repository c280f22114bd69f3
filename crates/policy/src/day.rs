//! Dates as numbers of days since 1 January 1970, for arithmetic that is done millions of times.
//!
//! The proleptic Gregorian calendar, counted from 1 March so that the leap day is a year's last. Knows no zone: a day
//! here is a day of the policy's wall clock.

/// The seconds of a day of the policy's clock, which has no other days: its offset is the same all year.
pub(crate) const SECONDS: i64 = 86_400;

/// A day, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    /// Days since 1 January 1970.
    pub(crate) number: i64,
    pub(crate) year: i64,
    /// 1 for January.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
}

impl Day {
    /// The day of this number.
    pub(crate) fn of(number: i64) -> Day {
        // 719 468 days lie between 1 March of the year 0 and 1 January 1970; 400 years are 146 097 days.
        let since = number + 719_468;
        let era = since.div_euclid(146_097);
        let of_era = since.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Day {
            number,
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    /// 0 for Monday.
    pub(crate) fn weekday(self) -> u8 {
        weekday(self.number)
    }

    /// The last day of this day's month, 28 to 31.
    pub(crate) fn month_length(self) -> i64 {
        length(self.year, self.month)
    }

    /// The number of the same day so many months later, of its month's last day where it has no such day.
    pub(crate) fn months_later(self, months: i64) -> i64 {
        let total = (self.year * 12 + self.month - 1).saturating_add(months);
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        number(year, month, self.day.min(length(year, month)))
    }
}

/// The weekday of a day's number, 0 for Monday. 1 January 1970 was a Thursday.
pub(crate) fn weekday(number: i64) -> u8 {
    u8::try_from((number + 3).rem_euclid(7)).unwrap_or_default()
}

fn number(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

fn length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;

    use super::*;

    /// Every day of 8 000 years: jiff counts the same.
    #[test]
    fn days_are_the_calendar_s() {
        let mut expected = date(-1000, 1, 1);
        let mut number = number(-1000, 1, 1);
        while expected < date(7000, 1, 1) {
            let day = Day::of(number);
            let parts = (day.year, day.month, day.day);
            let (year, month, of_month) = (expected.year(), expected.month(), expected.day());
            assert_eq!(parts, (year.into(), month.into(), of_month.into()));
            assert_eq!(day.month_length(), i64::from(expected.days_in_month()));
            let weekday = expected.weekday().to_monday_zero_offset();
            assert_eq!(i64::from(day.weekday()), i64::from(weekday));
            let later = expected.checked_add(17.months()).unwrap();
            let found = Day::of(day.months_later(17));
            let (year, month, of_month) = (later.year(), later.month(), later.day());
            assert_eq!(
                (found.year, found.month, found.day),
                (year.into(), month.into(), of_month.into())
            );
            expected = expected.tomorrow().unwrap();
            number += 1;
        }
        assert_eq!(Day::of(0).year, 1970);
    }
}
