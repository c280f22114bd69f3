//! Two objects that declare one thing: the same machine in the same vault, under two names.
//!
//! Only one of them may act, or the deletion of one would take the recovery points of the other, and two policies
//! would take turns for ever. The older one has it; one that is being deleted gives way to any that stays. When all go,
//! it is the older one's wish that counts. One that the vault does not let in counts for nothing: else anybody could keep
//! a machine from its owner by naming it first.

use kluis_api::{ProtectedVM, Vault, VmRef};
use kluis_arm::id::VmId;

use crate::{
    ctx::Ctx,
    key::{Key, Kind},
    objects::ObjectsError,
};

/// The object that has the machine instead of this one, if there is one.
pub(super) async fn of(
    item: &ProtectedVM,
    vault: Option<&Vault>,
    ctx: &Ctx,
) -> Result<Option<Key>, ObjectsError> {
    let others = ctx.objects.list(Kind::ProtectedVM).await?;
    let others = others
        .into_iter()
        .filter_map(|other| serde_json::from_value(other).ok());
    Ok(among(item, others.filter(|other| is_let_in(other, vault))))
}

/// Whether the vault serves the object's namespace. Without the vault nobody has anything.
fn is_let_in(item: &ProtectedVM, vault: Option<&Vault>) -> bool {
    let own = item.metadata.namespace.as_deref().unwrap_or_default();
    vault.is_some_and(|vault| vault.metadata.namespace.as_deref() == Some(own) || vault.allows(own))
}

fn among(item: &ProtectedVM, others: impl Iterator<Item = ProtectedVM>) -> Option<Key> {
    let going = item.metadata.deletion_timestamp.is_some();
    others
        .filter(|other| {
            other.metadata.uid != item.metadata.uid && declares(other) == declares(item)
        })
        .filter(|other| {
            age(other) < age(item) || (going && other.metadata.deletion_timestamp.is_none())
        })
        .min_by(|a, b| age(a).cmp(&age(b)))
        .map(|other| key(&other))
}

/// The vault and the machine, however they are written.
fn declares(item: &ProtectedVM) -> (String, (String, String)) {
    let own = item.metadata.namespace.as_deref().unwrap_or_default();
    let vault = &item.spec.vault_ref;
    let namespace = vault.namespace.as_deref().unwrap_or(own);
    (
        format!("{namespace}/{}", vault.name),
        machine(&item.spec.vm),
    )
}

fn machine(vm: &VmRef) -> (String, String) {
    let id = vm.resource_id.as_ref();
    match id.and_then(|id| id.parse::<VmId>().ok()) {
        Some(id) => (id.resource_group.folded(), id.name.folded()),
        None => {
            let folded =
                |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
            (folded(&vm.resource_group), folded(&vm.name))
        }
    }
}

/// Of two made in the same second the name decides, so that both come to the same answer.
fn age(item: &ProtectedVM) -> (Option<jiff::Timestamp>, Key) {
    let made = item.metadata.creation_timestamp.as_ref();
    (made.map(|made| made.0), key(item))
}

fn key(item: &ProtectedVM) -> Key {
    Key {
        kind: Kind::ProtectedVM,
        namespace: item.metadata.namespace.clone(),
        name: item.metadata.name.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn item(name: &str, made: u8, vm: &Value) -> ProtectedVM {
        serde_json::from_value(json!({
            "apiVersion": "kluis.dev/v1alpha1", "kind": "ProtectedVM",
            "metadata": { "namespace": "shop", "name": name, "uid": name,
                "creationTimestamp": format!("2026-11-22T05:00:{made:02}Z") },
            "spec": { "vaultRef": { "name": "v" }, "policyRef": { "name": "p" }, "vm": vm },
        }))
        .unwrap()
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
        let all = || [old.clone(), new.clone(), other.clone()].into_iter();
        assert_eq!(name(among(&new, all())), Some("old".to_owned()));
        assert_eq!(among(&old, all()), None);
        assert_eq!(among(&other, all()), None);

        let mut going = old.clone();
        going.metadata.deletion_timestamp = going.metadata.creation_timestamp.clone();
        assert_eq!(name(among(&going, all())), Some("new".to_owned()));

        let mut also_going = new.clone();
        also_going.metadata.deletion_timestamp = going.metadata.deletion_timestamp.clone();
        let both = || [going.clone(), also_going.clone()].into_iter();
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
        own.metadata.namespace = Some("vaults".to_owned());
        assert!(is_let_in(&own, Some(&vault(&[]))));
    }

    #[test]
    fn two_made_in_one_second_agree_on_which_is_older() {
        let vm = || json!({ "resourceGroup": "rg", "name": "web-1" });
        let (a, b) = (item("a", 1, &vm()), item("b", 1, &vm()));
        let both = || [a.clone(), b.clone()].into_iter();
        assert_eq!(among(&a, both()), None);
        assert_eq!(name(among(&b, both())), Some("a".to_owned()));
    }
}
