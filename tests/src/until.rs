//! Waiting for something to become true, with a deadline and a reason.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at. Looking is cheap compared to a process
/// start, and a finer grain would only take the cores from who is working.
const GRAIN: Duration = Duration::from_millis(100);

/// What one look found.
#[derive(Debug)]
pub enum Look<T> {
    /// It is so.
    Done(T),
    /// Not yet; what was seen instead, for the error that a deadline makes.
    NotYet(String),
}

/// Looks until `look` says `Done`, fails, or `limit` has passed.
///
/// # Errors
/// What `look` failed with, or a sentence that names `what` and what was seen last.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<Look<T>>) -> Result<T> {
    every(GRAIN, what, limit, look)
}

/// [`until`] for a look that takes work of its own, and so should be rarer.
///
/// # Errors
/// As [`until`].
pub fn every<T>(
    grain: Duration,
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Look<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let seen = match look()? {
            Look::Done(value) => return Ok(value),
            Look::NotYet(seen) => seen,
        };
        if Instant::now() >= deadline {
            bail!("waited {} s for {what}; last seen: {seen}", limit.as_secs());
        }
        thread::sleep(grain);
    }
}

/// Seconds, to keep deadlines short to write.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
