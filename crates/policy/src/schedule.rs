//! When backups are due: the instants of a schedule, on the policy's wall clock.
//!
//! A schedule knows nothing of what has run; [`crate::runs`] compares the two.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::wall_clock;

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
}

/// Past this many days without a run a schedule is taken to have none. The longest wait is a week and the shift of a
/// zone that changes sides of the date line.
const HORIZON_DAYS: i32 = 10;

impl Schedule {
    /// The first run strictly after `at`. `None` when there is none: a weekly schedule without weekdays, or the end of
    /// the years a [`Timestamp`] holds.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let today = wall_clock::reading(&self.zone, at).date();
        (-2..=HORIZON_DAYS)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|date| self.on(date))
            .find(|run| *run > at)
    }

    /// The last run at or before `at`; `None` as for [`Schedule::next_after`].
    pub fn previous_at_or_before(&self, at: Timestamp) -> Option<Timestamp> {
        let today = wall_clock::reading(&self.zone, at).date();
        (-HORIZON_DAYS..=2)
            .rev()
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|date| self.on(date).into_iter().rev())
            .find(|run| *run <= at)
    }

    /// The runs that begin on `date` by the policy's wall clock, earliest first. Runs of an hourly window that reaches
    /// past midnight are listed under the date the window began.
    pub fn on(&self, date: Date) -> Vec<Timestamp> {
        let at = |time: Time, hours: u8| {
            let reading = date
                .to_datetime(time)
                .checked_add(i64::from(hours).hours())
                .ok()?;
            wall_clock::instant(&self.zone, reading)
        };
        match &self.frequency {
            Frequency::Daily { at: time } => at(*time, 0).into_iter().collect(),
            Frequency::Weekly { on, at: time } if on.contains(&date.weekday()) => {
                at(*time, 0).into_iter().collect()
            }
            Frequency::Weekly { .. } => Vec::new(),
            Frequency::Hourly {
                every,
                from,
                window,
            } => (0..=(*window).min(23))
                .step_by(usize::from((*every).max(1)))
                .filter_map(|hours| at(*from, hours))
                .collect(),
        }
    }
}
