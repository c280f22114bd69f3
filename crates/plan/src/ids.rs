//! From the names in a spec to ids in Azure.

use kluis_api::{BackupService, FINALIZER, ObjectMeta, PolicyRef, Vault, VmRef};
use kluis_arm::id::{Name, PolicyId, ResourceGroupId, VaultId, VmId, is_policy_name};

use crate::waiting::Waiting;

/// A part of a path.
pub(crate) fn name(what: &'static str, text: &str) -> Result<Name, Waiting> {
    Name::new(text).map_err(|error| Waiting::InvalidName {
        what,
        message: error.to_string(),
    })
}

/// A resource group of the service's subscription.
pub(crate) fn group_id(service: &BackupService, group: &str) -> Result<ResourceGroupId, Waiting> {
    Ok(ResourceGroupId {
        subscription: name("subscriptionId", &service.spec.subscription_id)?,
        name: name("resourceGroup", group)?,
    })
}

/// Where the vault is, whether it exists or not.
pub(crate) fn vault_id(service: &BackupService, vault: &Vault) -> Result<VaultId, Waiting> {
    let own = vault
        .spec
        .azure_name
        .as_deref()
        .or(vault.metadata.name.as_deref())
        .unwrap_or_default();
    Ok(group_id(service, &vault.spec.resource_group)?.vault(name("azureName", own)?))
}

/// The machine, in the service's subscription unless its id says otherwise.
pub(crate) fn vm_id(service: &BackupService, vm: &VmRef) -> Result<VmId, Waiting> {
    match vm {
        VmRef {
            resource_id: Some(id),
            ..
        } => id
            .parse()
            .map_err(|error: kluis_arm::id::IdError| Waiting::InvalidName {
                what: "vm.resourceId",
                message: error.to_string(),
            }),
        VmRef {
            resource_group,
            name: vm,
            ..
        } => {
            let group = group_id(service, resource_group.as_deref().unwrap_or_default())?;
            Ok(VmId {
                subscription: group.subscription,
                resource_group: group.name,
                name: name("vm.name", vm.as_deref().unwrap_or_default())?,
            })
        }
    }
}

/// What a BackupPolicy is called in a vault: its name, with its namespace before it where that is not the Vault's, so that policies of
/// several namespaces do not meet under one name. The first `--` of a name in a vault separates the two: what would put one before it is
/// refused, else one object's approval would let another's policy be changed.
pub(crate) fn policy_name(policy: &ObjectMeta, vault: &Vault) -> Result<String, Waiting> {
    let own = policy.name.as_deref().unwrap_or_default();
    let namespace = policy.namespace.as_deref().unwrap_or_default();
    let refused = |what, name: &str, instead| Waiting::InvalidName {
        what,
        message: format!(
            "{name} contains --, which separates the namespace from the name of a policy in a vault: {instead}"
        ),
    };
    if vault.metadata.namespace.as_deref() == Some(namespace) {
        match own.contains(SEPARATOR) {
            true => Err(refused(
                "The BackupPolicy's name",
                own,
                "make a BackupPolicy of another name",
            )),
            false => Ok(own.to_owned()),
        }
    } else if namespace.contains(SEPARATOR) {
        Err(refused(
            "The BackupPolicy's namespace",
            namespace,
            "use a Vault of that namespace itself",
        ))
    } else {
        Ok(format!("{namespace}{SEPARATOR}{own}"))
    }
}

/// Whether a policy that is not in its vault yet can be made there under its name. One that is there goes on as it is.
pub(crate) fn can_be_new(policy: &PolicyId, object: &ObjectMeta) -> Result<(), Waiting> {
    let name = policy.name.as_str();
    if is_policy_name(name) {
        return Ok(());
    }
    let instead = match object.name.as_deref() == Some(name) {
        true => "make a BackupPolicy of another name",
        false => {
            "make a BackupPolicy of another name, or use a Vault of its own namespace, where the namespace is no part of the name"
        }
    };
    Err(Waiting::InvalidName {
        what: "The policy's name",
        message: format!(
            "in the vault {} it would be called {name}, and a policy's name is 3 to 150 letters, digits and hyphens, a letter first and no \
             hyphen last: {instead}",
            policy.vault.name
        ),
    })
}

/// Between the namespace and the name of a policy, in a vault of another namespace.
const SEPARATOR: &str = "--";

/// The policy that an item of a namespace names, in a vault.
pub(crate) fn policy_id(
    id: &VaultId,
    vault: &Vault,
    namespace: &str,
    policy: &PolicyRef,
) -> Result<PolicyId, Waiting> {
    let own = match (&policy.azure_name, &policy.name) {
        (Some(azure), _) => azure.clone(),
        (None, named) => {
            let metadata = ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: named.clone(),
                ..ObjectMeta::default()
            };
            policy_name(&metadata, vault)?
        }
    };
    Ok(id.policy(name("policyRef", &own)?))
}

/// Whether the object has our finalizer.
pub(crate) fn is_held(metadata: &ObjectMeta) -> bool {
    metadata
        .finalizers
        .iter()
        .flatten()
        .any(|held| held == FINALIZER)
}

/// `<namespace>/<name>`, as tags and lists name an object.
pub(crate) fn qualified(metadata: &ObjectMeta) -> String {
    format!(
        "{}/{}",
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn object(namespace: &str, name: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn no_two_policies_have_one_name_in_a_vault() {
        let vault: Vault = serde_json::from_value(serde_json::json!({
            "apiVersion": "kluis.dev/v1alpha1",
            "kind": "Vault",
            "metadata": { "namespace": "shop", "name": "weu" },
            "spec": { "serviceRef": { "name": "azure" }, "resourceGroup": "rg", "location": "westeurope" }
        }))
        .unwrap();
        let mut named = HashMap::new();
        let parts = [
            "a",
            "b",
            "c",
            "shop",
            "gold",
            "a--b",
            "b--c",
            "shop--gold",
            "a---b",
            "a-b",
        ];
        for namespace in parts {
            for name in parts {
                if let Ok(there) = policy_name(&object(namespace, name), &vault) {
                    let before = named.insert(there.clone(), (namespace, name));
                    assert_eq!(before, None, "{namespace}/{name} is {there}, too");
                }
            }
        }
        let name_of = |namespace, name| {
            policy_name(&object(namespace, name), &vault).map_err(|waiting| waiting.to_string())
        };
        assert_eq!(name_of("shop", "gold").unwrap(), "gold");
        assert_eq!(name_of("a", "b--c").unwrap(), "a--b--c");
        assert_eq!(
            name_of("a--b", "c").unwrap_err(),
            "The BackupPolicy's namespace cannot be used in Azure: a--b contains --, which separates the namespace from the name of a \
             policy in a vault: use a Vault of that namespace itself."
        );
        assert_eq!(
            name_of("shop", "shop--gold").unwrap_err(),
            "The BackupPolicy's name cannot be used in Azure: shop--gold contains --, which separates the namespace from the name of a \
             policy in a vault: make a BackupPolicy of another name."
        );
    }
}
