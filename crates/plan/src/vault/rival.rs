//! Two Vault objects that declare one vault in Azure: only one of them may act, or they would take turns for ever, and the deletion of
//! one would take the other's vault.
//!
//! The older one has it; one that is being deleted gives way to any that stays. One that the service does not let in counts for nothing:
//! else anybody could keep a vault from its owner by naming it first.

use jiff::Timestamp;
use kluis_api::{BackupService, Vault};

use crate::gate;
use crate::key::{Kind, ObjectKey};
use crate::world::{Access, VaultWorld};

/// The object that has the vault instead of this one, if there is one.
pub(super) fn of(world: &VaultWorld) -> Option<ObjectKey> {
    let own = &world.vault;
    let service = world.access.service.as_ref()?;
    let going = own.metadata.deletion_timestamp.is_some();
    let rivals = world.namesakes.iter().filter(|(other, access)| {
        key(other) != key(own)
            && is_let_in(other, access)
            && access
                .service
                .as_ref()
                .is_some_and(|its| is_one_place(its, service))
            && place(other) == place(own)
    });
    rivals
        .map(|(other, _)| other)
        .filter(|other| {
            age(other) < age(own) || (going && other.metadata.deletion_timestamp.is_none())
        })
        .min_by(|one, other| age(one).cmp(&age(other)))
        .map(key)
}

fn is_let_in(vault: &Vault, access: &Access) -> bool {
    let namespace = vault.metadata.namespace.as_deref().unwrap_or_default();
    let named = &vault.spec.service_ref.name;
    access.service.as_ref().is_some_and(|service| {
        gate::consents(
            service,
            access,
            named,
            namespace,
            &vault.spec.resource_group,
        )
        .is_ok()
    })
}

/// Whether two BackupServices lead to one subscription.
fn is_one_place(one: &BackupService, other: &BackupService) -> bool {
    let place = |service: &BackupService| {
        (
            service
                .spec
                .endpoint
                .trim_end_matches('/')
                .to_ascii_lowercase(),
            service.spec.subscription_id.to_ascii_lowercase(),
        )
    };
    place(one) == place(other)
}

/// Resource group and name, as Azure compares them.
fn place(vault: &Vault) -> (String, String) {
    let named = vault.spec.azure_name.as_ref();
    let name = named.or(vault.metadata.name.as_ref());
    (
        vault.spec.resource_group.to_ascii_lowercase(),
        name.map(|name| name.to_ascii_lowercase())
            .unwrap_or_default(),
    )
}

/// Of two made in the same second the name decides, so that both come to the same answer.
fn age(vault: &Vault) -> (Option<Timestamp>, ObjectKey) {
    let made = vault.metadata.creation_timestamp.as_ref();
    (made.map(|made| made.0), key(vault))
}

fn key(vault: &Vault) -> ObjectKey {
    ObjectKey::new(
        Kind::Vault,
        vault.metadata.namespace.clone().unwrap_or_default(),
        vault.metadata.name.clone().unwrap_or_default(),
    )
}
