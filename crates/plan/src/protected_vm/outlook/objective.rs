//! The recovery point objective: whether it is met, until when if nothing happens, and whether the schedule can keep it at all.

use jiff::{SignedDuration, Timestamp};
use kluis_api::{ConditionStatus, ConditionType, ObjectivesStatus};
use kluis_policy::Schedule;
use kluis_policy::objective::{Objective, Standing};

use super::{Expected, missing};
use crate::conditions::Extra;
use crate::protected_vm::history::History;
use crate::report::Event;
use crate::world::ProtectedVmWorld;

/// A week of runs, and what the clocks may move them by: no schedule has a longer gap than that.
const A_WEEK: SignedDuration = SignedDuration::from_hours(7 * 24 + 3);

/// How the item stands against its objective.
pub(super) struct Standings {
    pub(super) within_rpo: Extra,
    pub(super) objectives: Option<ObjectivesStatus>,
    /// When that changes if nothing happens.
    pub(super) turns: Option<SignedDuration>,
    pub(super) event: Option<Event>,
}

/// `WithinRPO`, and what the status says of the objective.
pub(super) fn of(world: &ProtectedVmWorld, history: &History, runs: &Expected<'_>) -> Standings {
    let Some(rpo) = declared(world) else {
        return without(runs.missed);
    };
    let newest = history.newest();
    let sparse = runs
        .schedule
        .and_then(|schedule| longest_gap(schedule, world.now))
        .filter(|gap| *gap > rpo)
        .map(|gap| out_of_reach(gap, rpo));
    let also = [runs.missed.map(missing), sparse.clone()];
    let also: String = also
        .into_iter()
        .flatten()
        .fold(String::new(), |all, one| format!("{all} {one}"));
    let standing = Objective { rpo }.standing(newest, runs.next_run, world.now);
    let (within_rpo, turns) = match standing {
        Standing::NoPoint { .. } => (
            extra(
                ConditionStatus::False,
                "NoRecoveryPoint",
                format!("There is no recovery point yet.{also}"),
            ),
            None,
        ),
        Standing::Within { until, gap, .. } => {
            let gap = if gap && sparse.is_none() {
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
    };
    let shown = |at: Option<Timestamp>| Some(runs.clock?.shows(at?));
    let objectives = ObjectivesStatus {
        newest: shown(newest),
        next: shown(runs.next_run),
        broken_at: shown(newest.and_then(|newest| newest.checked_add(rpo).ok())),
    };
    let was_told = world.status().is_some_and(|status| {
        let mut before = status.conditions.iter();
        before.any(|before| {
            before.type_ == ConditionType::WithinRPO && before.message.contains(CANNOT)
        })
    });
    Standings {
        within_rpo,
        objectives: (objectives != ObjectivesStatus::default()).then_some(objectives),
        turns,
        event: sparse
            .filter(|_| !was_told)
            .map(|note| Event::warning("ObjectiveOutOfReach", note)),
    }
}

fn declared(world: &ProtectedVmWorld) -> Option<SignedDuration> {
    let objectives = world.item.spec.objectives.as_ref()?;
    objectives.rpo.as_deref()?.parse().ok()
}

/// Without an objective, only a run that did not happen is worth a word.
fn without(missed: Option<Timestamp>) -> Standings {
    let within_rpo = match missed {
        Some(due) => extra(ConditionStatus::False, "ScheduledRunMissed", missing(due)),
        None => extra(
            ConditionStatus::Unknown,
            "NoObjective",
            "spec.objectives.rpo sets none.".to_owned(),
        ),
    };
    Standings {
        within_rpo,
        objectives: None,
        turns: None,
        event: None,
    }
}

/// By this the warning is known again in the status.
const CANNOT: &str = "cannot keep the objective";

fn out_of_reach(gap: SignedDuration, rpo: SignedDuration) -> String {
    format!(
        "The schedule leaves up to {gap:#} between backups and {CANNOT} of {rpo:#}: have the policy run more often, or relax \
         spec.objectives.rpo."
    )
}

/// The longest time between two runs of the coming week.
fn longest_gap(schedule: &Schedule, now: Timestamp) -> Option<SignedDuration> {
    let first = schedule.next_after(now)?;
    let runs = std::iter::successors(Some(first), |run| schedule.next_after(*run));
    let week: Vec<Timestamp> = runs
        .take_while(|run| run.duration_since(first) <= A_WEEK)
        .collect();
    let gaps = week.iter().zip(week.iter().skip(1));
    gaps.map(|(one, next)| next.duration_since(*one)).max()
}

fn extra(status: ConditionStatus, reason: &'static str, message: String) -> Extra {
    Extra {
        type_: ConditionType::WithinRPO,
        status,
        reason,
        message,
    }
}
