//! Who uses whom, read from the objects: the graph that says which reconciles a change calls for.
//!
//! It is read from raw objects, so that one that doesn't decode still wakes those that wait for it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::key::{Key, Kind};

/// The objects that an object uses, existing or not: those its spec names; and of a policy the vaults that it is in,
/// which its status lists. `namespace` is the object's own.
pub(crate) fn references(kind: Kind, namespace: &str, object: &Value) -> Vec<Key> {
    let spec = &object["spec"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = match kind {
        Kind::BackupService => vec![],
        Kind::BackupPolicy => vaults_of(&object["status"]),
        Kind::Vault => {
            let service = text(&spec["serviceRef"]["name"]);
            vec![service.map(Key::service)]
        }
        Kind::ProtectedVM => vec![
            text(&spec["vaultRef"]["name"]).map(|name| {
                let vault = spec["vaultRef"]["namespace"].as_str().unwrap_or(namespace);
                Key::new(Kind::Vault, vault, name)
            }),
            text(&spec["policyRef"]["name"])
                .map(|name| Key::new(Kind::BackupPolicy, namespace, name)),
        ],
        Kind::BackupJob | Kind::Restore => vec![
            text(&spec["item"]["name"])
                .filter(|_| spec["item"]["kind"] == "ProtectedVM")
                .map(|name| Key::new(Kind::ProtectedVM, namespace, name)),
        ],
    };
    found.into_iter().flatten().collect()
}

fn vaults_of(status: &Value) -> Vec<Option<Key>> {
    let vaults = status["vaults"].as_array().into_iter().flatten();
    vaults
        .map(|vault| {
            let (namespace, name) = vault["name"].as_str()?.split_once('/')?;
            Some(Key::new(Kind::Vault, namespace, name))
        })
        .collect()
}

/// An object and what it names.
pub(crate) type Node = (Key, Vec<Key>);

/// What a change of `changed` may matter to: all that uses it, directly or through others, and what its direct users
/// use beside it (a policy goes into a vault because an item names both). Not `changed` itself.
pub(crate) fn affected(changed: &Key, objects: &[Node]) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut front = vec![changed];
    // The graph is four deep: service, vault, item, job. The set ends the walk whatever the objects say.
    while let Some(used) = front.pop() {
        for (user, uses) in objects.iter().filter(|(_, uses)| uses.contains(used)) {
            if used == changed {
                found.extend(uses.iter().filter(|key| *key != changed).cloned());
            }
            if user != changed && found.insert(user.clone()) {
                front.push(user);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KINDS;
    use serde_json::json;

    fn objects() -> Vec<Node> {
        let item = json!({"spec": {"vaultRef": {"name": "v", "namespace": "ops"}, "policyRef": {"name": "daily"}}});
        let azure = json!({"spec": {"vaultRef": {"name": "other"}, "policyRef": {"azureName": "DefaultPolicy"}}});
        let job = json!({"spec": {"item": {"kind": "ProtectedVM", "name": "web-1"}}});
        let vault = json!({"spec": {"serviceRef": {"name": "azure"}}});
        let policy = json!({"status": {"vaults": [{"name": "ops/used-before"}]}});
        [
            (Key::new(Kind::ProtectedVM, "shop", "web-1"), item),
            (Key::new(Kind::ProtectedVM, "shop", "web-2"), azure),
            (Key::new(Kind::BackupJob, "shop", "now"), job),
            (Key::new(Kind::Vault, "ops", "v"), vault),
            (Key::new(Kind::BackupPolicy, "shop", "daily"), policy),
        ]
        .into_iter()
        .map(|(key, object)| {
            let namespace = key.namespace.as_deref().unwrap_or_default();
            let uses = references(key.kind, namespace, &object);
            (key, uses)
        })
        .collect()
    }

    fn wakes(changed: &Key) -> Vec<String> {
        affected(changed, &objects())
            .iter()
            .map(Key::to_string)
            .collect()
    }

    #[test]
    fn a_service_wakes_all_that_is_built_on_it() {
        let azure = Key::service("azure");
        assert_eq!(
            wakes(&azure),
            [
                "Vault ops/v",
                "ProtectedVM shop/web-1",
                "BackupJob shop/now"
            ]
        );
    }

    #[test]
    fn a_vault_wakes_the_policies_that_go_into_it() {
        let vault = Key::new(Kind::Vault, "ops", "v");
        assert_eq!(
            wakes(&vault),
            [
                "BackupPolicy shop/daily",
                "ProtectedVM shop/web-1",
                "BackupJob shop/now"
            ]
        );
        let left = Key::new(Kind::Vault, "ops", "used-before");
        assert!(wakes(&left).contains(&"BackupPolicy shop/daily".to_owned()));
    }

    #[test]
    fn what_nobody_uses_wakes_nobody() {
        assert!(wakes(&Key::new(Kind::BackupJob, "shop", "now")).is_empty());
        assert!(wakes(&Key::new(Kind::Vault, "shop", "v")).is_empty());
    }

    #[test]
    fn what_is_malformed_names_nothing() {
        for kind in KINDS {
            assert!(
                references(
                    kind,
                    "shop",
                    &json!({"spec": {"vaultRef": 3, "item": []}, "status": {"vaults": 7}})
                )
                .is_empty()
            );
            assert!(references(kind, "shop", &Value::Null).is_empty());
        }
    }
}
