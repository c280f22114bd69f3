//! The request to restore a recovery point.

use serde_json::Value;

use crate::id::{Name, RecoveryPointId, ResourceGroupId, StorageAccountId, VirtualNetworkId, VmId};
use crate::resource::Resource;

word! {
    /// What a restore makes.
    pub enum RecoveryType {
        /// Disks in a resource group, and a template for a VM of them.
        RestoreDisks = "RestoreDisks",
        /// A new VM.
        AlternateLocation = "AlternateLocation",
        /// The VM's own disks, replaced.
        OriginalLocation = "OriginalLocation",
        /// Files for another tool to use.
        Offline = "Offline",
        /// Not a restore.
        Invalid = "Invalid",
    }
}

/// The body of `POST …/restore`.
pub type TriggerRestore = Resource<RestoreRequest>;

tagged! {
    /// Of what.
    pub enum RestoreRequest by "objectType" {
        /// A virtual machine.
        VirtualMachine(VmRestoreRequest) = "IaasVMRestoreRequest",
        /// A virtual machine whose point is in the archive.
        ArchivedVirtualMachine(RehydratingVmRestoreRequest) = "IaasVMRestoreWithRehydrationRequest",
    }
}

wire! {
    /// A restore of a virtual machine's recovery point.
    pub struct VmRestoreRequest {
        /// The point's name.
        recovery_point_id: String,
        /// What to make.
        recovery_type: RecoveryType,
        /// The VM that was backed up.
        source_resource_id: String,
        /// The VM to make.
        target_virtual_machine_id: String,
        /// Where disks or the VM go.
        target_resource_group_id: String,
        /// Where it is staged; every restore needs one.
        storage_account_id: String,
        /// The new VM's network.
        virtual_network_id: String,
        /// The new VM's subnet.
        subnet_id: String,
        /// Of classic VMs.
        target_domain_name_id: String,
        /// The vault's region.
        region: String,
        /// Of classic VMs.
        affinity_group: String,
        /// Of classic VMs.
        create_new_cloud_service: bool,
        /// Whether disks go back to the accounts they came from.
        original_storage_account_option: bool,
        /// Of encrypted VMs.
        encryption_details: EncryptionDetails,
        /// Only these data disks.
        restore_disk_lun_list: Vec<i32>,
        /// Whether unmanaged disks become managed ones.
        restore_with_managed_disks: bool,
        /// Whose key encrypts what is made.
        disk_encryption_set_id: String,
        /// The zones of what is made.
        zones: Vec<String>,
        /// As whom the vault writes.
        identity_info: IdentityInfo,
        /// As whom the vault writes, for disks.
        identity_based_restore_details: IdentityBasedRestoreDetails,
        /// An edge location.
        extended_location: Value,
        /// Of confidential VMs.
        #[serde(rename = "securedVMDetails")] secured_vm_details: Value,
        /// Over which network the disks can be reached.
        target_disk_network_access_settings: TargetDiskNetworkAccess,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }

    /// A restore of a point that has to be brought back from the archive first.
    pub struct RehydratingVmRestoreRequest {
        /// How long and how fast it is brought back.
        recovery_point_rehydration_info: Value,
        /// The point's name.
        recovery_point_id: String,
        /// What to make.
        recovery_type: RecoveryType,
        /// The VM that was backed up.
        source_resource_id: String,
    }

    /// Of encrypted VMs.
    pub struct EncryptionDetails {
        /// Whether it is.
        encryption_enabled: bool,
        /// The key that encrypts the key.
        kek_url: String,
        /// The key.
        secret_key_url: String,
        /// The key vault of the first.
        kek_vault_id: String,
        /// The key vault of the second.
        secret_key_vault_id: String,
    }

    /// As whom the vault writes.
    pub struct IdentityInfo {
        /// As itself.
        is_system_assigned_identity: bool,
        /// As this one.
        managed_identity_resource_id: String,
    }

    /// As whom the vault writes, for disks.
    pub struct IdentityBasedRestoreDetails {
        /// The kind of these details.
        object_type: String,
        /// Where it is staged.
        target_storage_account_id: String,
    }

    /// Over which network the disks can be reached.
    pub struct TargetDiskNetworkAccess {
        /// `SameAsOnSourceDisks` and others.
        target_disk_network_access_option: String,
        /// The private endpoint's resource.
        target_disk_access_id: String,
    }
}

impl VmRestoreRequest {
    /// Disks into a resource group, staged in a storage account of the vault's region. `luns`: the data disks that come with the OS disk;
    /// every disk when None, the OS disk alone when empty.
    #[must_use]
    pub fn disks(
        point: &RecoveryPointId,
        vm: &VmId,
        group: &ResourceGroupId,
        staging: &StorageAccountId,
        region: &str,
        luns: Option<Vec<i32>>,
    ) -> Self {
        Self {
            target_resource_group_id: Some(group.to_string()),
            restore_disk_lun_list: luns,
            ..Self::of(RecoveryType::RestoreDisks, point, vm, staging, region)
        }
    }

    /// A new virtual machine in a subnet.
    #[must_use]
    pub fn new_vm(
        point: &RecoveryPointId,
        vm: &VmId,
        target: &VmId,
        network: &VirtualNetworkId,
        subnet: &Name,
        staging: &StorageAccountId,
        region: &str,
    ) -> Self {
        Self {
            target_virtual_machine_id: Some(target.to_string()),
            target_resource_group_id: Some(target.group().to_string()),
            virtual_network_id: Some(network.to_string()),
            subnet_id: Some(format!("{network}/subnets/{subnet}")),
            ..Self::of(RecoveryType::AlternateLocation, point, vm, staging, region)
        }
    }

    /// The machine's own disks, replaced. `luns`: exactly these data disks; every disk when None.
    #[must_use]
    pub fn in_place(
        point: &RecoveryPointId,
        vm: &VmId,
        staging: &StorageAccountId,
        region: &str,
        luns: Option<Vec<i32>>,
    ) -> Self {
        Self {
            target_resource_group_id: Some(vm.group().to_string()),
            restore_disk_lun_list: luns,
            ..Self::of(RecoveryType::OriginalLocation, point, vm, staging, region)
        }
    }

    fn of(
        what: RecoveryType,
        point: &RecoveryPointId,
        vm: &VmId,
        staging: &StorageAccountId,
        region: &str,
    ) -> Self {
        Self {
            recovery_point_id: Some(point.name.to_string()),
            recovery_type: Some(what),
            source_resource_id: Some(vm.to_string()),
            storage_account_id: Some(staging.to_string()),
            region: Some(region.to_owned()),
            create_new_cloud_service: Some(false),
            original_storage_account_option: Some(false),
            ..Self::default()
        }
    }
}
