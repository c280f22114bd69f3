//! What is said of an object that cannot be decoded, or that names one: its conditions, without anything else of it being read.
//!
//! The rest of its status stays as it is. What an operation had written there, as the intent of a restore, is needed again once the object
//! can be read.

use jiff::{Timestamp, Unit};
use kluis_plan::{Event, EventKind};
use serde_json::{Value, json};

use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::{ObjectsError, Version},
};

const REASON: &str = "Unreadable";

/// Says of `key` that `unread` cannot be read: itself, or something that it names.
///
/// # Errors
/// When Kubernetes fails or somebody else wrote in between.
pub(crate) async fn report(
    key: &Key,
    unread: &Key,
    message: &str,
    ctx: &Ctx,
) -> Result<(), ObjectsError> {
    let is_own = key == unread;
    ctx.metrics.is_readable(key, !is_own);
    let (_, readiness) = summary(key.kind, is_own);
    ctx.metrics.readiness(key, Some(readiness));
    let Some(object) = ctx.objects.get(key).await? else {
        ctx.metrics.readiness(key, None);
        return Ok(());
    };
    // What has ended stays ended: it would else be done again once it can be read.
    if has_ended(&object) {
        return Ok(());
    }
    let status = status(key.kind, &object, is_own, message, ctx.clock.now());
    if status == object["status"] {
        return Ok(());
    }
    let version = Version::of(&object);
    match ctx.objects.apply_status(key, &version, &status).await {
        Err(ObjectsError::Gone(_)) => return Ok(()),
        written => written?,
    };
    let event = Event {
        kind: EventKind::Warning,
        reason: REASON.to_owned(),
        note: message.chars().take(1024).collect(),
    };
    ctx.objects.publish(key, &version.uid, &event).await;
    Ok(())
}

/// The summary and what it says. One that only names what cannot be read may be well: nobody knows. A bounded object has not failed before
/// it was tried, and would never be tried again.
fn summary(kind: Kind, is_own: bool) -> (&'static str, &'static str) {
    match kind {
        Kind::BackupJob | Kind::Restore => ("Succeeded", "Unknown"),
        Kind::BackupService | Kind::Vault | Kind::BackupPolicy | Kind::ProtectedVM => {
            ("Ready", if is_own { "False" } else { "Unknown" })
        }
    }
}

fn has_ended(object: &Value) -> bool {
    let mut conditions = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    conditions.any(|one| one["type"] == "Succeeded" && one["status"] != "Unknown")
}

/// The object's status with other conditions.
fn status(kind: Kind, object: &Value, is_own: bool, message: &str, now: Timestamp) -> Value {
    let (summary, summarised) = summary(kind, is_own);
    let said = [
        (summary, summarised),
        ("Reconciling", if is_own { "False" } else { "True" }),
        ("Stalled", if is_own { "True" } else { "False" }),
    ];
    let mut status = match &object["status"] {
        Value::Object(fields) => fields.clone(),
        _ => serde_json::Map::new(),
    };
    let before: Vec<Value> = match status.get("conditions") {
        Some(Value::Array(conditions)) => conditions.clone(),
        _ => Vec::new(),
    };
    let now = now.round(Unit::Second).unwrap_or(now).to_string();
    let generation = object["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default();
    let condition = |type_: &str, status: &str| {
        let old = before
            .iter()
            .find(|old| old["type"] == type_ && old["status"] == status);
        let since = old.and_then(|old| old["lastTransitionTime"].as_str());
        let is_told = type_ == summary || status == "True";
        json!({
            "type": type_, "status": status, "reason": REASON, "observedGeneration": generation,
            "message": if is_told { message.chars().take(4096).collect() } else { String::new() },
            "lastTransitionTime": since.unwrap_or(&now),
        })
    };
    let is_said = |old: &Value| said.iter().any(|(type_, _)| old["type"] == *type_);
    let conditions: Vec<Value> = said
        .iter()
        .map(|(type_, status)| condition(type_, status))
        .chain(before.iter().filter(|old| !is_said(old)).cloned())
        .collect();
    status.insert("conditions".to_owned(), conditions.into());
    status.insert("observedGeneration".to_owned(), generation.into());
    Value::Object(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_conditions_stays_and_nothing_is_said_twice() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let mut restore = json!({
            "metadata": { "generation": 1 },
            "spec": { "from": { "pointInTime": "2026-12-02T00:00:00.1234567890123Z" } },
            "status": {
                "observedGeneration": 1, "operation": { "intent": "2026-11-30T11:00:00Z" },
                "conditions": [
                    { "type": "Succeeded", "status": "Unknown", "reason": "InProgress", "lastTransitionTime": "2026-11-30T11:00:00Z" },
                    { "type": "ApprovalRequired", "status": "False" },
                ],
            },
        });
        let said = status(Kind::Restore, &restore, true, "It cannot be read.", now);
        assert_eq!(said["operation"], restore["status"]["operation"]);
        let short = |status: &Value| -> Vec<String> {
            let conditions = status["conditions"].as_array().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            conditions
                .map(|one| {
                    format!(
                        "{} {} {}",
                        text(&one["type"]),
                        text(&one["status"]),
                        text(&one["lastTransitionTime"])
                    )
                })
                .collect()
        };
        assert_eq!(
            short(&said),
            [
                "Succeeded Unknown 2026-11-30T11:00:00Z",
                "Reconciling False 2026-11-30T12:00:00Z",
                "Stalled True 2026-11-30T12:00:00Z",
                "ApprovalRequired False ",
            ]
        );
        restore["status"] = said.clone();
        assert!(!has_ended(&restore));
        let later = now + jiff::SignedDuration::from_hours(1);
        assert_eq!(
            status(Kind::Restore, &restore, true, "It cannot be read.", later),
            said
        );
    }

    #[test]
    fn what_has_ended_is_left_alone() {
        let conditions = json!([{ "type": "Succeeded", "status": "True" }]);
        assert!(has_ended(
            &json!({ "status": { "conditions": conditions } })
        ));
    }

    #[test]
    fn what_names_it_may_be_well_all_the_same() {
        let item = json!({ "metadata": { "generation": 2 } });
        let said = status(
            Kind::ProtectedVM,
            &item,
            false,
            "Vault shop/v cannot be read.",
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(said["conditions"][0]["status"], "Unknown");
        assert_eq!(said["conditions"][2]["status"], "False");
        assert_eq!(said["observedGeneration"], 2);
    }
}
