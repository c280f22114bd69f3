//! When a day's first run is by the clock on the wall: every day of the simulation, so that what is said of all holds for each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use kluis_policy::{DaylightSaving, Frequency, Strategy};

use super::outcome::clock;
use super::words;

/// How many times that are not the usual ones a remark names.
const NAMED: usize = 3;

/// The times, by the offset from UTC that the zone had then.
#[derive(Debug, Default)]
pub(super) struct FirstRuns {
    times: BTreeMap<Offset, BTreeMap<Time, Days>>,
    /// The day of the policy's clock that was noted last.
    noted: Option<Date>,
}

/// On how many days, and on which first.
#[derive(Debug, Clone, Copy)]
struct Days {
    count: usize,
    first: Date,
}

impl FirstRuns {
    /// Notes a full backup, where it is the first of its day: of several a day, the first that is not of the window of the day before.
    pub(super) fn note(&mut self, strategy: &Strategy, due: Timestamp) {
        let at = clock(strategy, due);
        let begins = match &strategy.full {
            Frequency::Daily { .. } | Frequency::Weekly { .. } => true,
            Frequency::Hourly { from, .. } => at.time() >= *from,
            Frequency::Minutes { .. } => false,
        };
        if !begins || self.noted == Some(at.date()) {
            return;
        }
        self.noted = Some(at.date());
        let offset = strategy.zone.to_offset(due);
        let wall = offset.to_datetime(due);
        let days = Days {
            count: 0,
            first: wall.date(),
        };
        let times = self.times.entry(offset).or_default();
        times.entry(wall.time()).or_insert(days).count += 1;
    }

    /// What a person should know of them; nothing where they are all the same and nobody asked for that.
    pub(super) fn remark(&self, strategy: &Strategy) -> Option<String> {
        let follows = strategy.daylight_saving == DaylightSaving::Follow;
        let run = match &strategy.full {
            Frequency::Hourly { from, window, .. }
                if i32::from(from.hour()) + i32::from(*window) >= 24 =>
            {
                "a window's first run"
            }
            _ => "a day's first run",
        };
        let usual: Vec<(Offset, Time)> = self
            .times
            .iter()
            .filter_map(|(offset, times)| Some((*offset, most(times)?)))
            .collect();
        let others = self.others(&usual);
        let (_, first) = *usual.first()?;
        let is_one = usual.iter().all(|(_, time)| *time == first);
        let usual = match (is_one, follows, others.is_empty()) {
            (true, false, true) => return None,
            (true, true, true) => format!(
                "The policy follows the clock on the wall (daylightSaving: Follow): it is edited at each change, and {run} \
                 stays at {}.",
                first.strftime("%H:%M")
            ),
            (true, true, false) => format!(
                "The policy follows the clock on the wall (daylightSaving: Follow): it is edited at each change, and {run} \
                 is at {}.",
                first.strftime("%H:%M")
            ),
            (true, false, false) => format!(
                "By the clock on the wall {run} is at {}.",
                first.strftime("%H:%M")
            ),
            (false, follows, _) => {
                let times: Vec<String> = usual
                    .iter()
                    .map(|(offset, time)| {
                        let offset = words::offset(*offset);
                        format!(
                            "{} while the zone is at UTC{offset}",
                            time.strftime("%H:%M")
                        )
                    })
                    .collect();
                let why = match (follows, &strategy.full) {
                    (true, _) => {
                        "The policy follows the clock on the wall where it can (daylightSaving: Follow)."
                    }
                    (false, Frequency::Daily { .. }) => {
                        "Azure adjusts nothing when the clocks change: runs stay 24 hours apart."
                    }
                    (false, _) => {
                        "Azure adjusts nothing when the clocks change: runs stay as far apart as they are."
                    }
                };
                format!(
                    "{why} By the clock on the wall {run} is at {}.",
                    times.join(" and ")
                )
            }
        };
        Some(
            std::iter::once(usual)
                .chain(exceptions(&others))
                .collect::<Vec<_>>()
                .join(" "),
        )
    }

    /// The days on which it is at another time than usual, by that time.
    fn others(&self, usual: &[(Offset, Time)]) -> BTreeMap<Time, Days> {
        let mut others: BTreeMap<Time, Days> = BTreeMap::new();
        for (offset, times) in &self.times {
            for (time, days) in times {
                if usual.contains(&(*offset, *time)) {
                    continue;
                }
                let so_far = others.entry(*time).or_insert(Days { count: 0, ..*days });
                so_far.count += days.count;
                so_far.first = so_far.first.min(days.first);
            }
        }
        others
    }
}

/// The time of most days, the earliest of several.
fn most(times: &BTreeMap<Time, Days>) -> Option<Time> {
    let most = times.values().map(|days| days.count).max()?;
    let mut usual = times.iter().filter(|(_, days)| days.count == most);
    usual.next().map(|(time, _)| *time)
}

/// `On 10 days, 2026-03-29 the first of them, it is at 03:30.`
fn exceptions(others: &BTreeMap<Time, Days>) -> Vec<String> {
    let named = others.iter().take(NAMED).map(|(time, days)| {
        let time = time.strftime("%H:%M");
        match days.count {
            1 => format!("On 1 day, {}, it is at {time}.", days.first),
            count => format!(
                "On {}, {} the first of them, it is at {time}.",
                words::count(count, "day"),
                days.first
            ),
        }
    });
    let left: usize = others.values().skip(NAMED).map(|days| days.count).sum();
    let left =
        (left > 0).then(|| format!("On {} it is at yet other times.", words::count(left, "day")));
    named.chain(left).collect()
}
