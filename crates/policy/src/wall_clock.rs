//! The wall clock that a policy's times are read on: the zone's *base offset*, all year.
//!
//! Azure makes no adjustment for daylight saving time: a daily backup runs exactly 24 hours after the one before, so
//! that the clock on the wall shows another hour in summer. The same clock decides which day a run belongs to. With
//! any other clock a Sunday run at 23:30 would be a Monday run in summer, and Sunday's weekly retention would keep
//! Saturday's point.
//!
//! **The base offset** at an instant is the westernmost of two offsets: the one in force, and the one the zone changes
//! to next between standard and daylight saving time, when it does so within a year.
//!
//! - Where summer time is ahead of standard time, that is standard time: +01:00 for Europe/Amsterdam, -03:00 for
//!   America/Sao_Paulo.
//! - Two zones know it the other way round in the zone database. Ireland's legal standard time is that of summer and
//!   its winter an hour of negative saving; Morocco goes an hour back for Ramadan. The base offset of both is +00:00.
//!   For Dublin this is what a person means (it shares Windows' "GMT Standard Time" with London, and so Azure's zone
//!   name), and it keeps one rule for all zones.
//! - A change of standard time itself (Istanbul in 2016) moves the base offset with it, at that change or, where the
//!   zone leaves daylight saving time for good, at the start of its last summer. Only across such a change are two
//!   daily runs not 24 hours apart.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A little over the longest time between two changes of a zone that has daylight saving time each year.
pub(crate) const A_YEAR: SignedDuration = SignedDuration::from_hours(24 * 400);

/// The base offset of `zone` at `at`, as the module defines it.
pub fn base_offset(zone: &TimeZone, at: Timestamp) -> Offset {
    let here = zone.to_offset_info(at);
    let next = zone
        .following(at)
        .take_while(|change| change.timestamp().duration_since(at) <= A_YEAR)
        .find(|change| change.dst() != here.dst());
    match next {
        Some(change) => here.offset().min(change.offset()),
        None => here.offset(),
    }
}

/// What the policy's wall clock shows at `at`.
pub fn reading(zone: &TimeZone, at: Timestamp) -> DateTime {
    base_offset(zone, at).to_datetime(at)
}

/// The instant at which the policy's wall clock shows `reading`; `None` beyond the years that a [`Timestamp`] holds.
pub fn instant(zone: &TimeZone, reading: DateTime) -> Option<Timestamp> {
    let near = Offset::UTC.to_timestamp(reading).ok()?;
    base_offset(zone, near).to_timestamp(reading).ok()
}
