//! How fast a service is asked, and for how long it is left alone when it doesn't answer.
//!
//! After a start thousands of objects want to be read at once. Azure lets a subscription have a burst and then so many
//! reads a second; who asks faster is refused. So reads beyond a burst of our own wait for their turn, in order.

use jiff::{SignedDuration, Timestamp};

/// Reads that may be made at once before the rest are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub burst: u32,
    pub a_second: u32,
}

/// A bucket that fills by itself, and may be emptied into debt by those who then wait.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<Rate>,
    /// When the bucket would be full.
    full_at: Option<Timestamp>,
}

impl Pace {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            full_at: None,
        }
    }

    /// Takes one, and says how long to wait before using it.
    pub(super) fn take(&mut self, now: Timestamp) -> SignedDuration {
        let Some(rate) = self.rate else {
            return SignedDuration::ZERO;
        };
        let one = SignedDuration::from_nanos(1_000_000_000 / i64::from(rate.a_second.max(1)));
        let burst = one.saturating_mul(i32::try_from(rate.burst).unwrap_or(i32::MAX));
        let full_at = self.full_at.filter(|at| *at > now).unwrap_or(now);
        let full_at = full_at.saturating_add(one).unwrap_or(now);
        self.full_at = Some(full_at);
        let debt = full_at.duration_since(now) - burst;
        debt.max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_is_spread() {
        let rate = Rate {
            burst: 3,
            a_second: 2,
        };
        let mut pace = Pace::new(Some(rate));
        let now = Timestamp::UNIX_EPOCH;
        let waits: Vec<i64> = (0..7)
            .map(|_| i64::try_from(pace.take(now).as_millis()).unwrap())
            .collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000, 1500, 2000]);
        // Two seconds are the debt of four; then the bucket fills.
        let later = now + SignedDuration::from_secs(10);
        assert_eq!(pace.take(later), SignedDuration::ZERO);
    }
}
