//! The request for a backup now.

use crate::resource::Resource;
use crate::time::WireTime;

/// The body of `POST …/backup`.
pub type TriggerBackup = Resource<BackupRequest>;

tagged! {
    /// Of what.
    pub enum BackupRequest by "objectType" {
        /// A virtual machine.
        VirtualMachine(VmBackupRequest) = "IaasVMBackupRequest",
    }
}

wire! {
    /// A backup of a virtual machine.
    pub struct VmBackupRequest {
        /// How long its point is kept; without it, 30 days.
        #[serde(rename = "recoveryPointExpiryTimeInUTC")] recovery_point_expiry_time_in_utc: WireTime,
    }
}

impl VmBackupRequest {
    /// A backup whose point is kept until then.
    #[must_use]
    pub fn keep_until(expiry: Option<jiff::Timestamp>) -> Self {
        Self {
            recovery_point_expiry_time_in_utc: expiry.map(WireTime::from),
            ..Self::default()
        }
    }
}
