//! The small resources that hold a vault's settings, each under its own fixed name.

use crate::resource::Resource;
use crate::vault::{Redundancy, SoftDeleteState};

word! {
    /// Whether the redundancy can still change.
    pub enum StorageTypeState {
        /// It can: nothing is registered yet.
        Unlocked = "Unlocked",
        /// It cannot.
        Locked = "Locked",
        /// Not a state.
        Invalid = "Invalid",
    }

    /// Whose key encrypts the data at rest.
    pub enum EncryptionAtRest {
        /// Microsoft's.
        MicrosoftManaged = "MicrosoftManaged",
        /// The customer's.
        CustomerManaged = "CustomerManaged",
        /// Not a kind.
        Invalid = "Invalid",
    }
}

/// `backupstorageconfig/vaultstorageconfig`.
pub type StorageConfigResource = Resource<StorageConfig>;
/// `backupconfig/vaultconfig`.
pub type VaultConfigResource = Resource<VaultConfig>;
/// `backupEncryptionConfigs/backupResourceEncryptionConfig`.
pub type EncryptionConfigResource = Resource<EncryptionConfig>;
/// `extendedInformation/vaultExtendedInfo`.
pub type VaultExtendedInfoResource = Resource<VaultExtendedInfo>;
/// One of `backupResourceGuardProxies`; a vault without a Resource Guard has none.
pub type ResourceGuardProxyResource = Resource<ResourceGuardProxy>;

wire! {
    /// Where copies are kept.
    pub struct StorageConfig {
        /// As `storage_type`; what the service goes by.
        storage_model_type: Redundancy,
        /// Where copies are kept.
        storage_type: Redundancy,
        /// Whether that can still change.
        storage_type_state: StorageTypeState,
        /// Whether points can be restored in the paired region.
        cross_region_restore_flag: bool,
        /// Azure's own.
        dedup_state: String,
        /// Azure's own.
        xcool_state: String,
    }

    /// How deleted data are kept.
    pub struct VaultConfig {
        /// As in [`StorageConfig`].
        storage_model_type: Redundancy,
        /// As in [`StorageConfig`].
        storage_type: Redundancy,
        /// As in [`StorageConfig`].
        storage_type_state: StorageTypeState,
        /// For what agents bring in.
        enhanced_security_state: SoftDeleteState,
        /// Whether deleted data can be brought back.
        soft_delete_feature_state: SoftDeleteState,
        /// Days that deleted data stay, 14 to 180.
        soft_delete_retention_period_in_days: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
        /// Whether `soft_delete_feature_state` can be changed.
        is_soft_delete_feature_state_editable: bool,
    }

    /// Whose key encrypts the data.
    pub struct EncryptionConfig {
        /// Whose.
        encryption_at_rest_type: EncryptionAtRest,
        /// The customer's key.
        key_uri: String,
        /// The key's subscription.
        subscription_id: String,
        /// How the last change went.
        last_update_status: String,
        /// Whether it is encrypted a second time below.
        infrastructure_encryption_state: String,
        /// As whom the vault reads the key.
        user_assigned_identity: String,
        /// Whether it reads the key as itself.
        use_system_assigned_identity: bool,
    }

    /// What agents need to register with a vault.
    pub struct VaultExtendedInfo {
        /// What registrations are signed with.
        integrity_key: String,
        /// What they are encrypted with.
        encryption_key: String,
        /// That key's thumbprint.
        encryption_key_thumbprint: String,
        /// `None` or the algorithm.
        algorithm: String,
    }

    /// A Resource Guard that has to agree to dangerous operations.
    pub struct ResourceGuardProxy {
        /// The guard.
        resource_guard_resource_id: String,
        /// To which operations.
        resource_guard_operation_details: Vec<ResourceGuardOperation>,
        /// When it last changed.
        last_updated_time: String,
        /// More, for people.
        description: String,
    }

    /// An operation that a Resource Guard has to agree to.
    pub struct ResourceGuardOperation {
        /// The operation.
        vault_critical_operation: String,
        /// The guard's request for it.
        default_resource_request: String,
    }
}
