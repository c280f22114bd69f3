//! What an object names, read from the object.
//!
//! It is read from raw objects, so that one that doesn't decode still wakes those that wait for it.

use kluis_arm::id::VmId;
use serde_json::Value;

use crate::key::{Key, Kind};

/// The objects that an object uses, existing or not: those its spec names; and of a policy the vaults that it is in,
/// which its status lists.
pub fn references(kind: Kind, object: &Value) -> Vec<Key> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
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

/// A machine as objects declare it: its resource group and its name, folded, because Azure tells no case apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    group: String,
    name: String,
}

/// The machine that a ProtectedVM declares, however it is written.
pub fn machine(item: &Value) -> Machine {
    let vm = &item["spec"]["vm"];
    let id = vm["resourceId"].as_str();
    match id.and_then(|id| id.parse::<VmId>().ok()) {
        Some(id) => Machine {
            group: id.resource_group.folded(),
            name: id.name.folded(),
        },
        None => {
            let folded = |text: &Value| text.as_str().unwrap_or_default().to_ascii_lowercase();
            Machine {
                group: folded(&vm["resourceGroup"]),
                name: folded(&vm["name"]),
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KINDS;
    use serde_json::json;

    fn named(kind: Kind, object: &Value) -> Vec<String> {
        let mut object = object.clone();
        object["metadata"] = json!({ "namespace": "shop" });
        let named = references(kind, &object);
        named.iter().map(Key::to_string).collect()
    }

    #[test]
    fn an_object_names_what_it_uses() {
        let item = json!({"spec": {"vaultRef": {"name": "v", "namespace": "ops"}, "policyRef": {"name": "daily"}}});
        assert_eq!(
            named(Kind::ProtectedVM, &item),
            ["Vault ops/v", "BackupPolicy shop/daily"]
        );
        let azure = json!({"spec": {"vaultRef": {"name": "v"}, "policyRef": {"azureName": "DefaultPolicy"}}});
        assert_eq!(named(Kind::ProtectedVM, &azure), ["Vault shop/v"]);
        let policy = json!({"status": {"vaults": [{"name": "ops/used-before"}]}});
        assert_eq!(
            named(Kind::BackupPolicy, &policy),
            ["Vault ops/used-before"]
        );
        let job = json!({"spec": {"item": {"kind": "ProtectedVM", "name": "web-1"}}});
        assert_eq!(named(Kind::BackupJob, &job), ["ProtectedVM shop/web-1"]);
        let vault = json!({"spec": {"serviceRef": {"name": "azure"}}});
        assert_eq!(named(Kind::Vault, &vault), ["BackupService azure"]);
    }

    #[test]
    fn what_is_malformed_names_nothing() {
        let odd = json!({"spec": {"vaultRef": 3, "item": []}, "status": {"vaults": 7}});
        for kind in KINDS {
            assert!(references(kind, &odd).is_empty());
            assert!(references(kind, &Value::Null).is_empty());
        }
    }
}
