//! What is to be expected of the item's backups: the next run, whether one is missing, and whether the objective is met.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kluis_api::{Condition, ConditionStatus, ConditionType, ProtectionState, Time};
use kluis_arm::id::PolicyId;
use kluis_arm::policy::{Policy, parse};
use kluis_policy::objective::{Objective, Standing};
use kluis_policy::runs::{GRACE, LastRun, last_run};
use kluis_policy::{Schedule, wall_clock};

use super::history::History;
use crate::conditions::{Extra, moment};
use crate::report::{Event, EventKind};
use crate::world::{Observed, ProtectedVmWorld};

/// How long after a due time the first look for its run is taken, and how often it is repeated until the grace is over: at most 25 lists
/// of a vault's jobs, shared by all its items.
const LOOK_AFTER: SignedDuration = SignedDuration::from_mins(1);
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// What is to be expected.
pub(super) struct Outlook {
    /// The next run, on the clock that the policy goes by: `2026-11-23 22:30 +01:00`.
    pub(super) next_backup: Option<String>,
    pub(super) within_rpo: Extra,
    pub(super) missed_run: Option<Time>,
    /// When something here changes by the passing of time alone.
    pub(super) next: Option<SignedDuration>,
    pub(super) events: Vec<Event>,
}

/// What is to be expected, given what became of the backups so far.
pub(super) fn of(world: &ProtectedVmWorld, history: &History) -> Outlook {
    let schedule = schedule(world);
    let next_run = schedule
        .as_ref()
        .and_then(|schedule| schedule.next_after(world.now));
    let missed = schedule
        .as_ref()
        .and_then(|schedule| missed(world, schedule, history));
    let told = world.status().and_then(|status| status.missed_run.clone());
    let events = missed
        .filter(|due| told.as_ref() != Some(&moment(*due)))
        .map(|due| Event {
            kind: EventKind::Warning,
            reason: "ScheduledRunMissed".to_owned(),
            note: missing(due),
        })
        .into_iter()
        .collect();
    let (within_rpo, turns) = objective(world, history, next_run, missed);
    let due_soon = next_run.map(|due| world.now.duration_until(due).saturating_add(LOOK_AFTER));
    let looking = due_without_run(world).is_some()
        && !history
            .runs
            .iter()
            .any(|run| is_after(run, due_without_run(world)));
    let next = [due_soon, turns, looking.then_some(LOOK_AGAIN)]
        .into_iter()
        .flatten()
        .min();
    Outlook {
        next_backup: schedule
            .as_ref()
            .zip(next_run)
            .map(|(schedule, due)| on_the_policys_clock(schedule, due)),
        within_rpo,
        missed_run: missed.map(moment).or(told),
        next,
        events,
    }
}

/// The due time that has passed without a run that is known; None when there is none, or when its absence was told already.
pub(super) fn due_without_run(world: &ProtectedVmWorld) -> Option<Timestamp> {
    let schedule = schedule(world)?;
    let due = schedule.previous_at_or_before(world.now.checked_sub(LOOK_AFTER).ok()?)?;
    let status = world.status()?;
    let is_known = status.runs.iter().any(|run| is_after(run, Some(due)));
    let is_told = status
        .missed_run
        .as_ref()
        .is_some_and(|missed| missed.0 >= due);
    (due > since(world)? && !is_known && !is_told).then_some(due)
}

fn is_after(run: &kluis_api::Run, due: Option<Timestamp>) -> bool {
    run.start_time
        .as_ref()
        .zip(due)
        .is_some_and(|(start, due)| start.0 >= due)
}

/// The schedule that is in force for the item; None when no backups are made.
fn schedule(world: &ProtectedVmWorld) -> Option<Schedule> {
    let seen = world.seen()?;
    if !matches!(
        seen.state,
        ProtectionState::IrPending | ProtectionState::Protected | ProtectionState::ProtectionError
    ) {
        return None;
    }
    let in_force = |policy: &Option<Observed<Box<Policy>>>| {
        let policy = policy.as_ref()?.found()?;
        let id: Option<PolicyId> = policy.id.as_deref().and_then(|id| id.parse().ok());
        // The answer may leave its id out; then the name has to do.
        let is_it = match (&id, &seen.policy) {
            (Some(id), Some(wanted)) => id == wanted,
            (None, Some(wanted)) => policy
                .name
                .as_deref()
                .is_some_and(|name| wanted.name == *name),
            (_, None) => false,
        };
        is_it
            .then(|| parse(&policy.properties).ok()?.schedule().ok())
            .flatten()
    };
    in_force(&world.arm_policy).or_else(|| in_force(&world.present_policy))
}

/// Since when runs are owed: the protection is as declared, and the policy is in force.
fn since(world: &ProtectedVmWorld) -> Option<Timestamp> {
    let ready = |conditions: &[Condition]| {
        let ready = conditions.iter().find(|condition| {
            condition.type_ == ConditionType::Ready && condition.status == ConditionStatus::True
        });
        ready.map(|condition| condition.last_transition_time.0)
    };
    let own = ready(&world.status()?.conditions)?;
    let policy = world
        .policy
        .as_ref()
        .and_then(|policy| ready(&policy.status.as_ref()?.conditions));
    Some(policy.map_or(own, |policy| own.max(policy)))
}

fn missed(world: &ProtectedVmWorld, schedule: &Schedule, history: &History) -> Option<Timestamp> {
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
    match last_run(schedule, since(world)?, began, GRACE, world.now) {
        LastRun::Missed { due } if was_told == Some(due) => Some(due),
        LastRun::Missed { due }
            if matches!(world.jobs, Some(Observed::Found(_) | Observed::Absent)) =>
        {
            Some(due)
        }
        LastRun::Missed { .. } | LastRun::NoneDue | LastRun::Began { .. } => None,
    }
}

/// `WithinRPO`, and when it turns by itself.
fn objective(
    world: &ProtectedVmWorld,
    history: &History,
    next: Option<Timestamp>,
    missed: Option<Timestamp>,
) -> (Extra, Option<SignedDuration>) {
    let extra = |status, reason, message: String| Extra {
        type_: ConditionType::WithinRPO,
        status,
        reason,
        message,
    };
    let also = missed
        .map(|due| format!(" {}", missing(due)))
        .unwrap_or_default();
    let rpo = world
        .item
        .spec
        .objectives
        .as_ref()
        .and_then(|objectives| objectives.rpo.as_deref());
    let Some(rpo) = rpo.and_then(|text| text.parse::<SignedDuration>().ok()) else {
        return match missed {
            Some(due) => (
                extra(ConditionStatus::False, "ScheduledRunMissed", missing(due)),
                None,
            ),
            None => (
                extra(
                    ConditionStatus::Unknown,
                    "NoObjective",
                    "spec.objectives.rpo sets none.".to_owned(),
                ),
                None,
            ),
        };
    };
    match (Objective { rpo }).standing(history.newest(), next, world.now) {
        Standing::NoPoint { .. } => (
            extra(
                ConditionStatus::False,
                "NoRecoveryPoint",
                format!("There is no recovery point yet.{also}"),
            ),
            None,
        ),
        Standing::Within { until, gap, .. } => {
            let gap = if gap {
                " The next scheduled run is later than that."
            } else {
                ""
            };
            let message = format!(
                "Met until {}.{gap}{also}",
                until.strftime("%Y-%m-%d %H:%MZ")
            );
            (
                extra(ConditionStatus::True, "WithinObjective", message),
                Some(world.now.duration_until(until)),
            )
        }
        Standing::Broken { since, .. } => {
            let since = since.strftime("%Y-%m-%d %H:%MZ");
            let message =
                format!("The newest recovery point is older than {rpo:#} since {since}.{also}");
            (
                extra(ConditionStatus::False, "ObjectiveMissed", message),
                None,
            )
        }
    }
}

fn missing(due: Timestamp) -> String {
    format!(
        "The backup that was due at {} did not begin: look at the vault's jobs, and whether the service runs.",
        due.strftime("%Y-%m-%d %H:%MZ")
    )
}

fn on_the_policys_clock(schedule: &Schedule, due: Timestamp) -> String {
    let offset = wall_clock::base_offset(&schedule.zone, due);
    due.to_zoned(TimeZone::fixed(offset))
        .strftime("%Y-%m-%d %H:%M %:z")
        .to_string()
}
