//! Conditions: what is said of an object, one verdict at a time.
//!
//! The verdict decides `Ready` (or `Succeeded`), `Reconciling` and `Stalled` together, so that the last two are never both true: who
//! follows kstatus would take whichever comes first.

use std::borrow::Cow;

use jiff::{Timestamp, Unit};
use kluis_api::{Condition, ConditionStatus, ConditionType, Time};

use crate::report::{Event, EventKind};
use crate::waiting::{Stance, Waiting};

/// How an object stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) standing: Standing,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The combinations there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As declared; or done.
    Settled,
    /// As declared, while something that changes nothing about it is under way: a backup.
    SettledBusy,
    /// On the way.
    Working,
    /// A person has to do something first.
    Stuck,
    /// Over, and it came to nothing. Of bounded kinds.
    Failed,
}

/// A condition beyond the three.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extra {
    pub(crate) type_: ConditionType,
    pub(crate) status: ConditionStatus,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) message: String,
}

/// The reason of `Healthy` where nothing is wrong.
pub(crate) const HEALTHY: &str = "NothingWrong";
/// Its reason where the newest run failed and the service has no word of its own for that.
pub(crate) const BACKUP_FAILED: &str = "BackupFailed";

impl Extra {
    /// `Healthy`, of what is wrong: whether it is grave, its reason and its message. False where anything is grave; of the grave ones, else
    /// of all, the first gives the reason.
    pub(crate) fn healthy(problems: &[(bool, &str, &str)]) -> Self {
        let grave = problems.iter().find(|(is_grave, ..)| *is_grave);
        let worst = grave.or(problems.first());
        let messages: Vec<&str> = problems.iter().map(|(.., message)| *message).collect();
        Self {
            type_: ConditionType::Healthy,
            status: match grave {
                Some(_) => ConditionStatus::False,
                None => ConditionStatus::True,
            },
            reason: worst.map_or(HEALTHY.into(), |(_, reason, _)| (*reason).to_owned().into()),
            message: messages.join(" "),
        }
    }
}

impl Verdict {
    pub(crate) fn settled(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Standing::Settled, reason, message)
    }

    pub(crate) fn busy(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Standing::SettledBusy, reason, message)
    }

    pub(crate) fn working(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Standing::Working, reason, message)
    }

    pub(crate) fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Standing::Failed, reason, message)
    }

    pub(crate) fn waiting(waiting: &Waiting) -> Self {
        let standing = match waiting.stance() {
            Stance::Progressing => Standing::Working,
            Stance::Stuck => Standing::Stuck,
        };
        Self::new(standing, waiting.reason(), waiting.to_string())
    }

    fn new(standing: Standing, reason: &str, message: impl Into<String>) -> Self {
        Self {
            standing,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// Whether it ended, and well.
    pub(crate) fn is_success(&self) -> bool {
        self.standing == Standing::Settled
    }

    /// `Ready`, for kinds that live long.
    fn ready(&self) -> ConditionStatus {
        match self.standing {
            Standing::Settled | Standing::SettledBusy => ConditionStatus::True,
            // Whether Azure is still as declared cannot be told by who does not hear from it.
            Standing::Working
                if self.reason == "ServiceUnreachable" || self.reason == "Throttled" =>
            {
                ConditionStatus::Unknown
            }
            Standing::Working | Standing::Stuck | Standing::Failed => ConditionStatus::False,
        }
    }

    /// `Succeeded`, for kinds that end: unknown until they have.
    fn succeeded(&self) -> ConditionStatus {
        match self.standing {
            Standing::Settled => ConditionStatus::True,
            Standing::Failed => ConditionStatus::False,
            Standing::SettledBusy | Standing::Working | Standing::Stuck => ConditionStatus::Unknown,
        }
    }

    fn reconciling(&self) -> ConditionStatus {
        truth(matches!(
            self.standing,
            Standing::Working | Standing::SettledBusy
        ))
    }

    fn stalled(&self) -> ConditionStatus {
        truth(matches!(self.standing, Standing::Stuck | Standing::Failed))
    }
}

/// The whole list, in its fixed order: the summary, what the kind adds, `Reconciling`, `Stalled`.
pub(crate) fn conditions(
    summary: ConditionType,
    verdict: &Verdict,
    extras: &[Extra],
    before: &[Condition],
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let summary_status = match summary {
        ConditionType::Succeeded => verdict.succeeded(),
        _ => verdict.ready(),
    };
    let condition = |type_, status, reason: &str, message: &str| {
        let kept = before
            .iter()
            .find(|old| old.type_ == type_ && old.status == status);
        Condition {
            type_,
            status,
            observed_generation: Some(generation),
            last_transition_time: kept
                .map_or_else(|| moment(now), |old| old.last_transition_time.clone()),
            reason: reason.to_owned(),
            message: cut(message, 4096),
        }
    };
    let side = |type_, status| {
        let message = if status == ConditionStatus::True {
            verdict.message.as_str()
        } else {
            ""
        };
        condition(type_, status, &verdict.reason, message)
    };
    std::iter::once(condition(
        summary,
        summary_status,
        &verdict.reason,
        &verdict.message,
    ))
    .chain(
        extras
            .iter()
            .map(|extra| condition(extra.type_, extra.status, &extra.reason, &extra.message)),
    )
    .chain([
        side(ConditionType::Reconciling, verdict.reconciling()),
        side(ConditionType::Stalled, verdict.stalled()),
    ])
    .collect()
}

/// What is worth an event: a verdict with another reason, and one of the kind's own conditions turning.
pub(crate) fn events(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    let was = |condition: &Condition| before.iter().find(|old| old.type_ == condition.type_);
    let is = |type_| {
        let mut found = after.iter().filter(|condition| condition.type_ == type_);
        found.any(|condition| condition.status == ConditionStatus::True)
    };
    // Every step on the way is in the status while it lasts; an event tells where the way has led. A fleet that is declared
    // at once would else drown what is worth reading, and the API server.
    let on_the_way =
        is(ConditionType::Reconciling) && !is(ConditionType::Ready) && !is(ConditionType::Stalled);
    after
        .iter()
        .filter(|condition| match condition.type_ {
            ConditionType::Reconciling | ConditionType::Stalled => false,
            ConditionType::Ready | ConditionType::Succeeded => {
                !on_the_way
                    && was(condition).is_none_or(|old| {
                        old.reason != condition.reason || old.status != condition.status
                    })
            }
            // The verdict tells of it already.
            ConditionType::ApprovalRequired => false,
            // Told by who judges it.
            ConditionType::ConsistencyMet => false,
            // Once for each trouble, and once when it is over. What stands in the way of Ready is told by that, and a run that failed when
            // it ends.
            ConditionType::Healthy => {
                let was = was(condition).map_or(HEALTHY, |old| old.reason.as_str());
                let is_told = after
                    .iter()
                    .any(|one| one.type_ == ConditionType::Ready && one.reason == condition.reason);
                was != condition.reason && condition.reason != BACKUP_FAILED && !is_told
            }
            ConditionType::Recoverable | ConditionType::WithinRPO => {
                condition.status != ConditionStatus::Unknown
                    && was(condition).is_some_and(|old| {
                        old.status != condition.status && old.status != ConditionStatus::Unknown
                    })
            }
        })
        .map(|condition| {
            let stalled = after
                .iter()
                .any(|c| c.type_ == ConditionType::Stalled && c.status == ConditionStatus::True);
            let bad = match condition.type_ {
                ConditionType::Ready | ConditionType::Succeeded => stalled,
                ConditionType::Healthy => condition.reason != HEALTHY,
                _ => condition.status == ConditionStatus::False,
            };
            Event {
                kind: if bad {
                    EventKind::Warning
                } else {
                    EventKind::Normal
                },
                reason: condition.reason.clone(),
                note: match condition.message.as_str() {
                    "" => "Nothing is wrong any more.".to_owned(),
                    message => cut(message, 1024),
                },
            }
        })
        .collect()
}

/// To the second, as Kubernetes keeps times: what is written and what is read back are equal.
pub(crate) fn moment(at: Timestamp) -> Time {
    Time(at.round(Unit::Second).map_or(at, |rounded| {
        if rounded > at {
            rounded - jiff::SignedDuration::from_secs(1)
        } else {
            rounded
        }
    }))
}

/// At most so many characters, with an ellipsis where some are left out.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars()
        .take(characters.saturating_sub(1))
        .chain(['…'])
        .collect()
}

fn truth(holds: bool) -> ConditionStatus {
    if holds {
        ConditionStatus::True
    } else {
        ConditionStatus::False
    }
}
