//! From the names in a spec to ids in Azure.

use kluis_api::{BackupService, FINALIZER, ObjectMeta, PolicyRef, Vault, VmRef};
use kluis_arm::id::{Name, PolicyId, ResourceGroupId, VaultId, VmId};

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
/// several namespaces do not meet under one name.
pub(crate) fn policy_name(policy: &ObjectMeta, vault: &Vault) -> String {
    let own = policy.name.as_deref().unwrap_or_default();
    let namespace = policy.namespace.as_deref().unwrap_or_default();
    if vault.metadata.namespace.as_deref() == Some(namespace) {
        own.to_owned()
    } else {
        format!("{namespace}--{own}")
    }
}

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
            policy_name(&metadata, vault)
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
