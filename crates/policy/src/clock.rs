//! The policy's wall clock over a span of time, worked out once.
//!
//! What [`wall_clock`] says of one instant costs a look at the zone's changes of a year. A base offset hardly ever
//! changes, so that a zone's whole century is a handful of segments: a clock finds them once and answers from then on in
//! a few nanoseconds, in whole seconds. Outside its span it asks [`wall_clock`] itself: never wrong, only slower.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::wall_clock;

/// No clock looks further ahead than this from where its span begins: longer than the longest retention.
const SPAN_MAX: SignedDuration = SignedDuration::from_hours(24 * 366 * 130);

/// A zone's clock at its base offset.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
    /// The span that is worked out, in seconds since 1970; empty when nothing is.
    from: i64,
    to: i64,
    /// Where each base offset begins to hold, in order. The first holds from `from` on.
    segments: Vec<(i64, i64)>,
}

impl Clock {
    /// The clock of a zone, for a few questions.
    pub(crate) fn new(zone: &TimeZone) -> Clock {
        Clock {
            zone: zone.clone(),
            from: 0,
            to: 0,
            segments: Vec::new(),
        }
    }

    /// The clock of a zone, for many questions about `from` up to `to`.
    pub(crate) fn over(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Clock {
        let to = to.min(from.checked_add(SPAN_MAX).unwrap_or(Timestamp::MAX));
        let (first, last) = (floor(from).0, floor(to).0);
        // The base offset looks a year ahead: it can change where the zone does, and a year before.
        let year = wall_clock::A_YEAR.as_secs();
        let mut changes: Vec<i64> = zone
            .following(from)
            .map(|change| floor(change.timestamp()).0)
            .take_while(|change| change - year <= last)
            .flat_map(|change| [change - year, change])
            .filter(|change| *change > first && *change < last)
            .collect();
        changes.push(first);
        changes.sort_unstable();
        let mut segments: Vec<(i64, i64)> = Vec::new();
        for change in changes {
            let offset = asked(zone, change);
            if segments.last().is_none_or(|(_, known)| *known != offset) {
                segments.push((change, offset));
            }
        }
        Clock {
            zone: zone.clone(),
            from: first,
            to: last,
            segments,
        }
    }

    /// The base offset at an instant, in seconds.
    pub(crate) fn offset(&self, second: i64) -> i64 {
        if second < self.from || second >= self.to {
            return asked(&self.zone, second);
        }
        match self.segments.as_slice() {
            [(_, only)] => *only,
            segments => {
                let after = segments.partition_point(|(start, _)| *start <= second);
                after
                    .checked_sub(1)
                    .and_then(|index| segments.get(index))
                    .map_or_else(|| asked(&self.zone, second), |(_, offset)| *offset)
            }
        }
    }

    /// What the clock shows at an instant, as seconds since its own 1 January 1970.
    pub(crate) fn local(&self, second: i64) -> i64 {
        second + self.offset(second)
    }

    /// The instant at which the clock shows `local`.
    pub(crate) fn instant(&self, local: i64) -> i64 {
        local - self.offset(local)
    }
}

/// An instant as whole seconds since 1970, rounded down, and the nanoseconds above.
pub(crate) fn floor(at: Timestamp) -> (i64, i32) {
    let (second, nanosecond) = (at.as_second(), at.subsec_nanosecond());
    if nanosecond < 0 {
        (second - 1, nanosecond + 1_000_000_000)
    } else {
        (second, nanosecond)
    }
}

fn asked(zone: &TimeZone, second: i64) -> i64 {
    let clamped = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let at = Timestamp::from_second(clamped).unwrap_or_default();
    i64::from(wall_clock::base_offset(zone, at).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every zone that is bundled, each month from 1900 to 2050: what was worked out once is what is asked anew.
    #[test]
    fn what_is_worked_out_is_what_is_asked() {
        let (from, to) = (-2_208_988_800, 2_524_608_000);
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut zones = 0;
        for name in crate::zones::names() {
            let zone = crate::zones::get(&name).unwrap();
            let clock = Clock::over(&zone, at(from), at(to));
            // A little off, so as to meet no change but those on the dot below.
            for second in (from..to).step_by(86_400 * 61) {
                assert_eq!(
                    clock.offset(second),
                    asked(&zone, second),
                    "{name} at {second}"
                );
            }
            for (start, offset) in &clock.segments {
                assert_eq!(asked(&zone, *start), *offset, "{name} at {start}");
                assert_eq!(clock.offset(*start), *offset, "{name} at {start}");
            }
            zones += 1;
        }
        assert!(zones > 400, "{zones}");
    }
}
