//! Which types may have kept something as it came because they do not know its kind.

use kluis_arm::backup::{BackupRequest, TriggerBackup};
use kluis_arm::config::{
    EncryptionConfigResource, ResourceGuardProxyResource, StorageConfigResource,
    VaultConfigResource, VaultExtendedInfoResource,
};
use kluis_arm::container::{Container, ProtectionContainer};
use kluis_arm::error::ErrorBody;
use kluis_arm::item::{Item, ProtectedItem};
use kluis_arm::job::{Job, JobDetail};
use kluis_arm::operation::{OperationOutcome, OperationStatus};
use kluis_arm::policy::{Policy, ProtectionPolicy, RetentionPolicy, SchedulePolicy};
use kluis_arm::protectable::{Protectable, ProtectableItem};
use kluis_arm::recovery_point::{RecoveryPoint, RecoveryPointDetail};
use kluis_arm::resource::Page;
use kluis_arm::restore::{RestoreRequest, TriggerRestore};
use kluis_arm::usage::Usage;
use kluis_arm::vault::Vault;

/// A type that may have kept something as it came because it does not know its kind.
pub(crate) trait Known {
    fn is_known(&self) -> bool {
        true
    }
}

impl Known for ErrorBody {}
impl Known for Vault {}
impl Known for Usage {}
impl Known for StorageConfigResource {}
impl Known for VaultConfigResource {}
impl Known for EncryptionConfigResource {}
impl Known for ResourceGuardProxyResource {}
impl Known for VaultExtendedInfoResource {}

impl Known for Policy {
    fn is_known(&self) -> bool {
        match &self.properties {
            ProtectionPolicy::VirtualMachine(policy) => {
                !matches!(policy.schedule_policy, Some(SchedulePolicy::Other(_)))
                    && !matches!(policy.retention_policy, Some(RetentionPolicy::Other(_)))
            }
            ProtectionPolicy::Workload(_) => true,
            ProtectionPolicy::Other(_) => false,
        }
    }
}

impl Known for Item {
    fn is_known(&self) -> bool {
        matches!(self.properties, ProtectedItem::VirtualMachine(_))
    }
}

impl Known for Container {
    fn is_known(&self) -> bool {
        !matches!(self.properties, ProtectionContainer::Other(_))
    }
}

impl Known for Protectable {
    fn is_known(&self) -> bool {
        matches!(self.properties, ProtectableItem::VirtualMachine(_))
    }
}

impl Known for Job {
    fn is_known(&self) -> bool {
        matches!(self.properties, JobDetail::VirtualMachine(_))
    }
}

impl Known for RecoveryPoint {
    fn is_known(&self) -> bool {
        matches!(self.properties, RecoveryPointDetail::VirtualMachine(_))
    }
}

impl Known for TriggerBackup {
    fn is_known(&self) -> bool {
        matches!(self.properties, BackupRequest::VirtualMachine(_))
    }
}

impl Known for TriggerRestore {
    fn is_known(&self) -> bool {
        !matches!(self.properties, RestoreRequest::Other(_))
    }
}

impl Known for OperationStatus {
    fn is_known(&self) -> bool {
        !matches!(self.properties, Some(OperationOutcome::Other(_)))
    }
}

impl<T: Known> Known for Page<T> {
    fn is_known(&self) -> bool {
        self.value.iter().all(Known::is_known)
    }
}
