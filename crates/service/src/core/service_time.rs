//! The service's time: bounded from below by what was committed, and from above by what really passed.
//!
//! Three things are known at each moment: what the machine's clock shows, how long the machine has run, and what the service told last. The
//! clock is followed while it agrees with the other two. One that is set back is left alone: time goes on by the machine's run, a
//! little slower, until the clock has caught up. One that leaps is followed when the leap can be a pause (a machine that was off or asleep)
//! and lasts; the pause is a [`ClockGap`], and nothing is destroyed on its word alone: each day that the clocks then agree bears out a week
//! of it. A longer leap waits for a person.
//!
//! How long the machine has run is `CLOCK_MONOTONIC`, which stands still while the machine sleeps. `CLOCK_BOOTTIME` would count the sleep, but by the
//! word of the clock that is in question. A sleep is a pause like any other.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ClockGap, ClockTrust, ClockVerdict};

/// Clocks that differ by no more agree.
pub const AGREE: SignedDuration = SignedDuration::from_mins(5);
/// A pause of this length is nothing unusual: the machine's clock is followed at once.
const USUAL_PAUSE: SignedDuration = SignedDuration::from_hours(25);
/// How long the machine's clock has to keep to a longer one before it is followed.
const LASTS: SignedDuration = SignedDuration::from_mins(15);
/// Of a pause this many days are borne out by each day that the clocks agree, that day itself not counted.
const DAYS_A_DAY: i32 = 6;
/// Beside a clock that was set back, time passes slower by this part: a day is caught up in sixteen.
const SLOWER: i32 = 16;
/// No clock that shows less is right: this program was written later.
const EARLIEST: &str = "2025-01-01T00:00:00Z";
/// How many gaps are remembered one by one.
const MOST_GAPS: usize = 16;

/// What a machine shows at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReading {
    /// Its clock.
    pub wall: Timestamp,
    /// How long it has run, sleep not counted.
    pub ran: SignedDuration,
    /// What names this run of the machine.
    pub boot: String,
}

/// The service's time, as it is carried from one reading to the next, over restarts too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTime {
    /// What was told last.
    now: Timestamp,
    ran: SignedDuration,
    boot: String,
    /// How far the clock went ahead by little steps, each of which agreed.
    drift: SignedDuration,
    leap: Option<Leap>,
    trust: ClockTrust,
}

/// The machine's clock went ahead, and is not followed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leap {
    /// The service's time when it did.
    from: Timestamp,
    by: SignedDuration,
    /// How long the machine had run when the clock began to keep to it.
    since: SignedDuration,
}

impl ServiceTime {
    /// The time of a service that keeps none yet: one that is new, or, with the last time that is `known` of it, one of an older version.
    #[must_use]
    pub fn begin(known: Option<Timestamp>, reading: &ClockReading) -> Self {
        Self {
            now: known.unwrap_or_else(|| plausible(reading.wall)),
            ran: reading.ran,
            boot: String::new(),
            drift: SignedDuration::ZERO,
            leap: None,
            trust: ClockTrust::default(),
        }
    }

    /// What was told last.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How far it can be trusted.
    #[must_use]
    pub fn trust(&self) -> &ClockTrust {
        &self.trust
    }

    /// The time at a reading. `longest`: a longer pause waits for a person.
    pub fn read(&mut self, reading: &ClockReading, longest: SignedDuration) -> Timestamp {
        let is_same_run = reading.boot == self.boot && reading.ran >= self.ran;
        let passed = match is_same_run {
            true => reading.ran.saturating_sub(self.ran),
            false => SignedDuration::ZERO,
        };
        if let Some(leap) = self.leap.as_mut().filter(|_| !is_same_run) {
            leap.since = reading.ran;
        }
        self.boot.clone_from(&reading.boot);
        self.ran = reading.ran;
        let expected = later(self.now, passed);
        let ahead = reading.wall.duration_since(expected);
        if ahead > AGREE {
            self.leapt(expected, ahead, longest);
        } else if ahead >= -AGREE {
            self.agreed(expected, reading.wall, passed, longest);
        } else {
            self.leap = None;
            self.now = later(self.now, passed - passed / SLOWER);
            self.trust.verdict = ClockVerdict::Behind { by: -ahead };
        }
        self.now
    }

    /// A person says that the machine's clock is right. True when that turns time back.
    pub fn confirm(&mut self, reading: &ClockReading, longest: SignedDuration) -> bool {
        let told = self.read(reading, longest);
        let right = plausible(reading.wall);
        let from = self.leap.take().map_or(told, |leap| leap.from);
        for gap in &mut self.trust.gaps {
            gap.doubted = SignedDuration::ZERO;
        }
        if right > told {
            self.add(ClockGap {
                from,
                at: told,
                by: right.duration_since(told),
                doubted: SignedDuration::ZERO,
            });
        }
        self.forget();
        self.drift = SignedDuration::ZERO;
        self.trust.verdict = ClockVerdict::Trusted;
        self.now = right;
        right < told
    }

    fn agreed(
        &mut self,
        expected: Timestamp,
        wall: Timestamp,
        passed: SignedDuration,
        longest: SignedDuration,
    ) {
        let before = self.now;
        self.now = wall.max(before);
        self.leap = None;
        self.trust.verdict = ClockVerdict::Trusted;
        let gained = self.now.duration_since(expected);
        self.drift = (self.drift + gained - passed / 8).max(SignedDuration::ZERO);
        if self.drift > AGREE {
            let by = std::mem::take(&mut self.drift);
            self.add(ClockGap {
                from: before,
                at: before,
                by,
                doubted: by,
            });
        }
        if self.trust.doubted() <= longest {
            self.bear_out(passed.saturating_mul(DAYS_A_DAY));
        }
    }

    fn leapt(&mut self, expected: Timestamp, by: SignedDuration, longest: SignedDuration) {
        let keeps = |leap: &Leap| (leap.by - by).abs() <= AGREE;
        let known = self.leap.take();
        let since = known.as_ref().filter(|leap| keeps(leap));
        let since = since.map_or(self.ran, |leap| leap.since);
        let from = known.map_or(self.now, |leap| leap.from);
        let is_usual = by <= USUAL_PAUSE.min(longest);
        let lasts = by <= longest && self.ran.saturating_sub(since) >= LASTS;
        if is_usual || lasts {
            self.add(ClockGap {
                from,
                at: expected,
                by,
                doubted: by,
            });
            self.now = later(expected, by);
            self.trust.verdict = ClockVerdict::Trusted;
        } else {
            self.now = expected;
            self.leap = Some(Leap { from, by, since });
            self.trust.verdict = ClockVerdict::Ahead { by };
        }
    }

    /// Takes doubt away, the oldest first.
    fn bear_out(&mut self, mut by: SignedDuration) {
        for gap in &mut self.trust.gaps {
            let less = gap.doubted.min(by);
            gap.doubted -= less;
            by -= less;
        }
        self.forget();
    }

    /// Forgets the gaps that mean nothing any more: nothing is in doubt, and nothing was made while time lagged.
    fn forget(&mut self) {
        let matters = |gap: &ClockGap| gap.doubted > SignedDuration::ZERO || gap.from < gap.at;
        self.trust.gaps.retain(matters);
    }

    /// Adds a gap. Of more than [`MOST_GAPS`] the oldest two become one that is longer than both, so that nothing goes the sooner for it.
    fn add(&mut self, gap: ClockGap) {
        self.trust.gaps.push(gap);
        if self.trust.gaps.len() > MOST_GAPS {
            let (first, second) = (self.trust.gaps.remove(0), self.trust.gaps.remove(0));
            let both = ClockGap {
                from: first.from.min(second.from),
                at: first.at.max(second.at),
                by: first.by.saturating_add(second.by),
                doubted: first.doubted.saturating_add(second.doubted),
            };
            self.trust.gaps.insert(0, both);
        }
    }
}

/// A time that a clock may show: one that shows less than the time at which this program was written is not set.
#[must_use]
pub fn plausible(wall: Timestamp) -> Timestamp {
    EARLIEST
        .parse()
        .map_or(wall, |earliest: Timestamp| wall.max(earliest))
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}
