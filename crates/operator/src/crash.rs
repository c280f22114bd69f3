//! A hook for tests: dies after a step, where a crash hurts most.
//!
//! Between a step and the report of it lies the one moment in which the world knows more than the status. Tests set
//! `KLUIS_CRASH_AFTER_STEP=n`, and the process aborts right after its n-th executed step.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happens after the n-th step.
#[derive(Debug, Default)]
pub struct CrashHook {
    after: Option<u64>,
    steps: AtomicU64,
    /// A simulation does not die: its reconcile ends there and reports nothing.
    unwinds: bool,
}

impl CrashHook {
    /// As the environment says; nothing when it doesn't, or says no number.
    pub fn from_env() -> Self {
        let after = std::env::var("KLUIS_CRASH_AFTER_STEP").ok();
        Self {
            after: after.and_then(|text| text.parse().ok()),
            ..Self::default()
        }
    }

    /// Ends the reconcile after the n-th step instead of the process.
    pub fn unwinding(after: u64) -> Self {
        Self {
            after: Some(after),
            steps: AtomicU64::new(0),
            unwinds: true,
        }
    }

    /// How many steps there were.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Counts a step. True when the reconcile is to end here, as if the process had died.
    pub(crate) fn step_taken(&self) -> bool {
        let steps = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        let dies = self.after == Some(steps);
        if dies && !self.unwinds {
            tracing::error!(steps, "aborting, as KLUIS_CRASH_AFTER_STEP says");
            std::process::abort();
        }
        dies
    }
}
