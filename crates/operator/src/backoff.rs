//! How long to leave an object alone that keeps failing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::SignedDuration;

use crate::key::Key;

const FIRST: SignedDuration = SignedDuration::from_secs(2);
/// Long enough to be polite to a service that is down, short enough that a person who repaired it sees it work.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// Failures in a row, by object. It is lost with the process, which costs one early try and nothing else.
#[derive(Debug, Default)]
pub struct Backoff(Mutex<HashMap<Key, u32>>);

impl Backoff {
    /// Counts a failure, and says how long to wait. `fraction` (0 up to 1) spreads out those that failed together.
    pub fn failed(&self, key: &Key, fraction: f64) -> SignedDuration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        delay(*count, fraction)
    }

    /// Forgets the failures of an object.
    pub fn succeeded(&self, key: &Key) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(key);
    }
}

/// Doubles with each failure, up to five minutes; the second half of it is left to chance.
fn delay(failures: u32, fraction: f64) -> SignedDuration {
    let doubled = FIRST.checked_mul(1 << failures.saturating_sub(1).min(16));
    let whole = doubled.unwrap_or(LONGEST).min(LONGEST);
    whole.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_ends() {
        let waits: Vec<i64> = (1..12).map(|n| delay(n, 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(delay(1, 0.0), SignedDuration::from_secs(1));
        assert_eq!(delay(u32::MAX, 0.0), SignedDuration::from_secs(150));
    }

    #[test]
    fn success_forgets() {
        let (backoff, key) = (Backoff::default(), Key::service("azure"));
        backoff.failed(&key, 1.0);
        assert_eq!(backoff.failed(&key, 1.0), SignedDuration::from_secs(4));
        backoff.succeeded(&key);
        assert_eq!(backoff.failed(&key, 1.0), SignedDuration::from_secs(2));
    }
}
