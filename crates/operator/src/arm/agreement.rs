//! Whether the service's clock and ours agree: what goes by age alone goes when both say so.
//!
//! The operator takes the time from the `Date` of the service's answers, and one of these may be wrong. A service whose clock is another never agrees
//! with ours; its word is taken once it has kept to it for a while. A virtual clock is moved by a person, and its answers say so: no fault of a machine
//! looks like that.

use jiff::{SignedDuration, Timestamp};

/// Clocks that differ by no more agree.
const AGREE: SignedDuration = SignedDuration::from_mins(5);
/// How long another clock has to keep to its difference.
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// What has been seen of a service's clock beside ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreement {
    /// How far it is ahead of ours.
    ahead: SignedDuration,
    /// Since when, by our clock, it has been about that.
    since: Timestamp,
    /// Whether it is another on purpose.
    virtual_clock: bool,
}

impl Agreement {
    /// What is known once the service has told `date` when ours showed `now`.
    pub(super) fn after(
        before: Option<Self>,
        date: Timestamp,
        virtual_clock: bool,
        now: Timestamp,
    ) -> Self {
        let ahead = date.duration_since(now);
        let is_kept = |known: &Self| (known.ahead - ahead).abs() <= AGREE && known.since <= now;
        match before.filter(is_kept) {
            Some(known) => Self {
                virtual_clock,
                ..known
            },
            None => Self {
                ahead,
                since: now,
                virtual_clock,
            },
        }
    }

    /// Whether the service's time may be acted on where nothing else than time is asked.
    pub(super) fn is_sure(self, now: Timestamp) -> bool {
        self.virtual_clock || self.ahead.abs() <= AGREE || now.duration_since(self.since) >= LASTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_date_that_leaps_is_not_acted_on_until_it_has_lasted() {
        let now = at("2026-11-30T12:00:00Z");
        let right = Agreement::after(None, now, false, now);
        assert!(right.is_sure(now));
        let leapt = Agreement::after(Some(right), at("2036-11-30T12:00:00Z"), false, now);
        assert!(!leapt.is_sure(now));
        let later = now + SignedDuration::from_mins(59);
        let kept = Agreement::after(Some(leapt), at("2036-11-30T12:59:00Z"), false, later);
        assert!(!kept.is_sure(later));
        assert!(kept.is_sure(later + SignedDuration::from_mins(1)));
        let back = Agreement::after(Some(kept), later, false, later);
        assert!(back.is_sure(later));
    }

    #[test]
    fn a_virtual_clock_is_believed_wherever_a_person_moves_it() {
        let now = at("2026-11-30T12:00:00Z");
        let moved = Agreement::after(None, at("2036-11-30T12:00:00Z"), true, now);
        assert!(moved.is_sure(now));
        let no_more = Agreement::after(Some(moved), at("2036-11-30T12:00:00Z"), false, now);
        assert!(!no_more.is_sure(now));
    }

    #[test]
    fn a_leap_of_our_own_clock_is_seen_as_well() {
        let now = at("2026-11-30T12:00:00Z");
        let right = Agreement::after(None, now, false, now);
        let ours = at("2036-11-30T12:00:00Z");
        let leapt = Agreement::after(Some(right), now, false, ours);
        assert!(!leapt.is_sure(ours));
    }
}
