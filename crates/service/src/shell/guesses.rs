//! Wrong secrets slow down whoever tries them, and nobody is locked out.
//!
//! Failures are counted by the address that they come from and by the identity that they are for. Once there are some, each
//! answer to either waits, right or wrong: an answer that came sooner would tell that it is the right one. Who has the right
//! secret is let in after [`SLOWEST`] at the latest, however many guess.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connections::network;

/// So many failures cost nothing: people mistype, and a secret that was exchanged is tried by a few pods.
const FREE: u32 = 3;
/// How long answers wait after the next failure; twice as long after each further one, up to [`SLOWEST`].
const FIRST: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(8);
/// After so long without a failure they are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// More addresses and identities than this are not remembered: those go that have not failed for longest.
const MOST: usize = 4096;

/// Who failed to sign in, and how often.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<By, Failures>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum By {
    Address(IpAddr),
    Identity(String),
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Guesses {
    /// Takes note of an attempt, and returns how long its answer waits. `identity` is one that there is: whoever names another
    /// is counted by the address alone.
    pub(super) fn wait(
        &self,
        from: IpAddr,
        identity: Option<&str>,
        failed: bool,
        now: Instant,
    ) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = identity.map(|id| By::Identity(id.to_lowercase()));
        let by = std::iter::once(By::Address(network(from))).chain(identity);
        by.map(|by| {
            if failed {
                count(&mut all, by.clone(), now);
            }
            delay(all.get(&by), now)
        })
        .max()
        .unwrap_or_default()
    }
}

fn count(all: &mut HashMap<By, Failures>, by: By, now: Instant) {
    if !all.contains_key(&by) && all.len() >= MOST {
        let oldest = all.iter().min_by_key(|(_, failures)| failures.last);
        let oldest = oldest.map(|(by, _)| by.clone());
        oldest.and_then(|by| all.remove(&by));
    }
    let failures = all.entry(by).or_insert(Failures {
        count: 0,
        last: now,
    });
    if now.duration_since(failures.last) >= FORGOTTEN {
        failures.count = 0;
    }
    failures.last = now;
    failures.count = failures.count.saturating_add(1);
}

fn delay(failures: Option<&Failures>, now: Instant) -> Duration {
    let remembered = failures.filter(|failures| now.duration_since(failures.last) < FORGOTTEN);
    let beyond = remembered.and_then(|failures| failures.count.checked_sub(FREE + 1));
    beyond.map_or(Duration::ZERO, |beyond| {
        FIRST.saturating_mul(1 << beyond.min(16)).min(SLOWEST)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn guesses_become_slower_and_the_right_secret_is_no_faster_there() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let waits: Vec<u128> = (0..9)
            .map(|_| guesses.wait(address(1), None, true, now).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(guesses.wait(address(1), None, false, now), SLOWEST);
        assert_eq!(guesses.wait(address(2), None, false, now), Duration::ZERO);
        let later = now + FORGOTTEN;
        assert_eq!(guesses.wait(address(1), None, true, later), Duration::ZERO);
    }

    #[test]
    fn an_identity_that_is_guessed_at_from_everywhere_is_slow_everywhere() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for last in 0..4 {
            guesses.wait(address(last), Some("Owner"), true, now);
        }
        assert_eq!(guesses.wait(address(9), Some("owner"), false, now), FIRST);
        assert_eq!(
            guesses.wait(address(9), Some("other"), false, now),
            Duration::ZERO
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for n in 0..5_000u32 {
            let at = now + Duration::from_millis(n.into());
            guesses.wait(IpAddr::from(n.to_be_bytes()), None, true, at);
        }
        assert_eq!(guesses.0.lock().unwrap().len(), MOST);
    }
}
