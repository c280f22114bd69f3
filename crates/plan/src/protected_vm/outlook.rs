//! What is to be expected of the item's backups: the next run, whether one is missing, and whether the objective is met.

pub(super) mod in_force;
mod objective;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kluis_api::{BackupPolicySpec, ObjectivesStatus, RunResult, ScheduleInForce, Time};
use kluis_policy::runs::{GRACE, LastRun, last_run};
use kluis_policy::{Schedule, Strategy, wall_clock};

use super::history::History;
use crate::conditions::{Extra, moment};
use crate::policy::following;
use crate::report::{Event, EventKind};
use crate::terms;
use crate::world::{Observed, ProtectedVmWorld};

/// How long after a due time the first look for its run is taken, and how often it is repeated until the grace is over: at most 25 lists
/// of a vault's jobs, shared by all its items.
const LOOK_AFTER: SignedDuration = SignedDuration::from_mins(1);
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// What is to be expected.
pub(super) struct Outlook {
    /// The next run, on the clock that the policy goes by: `2026-11-23 22:30 +01:00`.
    pub(super) next_backup: Option<String>,
    pub(super) schedule: Option<ScheduleInForce>,
    /// None before a first backup is due.
    pub(super) within_rpo: Option<Extra>,
    pub(super) objectives: Option<ObjectivesStatus>,
    pub(super) missed_run: Option<Time>,
    /// When something here changes by the passing of time alone.
    pub(super) next: Option<SignedDuration>,
    pub(super) events: Vec<Event>,
}

/// What is known of the runs to come.
pub(super) struct Expected<'a> {
    pub(super) strategy: Option<&'a Strategy>,
    /// Whether the schedule is only not known for now.
    pub(super) is_unknown: bool,
    pub(super) clock: Option<&'a Clock>,
    pub(super) next_run: Option<Timestamp>,
    pub(super) missed: Option<Timestamp>,
    /// Whether there was no backup yet, and none that is late.
    pub(super) awaits_first: bool,
}

/// What is to be expected, given what became of the backups so far.
pub(super) fn of(world: &ProtectedVmWorld, history: &History) -> Outlook {
    let schedule = in_force::schedule(world);
    let in_force = in_force::status(world);
    let strategy = strategy(world);
    let followed = followed_run(world);
    let next_run = followed.or_else(|| schedule.as_ref()?.next_after(world.now));
    let clock = schedule
        .as_ref()
        .map(|schedule| Clock::of(schedule, followed.is_some(), next_run.unwrap_or(world.now)));
    let missed = schedule
        .as_ref()
        .and_then(|schedule| missed(world, schedule, history));
    let told = world.status().and_then(|status| status.missed_run.clone());
    let mut events: Vec<Event> = missed
        .filter(|due| told.as_ref() != Some(&moment(*due)))
        .map(|due| Event {
            kind: EventKind::Warning,
            reason: "ScheduledRunMissed".to_owned(),
            note: missing(due),
        })
        .into_iter()
        .collect();
    let standing = objective::of(
        world,
        history,
        &Expected {
            strategy: strategy.as_ref(),
            is_unknown: strategy.is_none() && in_force.is_some(),
            clock: clock.as_ref(),
            next_run,
            missed,
            awaits_first: awaits_first(world, schedule.as_ref(), history),
        },
    );
    events.extend(standing.events);
    let due_soon = next_run.map(|due| world.now.duration_until(due).saturating_add(LOOK_AFTER));
    let looking = due_without_run(world).is_some()
        && !history
            .runs
            .iter()
            .any(|run| is_after(run, due_without_run(world)));
    let next = [due_soon, standing.turns, looking.then_some(LOOK_AGAIN)]
        .into_iter()
        .flatten()
        .min();
    Outlook {
        next_backup: clock
            .as_ref()
            .zip(next_run)
            .map(|(clock, due)| clock.shows(due)),
        schedule: in_force,
        within_rpo: standing.within_rpo,
        objectives: standing.objectives,
        missed_run: missed.map(moment).or(told),
        next,
        events,
    }
}

/// The due time that has passed without a run that is known; None when there is none, or when its absence was told already.
pub(super) fn due_without_run(world: &ProtectedVmWorld) -> Option<Timestamp> {
    let schedule = in_force::schedule(world)?;
    let due = schedule.previous_at_or_before(world.now.checked_sub(LOOK_AFTER).ok()?)?;
    let status = world.status()?;
    let is_known = status.runs.iter().any(|run| is_after(run, Some(due)));
    let is_told = status
        .missed_run
        .as_ref()
        .is_some_and(|missed| missed.0 >= due);
    (due > in_force::status(world)?.since.0 && !is_known && !is_told).then_some(due)
}

fn is_after(run: &kluis_api::Run, due: Option<Timestamp>) -> bool {
    run.start_time
        .as_ref()
        .zip(due)
        .is_some_and(|(start, due)| start.0 >= due)
}

/// What the item is backed up by, with what becomes of that where the clocks change.
fn strategy(world: &ProtectedVmWorld) -> Option<Strategy> {
    let in_force = in_force::schedule(world)?;
    match declared(world, &in_force) {
        Some(spec) => terms::strategy(spec).ok(),
        None => in_force::terms(world)?.strategy().ok(),
    }
}

/// The next run of an item whose policy is edited as the clocks change: what the vault's policy says now may be over by then.
fn followed_run(world: &ProtectedVmWorld) -> Option<Timestamp> {
    following::next_run(declared(world, &in_force::schedule(world)?)?, world.now)
}

/// What is declared of the policy that protects the item, where the vault's copy says the same of when it runs: an edit that is held back
/// changes no run.
fn declared<'a>(world: &'a ProtectedVmWorld, in_force: &Schedule) -> Option<&'a BackupPolicySpec> {
    let target = world.target().ok()?;
    let is_by_it = world.seen()?.policy? == world.policy_id(&target).ok()?;
    let policy = world.policy.as_ref().filter(|_| is_by_it)?;
    following::is_said(&policy.spec, &in_force.frequency, world.now).then_some(&policy.spec)
}

pub(super) fn missed(
    world: &ProtectedVmWorld,
    schedule: &Schedule,
    history: &History,
) -> Option<Timestamp> {
    // A run is missed when the vault was asked and knows of none: not having asked is not a finding.
    let was_told = world
        .status()
        .and_then(|status| status.missed_run.as_ref())
        .map(|missed| missed.0);
    let began = history
        .runs
        .iter()
        .filter_map(|run| run.start_time.as_ref())
        .map(|time| time.0);
    let began = began.chain(world.seen().and_then(|seen| seen.last_backup));
    match last_run(
        schedule,
        in_force::status(world)?.since.0,
        began,
        grace(schedule, world.now),
        world.now,
    ) {
        LastRun::Missed { due } if was_told == Some(due) => Some(due),
        LastRun::Missed { due }
            if matches!(world.jobs, Some(Observed::Found(_) | Observed::Absent)) =>
        {
            Some(due)
        }
        LastRun::Missed { .. } | LastRun::NoneDue | LastRun::Began { .. } => None,
    }
}

/// Whether the first backup is still to come, or under way, and none was due for longer than a run may be late.
fn awaits_first(world: &ProtectedVmWorld, schedule: Option<&Schedule>, history: &History) -> bool {
    if let Some(newest) = history.runs.first() {
        return history.newest().is_none()
            && history.runs.len() == 1
            && newest.result == RunResult::InProgress;
    }
    let is_new = history.newest().is_none()
        && world.seen().and_then(|seen| seen.last_backup).is_none()
        && world
            .status()
            .is_none_or(|status| status.missed_run.is_none());
    let owed = schedule
        .zip(in_force::status(world))
        .and_then(|(schedule, in_force)| {
            let late = world.now.checked_sub(grace(schedule, world.now)).ok()?;
            let due = schedule.previous_at_or_before(late)?;
            (due > in_force.since.0).then_some(due)
        });
    is_new && owed.is_none()
}

/// How long a run may be late: Azure's own grace, or half of what lies between two runs where that is less, so that a missing run is noticed
/// before the next one is due.
fn grace(schedule: &Schedule, now: Timestamp) -> SignedDuration {
    let due = schedule.previous_at_or_before(now);
    let next = schedule.next_after(now);
    let apart = due.zip(next).map(|(due, next)| next.duration_since(due));
    apart.map_or(GRACE, |apart| GRACE.min(apart / 2))
}

fn missing(due: Timestamp) -> String {
    format!(
        "The backup that was due at {} did not begin: look at the vault's jobs, and whether the service runs.",
        due.strftime("%Y-%m-%d %H:%MZ")
    )
}

/// The clock that the item's times are told on.
pub(super) struct Clock(TimeZone);

impl Clock {
    /// The policy's own, which stands at the zone's base offset all year; or, where the operator follows it, the one on the wall.
    fn of(schedule: &Schedule, follows: bool, now: Timestamp) -> Self {
        Self(match follows {
            true => schedule.zone.clone(),
            false => TimeZone::fixed(wall_clock::base_offset(&schedule.zone, now)),
        })
    }

    /// `2026-11-23 22:30 +01:00`.
    pub(super) fn shows(&self, at: Timestamp) -> String {
        at.to_zoned(self.0.clone())
            .strftime("%Y-%m-%d %H:%M %:z")
            .to_string()
    }
}
