//! The checks that stand before everything: does what is named exist, can it be used, does it consent.
//!
//! A chain of small checks, each with the cause it finds; the first one that fails is what the object says.

mod presence;

use std::collections::BTreeMap;

use kluis_api::{
    BackupService, Condition, ConditionStatus, ConditionType, Consent, EVERY_GROUP, ItemKind,
    ItemRef, NamespaceSelector, PolicyRef, ProtectedVM, SelectorOperator, SelectorRequirement,
    Vault, VaultRef, VaultType, VmRef,
};
use kluis_arm::id::{ItemId, PolicyId, VaultId, VmId};

use crate::ids;
use crate::key::{Kind, ObjectKey};
use crate::waiting::Waiting;
use crate::world::Access;

/// What a protected item comes down to in Azure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target<'a> {
    pub(crate) service: &'a BackupService,
    pub(crate) vault: &'a Vault,
    pub(crate) vault_id: VaultId,
    pub(crate) vm: VmId,
    pub(crate) item: ItemId,
}

/// How much what is named has to be there.
///
/// What is deleted while it is used stays until its users are gone; they still have to be able to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To begin or keep something: the service has to be Ready, and the vault there and ours.
    Usable,
    /// To end or follow something: it has to exist.
    Existing,
}

impl Need {
    /// What an object needs that is itself deleted, or not.
    pub(crate) fn of(is_going: bool) -> Self {
        if is_going {
            Self::Existing
        } else {
            Self::Usable
        }
    }
}

/// The service, when it exists, is ready, and lets the namespace use the group.
pub(crate) fn service<'a>(
    access: &'a Access,
    named: &str,
    namespace: &str,
    group: &str,
    need: Need,
) -> Result<&'a BackupService, Waiting> {
    let service = access
        .service
        .as_ref()
        .ok_or_else(|| Waiting::ServiceNotFound {
            service: named.to_owned(),
        })?;
    consents(service, access, named, namespace, group)?;
    is_ready(
        need,
        service
            .status
            .as_ref()
            .map_or(&[], |status| &status.conditions),
    )
    .map_err(|message| Waiting::ServiceNotReady {
        service: named.to_owned(),
        message,
    })?;
    Ok(service)
}

/// Whether the service lets the namespace use one more group.
pub(crate) fn consents(
    service: &BackupService,
    access: &Access,
    named: &str,
    namespace: &str,
    group: &str,
) -> Result<(), Waiting> {
    let allowed = service.spec.namespaces.iter().any(|consent| {
        covers_namespace(consent, namespace, &access.namespace_labels)
            && consent
                .resource_groups
                .iter()
                .any(|allowed| allowed == EVERY_GROUP || allowed.eq_ignore_ascii_case(group))
    });
    if allowed {
        return Ok(());
    }
    Err(Waiting::NoConsent {
        service: named.to_owned(),
        namespace: namespace.to_owned(),
        group: group.to_owned(),
    })
}

/// The vault, when its object exists, lets the namespace use it and is of a type that is offered, and the vault itself is there and ours.
pub(crate) fn vault<'a>(
    vault: Option<&'a Vault>,
    named: &VaultRef,
    namespace: &str,
    need: Need,
) -> Result<&'a Vault, Waiting> {
    let home = named.namespace.as_deref().unwrap_or(namespace);
    let full = format!("{home}/{}", named.name);
    let vault = vault.ok_or_else(|| Waiting::VaultNotFound {
        vault: full.clone(),
    })?;
    if home != namespace && !vault.allows(namespace) {
        return Err(Waiting::NamespaceNotAllowed {
            vault: full,
            namespace: namespace.to_owned(),
        });
    }
    if vault.spec.type_ == VaultType::Backup {
        return Err(Waiting::NotOfferedYet {
            what: "A vault of type Backup".to_owned(),
        });
    }
    match presence::check(vault) {
        Err(obstacle) if need == Need::Usable => Err(Waiting::VaultNotReady {
            vault: full,
            message: obstacle.message,
            is_stalled: obstacle.is_stalled,
        }),
        Err(_) | Ok(()) => Ok(vault),
    }
}

/// Everything that an item names, in Azure's terms.
pub(crate) fn target<'a>(
    vault_object: Option<&'a Vault>,
    access: &'a Access,
    vault_ref: &VaultRef,
    machine: &VmRef,
    namespace: &str,
    need: Need,
) -> Result<Target<'a>, Waiting> {
    let vault = vault(vault_object, vault_ref, namespace, need)?;
    let named = &vault.spec.service_ref.name;
    let found = access
        .service
        .as_ref()
        .ok_or_else(|| Waiting::ServiceNotFound {
            service: named.clone(),
        })?;
    let vm = ids::vm_id(found, machine)?;
    let service = service(access, named, namespace, vm.resource_group.as_str(), need)?;
    let vault_id = ids::vault_id(service, vault)?;
    if vm.subscription != vault_id.subscription {
        return Err(Waiting::SubscriptionMismatch {
            vm: vm.subscription.to_string(),
            vault: vault_id.subscription.to_string(),
        });
    }
    Ok(Target {
        service,
        vault,
        item: ItemId::for_vm(&vault_id, &vm),
        vault_id,
        vm,
    })
}

/// Everything that the item comes down to which a job or a restore names.
pub(crate) fn item_target<'a>(
    named: &ItemRef,
    item: Option<&'a ProtectedVM>,
    vault: Option<&'a Vault>,
    access: &'a Access,
    namespace: &str,
    need: Need,
) -> Result<Target<'a>, Waiting> {
    if named.kind != ItemKind::ProtectedVM {
        return Err(Waiting::NotOfferedYet {
            what: format!("The kind {}", named.kind),
        });
    }
    let key = ObjectKey::new(Kind::ProtectedVM, namespace, named.name.clone());
    let item = item.ok_or(Waiting::ItemNotFound { item: key })?;
    target(
        vault,
        access,
        &item.spec.vault_ref,
        &item.spec.vm,
        namespace,
        need,
    )
}

impl Target<'_> {
    /// The policy that the item names, in its vault.
    pub(crate) fn policy(&self, namespace: &str, policy: &PolicyRef) -> Result<PolicyId, Waiting> {
        ids::policy_id(&self.vault_id, self.vault, namespace, policy)
    }
}

/// `Err` with the message of what is in the way.
fn is_ready(need: Need, conditions: &[Condition]) -> Result<(), String> {
    if need == Need::Existing {
        return Ok(());
    }
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == ConditionType::Ready);
    match ready {
        Some(condition) if condition.status == ConditionStatus::True => Ok(()),
        Some(condition) => Err(condition.message.clone()),
        None => Err("it has not been looked at yet.".to_owned()),
    }
}

fn covers_namespace(consent: &Consent, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    match (&consent.name, &consent.selector) {
        (Some(name), _) => name == namespace,
        (None, Some(selector)) => selects(selector, labels),
        (None, None) => false,
    }
}

fn selects(selector: &NamespaceSelector, labels: &BTreeMap<String, String>) -> bool {
    selector
        .match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && selector
            .match_expressions
            .iter()
            .all(|requirement| holds(requirement, labels.get(&requirement.key)))
}

fn holds(requirement: &SelectorRequirement, value: Option<&String>) -> bool {
    let listed = value.is_some_and(|value| requirement.values.contains(value));
    match requirement.operator {
        SelectorOperator::In => listed,
        SelectorOperator::NotIn => !listed,
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::DoesNotExist => value.is_none(),
    }
}
