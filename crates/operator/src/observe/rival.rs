//! Two objects that declare one thing: the same machine in the same vault, under two names.
//!
//! Only one of them may act, or the deletion of one would take the recovery points of the other, and two policies
//! would take turns for ever. The older one has it; one that is being deleted gives way to any that stays. When all go,
//! it is the older one's wish that counts. One that the vault does not let in counts for nothing: else anybody could keep
//! a machine from its owner by naming it first.

use kluis_api::Vault;
use serde_json::Value;

use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::ObjectsError,
    references::machine,
};

/// The object that has the machine instead of this one, if there is one. `object` is this one as it is written.
pub(super) async fn of(
    object: &Value,
    vault_key: &Key,
    vault: Option<&Vault>,
    ctx: &Ctx,
) -> Result<Option<Key>, ObjectsError> {
    let others = ctx.objects.declaring(vault_key, &machine(object)).await?;
    let others = others.iter().map(|other| &**other);
    Ok(among(
        object,
        others.filter(|other| is_let_in(other, vault)),
    ))
}

/// Whether the vault serves the object's namespace. Without the vault nobody has anything.
fn is_let_in(item: &Value, vault: Option<&Vault>) -> bool {
    let own = item["metadata"]["namespace"].as_str().unwrap_or_default();
    vault.is_some_and(|vault| vault.metadata.namespace.as_deref() == Some(own) || vault.allows(own))
}

/// They are compared as they are written, undecoded: one that does not decode has its machine all the same.
fn among<'a>(item: &Value, others: impl Iterator<Item = &'a Value>) -> Option<Key> {
    let mine = machine(item);
    let is_going = |item: &Value| item["metadata"]["deletionTimestamp"].is_string();
    let going = is_going(item);
    others
        .filter(|other| {
            other["metadata"]["uid"] != item["metadata"]["uid"] && machine(other) == mine
        })
        .filter(|other| age(other) < age(item) || (going && !is_going(other)))
        .min_by_key(|other| age(other))
        .map(key)
}

/// Of two made in the same second the name decides, so that both come to the same answer.
fn age(item: &Value) -> (Option<jiff::Timestamp>, Key) {
    let made = item["metadata"]["creationTimestamp"].as_str();
    (made.and_then(|made| made.parse().ok()), key(item))
}

fn key(item: &Value) -> Key {
    Key {
        kind: Kind::ProtectedVM,
        namespace: item["metadata"]["namespace"].as_str().map(str::to_owned),
        name: item["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(name: &str, made: u8, vm: &Value) -> Value {
        json!({
            "apiVersion": "kluis.dev/v1alpha1", "kind": "ProtectedVM",
            "metadata": { "namespace": "shop", "name": name, "uid": name,
                "creationTimestamp": format!("2026-11-22T05:00:{made:02}Z") },
            "spec": { "vaultRef": { "name": "v" }, "policyRef": { "name": "p" }, "vm": vm },
        })
    }

    fn name(rival: Option<Key>) -> Option<String> {
        rival.map(|key| key.name)
    }

    #[test]
    fn the_older_one_has_the_machine_and_one_that_goes_gives_way() {
        let id =
            "/subscriptions/s/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/Web-1";
        let old = item("old", 1, &json!({ "resourceId": id }));
        let new = item("new", 2, &json!({ "resourceGroup": "rg", "name": "web-1" }));
        let other = item(
            "other",
            0,
            &json!({ "resourceGroup": "rg", "name": "web-2" }),
        );
        let all = || [&old, &new, &other].into_iter();
        assert_eq!(name(among(&new, all())), Some("old".to_owned()));
        assert_eq!(among(&old, all()), None);
        assert_eq!(among(&other, all()), None);

        let mut going = old.clone();
        going["metadata"]["deletionTimestamp"] = going["metadata"]["creationTimestamp"].clone();
        assert_eq!(name(among(&going, all())), Some("new".to_owned()));

        let mut also_going = new.clone();
        also_going["metadata"]["deletionTimestamp"] =
            going["metadata"]["deletionTimestamp"].clone();
        let both = || [&going, &also_going].into_iter();
        assert_eq!(among(&going, both()), None);
        assert_eq!(name(among(&also_going, both())), Some("old".to_owned()));
    }

    #[test]
    fn one_that_the_vault_does_not_let_in_counts_for_nothing() {
        let vault = |allowed: &[&str]| -> Vault {
            serde_json::from_value(json!({
                "apiVersion": "kluis.dev/v1alpha1", "kind": "Vault",
                "metadata": { "namespace": "vaults", "name": "v" },
                "spec": { "serviceRef": { "name": "s" }, "resourceGroup": "rg", "location": "westeurope",
                    "allowedNamespaces": allowed },
            }))
            .unwrap()
        };
        let outsider = item(
            "squatter",
            1,
            &json!({ "resourceGroup": "rg", "name": "web-1" }),
        );
        assert!(!is_let_in(&outsider, Some(&vault(&[]))));
        assert!(!is_let_in(&outsider, Some(&vault(&["bank"]))));
        assert!(is_let_in(&outsider, Some(&vault(&["bank", "shop"]))));
        assert!(is_let_in(&outsider, Some(&vault(&["*"]))));
        assert!(!is_let_in(&outsider, None));
        let mut own = outsider;
        own["metadata"]["namespace"] = json!("vaults");
        assert!(is_let_in(&own, Some(&vault(&[]))));
    }

    #[test]
    fn two_made_in_one_second_agree_on_which_is_older() {
        let vm = || json!({ "resourceGroup": "rg", "name": "web-1" });
        let (a, b) = (item("a", 1, &vm()), item("b", 1, &vm()));
        let both = || [&a, &b].into_iter();
        assert_eq!(among(&a, both()), None);
        assert_eq!(name(among(&b, both())), Some("a".to_owned()));
    }
}
