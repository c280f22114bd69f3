//! What an object's status tells that is worth counting over all objects: what an alert goes by.
//!
//! Labels come from small sets, as those of all metrics do: types and states of conditions, tiers, targets of restores.

use serde_json::Value;

/// A family of metrics, and the labels of one of its samples.
pub(crate) type Fact = (&'static str, String);

/// Families of facts, with what they are for people.
pub(crate) const FAMILIES: &[(&str, &str)] = &[
    (
        "kluis_conditions",
        "Objects, by kind and by the state of a condition that someone should know of.",
    ),
    (
        "kluis_newest_points",
        "Protected items, by the tier of their newest recovery point.",
    ),
    (
        "kluis_newest_runs",
        "Protected items, by how their newest run stands and whether it takes or took more than a day.",
    ),
    (
        "kluis_restores",
        "Restores that there are, by target and by their Succeeded condition.",
    ),
];

/// Whose state is counted beside Ready and Succeeded.
const COUNTED: &[&str] = &[
    "Recoverable",
    "WithinRPO",
    "ConsistencyMet",
    "Healthy",
    "ApprovalRequired",
    "Stalled",
];

/// The facts of one object: its kind, its status, and of a Restore where to it goes.
pub(crate) fn facts(kind: &str, status: &Value, target: Option<&str>) -> Vec<Fact> {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let state = |type_: &str| {
        let mut found = conditions.clone().filter(|found| found["type"] == type_);
        found.find_map(|found| found["status"].as_str())
    };
    let counted = COUNTED.iter().filter_map(|type_| {
        let status = state(type_)?;
        let labels = format!("kind=\"{kind}\",condition=\"{type_}\",status=\"{status}\"");
        Some(("kluis_conditions", labels))
    });
    let tier = status["recoveryPoints"]["newestTier"].as_str();
    let tier = tier.map(|tier| ("kluis_newest_points", format!("tier=\"{tier}\"")));
    let run = &status["runs"][0];
    let run = run["result"].as_str().map(|result| {
        let over = run["overADay"].as_bool().unwrap_or_default();
        let labels = format!("result=\"{result}\",over_a_day=\"{over}\"");
        ("kluis_newest_runs", labels)
    });
    let restore = target.map(|target| {
        let succeeded = state("Succeeded").unwrap_or("Unknown");
        let labels = format!("target=\"{target}\",succeeded=\"{succeeded}\"");
        ("kluis_restores", labels)
    });
    counted.chain(tier).chain(run).chain(restore).collect()
}

/// Where a Restore's spec says that it goes.
pub(crate) fn target(spec: &Value) -> Option<&str> {
    let to = spec["to"].as_object()?;
    ["disks", "newVM", "inPlace", "files"]
        .into_iter()
        .find(|target| to.contains_key(*target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_alert_goes_by_is_counted() {
        let status = json!({
            "conditions": [
                { "type": "Ready", "status": "True" },
                { "type": "WithinRPO", "status": "False" },
            ],
            "recoveryPoints": { "newestTier": "Vault" },
            "runs": [{ "result": "InProgress", "overADay": true }, { "result": "Completed" }],
        });
        let told = facts("ProtectedVM", &status, None);
        assert_eq!(
            told,
            [
                (
                    "kluis_conditions",
                    "kind=\"ProtectedVM\",condition=\"WithinRPO\",status=\"False\"".to_owned()
                ),
                ("kluis_newest_points", "tier=\"Vault\"".to_owned()),
                (
                    "kluis_newest_runs",
                    "result=\"InProgress\",over_a_day=\"true\"".to_owned()
                ),
            ]
        );
        let spec = json!({ "to": { "inPlace": {} } });
        assert_eq!(
            facts("Restore", &Value::Null, target(&spec)),
            [(
                "kluis_restores",
                "target=\"inPlace\",succeeded=\"Unknown\"".to_owned()
            )]
        );
    }
}
