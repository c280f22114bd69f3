//! Protected items, as they are read and as they are written.

use std::collections::BTreeMap;

use crate::container::BackupManagementType;
use crate::id::{PolicyId, VmId};
use crate::resource::Resource;
use crate::time::WireTime;

word! {
    /// Where an item stands.
    pub enum ProtectionState {
        /// Protected, and its first backup is still to come.
        IrPending = "IRPending",
        /// Protected.
        Protected = "Protected",
        /// The last backup failed for a reason that lasts.
        ProtectionError = "ProtectionError",
        /// No more backups; every point stays.
        ProtectionStopped = "ProtectionStopped",
        /// No more backups; points go as the policy says.
        BackupsSuspended = "BackupsSuspended",
        /// Paused.
        ProtectionPaused = "ProtectionPaused",
        /// Not a state.
        Invalid = "Invalid",
    }
}

/// A protected item of a vault, and the body that writes one.
pub type Item = Resource<ProtectedItem>;

tagged! {
    /// What is protected.
    pub enum ProtectedItem by "protectedItemType" {
        /// A virtual machine.
        VirtualMachine(VmItem) = "Microsoft.Compute/virtualMachines",
    }
}

wire! {
    /// A virtual machine under protection. A request fills a few of these; an answer most.
    pub struct VmItem {
        /// The VM's name.
        friendly_name: String,
        /// The VM's id; in answers the same as `source_resource_id`.
        virtual_machine_id: String,
        /// `Healthy` or `Unhealthy`.
        protection_status: String,
        /// Where it stands; in requests what is wanted.
        protection_state: ProtectionState,
        /// `Passed`, `ActionRequired`, `ActionSuggested`.
        health_status: String,
        /// What is not well.
        health_details: Vec<HealthDetail>,
        /// What is not well, by subject.
        kpis_healths: BTreeMap<String, KpiHealth>,
        /// How the last backup ended: `Completed`, `Failed`, empty.
        last_backup_status: String,
        /// When the last backup was; [`WireTime::never`] before the first.
        last_backup_time: WireTime,
        /// Azure's own number for the data.
        protected_item_data_id: String,
        /// Only when asked for with `expand eq 'extendedinfo'`.
        extended_info: ItemExtendedInfo,
        /// Which disks.
        extended_properties: ExtendedProperties,
        /// `AzureIaasVM`.
        backup_management_type: BackupManagementType,
        /// `VM`.
        workload_type: String,
        /// `iaasvmcontainerv2;group;vm`.
        container_name: String,
        /// The VM's id.
        source_resource_id: String,
        /// The policy's id; empty when none is in force.
        policy_id: String,
        /// The policy's name.
        policy_name: String,
        /// The newest recovery point.
        last_recovery_point: WireTime,
        /// Used by other workloads.
        backup_set_name: String,
        /// `Default` or `Recover`.
        create_mode: String,
        /// When it was soft-deleted.
        #[serde(rename = "deferredDeleteTimeInUTC")] deferred_delete_time_in_utc: WireTime,
        /// Whether it is soft-deleted.
        is_scheduled_for_deferred_delete: bool,
        /// What is left, as [`crate::time::time_remaining`] writes it.
        deferred_delete_time_remaining: String,
        /// Whether the end is near.
        is_deferred_delete_schedule_upcoming: bool,
        /// In requests: bring soft-deleted data back.
        is_rehydrate: bool,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
        /// Whether points may move to the archive.
        is_archive_enabled: bool,
        /// Days that deleted data stay; real answers write this name,
        soft_delete_retention_period: i32,
        /// and the published contract this one.
        soft_delete_retention_period_in_days: i32,
        /// The vault's id, with its endpoint before it.
        vault_id: String,
    }

    /// What is not well, and what to do.
    pub struct HealthDetail {
        /// Azure's number for it.
        code: i32,
        /// A few words.
        title: String,
        /// A sentence.
        message: String,
        /// What to do.
        recommendations: Vec<String>,
    }

    /// How one subject of an item is.
    pub struct KpiHealth {
        /// `Healthy` and worse.
        resource_health_status: String,
        /// What is not well.
        resource_health_details: Vec<HealthDetail>,
    }

    /// What has to be counted to be answered.
    pub struct ItemExtendedInfo {
        /// The oldest point.
        oldest_recovery_point: WireTime,
        /// The oldest in the vault.
        oldest_recovery_point_in_vault: WireTime,
        /// The oldest in the archive.
        oldest_recovery_point_in_archive: WireTime,
        /// The newest in the archive.
        newest_recovery_point_in_archive: WireTime,
        /// How many there are.
        recovery_point_count: i32,
        /// Whether the policy in force is not the one that is written.
        policy_inconsistent: bool,
    }

    /// What a person chose for a VM beyond its policy.
    pub struct ExtendedProperties {
        /// Which disks.
        disk_exclusion_properties: DiskExclusion,
        /// An application on Linux.
        linux_vm_application_name: String,
    }

    /// Which disks. The OS disk has no LUN: an inclusion list always has it, and an empty one has it alone.
    pub struct DiskExclusion {
        /// LUNs of data disks.
        disk_lun_list: Vec<i32>,
        /// Whether the list names what is backed up, or what is not.
        is_inclusion_list: bool,
    }
}

impl VmItem {
    fn of(vm: &VmId) -> Self {
        Self {
            source_resource_id: Some(vm.to_string()),
            ..Self::default()
        }
    }

    /// Asks for protection by a policy: for a new item, for another policy, and for taking up a stopped one.
    #[must_use]
    pub fn protect(vm: &VmId, policy: &PolicyId, disks: Option<DiskExclusion>) -> Self {
        let extended_properties = disks.map(|disks| ExtendedProperties {
            disk_exclusion_properties: Some(disks),
            ..ExtendedProperties::default()
        });
        Self {
            policy_id: Some(policy.to_string()),
            extended_properties,
            ..Self::of(vm)
        }
    }

    /// Asks for no more backups, with every point kept.
    #[must_use]
    pub fn stop(vm: &VmId) -> Self {
        Self {
            policy_id: Some(String::new()),
            protection_state: Some(ProtectionState::ProtectionStopped),
            ..Self::of(vm)
        }
    }

    /// Asks for no more backups, with points going as the policy says. Needs an immutable vault.
    #[must_use]
    pub fn suspend(vm: &VmId, policy: &PolicyId) -> Self {
        Self {
            policy_id: Some(policy.to_string()),
            protection_state: Some(ProtectionState::BackupsSuspended),
            ..Self::of(vm)
        }
    }

    /// Asks for soft-deleted data back; the item is then stopped.
    #[must_use]
    pub fn undelete(vm: &VmId) -> Self {
        Self {
            is_rehydrate: Some(true),
            ..Self::stop(vm)
        }
    }
}
