//! The recovery point objective: whether it is met, until when if nothing happens, and whether the schedule can keep it at all.

use jiff::{SignedDuration, Timestamp};
use kluis_api::{Condition, ConditionStatus, ConditionType, ObjectivesStatus};
use kluis_policy::objective::{Objective, Standing};

use super::{Expected, missing};
use crate::conditions::Extra;
use crate::protected_vm::history::History;
use crate::report::Event;
use crate::world::ProtectedVmWorld;

/// How the item stands against its objective.
pub(super) struct Standings {
    /// None before a first backup is due: nothing is within an objective then, nor beyond one.
    pub(super) within_rpo: Option<Extra>,
    pub(super) objectives: Option<ObjectivesStatus>,
    /// When that changes if nothing happens.
    pub(super) turns: Option<SignedDuration>,
    pub(super) events: Vec<Event>,
}

/// `WithinRPO`, and what the status says of the objective.
pub(super) fn of(world: &ProtectedVmWorld, history: &History, runs: &Expected<'_>) -> Standings {
    let Some(rpo) = declared(world) else {
        return without(runs.missed);
    };
    let newest = history.newest();
    let objective = Objective { rpo };
    let before = world
        .status()
        .and_then(|status| status.objectives.as_ref()?.longest_gap.clone());
    let gap = match runs.strategy {
        Some(strategy) => objective
            .out_of_reach(strategy, world.now)
            .map(|gap| format!("{gap:#}")),
        None => before.clone().filter(|_| runs.is_unknown),
    };
    let sparse = gap.as_deref().map(|gap| out_of_reach(gap, rpo));
    let also = [runs.missed.map(missing), sparse.clone()];
    let also: String = also
        .into_iter()
        .flatten()
        .fold(String::new(), |all, one| format!("{all} {one}"));
    let standing = objective.standing(newest, runs.next_run, world.now);
    let (within_rpo, turns) = match standing {
        Standing::NoPoint { .. } if runs.awaits_first => (None, None),
        Standing::NoPoint { .. } => {
            let message = format!("There is no recovery point yet.{also}");
            let told = extra(ConditionStatus::False, "NoRecoveryPoint", message);
            (Some(told), None)
        }
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
                Some(extra(ConditionStatus::True, "WithinObjective", message)),
                Some(world.now.duration_until(until)),
            )
        }
        Standing::Broken { since, .. } => {
            let since = since.strftime("%Y-%m-%d %H:%MZ");
            let age = format!("older than {rpo:#} since {since}");
            let is_known = history.is_current || was(world, ConditionStatus::False).is_some();
            let told = if is_known {
                let message = format!("The newest recovery point is {age}.{also}");
                extra(ConditionStatus::False, BROKEN, message)
            } else {
                let message = format!(
                    "The newest recovery point that is known is {age}; whether there is another could not be asked.{also}"
                );
                extra(ConditionStatus::Unknown, UNSEEN, message)
            };
            (Some(told), None)
        }
    };
    let shown = |at: Option<Timestamp>| Some(runs.clock?.shows(at?));
    let objectives = ObjectivesStatus {
        newest: shown(newest),
        next: shown(runs.next_run),
        broken_at: shown(newest.and_then(|newest| newest.checked_add(rpo).ok())),
        longest_gap: gap,
    };
    let unreachable = sparse
        .filter(|_| before.is_none())
        .map(|note| Event::warning("ObjectiveOutOfReach", note));
    // Nobody saw it turn.
    let turned = was(world, ConditionStatus::Unknown)
        .filter(|before| before.reason == UNSEEN)
        .and(within_rpo.as_ref().filter(|told| told.reason == BROKEN))
        .map(|told| Event::warning(BROKEN, told.message.clone()));
    Standings {
        within_rpo,
        objectives: (objectives != ObjectivesStatus::default()).then_some(objectives),
        turns,
        events: unreachable.into_iter().chain(turned).collect(),
    }
}

/// The reasons of `WithinRPO` where the newest point is too old: as is known, and as far as is known.
const BROKEN: &str = "ObjectiveMissed";
const UNSEEN: &str = "NotSeen";

/// What the status says of the objective, where it says this.
fn was(world: &ProtectedVmWorld, said: ConditionStatus) -> Option<&Condition> {
    let mut before = world.status()?.conditions.iter();
    before.find(|before| before.type_ == ConditionType::WithinRPO && before.status == said)
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
        within_rpo: Some(within_rpo),
        objectives: None,
        turns: None,
        events: Vec::new(),
    }
}

fn out_of_reach(gap: &str, rpo: SignedDuration) -> String {
    format!(
        "The schedule leaves up to {gap} between backups and cannot keep the objective of {rpo:#}: have the policy run more often, or \
         relax spec.objectives.rpo."
    )
}

fn extra(status: ConditionStatus, reason: &'static str, message: String) -> Extra {
    Extra {
        type_: ConditionType::WithinRPO,
        status,
        reason: reason.into(),
        message,
    }
}
