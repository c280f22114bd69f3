//! A second look, right after a protection was asked for that a service makes almost at once.
//!
//! What the first look has to say is old when the second is over, so that only one of them is written. Nothing is done by the second
//! that a status would have to hold first: where it finds something to do, the first is written, and the next look does it.
//! A crash in between costs nothing: a protection is asked for by a call that can be made again.

use jiff::SignedDuration;
use kluis_plan::{Action, Next, Outcome, Plan, Report};
use serde_json::Value;

use crate::{
    ctx::Ctx,
    execute::Execution,
    key::Key,
    objects::Version,
    observe::{Observation, observe},
};

/// A service that wants to be left alone for longer makes nothing at once; one that says nothing may have made it.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(2);

/// What is to be said after the second look, and when to look again; none where `said`, of the first, is to be written.
pub(crate) async fn second_look(
    key: &Key,
    plan: &Plan,
    execution: &Execution,
    said: &Report,
    ctx: &Ctx,
) -> Option<(Report, Next)> {
    if !is_made_at_once(plan, execution) {
        return None;
    }
    let known = ctx.objects.known(key).await.ok()??;
    if Version::of(&known) != execution.version {
        return None;
    }
    let mut object = Value::clone(&known);
    // What is news is told by what stands written.
    let conditions = object["status"]["conditions"].take();
    object["status"] = said.status.as_ref()?.to_value().ok()?;
    object["status"]["conditions"] = match conditions {
        Value::Null => Value::Array(Vec::new()),
        written => written,
    };
    let Observation { world, failure, .. } = observe(key, &object, ctx).await.ok()?;
    let second = world.plan();
    if failure.is_some() || !second.steps.is_empty() {
        return None;
    }
    let (mut report, next) = second.report_after(&[]);
    let first = said.events.iter().cloned();
    let first: Vec<_> = first
        .filter(|event| !report.events.contains(event))
        .collect();
    report.events.splice(0..0, first);
    Some((report, next))
}

fn is_made_at_once(plan: &Plan, execution: &Execution) -> bool {
    let last = execution.outcomes.len().checked_sub(1);
    let step = last.and_then(|last| plan.steps.get(last));
    let is_protection = step.is_some_and(|step| matches!(step.action, Action::PutItem { .. }));
    let is_soon = |wait: &SignedDuration| *wait <= AT_ONCE;
    match execution.outcomes.last() {
        Some(Outcome::Accepted { retry_after, .. }) => {
            is_protection && retry_after.as_ref().is_none_or(is_soon)
        }
        _ => false,
    }
}
