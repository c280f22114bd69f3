//! A bound on how fast a scrub reads, so that who works with the same disks is not held up.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Bytes that may be read in a second by all readers together.
pub(super) struct Pace {
    began: Instant,
    read: AtomicU64,
    bytes_per_second: Option<u64>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            began: Instant::now(),
            read: AtomicU64::new(0),
            bytes_per_second,
        }
    }

    /// Waits until so many more bytes are due.
    pub(super) fn wait(&self, bytes: u64) {
        let read = self.read.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let due = Duration::from_millis(read.saturating_mul(1_000) / rate.max(1));
        thread::sleep(due.saturating_sub(self.began.elapsed()));
    }
}
