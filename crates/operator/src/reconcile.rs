//! One reconcile: observe, plan, execute, report, requeue.
//!
//! It is told which object and nothing of why. It remembers nothing but how often it failed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kluis_client::Class;
use kluis_plan::{ArmFailure, Cause, Next, Outcome as StepOutcome, Report};
use serde_json::Value;

use crate::{
    ctx::Ctx,
    execute::execute,
    facts::target,
    key::{Key, Kind},
    objects::{ObjectsError, Version},
    observe::{Observation, ObserveError, observe},
    report::{ReportError, report},
    second_look::second_look,
    unreadable,
};

/// What a reconcile came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// When to look again; none when only a change can call for it.
    pub next: Option<SignedDuration>,
    /// The steps that were taken, in words.
    pub steps: Vec<String>,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
    /// A test's crash ended it (see [`crate::crash`]).
    pub crashed: bool,
}

impl Outcome {
    fn nothing() -> Self {
        Self {
            next: None,
            steps: Vec::new(),
            failure: None,
            crashed: false,
        }
    }
}

/// Even what nothing can happen to is looked at now and then: a watch may have missed something.
const RESYNC: SignedDuration = SignedDuration::from_mins(10);

/// Brings one object a step nearer to what is declared, and says how it is.
pub async fn reconcile_once(key: &Key, ctx: &Ctx) -> Outcome {
    match attempt(key, ctx).await {
        Ok(outcome) => {
            let result = if outcome.failure.is_none() {
                "ok"
            } else {
                "failed"
            };
            ctx.metrics.reconciled(key.kind, result);
            outcome
        }
        Err(error) => {
            let failure = chain(&error);
            if let Unreported::Observe(ObserveError::Undecodable { key: unread, .. }) = &error {
                let told = unreadable::report(key, unread, &failure, ctx).await;
                if let Err(error) = told {
                    tracing::warn!(object = %key, error = %chain(&error), "what cannot be read could not be told");
                }
            }
            tracing::warn!(object = %key, error = %failure, "reconcile failed");
            ctx.metrics.reconciled(key.kind, "failed");
            ctx.metrics.failed(key.kind, Class::RetryAfter);
            Outcome {
                next: Some(ctx.backoff.failed(key, ctx.ids.fraction())),
                failure: Some(failure),
                ..Outcome::nothing()
            }
        }
    }
}

/// What ends a reconcile without a report.
#[derive(Debug, thiserror::Error)]
enum Unreported {
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error(transparent)]
    Report(#[from] ReportError),
}

async fn attempt(key: &Key, ctx: &Ctx) -> Result<Outcome, Unreported> {
    let object = match key.kind {
        // What ends is few, and what it starts must not be started twice: its status is read, not remembered.
        Kind::BackupJob | Kind::Restore => ctx.objects.get(key).await?.map(Arc::new),
        Kind::BackupService | Kind::Vault | Kind::BackupPolicy | Kind::ProtectedVM => {
            ctx.objects.known(key).await?
        }
    };
    let Some(object) = object else {
        ctx.metrics.readiness(key, None);
        ctx.backoff.succeeded(key);
        return Ok(Outcome::nothing());
    };
    let version = Version::of(&object);
    let present = without_spec(&object);
    let Observation {
        world,
        mut lines,
        failure: unread,
    } = observe(key, &object, ctx).await?;
    ctx.metrics.is_readable(key, true);
    let plan = world.plan();
    let execution = execute(&plan.steps, version, &mut lines, ctx).await?;
    let steps = plan.steps.iter().take(execution.outcomes.len());
    let mut outcome = Outcome {
        steps: steps.map(ToString::to_string).collect(),
        crashed: execution.crashed,
        ..Outcome::nothing()
    };
    if execution.crashed {
        return Ok(outcome);
    }
    let now = lines.now();
    let (said, next) = plan.report_after(&execution.outcomes);
    let second = second_look(key, &plan, &execution, &said, ctx).await;
    let (said, next) = second.unwrap_or((said, next));
    if execution.gone {
        say_goodbye(&said, &execution.version, ctx).await;
    } else {
        let stepped = !execution.outcomes.is_empty();
        report(&said, &present, execution.version, stepped, ctx).await?;
    }
    let last = execution.outcomes.last();
    let not_done = last.and_then(failed);
    let planned = match (&not_done, next) {
        (Some(_), Next::After(delay)) => Some(delay),
        (Some(_), Next::Soon | Next::Await) | (None, _) => None,
    };
    let failed = not_done.or(unread);
    outcome.next = match (&failed, last) {
        (_, Some(StepOutcome::Stale { .. })) => Some(ctx.backoff.failed(key, ctx.ids.fraction())),
        (Some(failure), _) => Some(after_failure(key, failure, planned, now, ctx)),
        (None, _) => {
            ctx.backoff.succeeded(key);
            rest(next, lines.patience(), ctx)
        }
    };
    outcome.failure = failed.map(|failure| failure.to_string());
    Ok(outcome)
}

/// What is told of an object that has gone: what it leaves behind. Also in our own log, because a namespace that goes takes no events.
async fn say_goodbye(said: &Report, version: &Version, ctx: &Ctx) {
    for event in &said.events {
        tracing::warn!(object = %said.object, reason = %event.reason, "{}", event.note);
        ctx.objects.publish(&said.object, &version.uid, event).await;
    }
}

/// The part of an object that a report is compared with, and what of its spec is counted.
fn without_spec(object: &Value) -> Value {
    serde_json::json!({ "status": object["status"], "target": target(&object["spec"]) })
}

fn failed(outcome: &StepOutcome) -> Option<ArmFailure> {
    match outcome {
        StepOutcome::Failed(failure) => Some(failure.clone()),
        StepOutcome::Done | StepOutcome::Accepted { .. } | StepOutcome::Stale { .. } => None,
    }
}

/// When to try again: when the service said, or with growing patience; after a step that failed, no sooner than the
/// plan asks for.
fn after_failure(
    key: &Key,
    failure: &ArmFailure,
    planned: Option<SignedDuration>,
    now: Timestamp,
    ctx: &Ctx,
) -> SignedDuration {
    tracing::warn!(object = %key, error = %failure, "ARM failed");
    ctx.metrics.failed(key.kind, failure.class());
    let wait = ctx.backoff.failed(key, ctx.ids.fraction());
    let told = match &failure.cause {
        Cause::Throttled { until } => until.duration_since(now),
        Cause::Unreachable { .. }
        | Cause::WrongCredentials { .. }
        // The plan has written down until when it waits.
        | Cause::Spent { .. }
        | Cause::Refused { .. }
        | Cause::Malformed { .. } => SignedDuration::ZERO,
    };
    wait.max(told).max(planned.unwrap_or(SignedDuration::ZERO))
}

/// How long to leave an object alone that is well.
fn rest(next: Next, patience: Option<SignedDuration>, ctx: &Ctx) -> Option<SignedDuration> {
    // Objects that were looked at together are not all looked at together again.
    let spread = 1.0 - ctx.ids.fraction() / 5.0;
    match next {
        Next::Soon => Some(SignedDuration::ZERO),
        Next::After(delay) => {
            let longest = patience.unwrap_or(RESYNC).mul_f64(spread);
            Some(delay.min(longest))
        }
        Next::Await => Some(RESYNC.mul_f64(spread)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
