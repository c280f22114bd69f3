//! Protectable items: what discovery found.

use crate::container::BackupManagementType;
use crate::resource::Resource;

word! {
    /// Whether what was found is protected already.
    pub enum ProtectableState {
        /// By nobody.
        NotProtected = "NotProtected",
        /// Protection is being set up.
        Protecting = "Protecting",
        /// It is.
        Protected = "Protected",
        /// Setting it up failed.
        ProtectionFailed = "ProtectionFailed",
        /// Not a state.
        Invalid = "Invalid",
    }
}

/// Something a vault could protect.
pub type Protectable = Resource<ProtectableItem>;

impl Protectable {
    /// The types along the path, as `type` says it on the wire.
    pub const TYPE: &'static str =
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectableItems";
}

tagged! {
    /// What was found.
    pub enum ProtectableItem by "protectableItemType" {
        /// A virtual machine.
        VirtualMachine(ProtectableVm) = "Microsoft.Compute/virtualMachines",
    }
}

wire! {
    /// A virtual machine that could be protected.
    pub struct ProtectableVm {
        /// The VM's name.
        friendly_name: String,
        /// `AzureIaasVM`.
        backup_management_type: BackupManagementType,
        /// `VM`; often absent.
        workload_type: String,
        /// Whether it is protected already.
        protection_state: ProtectableState,
        /// The VM's id.
        virtual_machine_id: String,
        /// `Compute`.
        virtual_machine_version: String,
        /// The VM's resource group.
        resource_group: String,
    }
}
