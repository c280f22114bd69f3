//! Whether the service's clock and ours agree: what goes by age alone goes when both say so.
//!
//! The operator takes the time from the `Date` of the service's answers, and one of these may be wrong. A service whose clock is another on purpose (a
//! virtual one) never agrees with ours; its word is taken once it has kept to it for a while.

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
}

impl Agreement {
    /// What is known once the service has told `date` when ours showed `now`.
    pub(super) fn after(before: Option<Self>, date: Timestamp, now: Timestamp) -> Self {
        let ahead = date.duration_since(now);
        let is_kept = |known: &Self| (known.ahead - ahead).abs() <= AGREE && known.since <= now;
        match before.filter(is_kept) {
            Some(known) => known,
            None => Self { ahead, since: now },
        }
    }

    /// Whether the service's time may be acted on where nothing else than time is asked.
    pub(super) fn is_sure(self, now: Timestamp) -> bool {
        self.ahead.abs() <= AGREE || now.duration_since(self.since) >= LASTS
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
        let right = Agreement::after(None, now, now);
        assert!(right.is_sure(now));
        let leapt = Agreement::after(Some(right), at("2036-11-30T12:00:00Z"), now);
        assert!(!leapt.is_sure(now));
        let later = now + SignedDuration::from_mins(59);
        let kept = Agreement::after(Some(leapt), at("2036-11-30T12:59:00Z"), later);
        assert!(!kept.is_sure(later));
        assert!(kept.is_sure(later + SignedDuration::from_mins(1)));
        let back = Agreement::after(Some(kept), later, later);
        assert!(back.is_sure(later));
    }

    #[test]
    fn a_leap_of_our_own_clock_is_seen_as_well() {
        let now = at("2026-11-30T12:00:00Z");
        let right = Agreement::after(None, now, now);
        let ours = at("2036-11-30T12:00:00Z");
        let leapt = Agreement::after(Some(right), now, ours);
        assert!(!leapt.is_sure(ours));
    }
}
