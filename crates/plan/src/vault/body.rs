//! A vault on the wire: the body that makes it, and the one that changes what differs.

use std::collections::BTreeMap;

use kluis_api::{MANAGED_BY, Redundancy, SoftDeleteState, Vault};
use kluis_arm::vault as wire;

use super::immutability;
use crate::ids;
use crate::waiting::Waiting;
use crate::world::Observed;

/// A change to a vault: what changes, in words, and the body that changes it and nothing else.
pub(super) struct Change {
    pub(super) what: String,
    pub(super) body: wire::Vault,
}

/// The body that makes the vault.
pub(super) fn create(vault: &Vault) -> wire::Vault {
    wire::Vault {
        location: Some(vault.region()),
        tags: Some(tags(vault)),
        sku: Some(wire::Sku {
            name: Some("RS0".to_owned()),
            tier: Some("Standard".to_owned()),
            ..wire::Sku::default()
        }),
        properties: Some(wire::VaultProperties {
            public_network_access: Some(wire::Switch::Enabled),
            redundancy_settings: Some(redundancy_settings(vault.spec.redundancy)),
            security_settings: Some(wire::SecuritySettings {
                soft_delete_settings: Some(soft_delete_settings(vault, None)),
                immutability_settings: immutability::at_first(vault),
                ..wire::SecuritySettings::default()
            }),
            ..wire::VaultProperties::default()
        }),
        ..wire::Vault::default()
    }
}

/// The body that makes a vault again that is there in part. What it has stays: its soft delete may protect what is in it, and its tags
/// are others', too. What is declared otherwise is changed once it is made.
pub(super) fn create_again(vault: &Vault, found: &wire::Vault) -> wire::Vault {
    let mut body = create(vault);
    body.tags = Some(joined(found, vault));
    if let (Some(properties), Some(present)) = (&mut body.properties, &found.properties) {
        let redundancy = present.redundancy_settings.clone();
        properties.redundancy_settings = redundancy.or(properties.redundancy_settings.take());
        if soft_delete(found).is_some() {
            properties.security_settings = present.security_settings.clone();
        }
    }
    body
}

/// The change that makes the vault in force the one that is declared. None when it is already. What the service does not tell is not
/// taken for a difference, and what cannot be changed stands in the way of nothing else. `lock`: whether the redundancy can no longer change,
/// where it is to. `keeps_soft_delete`: less of it is declared, and not approved.
pub(super) fn change(
    vault: &Vault,
    found: &wire::Vault,
    lock: Option<&Observed<bool>>,
    keeps_soft_delete: bool,
) -> Result<Option<Change>, Waiting> {
    let is_locked = is_other_redundancy(vault, found) && lock == Some(&Observed::Found(true));
    let mut what = Vec::new();
    let mut properties = wire::VaultProperties::default();
    let mut security = wire::SecuritySettings::default();
    let mut body = wire::Vault::default();
    if found.tags.as_ref().and_then(|tags| tags.get(MANAGED_BY))
        != Some(&ids::qualified(&vault.metadata))
    {
        // PATCH replaces the whole map: what others put there goes along.
        body.tags = Some(joined(found, vault));
        what.push("its tag");
    }
    if is_other_redundancy(vault, found) && !is_locked {
        properties.redundancy_settings = Some(redundancy_settings(vault.spec.redundancy));
        what.push("its redundancy");
    }
    if differs_in_soft_delete(vault, found)? && !keeps_soft_delete {
        security.soft_delete_settings = Some(soft_delete_settings(vault, soft_delete(found)));
        what.push("its soft delete");
    }
    let locked = match immutability::next(vault, found) {
        Ok(None) => None,
        Ok(next) => {
            security.immutability_settings = next;
            what.push("its immutability");
            None
        }
        Err(locked) => Some(locked),
    };
    if security != wire::SecuritySettings::default() {
        properties.security_settings = Some(security);
    }
    if properties != wire::VaultProperties::default() {
        body.properties = Some(properties);
    }
    if let Some(locked) = locked.filter(|_| what.is_empty()) {
        return Err(locked);
    }
    if is_locked && what.is_empty() {
        return Err(Waiting::RedundancyLocked {
            wanted: on_wire(vault.spec.redundancy).to_string(),
            present: redundancy(found)
                .map(ToString::to_string)
                .unwrap_or_default(),
        });
    }
    Ok((!what.is_empty()).then(|| Change {
        what: what.join(" and "),
        body,
    }))
}

/// Whether another redundancy is declared than is in force.
pub(super) fn is_other_redundancy(vault: &Vault, found: &wire::Vault) -> bool {
    redundancy(found).is_some_and(|present| *present != on_wire(vault.spec.redundancy))
}

/// The redundancy in force.
pub(super) fn redundancy(found: &wire::Vault) -> Option<&wire::Redundancy> {
    found
        .properties
        .as_ref()?
        .redundancy_settings
        .as_ref()?
        .standard_tier_storage_redundancy
        .as_ref()
}

/// The soft delete in force: `Enabled, 14 days`.
pub(super) fn soft_delete_in_words(found: &wire::Vault) -> Option<String> {
    let settings = soft_delete(found)?;
    let state = settings.soft_delete_state.as_ref()?;
    match settings.soft_delete_retention_period_in_days {
        Some(days) if *state != wire::SoftDeleteState::Disabled => {
            Some(format!("{state}, {days} days"))
        }
        _ => Some(state.to_string()),
    }
}

/// Whether two names of a region mean one: Azure writes both `westeurope` and `West Europe`.
pub(crate) fn is_same_location(one: &str, other: &str) -> bool {
    let plain = |name: &str| {
        name.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
            .to_ascii_lowercase()
    };
    plain(one) == plain(other)
}

fn differs_in_soft_delete(vault: &Vault, found: &wire::Vault) -> Result<bool, Waiting> {
    let wanted = &vault.spec.soft_delete;
    let Some(present) = soft_delete(found) else {
        return Ok(false);
    };
    let always = present.soft_delete_state == Some(wire::SoftDeleteState::AlwaysOn);
    let state = match wanted.state {
        SoftDeleteState::Disabled if always => return Err(Waiting::SoftDeleteAlwaysOn),
        // Always on is at least as safe as enabled, and cannot be taken back: it is left.
        SoftDeleteState::Enabled if always => false,
        state => present
            .soft_delete_state
            .as_ref()
            .is_some_and(|present| *present != state_on_wire(state)),
    };
    let days = wanted.state != SoftDeleteState::Disabled
        && present
            .soft_delete_retention_period_in_days
            .is_some_and(|days| i64::from(days) != i64::from(wanted.retention_days));
    Ok(state || days)
}

/// The soft delete in force, as the service tells it.
pub(super) fn soft_delete(found: &wire::Vault) -> Option<&wire::SoftDeleteSettings> {
    found
        .properties
        .as_ref()?
        .security_settings
        .as_ref()?
        .soft_delete_settings
        .as_ref()
}

/// The tags that there are, and ours.
fn joined(found: &wire::Vault, vault: &Vault) -> BTreeMap<String, String> {
    let there = found.tags.clone().unwrap_or_default();
    there.into_iter().chain(tags(vault)).collect()
}

fn tags(vault: &Vault) -> BTreeMap<String, String> {
    BTreeMap::from([(MANAGED_BY.to_owned(), ids::qualified(&vault.metadata))])
}

fn redundancy_settings(redundancy: Redundancy) -> wire::RedundancySettings {
    wire::RedundancySettings {
        standard_tier_storage_redundancy: Some(on_wire(redundancy)),
        cross_region_restore: Some(wire::Switch::Disabled),
        ..wire::RedundancySettings::default()
    }
}

/// What is always on stays so in words, too: the service refuses `Enabled` there, other days or not.
fn soft_delete_settings(
    vault: &Vault,
    present: Option<&wire::SoftDeleteSettings>,
) -> wire::SoftDeleteSettings {
    let wanted = &vault.spec.soft_delete;
    let state = present
        .and_then(|present| present.soft_delete_state.clone())
        .filter(|present| *present == wire::SoftDeleteState::AlwaysOn)
        .unwrap_or_else(|| state_on_wire(wanted.state));
    let days = (wanted.state != SoftDeleteState::Disabled)
        .then(|| i32::try_from(wanted.retention_days).unwrap_or(i32::MAX));
    wire::SoftDeleteSettings {
        soft_delete_state: Some(state),
        soft_delete_retention_period_in_days: days,
        ..wire::SoftDeleteSettings::default()
    }
}

fn on_wire(redundancy: Redundancy) -> wire::Redundancy {
    match redundancy {
        Redundancy::GeoRedundant => wire::Redundancy::GeoRedundant,
        Redundancy::LocallyRedundant => wire::Redundancy::LocallyRedundant,
        Redundancy::ZoneRedundant => wire::Redundancy::ZoneRedundant,
    }
}

fn state_on_wire(state: SoftDeleteState) -> wire::SoftDeleteState {
    match state {
        SoftDeleteState::Enabled => wire::SoftDeleteState::Enabled,
        SoftDeleteState::Disabled => wire::SoftDeleteState::Disabled,
        SoftDeleteState::AlwaysOn => wire::SoftDeleteState::AlwaysOn,
    }
}
