//! What a simulation comes to: the points that exist at the end of one day, and what there was until then.

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use kluis_policy::chain::Kind;
use kluis_policy::simulate::{Made, counted, existing, timeline};
use kluis_policy::{DaylightSaving, Strategy, limits, wall_clock};

use super::first_runs::FirstRuns;
use super::policy::Named;
use super::storage::Storage;
use super::tiers::{self, Row};

/// What a simulation comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) policy: Named,
    /// The first day and the one that is looked at.
    pub(super) from: Date,
    pub(super) on: Date,
    /// The last second of that day in the policy's zone.
    pub(super) at: Timestamp,
    /// How many points were made up to then, logs apart.
    pub(super) made: usize,
    pub(super) logs_made: usize,
    /// How many there ever were at once, logs apart, and on which day that was so first.
    pub(super) most: (usize, Date),
    /// The points that exist then, the oldest first; logs apart.
    pub(super) points: Vec<Made>,
    pub(super) logs: Vec<Made>,
    /// What keeps them, tier by tier.
    pub(super) rows: Vec<Row>,
    /// On which day there were first more than an item can have.
    pub(super) beyond: Option<Date>,
    /// When a day's first run is, by the clock on the wall.
    pub(super) first_runs: FirstRuns,
    pub(super) storage: Option<Storage>,
}

/// Simulates from the beginning of `from` on, for so many years, and looks at the end of `on`, or of the last day.
///
/// # Errors
/// A day outside of the years that are simulated, or beyond those of the calendar.
pub(super) fn of(policy: Named, from: Date, years: u16, on: Option<Date>) -> Result<Outcome> {
    let last = from
        .checked_add(i64::from(years).years())
        .and_then(Date::yesterday)
        .context("the years end beyond the calendar's")?;
    let on = on.unwrap_or(last);
    if on < from || on > last {
        bail!("--on {on} is not simulated: that goes from {from} to {last} (--years {years})");
    }
    let zone = &policy.strategy.zone;
    let instant = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp());
    let begin = instant(from).context("--from is beyond the years that are simulated")?;
    let at = on
        .tomorrow()
        .ok()
        .and_then(instant)
        .map(|end| end - SignedDuration::from_secs(1))
        .context("--on is beyond the years that are simulated")?;

    let history = History::of(&policy.strategy, begin, at);
    let (logs, points): (Vec<Made>, Vec<Made>) = existing(&policy.strategy, begin, at)
        .into_iter()
        .partition(|made| made.kind == Kind::Log);
    let rows = tiers::rows(&policy.strategy, &points, &logs, at);
    let most = match history.most {
        Some((count, when)) => (count, day(&policy.strategy, when)),
        None => (0, from),
    };
    Ok(Outcome {
        from,
        on,
        at,
        made: history.made,
        logs_made: history.logs_made,
        most,
        beyond: history.beyond.map(|when| day(&policy.strategy, when)),
        points,
        logs,
        rows,
        first_runs: history.first_runs,
        storage: None,
        policy,
    })
}

/// What was on the way, in one pass and in the memory of the points that exist at once.
#[derive(Debug, Default)]
struct History {
    made: usize,
    logs_made: usize,
    most: Option<(usize, Timestamp)>,
    beyond: Option<Timestamp>,
    first_runs: FirstRuns,
}

impl History {
    fn of(strategy: &Strategy, from: Timestamp, at: Timestamp) -> Self {
        let mut history = Self::default();
        let limit = limits::points(strategy.workload, strategy.instant_days);
        let limit = limit.and_then(|limit| usize::try_from(limit.most).ok());
        let made = timeline(strategy, from, at).take_while(|made| made.due <= at);
        let made = made.filter(|made| {
            let is_log = made.kind == Kind::Log;
            history.logs_made += usize::from(is_log);
            !is_log
        });
        for (made, count) in counted(made) {
            history.made += 1;
            if history.most.is_none_or(|(most, _)| count > most) {
                history.most = Some((count, made.due));
            }
            if history.beyond.is_none() && limit.is_some_and(|limit| count > limit) {
                history.beyond = Some(made.due);
            }
            if made.kind == Kind::Full {
                history.first_runs.note(strategy, made.due);
            }
        }
        history
    }
}

/// The policy's own clock at a moment: the zone's base offset as Azure has it, the clock on the wall when it is followed.
pub(super) fn clock(strategy: &Strategy, at: Timestamp) -> jiff::civil::DateTime {
    match strategy.daylight_saving {
        DaylightSaving::Ignore => wall_clock::reading(&strategy.zone, at),
        DaylightSaving::Follow => strategy.zone.to_datetime(at),
    }
}

/// The day that a run belongs to, which is the one that tiers go by: a run of Sunday 23:30 is Sunday's, also in summer, when
/// the clock on the wall shows 00:30 of Monday.
pub(super) fn day(strategy: &Strategy, due: Timestamp) -> Date {
    clock(strategy, due).date()
}

impl Outcome {
    /// Everything that exists: logs, too.
    pub(super) fn all(&self) -> impl Iterator<Item = &Made> {
        self.points.iter().chain(&self.logs)
    }

    /// What a person should know beside the numbers.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let strategy = &self.policy.strategy;
        remarks.extend(self.first_runs.remark(strategy));
        if let Some(limit) = limits::points(strategy.workload, strategy.instant_days)
            && let Some(beyond) = self.beyond
        {
            remarks.push(format!(
                "An item can have {} recovery points (rule {}); this policy would keep more from {} on. Backups fail then: keep \
                 fewer, or back up less often.",
                limit.most, limit.rule, beyond
            ));
        }
        if !self.logs.is_empty() {
            remarks.push(
                "Between its oldest and its newest log a database can be restored to any second."
                    .to_owned(),
            );
        }
        remarks
    }
}
