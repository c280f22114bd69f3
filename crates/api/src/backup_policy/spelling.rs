//! One field in three spellings: `days`, `on`, which it was called before, and `true`, which YAML 1.1 makes of an unquoted `on`.
//!
//! Tools that own fields (server-side apply) cannot take away what another tool wrote, so an object may come to have several of them. While
//! they name the same days that is no mistake.

use super::calendar::{DayOfMonth, DayOfTier, Weekday};

/// CEL: there is one of them.
pub(super) const IS_THERE: &str = "has(self.days) || has(self.on) || has(self.__true__)";

/// CEL: what two spellings say is the same.
pub(super) const DAYS_AND_ON: &str = "!has(self.days) || !has(self.on) || (self.on.all(d, d in self.days) && self.days.all(d, d in self.on))";
pub(super) const DAYS_AND_TRUE: &str = "!has(self.days) || !has(self.__true__) || (self.__true__.all(d, d in self.days) && self.days.all(d, d in self.__true__))";
pub(super) const ON_AND_TRUE: &str = "!has(self.on) || !has(self.__true__) || (self.__true__.all(d, d in self.on) && self.on.all(d, d in self.__true__))";

/// What is said of two that name different days.
pub(super) const REMOVE_ON: &str = "days and on are one field, and name different days: remove on";
pub(super) const REMOVE_TRUE: &str =
    "days and true are one field, and name different days: remove true";
pub(super) const REMOVE_TRUE_OF_ON: &str = "on and true are one field, and name different days: remove true, which is what YAML 1.1 makes of an unquoted on";

/// CEL: by weeks and days of the week, or by days of the month.
pub(super) const BY_WEEK_OR_BY_DATE: &str = "has(self.weeks) ? ((has(self.days) || has(self.on) || has(self.__true__)) && (!has(self.days) || self.days.all(d, d in ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']))) : (has(self.days) && !has(self.on) && !has(self.__true__) && self.days.all(d, !(d in ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])))";

/// The days of the week, in whichever spelling.
pub(super) fn weekdays<'a>(
    days: Option<&'a Vec<Weekday>>,
    on: Option<&'a Vec<Weekday>>,
    unquoted: Option<&'a Vec<Weekday>>,
) -> &'a [Weekday] {
    days.or(on).or(unquoted).map_or(&[], Vec::as_slice)
}

/// The days of a tier that goes by weeks, in whichever spelling.
pub(super) fn of_weeks(
    days: Option<&[DayOfTier]>,
    on: Option<&[Weekday]>,
    unquoted: Option<&[Weekday]>,
) -> Option<Vec<Weekday>> {
    let of_week = |days: &[DayOfTier]| {
        let of_week = days.iter().filter_map(|day| match day {
            DayOfTier::Week(day) => Some(*day),
            DayOfTier::Month(_) => None,
        });
        of_week.collect()
    };
    days.map(of_week)
        .or_else(|| on.or(unquoted).map(<[Weekday]>::to_vec))
}

/// The days of a tier that goes by date.
pub(super) fn of_months(days: Option<&[DayOfTier]>) -> Option<Vec<DayOfMonth>> {
    let of_month = |days: &[DayOfTier]| {
        let of_month = days.iter().filter_map(|day| match day {
            DayOfTier::Month(day) => Some(*day),
            DayOfTier::Week(_) => None,
        });
        of_month.collect()
    };
    days.map(of_month)
}

/// Leaves `days` alone of the three.
pub(super) fn as_days<D: From<Weekday>>(
    days: &mut Option<Vec<D>>,
    on: &mut Option<Vec<Weekday>>,
    unquoted: &mut Option<Vec<Weekday>>,
) {
    let (on, unquoted) = (on.take(), unquoted.take());
    let before = on.or(unquoted);
    if let (None, Some(before)) = (&days, before) {
        *days = Some(before.into_iter().map(D::from).collect());
    }
}
