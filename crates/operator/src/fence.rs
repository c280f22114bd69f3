//! Whether we may still write.
//!
//! Whose turn it is, the lease says; but between looking at it and a write anything may pass: a pause of the machine,
//! an API server that doesn't answer. So every write asks the fence, which opens for a while with each renewal and
//! closes by itself, well before another replica may begin.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Open, or open until some time.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy)]
enum State {
    Open,
    Until(Instant),
    Closed,
}

impl Fence {
    /// For one who shares with nobody.
    pub fn open() -> Self {
        Self(Arc::new(Mutex::new(State::Open)))
    }

    /// Closed until it is opened.
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Mutex::new(State::Closed)))
    }

    /// The lease was asked for at `asked`, and given: writes are ours for so long from then on.
    pub(crate) fn renewed(&self, asked: Instant, long: Duration) {
        self.set(State::Until(asked + long));
    }

    /// From now on nothing may be written.
    pub(crate) fn close(&self) {
        self.set(State::Closed);
    }

    /// Whether a write that begins now is ours to make.
    pub fn is_open(&self) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open => true,
            State::Until(end) => Instant::now() < end,
            State::Closed => false,
        }
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_by_itself() {
        let (fence, now) = (Fence::closed(), Instant::now());
        assert!(!fence.is_open());
        fence.renewed(now, Duration::from_secs(60));
        assert!(fence.is_open());
        // As after a pause: the renewal is older than it is good for.
        if let Some(long_ago) = now.checked_sub(Duration::from_secs(61)) {
            fence.renewed(long_ago, Duration::from_secs(60));
            assert!(!fence.is_open());
        }
        fence.renewed(now, Duration::from_secs(60));
        fence.close();
        assert!(!fence.is_open());
    }
}
