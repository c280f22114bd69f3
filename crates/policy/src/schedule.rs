//! When backups are due: the instants of a schedule, on the policy's wall clock.
//!
//! A schedule knows nothing of what has run; [`crate::runs`] compares the two.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::beat::Beat;
use crate::clock::{Clock, floor};
use crate::day::SECONDS;

/// The schedule of a policy: how often, on the wall clock of which zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub frequency: Frequency,
    pub zone: TimeZone,
}

/// How often a backup is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frequency {
    /// Every day at one time.
    Daily { at: Time },
    /// On these weekdays at one time. With no weekday at all nothing is ever due.
    Weekly { on: Vec<Weekday>, at: Time },
    /// `every` hours (at least one) from `from` on, as long as no more than `window` hours have passed since: every 4
    /// hours from 08:00 for 12 is 08:00, 12:00, 16:00 and 20:00. A window may reach into the next day; the start of
    /// that day's own window ends it.
    Hourly { every: u8, from: Time, window: u8 },
    /// Every so many minutes (at least one) from midnight of the policy's clock, beginning again at each midnight: the
    /// logs of a database, every 15 to 1440 minutes.
    Minutes { every: u16 },
}

impl Schedule {
    /// The first run strictly after `at`. `None` when there is none: a weekly schedule without weekdays, or the end of
    /// the years a [`Timestamp`] holds.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let run = Beat::new(&self.frequency).next_after(&self.clock(at), floor(at).0)?;
        Timestamp::from_second(run).ok()
    }

    /// The last run at or before `at`; `None` as for [`Schedule::next_after`].
    pub fn previous_at_or_before(&self, at: Timestamp) -> Option<Timestamp> {
        let beat = Beat::new(&self.frequency);
        let run = beat.previous_at_or_before(&self.clock(at), floor(at).0)?;
        Timestamp::from_second(run).ok()
    }

    /// The runs that begin on `date` by the policy's wall clock, earliest first. Runs of an hourly window that reaches
    /// past midnight are listed under the date the window began.
    pub fn on(&self, date: Date) -> Vec<Timestamp> {
        let beat = Beat::new(&self.frequency);
        let midnight = date.to_datetime(Time::midnight());
        let Ok(midnight) = Offset::UTC.to_timestamp(midnight) else {
            return Vec::new();
        };
        let clock = self.clock(midnight);
        let midnight = midnight.as_second();
        beat.on(midnight.div_euclid(SECONDS))
            .iter()
            .filter_map(|of_day| Timestamp::from_second(clock.instant(midnight + of_day)).ok())
            .collect()
    }

    /// The clock for the days around an instant.
    fn clock(&self, at: Timestamp) -> Clock {
        let from = at.checked_sub(AROUND).unwrap_or(Timestamp::MIN);
        let to = at.checked_add(AROUND).unwrap_or(Timestamp::MAX);
        Clock::over(&self.zone, from, to)
    }
}

/// A little more than a run is looked for in.
const AROUND: SignedDuration = SignedDuration::from_hours(24 * 14);
