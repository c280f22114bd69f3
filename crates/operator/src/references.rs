//! Who uses whom, read from the objects: the graph that says which reconciles a change calls for.
//!
//! It is read from raw objects, so that one that doesn't decode still wakes those that wait for it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::key::{Key, Kind};

/// The objects that a spec names, existing or not. `namespace` is that of the object whose spec it is.
pub(crate) fn references(kind: Kind, namespace: &str, spec: &Value) -> Vec<Key> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = match kind {
        Kind::BackupService | Kind::BackupPolicy => vec![],
        Kind::Vault => vec![text(&spec["serviceRef"]["name"]).map(Key::service)],
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
        let item =
            json!({"vaultRef": {"name": "v", "namespace": "ops"}, "policyRef": {"name": "daily"}});
        let azure =
            json!({"vaultRef": {"name": "other"}, "policyRef": {"azureName": "DefaultPolicy"}});
        let job = json!({"item": {"kind": "ProtectedVM", "name": "web-1"}});
        let vault = json!({"serviceRef": {"name": "azure"}});
        [
            (Key::new(Kind::ProtectedVM, "shop", "web-1"), item),
            (Key::new(Kind::ProtectedVM, "shop", "web-2"), azure),
            (Key::new(Kind::BackupJob, "shop", "now"), job),
            (Key::new(Kind::Vault, "ops", "v"), vault),
        ]
        .into_iter()
        .map(|(key, object)| {
            let uses = references(
                key.kind,
                key.namespace.as_deref().unwrap_or_default(),
                &object,
            );
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
    }

    #[test]
    fn what_nobody_uses_wakes_nobody() {
        assert!(wakes(&Key::new(Kind::BackupJob, "shop", "now")).is_empty());
        assert!(wakes(&Key::new(Kind::Vault, "shop", "v")).is_empty());
    }

    #[test]
    fn what_is_malformed_names_nothing() {
        for kind in KINDS {
            assert!(references(kind, "shop", &json!({"vaultRef": 3, "item": []})).is_empty());
            assert!(references(kind, "shop", &Value::Null).is_empty());
        }
    }
}
