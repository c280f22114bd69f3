//! Whether an object rests: it is as declared, and nothing is under way or due.
//!
//! It is read from the object as it is written, the same for every kind that lasts.

use jiff::Timestamp;
use serde_json::Value;

/// Whether what is read for the object may be old.
pub(super) fn rests(object: &Value, now: Timestamp) -> bool {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    let is = |type_: &str, wanted: &str| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .filter(|condition| condition["type"] == type_)
            .any(|condition| condition["status"] == wanted)
    };
    let list = |name: &str| status[name].as_array().into_iter().flatten();
    let is_current = metadata["generation"] == status["observedGeneration"];
    let is_settled = is("Ready", "True") && is("Reconciling", "False");
    let is_busy = [&status["operation"], &status["backup"]]
        .into_iter()
        .chain(list("vaults").map(|vault| &vault["operation"]))
        .any(|operation| !operation.is_null())
        || list("runs").any(|run| run["result"] == "InProgress");
    metadata["deletionTimestamp"].is_null()
        && is_current
        && is_settled
        && !is_busy
        && !is_due(&status["nextBackup"], now)
}

/// Whether the next run of the status has its time behind it: then a backup is to be looked for.
fn is_due(next: &Value, now: Timestamp) -> bool {
    next.as_str().is_some_and(|text| {
        Timestamp::strptime("%Y-%m-%d %H:%M %:z", text).is_ok_and(|due| due <= now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_rests_when_nothing_is_to_come() {
        let resting = json!({
            "metadata": { "generation": 2 },
            "status": {
                "observedGeneration": 2, "nextBackup": "2026-11-23 22:30 +01:00",
                "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Reconciling", "status": "False" }],
                "runs": [{ "result": "Completed" }],
            },
        });
        let before: Timestamp = "2026-11-23T21:29:59Z".parse().unwrap();
        assert!(rests(&resting, before));
        let due: Timestamp = "2026-11-23T21:30:00Z".parse().unwrap();
        assert!(!rests(&resting, due));

        let not = |path: &str, value: Value| {
            let mut object = resting.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[field] = value;
            assert!(!rests(&object, before), "{path}");
        };
        not("/metadata/generation", json!(3));
        not("/metadata/deletionTimestamp", json!("2026-11-23T00:00:00Z"));
        not("/status/conditions/0/status", json!("False"));
        not("/status/conditions/1/status", json!("True"));
        not("/status/operation", json!({}));
        not("/status/backup", json!({}));
        not("/status/vaults", json!([{ "operation": {} }]));
        not("/status/runs/0/result", json!("InProgress"));
    }
}
