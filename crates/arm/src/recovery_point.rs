//! Recovery points.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::resource::Resource;
use crate::time::WireTime;

word! {
    /// What a recovery point is good for.
    pub enum Consistency {
        /// Applications were asked to write down what they held.
        AppConsistent = "AppConsistent",
        /// File systems were.
        FileSystemConsistent = "FileSystemConsistent",
        /// Nobody was: as after a power failure.
        CrashConsistent = "CrashConsistent",
    }

    /// Where a recovery point is.
    pub enum Tier {
        /// Beside the VM, as a snapshot.
        InstantRp = "InstantRP",
        /// In the vault.
        HardenedRp = "HardenedRP",
        /// In the archive.
        ArchivedRp = "ArchivedRP",
        /// Nowhere.
        Invalid = "Invalid",
    }

    /// Whether it can be used from there.
    pub enum TierStatus {
        /// It can.
        Valid = "Valid",
        /// It cannot now.
        Disabled = "Disabled",
        /// It is gone from there.
        Deleted = "Deleted",
        /// It was brought back from the archive for a while.
        Rehydrated = "Rehydrated",
        /// Not a state.
        Invalid = "Invalid",
    }
}

/// What `recoveryPointAdditionalInfo` says of a point that a restore in place made of the disks that it replaced. Azure's own
/// makes none. More may follow behind `; `.
pub const BEFORE_REPLACING: &str = "BeforeReplacingDisks";

impl VmRecoveryPoint {
    /// Whether a restore in place made it of what it replaced: for the way back, and no state that anybody wanted to keep.
    #[must_use]
    pub fn is_before_replacing(&self) -> bool {
        self.recovery_point_additional_info
            .as_deref()
            .and_then(|info| info.split("; ").next())
            .is_some_and(|mark| mark.eq_ignore_ascii_case(BEFORE_REPLACING))
    }
}

/// A recovery point of a protected item.
pub type RecoveryPoint = Resource<RecoveryPointDetail>;

tagged! {
    /// What a recovery point is of.
    pub enum RecoveryPointDetail by "objectType" {
        /// A virtual machine.
        VirtualMachine(VmRecoveryPoint) = "IaasVMRecoveryPoint",
    }
}

wire! {
    /// A recovery point of a virtual machine.
    pub struct VmRecoveryPoint {
        /// What it is good for.
        recovery_point_type: Consistency,
        /// The moment that comes back.
        recovery_point_time: WireTime,
        /// More, for people.
        recovery_point_additional_info: String,
        /// `NormalStorage`, `PremiumStorage`, …
        #[serde(rename = "sourceVMStorageType")] source_vm_storage_type: String,
        /// Whether the disks were encrypted inside the VM.
        #[serde(rename = "isSourceVMEncrypted")] is_source_vm_encrypted: bool,
        /// The keys of that.
        key_and_secret: Value,
        /// Whether files are being read out of it.
        is_instant_ilr_session_active: bool,
        /// Where it is.
        recovery_point_tier_details: Vec<TierDetail>,
        /// Whether the disks were managed ones.
        is_managed_virtual_machine: bool,
        /// The VM's size.
        virtual_machine_size: String,
        /// Whether it can go back to the storage account it came from.
        original_storage_account_option: bool,
        /// `Windows` or `Linux`.
        os_type: String,
        /// Which disks it holds.
        recovery_point_disk_configuration: DiskConfiguration,
        /// The VM's zones.
        zones: Vec<String>,
        /// Whether it may move to the archive.
        recovery_point_move_readiness_info: BTreeMap<String, MoveReadiness>,
        /// `TrustedLaunch` and the like.
        security_type: String,
        /// How long it is kept, and why.
        recovery_point_properties: RecoveryPointProperties,
        /// Whether a disk can be reached over a private endpoint only.
        is_private_access_enabled_on_any_disk: bool,
        /// An edge location.
        extended_location: Value,
    }

    /// Where a recovery point is.
    pub struct TierDetail {
        /// The place.
        #[serde(rename = "type")] tier: Tier,
        /// Whether it can be used from there.
        status: TierStatus,
        /// More, for Azure.
        extended_info: BTreeMap<String, String>,
    }

    /// Which disks a recovery point holds.
    pub struct DiskConfiguration {
        /// How many it holds.
        number_of_disks_included_in_backup: i32,
        /// How many the VM had.
        number_of_disks_attached_to_vm: i32,
        /// Those it holds.
        included_disk_list: Vec<DiskInformation>,
        /// Those it does not.
        excluded_disk_list: Vec<DiskInformation>,
    }

    /// A disk.
    pub struct DiskInformation {
        /// Its LUN; -1 for the OS disk.
        lun: i32,
        /// Its name.
        name: String,
    }

    /// Whether a recovery point may move to the archive.
    pub struct MoveReadiness {
        /// Whether it may.
        is_ready_for_move: bool,
        /// Why not.
        additional_info: String,
    }

    /// How long a recovery point is kept, and why.
    pub struct RecoveryPointProperties {
        /// Until when.
        expiry_time: String,
        /// By which rule.
        rule_name: String,
        /// Whether it is soft-deleted itself.
        is_soft_deleted: bool,
    }
}
