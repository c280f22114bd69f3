//! Containers: what a vault registers so that there is something to protect.

use crate::resource::Resource;

word! {
    /// Which part of Azure Backup has to do with a thing.
    pub enum BackupManagementType {
        /// Azure's virtual machines.
        AzureIaasVm = "AzureIaasVM",
        /// Databases inside virtual machines.
        AzureWorkload = "AzureWorkload",
        /// File shares.
        AzureStorage = "AzureStorage",
        /// Files and folders, by an agent.
        Mab = "MAB",
        /// Data Protection Manager.
        Dpm = "DPM",
        /// Azure Backup Server.
        AzureBackupServer = "AzureBackupServer",
        /// Azure SQL.
        AzureSql = "AzureSql",
        /// Whatever is the default.
        DefaultBackup = "DefaultBackup",
        /// No type.
        Invalid = "Invalid",
    }

    /// Whether a container takes part.
    pub enum RegistrationStatus {
        /// It does.
        Registered = "Registered",
        /// It does not.
        NotRegistered = "NotRegistered",
        /// It becomes one.
        Registering = "Registering",
        /// All it held is soft-deleted.
        SoftDeleted = "SoftDeleted",
    }
}

/// A container of a vault.
pub type Container = Resource<ProtectionContainer>;

tagged! {
    /// What a container is.
    pub enum ProtectionContainer by "containerType" {
        /// A virtual machine.
        VirtualMachine(VmContainer) = "Microsoft.Compute/virtualMachines",
        /// A virtual machine, in the words of older api-versions.
        IaasVm(IaasVmContainer) = "IaasVMContainer",
    }
}

wire! {
    /// A virtual machine as a container.
    pub struct VmContainer {
        /// The VM's name.
        friendly_name: String,
        /// `AzureIaasVM`.
        backup_management_type: BackupManagementType,
        /// Whether it takes part.
        registration_status: RegistrationStatus,
        /// `Healthy`.
        health_status: String,
        /// `Microsoft.Compute/virtualMachines`.
        protectable_object_type: String,
        /// The VM's id.
        virtual_machine_id: String,
        /// `Compute`, or `Classic` for what no longer exists.
        virtual_machine_version: String,
        /// The VM's resource group.
        resource_group: String,
    }

    /// A virtual machine as older api-versions name it; the fields that only it has are kept in `extra`.
    pub struct IaasVmContainer {
        /// The VM's name.
        friendly_name: String,
        /// `AzureIaasVM`.
        backup_management_type: BackupManagementType,
        /// Whether it takes part.
        registration_status: RegistrationStatus,
        /// `Healthy`.
        health_status: String,
        /// What can be protected in it.
        protectable_object_type: String,
        /// The VM's id.
        virtual_machine_id: String,
        /// `Compute` or `Classic`.
        virtual_machine_version: String,
        /// The VM's resource group.
        resource_group: String,
    }
}
