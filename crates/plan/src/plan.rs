//! What follows from a world: steps, a report, and when to look again.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use kluis_api::{Condition, ConditionType};

use crate::approval::Stake;
use crate::conditions::{self, Extra, Standing, Verdict};
use crate::failure::{ArmFailure, Cause};
use crate::fingerprint::Fingerprint;
use crate::key::ObjectKey;
use crate::report::{Event, Report, Status};
use crate::step::{Action, Precondition, Slot, Step};
use crate::waiting::Waiting;
use crate::world::{Fact, Want};

/// What to do, what to say, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In this order. The first that is not done ends the reconcile: the rest would stand on what is not there.
    pub steps: Vec<Step>,
    /// The status to write once the steps are taken, completed by [`Plan::report_after`].
    pub report: Report,
    pub next: Next,
    /// What the steps cost, or would if they were approved: recovery points, vault by vault.
    pub stakes: Vec<Stake>,
    pub(crate) basis: Basis,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// When something that is watched changes; nothing else can help.
    Await,
    /// At once, when the status is written.
    Soon,
    /// After this long, or when something that is watched changes.
    After(SignedDuration),
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The service took it and works on it: its status is to be had there.
    Accepted {
        status_url: String,
        retry_after: Option<SignedDuration>,
    },
    /// Not taken: what the plan was made from no longer holds.
    Stale { what: String },
    /// Not done.
    Failed(ArmFailure),
}

impl Outcome {
    /// Whether the service may have done what was asked.
    fn may_have_been_taken(&self) -> bool {
        match self {
            Self::Done | Self::Accepted { .. } => true,
            Self::Stale { .. } => false,
            Self::Failed(failure) => failure.may_have_been_taken(),
        }
    }
}

/// What a plan was made from, as far as its report needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Basis {
    pub(crate) object: ObjectKey,
    pub(crate) generation: i64,
    pub(crate) now: Timestamp,
    /// The conditions as they were read.
    pub(crate) before: Vec<Condition>,
    /// Of an object that goes: how it goes without what it waits for.
    pub(crate) goes_without: Option<WayOut>,
}

/// How an object that is deleted goes without its end in Azure. Every finalizer has one, or it could hold its namespace for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayOut {
    /// By this deletion policy.
    Policy(&'static str),
    /// By itself, then.
    At(Timestamp),
}

impl Basis {
    /// The precondition of a step that rests on nothing in ARM.
    pub(crate) fn unread(&self) -> Precondition {
        Precondition {
            object: self.object.clone(),
            generation: self.generation,
            observed: Vec::new(),
            room: None,
        }
    }

    /// The precondition of a step that was decided from these facts; what was not read is no condition.
    pub(crate) fn seen(
        &self,
        facts: impl IntoIterator<Item = (Want, Option<Fact>)>,
    ) -> Precondition {
        let observed = facts
            .into_iter()
            .filter_map(|(want, fact)| Some((want, Fingerprint::of(&fact?))));
        Precondition {
            observed: observed.collect(),
            ..self.unread()
        }
    }

    /// A step of Kubernetes'.
    pub(crate) fn step(&self, action: Action) -> Step {
        Step {
            action,
            guard: self.unread(),
            slot: None,
        }
    }

    /// The conditions that a verdict comes to.
    pub(crate) fn conditions(
        &self,
        summary: ConditionType,
        verdict: &Verdict,
        extras: &[Extra],
    ) -> Vec<Condition> {
        conditions::conditions(
            summary,
            verdict,
            extras,
            &self.before,
            self.generation,
            self.now,
        )
    }

    /// The whole plan. `status` has its conditions already.
    pub(crate) fn plan(self, steps: Vec<Step>, status: Status, next: Next) -> Plan {
        let events = conditions::events(&self.before, status.conditions());
        Plan {
            steps,
            report: Report {
                object: self.object.clone(),
                status: Some(status),
                events,
            },
            next,
            stakes: Vec::new(),
            basis: self,
        }
    }

    /// A plan that lets go of the object: nothing is left to say of it.
    pub(crate) fn farewell(self, action: Action) -> Plan {
        let guard = self.unread();
        self.farewell_while(action, guard)
    }

    /// The same, while what it was decided from still is so: with its object goes the last that looks after what is in Azure.
    pub(crate) fn farewell_while(self, action: Action, guard: Precondition) -> Plan {
        let step = Step {
            guard,
            ..self.step(action)
        };
        Plan {
            steps: vec![step],
            report: Report {
                object: self.object.clone(),
                status: None,
                events: Vec::new(),
            },
            next: Next::Await,
            stakes: Vec::new(),
            basis: self,
        }
    }
}

impl Basis {
    /// What is said of a cause for not acting.
    pub(crate) fn waiting(&self, waiting: &Waiting) -> Verdict {
        let verdict = Verdict::waiting(waiting);
        // A service that does not answer may come back, and may be gone for good.
        match waiting {
            Waiting::Arm(_) => self.with_way_out(verdict),
            _ if verdict.standing == Standing::Stuck => self.with_way_out(verdict),
            _ => verdict,
        }
    }

    /// The verdict, with the way on for an object that goes.
    pub(crate) fn with_way_out(&self, verdict: Verdict) -> Verdict {
        let way_out = match self.goes_without {
            Some(WayOut::Policy(policy)) => {
                format!("To let this object go without it, set spec.deletionPolicy: {policy}.")
            }
            Some(WayOut::At(at)) => format!(
                "This object goes without it at {}.",
                at.strftime("%Y-%m-%d %H:%MZ")
            ),
            None => return verdict,
        };
        Verdict {
            message: format!("{} {way_out}", verdict.message),
            ..verdict
        }
    }

    /// A plan that lets go of the object, and says what it leaves behind.
    pub(crate) fn farewell_with(self, event: Event) -> Plan {
        let mut plan = self.farewell(Action::ReleaseFinalizer);
        plan.report.events.push(event);
        plan
    }
}

impl Plan {
    /// The report to write once the steps were taken, and when to look again: `outcomes` are those of the first steps, in their order,
    /// the last one being the first that is not [`Outcome::Done`].
    pub fn report_after(&self, outcomes: &[Outcome]) -> (Report, Next) {
        let mut report = self.report.clone();
        if let Some(status) = &mut report.status {
            for (step, outcome) in self.steps.iter().zip(outcomes) {
                if outcome.may_have_been_taken() {
                    let is_taken = matches!(outcome, Outcome::Done | Outcome::Accepted { .. });
                    status.written(step, is_taken, self.basis.now);
                }
            }
        }
        let last = outcomes
            .last()
            .and_then(|outcome| Some((self.steps.get(outcomes.len().checked_sub(1)?)?, outcome)));
        let next = match last {
            None => self.next,
            Some((_, Outcome::Done)) if self.report.status.is_none() => self.next,
            Some((_, Outcome::Done)) => Next::Soon,
            Some((_, Outcome::Stale { .. })) => Next::After(SignedDuration::from_secs(1)),
            Some((
                step,
                Outcome::Accepted {
                    status_url,
                    retry_after,
                },
            )) => {
                if let Some(status) = &mut report.status {
                    status.accepted(step, status_url, self.basis.now);
                }
                Next::After(
                    retry_after
                        .unwrap_or(SignedDuration::from_secs(5))
                        .max(SignedDuration::from_secs(1)),
                )
            }
            Some((step, Outcome::Failed(failure))) => self.failed(&mut report, step, failure),
        };
        (report, next)
    }

    /// Whether the object says this already.
    fn says(&self, waiting: &Waiting) -> bool {
        self.basis.before.iter().any(|condition| {
            condition.reason == waiting.reason()
                && condition.message.starts_with(&waiting.to_string())
        })
    }

    fn failed(&self, report: &mut Report, step: &Step, failure: &ArmFailure) -> Next {
        // How long to leave a call alone that starts work and was not taken: each attempt first reads the vault's jobs.
        const BEFORE_ANOTHER_START: SignedDuration = SignedDuration::from_mins(1);
        const SOON_AFTER_A_REFUSAL: SignedDuration = SignedDuration::from_secs(5);
        let waiting = Waiting::Arm(failure.clone());
        let starts_work = step.action.starts_work();
        if let Some(status) = &mut report.status {
            if let (true, Cause::Spent { until, message }) = (starts_work, &failure.cause) {
                // Nothing is wrong: the next look says what is waited for.
                status.held(step, *until, message);
                return Next::Soon;
            }
            let is_final = starts_work && failure.class() == kluis_arm::error::Class::Terminal;
            if is_final && status.not_taken(&waiting) {
                return Next::Soon;
            }
            let verdict = Verdict::waiting(&waiting);
            status.judge(&self.basis, &self.basis.with_way_out(verdict));
            report.events = conditions::events(&self.basis.before, status.conditions());
        }
        // A refusal of what was asked twice is followed by the sight of what came of the first: a look comes before patience.
        if failure.is_refusal() && !self.says(&waiting) {
            return Next::After(SOON_AFTER_A_REFUSAL);
        }
        match waiting.next(self.basis.now) {
            Next::After(delay) if starts_work => Next::After(delay.max(BEFORE_ANOTHER_START)),
            next => next,
        }
    }
}

impl Status {
    /// The conditions for a verdict that was only reached while steps were taken. What the kind says beyond the three stays.
    fn judge(&mut self, basis: &Basis, verdict: &Verdict) {
        let summary = match self {
            Self::BackupJob(_) | Self::Restore(_) => ConditionType::Succeeded,
            Self::Service(_) | Self::Vault(_) | Self::Policy(_) | Self::ProtectedVm(_) => {
                ConditionType::Ready
            }
        };
        let fresh = basis.conditions(summary, verdict, &[]);
        for condition in self.conditions_mut() {
            if let Some(fresh) = fresh.iter().find(|fresh| fresh.type_ == condition.type_) {
                *condition = fresh.clone();
            }
        }
    }

    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        match self {
            Self::Service(status) => &mut status.conditions,
            Self::Vault(status) => &mut status.conditions,
            Self::Policy(status) => &mut status.conditions,
            Self::ProtectedVm(status) => &mut status.conditions,
            Self::BackupJob(status) => &mut status.conditions,
            Self::Restore(status) => &mut status.conditions,
        }
    }

    /// Where the operation that a step starts is kept.
    fn operation_mut(&mut self, slot: &Slot) -> Option<&mut Option<kluis_api::Operation>> {
        match (self, slot) {
            (Self::Vault(status), Slot::Operation) => Some(&mut status.operation),
            (Self::ProtectedVm(status), Slot::Operation) => Some(&mut status.operation),
            (Self::ProtectedVm(status), Slot::Backup) => Some(&mut status.backup),
            (Self::BackupJob(status), Slot::Operation) => Some(&mut status.operation),
            (Self::Restore(status), Slot::Operation) => Some(&mut status.operation),
            (Self::Policy(status), Slot::PolicyVault(name)) => status
                .vaults
                .iter_mut()
                .find(|vault| vault.name == *name)
                .map(|vault| &mut vault.operation),
            _ => None,
        }
    }

    fn accepted(&mut self, step: &Step, status_url: &str, now: Timestamp) {
        let Some((slot, kind)) = step.slot.as_ref().zip(step.action.operation()) else {
            return;
        };
        let Some(kept) = self.operation_mut(slot) else {
            return;
        };
        let meant =
            kept.take()
                .filter(|meant| meant.kind == kind)
                .unwrap_or(kluis_api::Operation {
                    kind,
                    target: step.action.target(),
                    intent: conditions::moment(now),
                    token: None,
                    status_url: None,
                    job: None,
                    before: Vec::new(),
                    refused: None,
                    held: None,
                });
        *kept = Some(kluis_api::Operation {
            status_url: Some(status_url.to_owned()),
            ..meant
        });
    }

    /// Remembers a policy that was written into a vault: what was taken is not sent twice for one generation. An edit of what was there is
    /// counted besides: the service counts them, and so do we.
    fn written(&mut self, step: &Step, is_taken: bool, now: Timestamp) {
        let (Self::Policy(status), Some(Slot::PolicyVault(name))) = (self, &step.slot) else {
            return;
        };
        for vault in status.vaults.iter_mut().filter(|vault| vault.name == *name) {
            if let Some(room) = &step.guard.room {
                vault.edits.retain(|edit| edit.0 >= room.since);
                vault.edits.push(conditions::moment(now));
            }
            vault.operation = is_taken.then(|| kluis_api::Operation {
                kind: kluis_api::OperationKind::UpdatePolicy,
                target: step.action.target(),
                intent: conditions::moment(now),
                token: Some(step.guard.generation.to_string()),
                status_url: None,
                job: None,
                before: Vec::new(),
                refused: None,
                held: None,
            });
        }
    }

    /// For kinds that end, a request that is wrong for ever is the end, once it is known that it was not taken before it was refused. Whether
    /// this is such a kind.
    fn not_taken(&mut self, waiting: &Waiting) -> bool {
        let meant = match self {
            Self::BackupJob(status) => status.operation.as_mut(),
            Self::Restore(status) => status.operation.as_mut(),
            Self::Service(_) | Self::Vault(_) | Self::Policy(_) | Self::ProtectedVm(_) => None,
        };
        let Some(meant) = meant else {
            return false;
        };
        meant.status_url = None;
        meant.refused = Some(conditions::cut(&waiting.to_string(), 1024));
        true
    }

    /// Remembers that the service does not take it yet: it is not asked again before then.
    fn held(&mut self, step: &Step, until: Timestamp, message: &str) {
        let kept = step.slot.as_ref().and_then(|slot| self.operation_mut(slot));
        if let Some(meant) = kept.and_then(Option::as_mut) {
            meant.status_url = None;
            meant.held = Some(kluis_api::Held {
                until: conditions::moment(until),
                message: conditions::cut(message, 1024),
            });
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Await => f.write_str("await a change"),
            Self::Soon => f.write_str("at once"),
            Self::After(delay) => write!(f, "after {delay:#}"),
        }
    }
}
