//! A Backup vault.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::vault::{
    ImmutabilitySettings, MonitoringSettings, ProvisioningState, Redundancy, Switch,
};

use super::DataStoreType;

word! {
    /// Whether deleted data can be brought back.
    pub enum SoftDelete {
        /// For the days of the retention period.
        On = "On",
        /// Deleted is gone.
        Off = "Off",
        /// On, and nobody can turn it off.
        AlwaysOn = "AlwaysOn",
    }
}

wire! {
    /// A vault, the body that makes one, and the one that changes some of it (PATCH: only what it names).
    pub struct Vault {
        /// The whole path.
        id: String,
        /// The vault's name.
        name: String,
        /// `Microsoft.DataProtection/backupVaults`.
        #[serde(rename = "type")] kind: String,
        /// The region.
        location: String,
        /// A person's labels.
        tags: BTreeMap<String, String>,
        /// Of its last change.
        e_tag: String,
        /// Who the vault is towards others.
        identity: Value,
        /// Who made and changed it.
        system_data: Value,
        /// What the vault is.
        properties: BackupVault,
    }

    /// What a vault is.
    pub struct BackupVault {
        /// Where copies are kept, by store.
        storage_settings: Vec<StorageSetting>,
        /// What protects the data from people.
        security_settings: SecuritySettings,
        /// Who hears of failures.
        monitoring_settings: MonitoringSettings,
        /// Where restores may go.
        feature_settings: FeatureSettings,
        /// How far the vault's last change is.
        provisioning_state: ProvisioningState,
        /// Of a move between groups or subscriptions.
        resource_move_state: String,
        /// Of a move between groups or subscriptions.
        resource_move_details: Value,
        /// Whether a Resource Guard has to agree to dangerous operations.
        is_vault_protected_by_resource_guard: bool,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
        /// Regions that have a copy.
        replicated_regions: Vec<String>,
        /// Azure's mark for the vault's security.
        secure_score: String,
        /// Azure's mark for the vault's readiness.
        bcdr_security_level: String,
    }

    /// Where copies of a store are kept.
    pub struct StorageSetting {
        /// Of which store.
        datastore_type: DataStoreType,
        /// Where.
        #[serde(rename = "type")] redundancy: Redundancy,
    }

    /// What protects the data from people.
    pub struct SecuritySettings {
        /// Whether deleted data can be brought back.
        soft_delete_settings: SoftDeleteSettings,
        /// Whether points can be lost before their time.
        immutability_settings: ImmutabilitySettings,
        /// Whose key encrypts the data.
        encryption_settings: Value,
    }

    /// Whether deleted data can be brought back.
    pub struct SoftDeleteSettings {
        /// The state.
        state: SoftDelete,
        /// Days that deleted data stay, 14 to 180.
        retention_duration_in_days: Number,
    }

    /// Where restores may go.
    pub struct FeatureSettings {
        /// Into other subscriptions.
        cross_subscription_restore_settings: RestoreSwitch,
        /// Into the paired region.
        cross_region_restore_settings: RestoreSwitch,
    }

    /// Whether restores may go somewhere.
    pub struct RestoreSwitch {
        /// The state.
        state: Switch,
    }
}
