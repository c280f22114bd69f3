//! Report: writes the status, once, and only when it says something new; tells the events that go with it.

use kluis_api::{ConditionStatus, ConditionType};
use kluis_plan::{Report, Status};
use serde_json::Value;

use crate::{
    ctx::Ctx,
    facts,
    key::Key,
    objects::{ObjectsError, Version},
};

/// Writes the status if it differs from what the object has.
///
/// `after_steps` says that something was done since the object was read: its report is then worth a second try,
/// because it holds where to ask for what was started. Without it, somebody else's write in between ends the attempt:
/// the next reconcile decides from what is there now.
///
/// # Errors
/// When Kubernetes fails or somebody else wrote in between. An object that is gone needs no status.
pub(crate) async fn report(
    report: &Report,
    present: &Value,
    version: Version,
    after_steps: bool,
    ctx: &Ctx,
) -> Result<(), ReportError> {
    let key = &report.object;
    let Some(status) = &report.status else {
        return Ok(());
    };
    ctx.metrics.readiness(key, Some(readiness(status)));
    let said = status.to_value().map_err(|source| ReportError::Status {
        key: key.clone(),
        source,
    })?;
    let kind = key.kind.to_string();
    let told = facts::facts(&kind, &said, present["target"].as_str());
    ctx.metrics.facts(key, told);
    let ends = said["caBundleExpires"].as_str();
    ctx.metrics
        .ca_bundle(key, ends.and_then(|ends| ends.parse().ok()));
    if same(&present["status"], &said) {
        return Ok(());
    }
    let uid = version.uid.clone();
    match ctx.objects.apply_status(key, &version, &said).await {
        Err(ObjectsError::Conflict(_)) if after_steps => again(key, &uid, &said, ctx).await?,
        Err(ObjectsError::Gone(_)) => return Ok(()),
        Err(failed) => return Err(failed.into()),
        Ok(_) => {}
    }
    for event in &report.events {
        if event.reason == kluis_plan::DRIFT_REPAIRED {
            ctx.metrics.drift_repaired(key.kind);
        }
        ctx.objects.publish(key, &uid, event).await;
    }
    Ok(())
}

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error("the status of {key} cannot be written as JSON")]
    Status {
        key: Key,
        #[source]
        source: serde_json::Error,
    },
}

async fn again(key: &Key, uid: &str, said: &Value, ctx: &Ctx) -> Result<(), ObjectsError> {
    let Some(object) = ctx.objects.get(key).await? else {
        return Ok(());
    };
    let version = Version::of(&object);
    if version.uid != uid {
        return Ok(());
    }
    match ctx.objects.apply_status(key, &version, said).await {
        Ok(_) | Err(ObjectsError::Gone(_)) => Ok(()),
        Err(failed) => Err(failed),
    }
}

/// Whether two statuses say the same. When a condition last changed is not what it says.
fn same(present: &Value, said: &Value) -> bool {
    without_transitions(present) == without_transitions(said)
}

fn without_transitions(status: &Value) -> Value {
    let mut status = status.clone();
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if let Some(condition) = condition.as_object_mut() {
            condition.remove("lastTransitionTime");
        }
    }
    status
}

fn readiness(status: &Status) -> &'static str {
    let main = |type_| matches!(type_, ConditionType::Ready | ConditionType::Succeeded);
    let condition = status
        .conditions()
        .iter()
        .find(|condition| main(condition.type_));
    match condition.map(|condition| condition.status) {
        Some(ConditionStatus::True) => "True",
        Some(ConditionStatus::False) => "False",
        Some(ConditionStatus::Unknown) | None => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_said_counts() {
        let at = |time: &str, reason: &str| json!({"conditions": [{"type": "Ready", "reason": reason, "lastTransitionTime": time}]});
        assert!(same(&at("1", "Protected"), &at("2", "Protected")));
        assert!(!same(&at("1", "Protected"), &at("1", "Waiting")));
        assert!(!same(&Value::Null, &at("1", "Protected")));
    }
}
