//! The objective of consistency: whether the newest recovery point is good for what is expected of it.
//!
//! It is judged by what there is, and never stands in the way of a backup: a point that is weaker than wished for is better than none. ARM
//! says neither whether scripts lie in a Linux machine nor, in a list, whether a machine is off; its points show both, so that an objective
//! which cannot be met (rules 32 and 33) is told with the first of them, and what would have to change.

use kluis_api::{ConditionStatus, ConditionType, Consistency, ConsistencyObjective};

use super::history::History;
use crate::conditions::Extra;
use crate::report::Event;
use crate::world::ProtectedVmWorld;

/// `ConsistencyMet`, where there is an objective, and an event when it is missed anew.
pub(super) fn of(world: &ProtectedVmWorld, history: &History) -> Option<(Extra, Option<Event>)> {
    let objectives = world.item.spec.objectives.as_ref()?;
    let wanted = objectives.consistency?;
    let extra = judged(wanted, history);
    let was_missed = world.status().is_some_and(|status| {
        let mut before = status.conditions.iter();
        before.any(|before| {
            before.type_ == ConditionType::ConsistencyMet && before.status == ConditionStatus::False
        })
    });
    let is_news = extra.status == ConditionStatus::False && !was_missed;
    let event = is_news.then(|| Event::warning(&extra.reason, extra.message.clone()));
    Some((extra, event))
}

fn judged(wanted: ConsistencyObjective, history: &History) -> Extra {
    let points = history.points.as_ref();
    let newest = points.and_then(|points| points.newest_consistency);
    let (status, reason, message) = match newest {
        None => (
            ConditionStatus::Unknown,
            "NoRecoveryPoint",
            "There is no recovery point yet that says how consistent it is.".to_owned(),
        ),
        Some(found) if rank(found) >= least(wanted) => (
            ConditionStatus::True,
            "WithinObjective",
            format!("The newest recovery point is {}.", in_words(found)),
        ),
        Some(found) => (
            ConditionStatus::False,
            "WeakerThanObjective",
            format!(
                "The newest recovery point is {} and not {}: {}",
                in_words(found),
                wished(wanted),
                way_out(found)
            ),
        ),
    };
    Extra {
        type_: ConditionType::ConsistencyMet,
        status,
        reason: reason.into(),
        message,
    }
}

/// How much a point is good for.
fn rank(found: Consistency) -> u8 {
    match found {
        Consistency::Crash => 0,
        Consistency::FileSystem => 1,
        Consistency::Application => 2,
    }
}

fn least(wanted: ConsistencyObjective) -> u8 {
    match wanted {
        ConsistencyObjective::CrashConsistent => 0,
        ConsistencyObjective::FileSystemConsistent => 1,
        ConsistencyObjective::ApplicationConsistent => 2,
    }
}

fn in_words(found: Consistency) -> &'static str {
    match found {
        Consistency::Crash => "crash-consistent",
        Consistency::FileSystem => "consistent for file systems",
        Consistency::Application => "consistent for applications",
    }
}

fn wished(wanted: ConsistencyObjective) -> &'static str {
    match wanted {
        ConsistencyObjective::CrashConsistent => "crash-consistent",
        ConsistencyObjective::FileSystemConsistent => "consistent for file systems",
        ConsistencyObjective::ApplicationConsistent => "consistent for applications",
    }
}

/// What makes points of this kind, and so what to change.
fn way_out(found: Consistency) -> &'static str {
    match found {
        Consistency::Crash => {
            "a machine that is off gives no other (rule 32), nor one without an agent, nor a policy that asks for crash consistency alone. \
             Start the machine before its backup, or relax spec.objectives.consistency."
        }
        Consistency::FileSystem | Consistency::Application => {
            "a Linux machine gives others only with a pre- and a post-script that succeed (rule 33), a Windows machine when its writers \
             do; the job says what failed. Mend that, or relax spec.objectives.consistency."
        }
    }
}
