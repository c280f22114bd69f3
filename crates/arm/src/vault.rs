//! A Recovery Services vault.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::time::WireTime;

word! {
    /// Where copies of the data are kept.
    pub enum Redundancy {
        /// Three copies in one datacentre.
        LocallyRedundant = "LocallyRedundant",
        /// Copies in the paired region too.
        GeoRedundant = "GeoRedundant",
        /// Copies across a region's zones.
        ZoneRedundant = "ZoneRedundant",
        /// As geo-redundant, and readable there.
        ReadAccessGeoZoneRedundant = "ReadAccessGeoZoneRedundant",
        /// Not a redundancy.
        Invalid = "Invalid",
    }

    /// Whether deleted data can be brought back.
    pub enum SoftDeleteState {
        /// For the days of the retention period.
        Enabled = "Enabled",
        /// Deleted is gone.
        Disabled = "Disabled",
        /// Enabled, and nobody can disable it.
        AlwaysOn = "AlwaysON",
        /// Not a state.
        Invalid = "Invalid",
    }

    /// On or off.
    pub enum Switch {
        /// On.
        Enabled = "Enabled",
        /// Off.
        Disabled = "Disabled",
        /// Off for ever.
        PermanentlyDisabled = "PermanentlyDisabled",
        /// Neither.
        Invalid = "Invalid",
        /// Nothing was said.
        NotSet = "None",
    }

    /// Whether recovery points can be lost before their time.
    pub enum Immutability {
        /// They can.
        Disabled = "Disabled",
        /// They cannot, and a person can still undo this.
        Unlocked = "Unlocked",
        /// They cannot, for ever.
        Locked = "Locked",
    }

    /// How far the vault's last change is.
    pub enum ProvisioningState {
        /// Being made or changed.
        Provisioning = "Provisioning",
        /// As asked.
        Succeeded = "Succeeded",
        /// The change failed.
        Failed = "Failed",
        /// Going.
        Deleting = "Deleting",
    }
}

wire! {
    /// A vault, the body that makes one, and the one that changes some of it (PATCH: only what it names).
    pub struct Vault {
        /// The whole path.
        id: String,
        /// The vault's name.
        name: String,
        /// `Microsoft.RecoveryServices/vaults`.
        #[serde(rename = "type")] kind: String,
        /// The region; what it protects must be in it too.
        location: String,
        /// A person's labels.
        tags: BTreeMap<String, String>,
        /// `W/"datetime'…'"` of its last change.
        etag: String,
        /// `RS0`, tier `Standard`, or the name `Standard` alone.
        sku: Sku,
        /// Who the vault is towards others.
        identity: Value,
        /// Who made and changed it.
        system_data: Value,
        /// What the vault is.
        properties: VaultProperties,
    }

    /// A vault's price class.
    pub struct Sku {
        /// `Standard` or `RS0`.
        name: String,
        /// `Standard`.
        tier: String,
        /// Not used by this provider.
        family: String,
        /// Not used by this provider.
        size: String,
        /// Not used by this provider.
        capacity: String,
    }

    /// What a vault is.
    pub struct VaultProperties {
        /// How far its last change is.
        provisioning_state: ProvisioningState,
        /// Where copies are kept.
        redundancy_settings: RedundancySettings,
        /// What protects the data from people.
        security_settings: SecuritySettings,
        /// Who hears of failures.
        monitoring_settings: MonitoringSettings,
        /// Where restores may go.
        restore_settings: RestoreSettings,
        /// Whether it answers from the public network.
        public_network_access: Switch,
        /// `Unassigned` until the first item, then `V1` or `V2`.
        backup_storage_version: String,
        /// Whether backup goes over a private endpoint.
        private_endpoint_state_for_backup: Switch,
        /// Whether Site Recovery goes over a private endpoint.
        private_endpoint_state_for_site_recovery: Switch,
        /// The private endpoints themselves.
        private_endpoint_connections: Vec<Value>,
        /// Whose key encrypts the data.
        encryption: Value,
        /// Of a move between groups or subscriptions.
        move_details: Value,
        /// Of a move between groups or subscriptions.
        move_state: String,
        /// Of an upgrade from an older kind of vault.
        upgrade_details: UpgradeDetails,
        /// Azure's mark for the vault's security.
        secure_score: String,
        /// Azure's mark for the vault's readiness.
        bcdr_security_level: String,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }

    /// Where copies are kept.
    pub struct RedundancySettings {
        /// Locked once the first item is registered.
        standard_tier_storage_redundancy: Redundancy,
        /// Whether points can be restored in the paired region.
        cross_region_restore: Switch,
    }

    /// What protects the data from people.
    pub struct SecuritySettings {
        /// Whether points can be lost before their time.
        immutability_settings: ImmutabilitySettings,
        /// Whether deleted data can be brought back.
        soft_delete_settings: SoftDeleteSettings,
        /// Whether a Resource Guard has to agree to dangerous operations.
        multi_user_authorization: Switch,
    }

    /// Whether points can be lost before their time.
    pub struct ImmutabilitySettings {
        /// The state.
        state: Immutability,
    }

    /// Whether deleted data can be brought back.
    pub struct SoftDeleteSettings {
        /// The state.
        soft_delete_state: SoftDeleteState,
        /// Days that deleted data stay, 14 to 180.
        soft_delete_retention_period_in_days: i32,
        /// The same for what agents bring in.
        enhanced_security_state: SoftDeleteState,
    }

    /// Who hears of failures.
    pub struct MonitoringSettings {
        /// Through Azure Monitor.
        azure_monitor_alert_settings: AzureMonitorAlertSettings,
        /// By the older way.
        classic_alert_settings: ClassicAlertSettings,
    }

    /// Alerts through Azure Monitor.
    pub struct AzureMonitorAlertSettings {
        /// Of every failed job.
        alerts_for_all_job_failures: Switch,
        /// Site Recovery's.
        alerts_for_all_replication_issues: Switch,
        /// Site Recovery's.
        alerts_for_all_failover_issues: Switch,
    }

    /// Alerts by the older way.
    pub struct ClassicAlertSettings {
        /// Of dangerous operations.
        alerts_for_critical_operations: Switch,
        /// Site Recovery's.
        email_notifications_for_site_recovery: Switch,
    }

    /// Where restores may go.
    pub struct RestoreSettings {
        /// Into other subscriptions.
        cross_subscription_restore_settings: CrossSubscriptionRestoreSettings,
    }

    /// Whether restores may go into other subscriptions.
    pub struct CrossSubscriptionRestoreSettings {
        /// The state.
        cross_subscription_restore_state: Switch,
    }

    /// Of an upgrade from an older kind of vault.
    pub struct UpgradeDetails {
        /// The upgrade's operation.
        operation_id: String,
        /// When it began.
        start_time_utc: WireTime,
        /// When it last changed.
        last_updated_time_utc: WireTime,
        /// When it ended.
        end_time_utc: WireTime,
        /// How far it is.
        status: String,
        /// What it says.
        message: String,
        /// Who wanted it.
        trigger_type: String,
        /// What became of the vault.
        upgraded_resource_id: String,
        /// What the vault was.
        previous_resource_id: String,
    }
}
