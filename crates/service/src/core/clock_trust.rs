//! How far the service's time can be trusted: what the machine's clock is worth, and how much of the time that it told really passed.
//!
//! Whatever is scheduled or written down follows the service's time. Whatever is destroyed follows [`ClockTrust::proven`]: a recovery point
//! goes when its retention really passed, and no clock alone can say that.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What the machine's clock is worth beside the service's time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum ClockVerdict {
    /// Both agree.
    #[default]
    Trusted,
    /// The machine's clock shows less than the service has committed.
    Behind {
        /// By so much.
        by: SignedDuration,
    },
    /// The machine's clock shows more than can have passed.
    Ahead {
        /// By so much.
        by: SignedDuration,
    },
}

/// A stretch of time that the machine's clock told and that nothing else bears out: the machine was off or asleep, or its clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockGap {
    /// The service's time when the clocks parted.
    pub from: Timestamp,
    /// The service's time just before it followed the machine's clock: later than `from` where it hesitated to.
    pub at: Timestamp,
    /// How far it then went ahead at once.
    pub by: SignedDuration,
    /// How much of that is still in doubt.
    pub doubted: SignedDuration,
}

/// How far the service's time can be trusted. The default is a time that can be: a virtual clock's, and a test's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClockTrust {
    /// What the machine's clock is worth.
    pub verdict: ClockVerdict,
    /// The oldest first.
    pub gaps: Vec<ClockGap>,
}

impl ClockTrust {
    /// A time that can be trusted.
    #[must_use]
    pub fn whole() -> &'static Self {
        static WHOLE: ClockTrust = ClockTrust {
            verdict: ClockVerdict::Trusted,
            gaps: Vec::new(),
        };
        &WHOLE
    }

    /// Up to when time has certainly passed for what began or was made at `since`, both by the service's time. Never after `now`.
    #[must_use]
    pub fn proven(&self, now: Timestamp, since: Timestamp) -> Timestamp {
        let unproven = self.gaps.iter().map(|gap| {
            if since <= gap.from {
                gap.doubted
            } else if since <= gap.at {
                // Made while the service's time lagged: none of the step passed since.
                gap.by
            } else {
                SignedDuration::ZERO
            }
        });
        now.saturating_sub(sum(unproven)).unwrap_or(Timestamp::MIN)
    }

    /// How much of the time that was told is in doubt.
    #[must_use]
    pub fn doubted(&self) -> SignedDuration {
        sum(self.gaps.iter().map(|gap| gap.doubted))
    }

    /// Whether anything may be kept beyond its end because its time is not proven.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        !self.gaps.is_empty()
    }
}

fn sum(all: impl Iterator<Item = SignedDuration>) -> SignedDuration {
    all.fold(SignedDuration::ZERO, SignedDuration::saturating_add)
}
