//! Execute: takes a plan's steps, one after the other. There is nothing to decide here: what to do, to what, and
//! under which condition is all in the step.

use std::sync::Arc;

use kluis_api::FINALIZER;
use kluis_client::{Arm, ArmRequest, Method};
use kluis_plan::{
    self as plan, Action, ArmFailure, Call, Cause, Fingerprint, Outcome, Precondition, Step,
};
use serde_json::Value;

use crate::{
    arm::{Freshness, Turn},
    ctx::Ctx,
    failure::arm_failure,
    objects::{ObjectsError, Version},
    observe::{Lines, VaultKey, edits},
};

/// What executing came to.
#[derive(Debug)]
pub(crate) struct Execution {
    /// One for each step that was tried; all but the last are done.
    pub outcomes: Vec<Outcome>,
    /// The version of the object after our own writes.
    pub version: Version,
    /// The object is gone: there is nothing left to report on.
    pub gone: bool,
    /// A crash was called for, for a test.
    pub crashed: bool,
    /// A write of ours to the object has just shown that it was as it was read.
    object_seen: bool,
    /// The turns to edit policies that it has, until what was done is reported.
    turn: Option<Vec<Turn>>,
}

/// Takes the steps in their order, up to the first that is not done.
///
/// # Errors
/// When Kubernetes fails; what was done before is then found again by the next observation.
pub(crate) async fn execute(
    steps: &[Step],
    version: Version,
    lines: &mut Lines,
    ctx: &Ctx,
) -> Result<Execution, ObjectsError> {
    let mut execution = Execution {
        outcomes: Vec::new(),
        version,
        gone: false,
        crashed: false,
        object_seen: false,
        turn: None,
    };
    for step in steps {
        tracing::info!(object = %step.guard.object, step = %step, "executing");
        let outcome = take(step, &mut execution, lines, ctx).await?;
        ctx.metrics.executed(result(&outcome));
        let done = outcome == Outcome::Done;
        let taken = matches!(outcome, Outcome::Done | Outcome::Accepted { .. });
        execution.outcomes.push(outcome);
        execution.crashed = taken && ctx.crash.step_taken();
        if !done || execution.crashed || execution.gone {
            break;
        }
    }
    Ok(execution)
}

async fn take(
    step: &Step,
    execution: &mut Execution,
    lines: &mut Lines,
    ctx: &Ctx,
) -> Result<Outcome, ObjectsError> {
    let key = &step.guard.object;
    let version = execution.version.clone();
    let written = match &step.action {
        Action::HoldFinalizer => {
            let finalizers = with_finalizer(ctx.objects.known(key).await?.as_deref(), true);
            ctx.objects.set_finalizers(key, &version, &finalizers).await
        }
        Action::ReleaseFinalizer => {
            // Of the object, its version is the precondition.
            if let Some(what) = changed(&step.guard, Freshness::Now, lines).await {
                return Ok(Outcome::Stale { what });
            }
            let known = ctx.objects.known(key).await?;
            let finalizers = with_finalizer(known.as_deref(), false);
            let written = ctx.objects.set_finalizers(key, &version, &finalizers).await;
            // Without a finalizer an object under deletion is gone with this very write.
            let is_going =
                known.is_none_or(|object| !object["metadata"]["deletionTimestamp"].is_null());
            execution.gone = is_going && written.is_ok() && finalizers.is_empty();
            written
        }
        Action::DeleteObject => {
            let deleted = ctx.objects.delete(key, &version).await;
            execution.gone = deleted.is_ok();
            deleted.map(|()| version)
        }
        Action::CreateVault { id, .. }
        | Action::UpdateVault { id, .. }
        | Action::DeleteVault { id }
        | Action::UndeleteVault { id, .. }
        | Action::DiscoverContainers { vault: id } => {
            return write(step, execution, &VaultKey::from(id), lines, ctx).await;
        }
        Action::PutPolicy { id, .. } | Action::DeletePolicy { id } => {
            return write(step, execution, &VaultKey::from(&id.vault), lines, ctx).await;
        }
        Action::PutItem { id, .. }
        | Action::DeleteItem { id }
        | Action::StartBackup { item: id, .. } => {
            return write(step, execution, &VaultKey::from(id.vault()), lines, ctx).await;
        }
        Action::CancelJob { job } => {
            return write(step, execution, &VaultKey::from(&job.vault), lines, ctx).await;
        }
        Action::StartRestore { point, .. } | Action::StartFilesRestore { point, .. } => {
            return write(
                step,
                execution,
                &VaultKey::from(point.item.vault()),
                lines,
                ctx,
            )
            .await;
        }
    };
    match written {
        Ok(version) => {
            execution.version = version;
            execution.object_seen = true;
            Ok(Outcome::Done)
        }
        Err(ObjectsError::Conflict(_)) => Ok(Outcome::Stale {
            what: key.to_string(),
        }),
        Err(ObjectsError::Gone(_)) => {
            execution.gone = true;
            Ok(Outcome::Done)
        }
        Err(failed) => Err(failed),
    }
}

/// The object's finalizers, with ours or without.
fn with_finalizer(object: Option<&Value>, held: bool) -> Vec<String> {
    let present = object.and_then(|object| object["metadata"]["finalizers"].as_array());
    let mut finalizers: Vec<String> = present
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .filter(|name| name != FINALIZER)
        .collect();
    if held {
        finalizers.push(FINALIZER.to_owned());
    }
    finalizers
}

/// One write to ARM, right after its precondition was seen to hold (law 2).
async fn write(
    step: &Step,
    execution: &mut Execution,
    vault: &VaultKey,
    lines: &mut Lines,
    ctx: &Ctx,
) -> Result<Outcome, ObjectsError> {
    let failed = |cause| {
        Outcome::Failed(ArmFailure {
            doing: step.to_string(),
            cause,
        })
    };
    let call = match step.action.call() {
        Ok(Some(call)) => call,
        Ok(None) => return Ok(Outcome::Done),
        Err(error) => {
            let message = error.to_string();
            return Ok(failed(Cause::Malformed { message }));
        }
    };
    let line = match lines.line_to(Some(vault)) {
        Ok(line) => line,
        Err(failure) => return Ok(failed(failure.cause)),
    };
    // Edits of a vault's policies are made one after the other, each when the one before stands in a status: else they could not be
    // counted.
    if let (Action::PutPolicy { id, .. }, Some(_)) = (&step.action, &step.guard.room) {
        let gate = match execution.turn.is_none() {
            true => Some(line.turn_to_edit(&id.vault).await),
            // Whoever waits while it holds another's turn could wait for ever.
            false => line.try_turn_to_edit(&id.vault),
        };
        let Some(gate) = gate else {
            let what = format!("the turn to edit a policy of {}", id.vault.name);
            return Ok(Outcome::Stale { what });
        };
        execution.turn.get_or_insert_with(Vec::new).push(gate);
    }
    if let Some(what) = stale(&step.guard, execution.object_seen, lines, ctx).await? {
        return Ok(Outcome::Stale { what });
    }
    if !ctx.fence.is_open() {
        return Err(ObjectsError::Fenced(step.guard.object.clone()));
    }
    let answer = match line.call(&request(call, ctx)).await {
        Ok(answer) => answer,
        Err(failure) => {
            return Ok(Outcome::Failed(arm_failure(
                step.to_string(),
                &failure,
                line.now(),
            )));
        }
    };
    Ok(match answer.async_operation.or(answer.location) {
        Some(status_url) => Outcome::Accepted {
            status_url,
            retry_after: answer.retry_after,
        },
        None => Outcome::Done,
    })
}

/// What no longer holds of what the plan was made from, if anything.
async fn stale(
    guard: &Precondition,
    object_seen: bool,
    lines: &mut Lines,
    ctx: &Ctx,
) -> Result<Option<String>, ObjectsError> {
    let object = match object_seen {
        true => ctx.objects.known(&guard.object).await?,
        false => ctx.objects.get(&guard.object).await?.map(Arc::new),
    };
    let Some(object) = object else {
        return Ok(Some(guard.object.to_string()));
    };
    if object["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default()
        != guard.generation
    {
        return Ok(Some(guard.object.to_string()));
    }
    if let Some(room) = &guard.room {
        let edits = edits(&room.vault, ctx).await?;
        if !room.is_left(&edits) {
            return Ok(Some(format!("the room for an edit in {}", room.vault)));
        }
    }
    Ok(changed(guard, Freshness::Making, lines).await)
}

/// What is no longer as it was observed, if anything: each is read by itself.
async fn changed(guard: &Precondition, fresh: Freshness, lines: &mut Lines) -> Option<String> {
    for (want, seen) in &guard.observed {
        let (fact, _) = lines.read_as(want, fresh).await;
        if Fingerprint::of(&fact) != *seen {
            return Some(want.to_string());
        }
    }
    None
}

fn request(call: Call, ctx: &Ctx) -> ArmRequest {
    let method = match call.method {
        plan::Method::Put => Method::Put,
        plan::Method::Patch => Method::Patch,
        plan::Method::Post => Method::Post,
        plan::Method::Delete => Method::Delete,
    };
    let mut request = ArmRequest::new(method, call.path, call.api_version);
    request.body = call.body;
    request.with_client_request_id(call.request_id.unwrap_or_else(|| ctx.ids.unique()))
}

fn result(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Accepted { .. } => "accepted",
        Outcome::Stale { .. } => "stale",
        Outcome::Failed(_) => "failed",
    }
}
