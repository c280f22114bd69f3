//! Which types may have kept something as it came because they do not know its kind.

use kluis_arm::backup::{BackupRequest, TriggerBackup};
use kluis_arm::config::{
    EncryptionConfigResource, ResourceGuardProxyResource, StorageConfigResource,
    VaultConfigResource, VaultExtendedInfoResource,
};
use kluis_arm::container::{Container, ProtectionContainer};
use kluis_arm::dataprotection::{self, BackupPolicy, PolicyRule, Trigger};
use kluis_arm::error::ErrorBody;
use kluis_arm::item::{Item, ProtectedItem};
use kluis_arm::job::{Job, JobDetail};
use kluis_arm::operation::{OperationOutcome, OperationStatus};
use kluis_arm::policy::{
    Policy, ProtectionPolicy, RetentionPolicy, SchedulePolicy, SubPolicy, SubPolicyType,
};
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
        let known = |schedule: Option<&SchedulePolicy>, retention: Option<&RetentionPolicy>| {
            !matches!(schedule, Some(SchedulePolicy::Other(_)))
                && !matches!(retention, Some(RetentionPolicy::Other(_)))
        };
        let subs = |subs: &Option<Vec<SubPolicy>>| {
            subs.iter().flatten().all(|sub| {
                known(sub.schedule_policy.as_ref(), sub.retention_policy.as_ref())
                    && !matches!(sub.policy_type, Some(SubPolicyType::Other(_)) | None)
            })
        };
        match &self.properties {
            ProtectionPolicy::VirtualMachine(policy) => known(
                policy.schedule_policy.as_ref(),
                policy.retention_policy.as_ref(),
            ),
            ProtectionPolicy::FileShare(policy) => {
                let vaulted = policy.vault_retention_policy.as_ref();
                let vaulted = vaulted.and_then(|vaulted| vaulted.vault_retention.as_ref());
                known(
                    policy.schedule_policy.as_ref(),
                    policy.retention_policy.as_ref().or(vaulted),
                )
            }
            ProtectionPolicy::Files(policy) => known(
                policy.schedule_policy.as_ref(),
                policy.retention_policy.as_ref(),
            ),
            ProtectionPolicy::Workload(policy) => subs(&policy.sub_protection_policy),
            ProtectionPolicy::Generic(policy) => subs(&policy.sub_protection_policy),
            ProtectionPolicy::AzureSql(policy) => known(None, policy.retention_policy.as_ref()),
            ProtectionPolicy::Other(_) => false,
        }
    }
}

impl Known for dataprotection::Policy {
    fn is_known(&self) -> bool {
        let BackupPolicy::Rules(rules) = &self.properties else {
            return false;
        };
        rules.policy_rules.iter().flatten().all(|rule| match rule {
            PolicyRule::Retention(_) => true,
            PolicyRule::Backup(rule) => !matches!(rule.trigger, Some(Trigger::Other(_)) | None),
            PolicyRule::Other(_) => false,
        })
    }
}

impl Known for dataprotection::vault::Vault {}

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
