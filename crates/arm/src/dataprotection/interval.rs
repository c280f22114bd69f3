//! The texts of ISO 8601 that rules are made of: repeating intervals such as `R/2024-01-01T22:30:00+01:00/P1D`, and lengths
//! of time such as `P30D`.
//!
//! An interval repeats from an instant by a fixed length, so that it says the time on a clock that is never put forward:
//! that of the zone's base offset, which `kluis_policy::wall_clock` defines.

use jiff::civil::{Date, DateTime, Time, date};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};
use kluis_policy::wall_clock;

/// A Monday. Intervals begin in its week; which week it is means nothing, and one that never changes makes equal policies
/// equal.
pub(super) const ANY_MONDAY: Date = date(2024, 1, 1);

/// A repeating interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: Start,
    pub(super) every: Every,
}

/// When an interval begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    civil: DateTime,
    /// None where only the policy's zone says it.
    pub(super) offset: Option<Offset>,
}

/// By what an interval repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Every {
    Hours(u8),
    Day,
    Week,
}

/// A length of time in one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Days(u32),
    Weeks(u32),
    Months(u32),
    Years(u32),
}

impl Interval {
    /// None for a text that is none, that ends after some times, or that repeats by anything but a whole part of a day, a
    /// day or a week.
    pub(super) fn read(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("R/")?;
        let (start, every) = rest.rsplit_once('/')?;
        let every: Span = every.parse().ok()?;
        if below_hours(&every) || every.get_months() != 0 || every.get_years() != 0 {
            return None;
        }
        let hours = every.get_hours();
        let days = i64::from(every.get_days()) + 7 * i64::from(every.get_weeks());
        let every = match (days, hours) {
            (7, 0) | (0, 168) => Every::Week,
            (1, 0) | (0, 24) => Every::Day,
            (0, 1..24) if 24 % hours == 0 => Every::Hours(u8::try_from(hours).ok()?),
            _ => return None,
        };
        Some(Self {
            start: Start::read(start)?,
            every,
        })
    }
}

impl Start {
    pub(super) fn read(text: &str) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        let offset = match pieces.offset() {
            None => None,
            Some(PiecesOffset::Zulu) => Some(Offset::UTC),
            Some(PiecesOffset::Numeric(offset)) => Some(offset.offset()),
            Some(_) => return None,
        };
        Some(Self {
            civil: pieces.date().to_datetime(pieces.time()?),
            offset,
        })
    }

    /// What the policy's clock shows then.
    pub(super) fn on_clock(self, zone: &TimeZone) -> Option<DateTime> {
        match self.offset {
            None => Some(self.civil),
            Some(offset) => {
                let instant: Timestamp = offset.to_timestamp(self.civil).ok()?;
                Some(wall_clock::reading(zone, instant))
            }
        }
    }
}

/// A moment as an interval's start is written: the policy's clock on a day, and that clock's offset. None beyond the years
/// that a timestamp holds.
pub(super) fn start(zone: &TimeZone, days_later: i8, at: Time) -> Option<String> {
    let day = ANY_MONDAY.checked_add(i64::from(days_later).days()).ok()?;
    let instant = wall_clock::instant(zone, day.to_datetime(at))?;
    let offset = wall_clock::base_offset(zone, instant);
    let clock = offset.to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S");
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    Some(format!("{clock}{sign}{hours:02}:{minutes:02}"))
}

impl Length {
    /// None for a text that is no length, or one in several units.
    pub(super) fn read(text: &str) -> Option<Self> {
        let span: Span = text.parse().ok()?;
        if below_hours(&span) || span.get_hours() != 0 {
            return None;
        }
        let days = u32::try_from(span.get_days()).ok()?;
        let weeks = u32::try_from(span.get_weeks()).ok()?;
        let months = u32::try_from(span.get_months()).ok()?;
        let years = u32::try_from(span.get_years()).ok()?;
        match (years, months, weeks, days) {
            (0, 0, 0, days) => Some(Self::Days(days)),
            (0, 0, weeks, 0) => Some(Self::Weeks(weeks)),
            (0, months, 0, 0) => Some(Self::Months(months)),
            (years, 0, 0, 0) => Some(Self::Years(years)),
            _ => None,
        }
    }

    /// `P30D`.
    pub(super) fn text(self) -> String {
        match self {
            Self::Days(count) => format!("P{count}D"),
            Self::Weeks(count) => format!("P{count}W"),
            Self::Months(count) => format!("P{count}M"),
            Self::Years(count) => format!("P{count}Y"),
        }
    }

    /// About how many days it is, counted from one and the same day: what lengths of several units are compared by.
    pub(super) fn in_days(self) -> i64 {
        let span = match self {
            Self::Days(count) => Span::new().try_days(count),
            Self::Weeks(count) => Span::new().try_weeks(count),
            Self::Months(count) => Span::new().try_months(count),
            Self::Years(count) => Span::new().try_years(count),
        };
        let end = span.ok().and_then(|span| ANY_MONDAY.checked_add(span).ok());
        end.map_or(i64::MAX, |end| {
            end.duration_since(ANY_MONDAY).as_hours() / 24
        })
    }
}

/// Whether a length has anything that is shorter than an hour.
fn below_hours(span: &Span) -> bool {
    span.get_minutes() != 0
        || span.get_seconds() != 0
        || span.get_milliseconds() != 0
        || span.get_microseconds() != 0
        || span.get_nanoseconds() != 0
}
