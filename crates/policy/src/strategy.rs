//! Everything a policy says about when backups are made and how long they are kept, in one form for every workload.
//!
//! Which of it a workload may say is a matter of limits, not of this type: whatever it holds has a meaning, and nothing
//! here refuses.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::retention::Retention;
use crate::schedule::{Frequency, Schedule};
use crate::workload::Workload;

/// What becomes of a schedule where the clocks change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DaylightSaving {
    /// Azure's way: nothing. Runs stay 24 hours apart at the zone's base offset, and the clock on the wall shows another
    /// hour in summer.
    #[default]
    Ignore,
    /// The policy is edited at each change, so that the clock on the wall shows the declared time all year
    /// ([`crate::follow`]).
    Follow,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    pub workload: Workload,
    pub zone: TimeZone,
    pub daylight_saving: DaylightSaving,
    /// The schedule of the only backups, or of the full ones where there are others.
    pub full: Frequency,
    /// How long those are kept.
    pub retention: Retention,
    /// What changed since the last full. It is not made on a weekday that has a full.
    pub differential: Option<Between>,
    /// What changed since the last backup. It is not made on a weekday that has a full.
    pub incremental: Option<Between>,
    pub log: Option<Log>,
    /// Days that snapshots stay beside their source, where there are any.
    pub instant_days: Option<u32>,
}

/// Backups between the full ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    pub on: Vec<Weekday>,
    pub at: Time,
    pub keep_days: u32,
}

/// Backups of a database's log, from midnight of the policy's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    pub every_minutes: u16,
    pub keep_days: u32,
}

impl Strategy {
    /// The schedule of the only backups, or of the full ones, as declared: at the base offset.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            frequency: self.full.clone(),
            zone: self.zone.clone(),
        }
    }

    /// Whether any backups need others.
    pub fn has_chains(&self) -> bool {
        self.differential.is_some() || self.incremental.is_some() || self.log.is_some()
    }
}

impl Between {
    /// The schedule of these backups.
    pub fn frequency(&self) -> Frequency {
        Frequency::Weekly {
            on: self.on.clone(),
            at: self.at,
        }
    }
}

impl Log {
    /// The schedule of these backups.
    pub fn frequency(self) -> Frequency {
        Frequency::Minutes {
            every: self.every_minutes,
        }
    }
}
