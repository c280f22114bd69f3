//! What of an object is news, and for whom.
//!
//! Its status is ours: that we wrote it is no reason to look at the object again, or a reconcile would call for the
//! next one for ever. Nor is all that it says a reason to look at others: of a thousand items that use a policy none
//! has to know that it is used by one more.

use serde_json::{Value, json};

use crate::{kept::digest, key::Kind};

/// What makes an object worth a look of its own: all but its status; but of what ends, that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Face(u64);

impl Face {
    pub(crate) fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let succeeded = condition(object, "Succeeded").map(|found| &found["status"]);
        Self(digest(&json!([
            metadata["uid"],
            metadata["generation"],
            metadata["deletionTimestamp"].is_string(),
            metadata["finalizers"],
            // The item that a job or a restore used has something new to say.
            succeeded,
        ])))
    }
}

/// What others go by: that it is there, what it declares, and what its status says to those that wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bearing(u64);

impl Bearing {
    pub(crate) fn of(kind: Kind, object: &Value) -> Self {
        let metadata = &object["metadata"];
        let conditions: Vec<Value> = ["Ready", "Succeeded", "Stalled"]
            .iter()
            .filter_map(|type_| condition(object, type_))
            .map(|found| {
                let is_well = found["type"] != "Stalled" && found["status"] == "True";
                // What a well one says is for people; what is wrong with the others is passed on.
                let words = if is_well {
                    &Value::Null
                } else {
                    &found["message"]
                };
                json!([found["type"], found["status"], found["reason"], words])
            })
            .collect();
        let status = &object["status"];
        let own = match kind {
            // Where it is in force: items wait for that, vault by vault.
            Kind::BackupPolicy => {
                let vaults = status["vaults"].as_array().into_iter().flatten();
                vaults
                    .map(|vault| json!([vault["name"], vault["generation"], vault["message"]]))
                    .collect()
            }
            Kind::ProtectedVM => json!([status["state"], status["azureId"]]),
            Kind::BackupService | Kind::Vault | Kind::BackupJob | Kind::Restore => Value::Null,
        };
        Self(digest(&json!([
            metadata["uid"],
            metadata["generation"],
            metadata["deletionTimestamp"].is_string(),
            conditions,
            own,
        ])))
    }
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|found| found["type"] == type_)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(status: &str, message: &str, items: u32, generation: u32) -> Value {
        json!({
            "metadata": { "uid": "u", "generation": 1 },
            "status": {
                "items": items,
                "conditions": [{ "type": "Ready", "status": status, "reason": "InForce", "message": message }],
                "vaults": [{ "name": "shop/v", "items": items, "generation": generation }],
            },
        })
    }

    #[test]
    fn a_status_is_no_reason_to_look_at_the_object_again() {
        assert_eq!(
            Face::of(&policy("True", "a", 1, 1)),
            Face::of(&policy("False", "b", 2, 2))
        );
    }

    #[test]
    fn others_hear_what_they_wait_for_and_nothing_else() {
        let bearing = |policy| Bearing::of(Kind::BackupPolicy, &policy);
        let was = bearing(policy("True", "In force in 1 vault.", 1, 1));
        assert_eq!(was, bearing(policy("True", "In force in 2 vaults.", 2, 1)));
        assert_ne!(was, bearing(policy("True", "In force in 1 vault.", 1, 2)));
        assert_ne!(was, bearing(policy("False", "In force in 1 vault.", 1, 1)));
        assert_ne!(
            bearing(policy("False", "why", 1, 1)),
            bearing(policy("False", "because", 1, 1))
        );
    }
}
