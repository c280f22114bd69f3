//! Every field that the specification publishes has a field of its own here: what is misspelt would only be kept as
//! unknown, and no example would tell.

use kluis_arm::backup::VmBackupRequest;
use kluis_arm::container::VmContainer;
use kluis_arm::dataprotection as of_rules;
use kluis_arm::item::{
    DiskExclusion, ExtendedProperties, HealthDetail, ItemExtendedInfo, KpiHealth, VmItem,
};
use kluis_arm::job::{JobError, JobTask, VmJob, VmJobExtendedInfo};
use kluis_arm::operation::{JobOutcome, JobsOutcome, OperationStatus};
use kluis_arm::policy::{
    AzureSqlPolicy, DailyRetention, DailySchedule, Day, DaysOfMonth, FileSharePolicy, FilesPolicy,
    GenericPolicy, HourlySchedule, InstantRpDetails, LogSchedule, LongTermRetention,
    ManagedIdentity, ManagedIdentityIds, MonthlyRetention, RetentionDuration, Settings,
    SimpleRetention, SimpleSchedule, SimpleScheduleV2, SnapshotDetails, SubPolicy, Tiering,
    VaultRetention, VmPolicy, WeeklyRetention, WeeklySchedule, WeeksOfMonth, WorkloadPolicy,
    YearlyRetention,
};
use kluis_arm::protectable::ProtectableVm;
use kluis_arm::recovery_point::{
    DiskConfiguration, DiskInformation, MoveReadiness, RecoveryPointProperties, TierDetail,
    VmRecoveryPoint,
};
use kluis_arm::restore::{
    EncryptionDetails, IdentityBasedRestoreDetails, IdentityInfo, TargetDiskNetworkAccess,
    VmRestoreRequest,
};
use kluis_arm::usage::{Usage, UsageName};
use kluis_arm::{config, vault};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::published::{folder, read};

type Knows = fn(&str) -> bool;

/// A field that a type knows is dropped when it is null; one it does not know is kept.
fn knows<T: DeserializeOwned + Serialize>(field: &str) -> bool {
    let value: T = serde_json::from_value(json!({ field: null })).unwrap();
    serde_json::to_value(value).unwrap() == json!({})
}

const OF_VAULTS: &[(&str, Knows)] = &[
    ("Vault", knows::<vault::Vault>),
    ("PatchVault", knows::<vault::Vault>),
    ("Sku", knows::<vault::Sku>),
    ("VaultProperties", knows::<vault::VaultProperties>),
    ("SecuritySettings", knows::<vault::SecuritySettings>),
    ("ImmutabilitySettings", knows::<vault::ImmutabilitySettings>),
    ("SoftDeleteSettings", knows::<vault::SoftDeleteSettings>),
    ("MonitoringSettings", knows::<vault::MonitoringSettings>),
    (
        "AzureMonitorAlertSettings",
        knows::<vault::AzureMonitorAlertSettings>,
    ),
    ("ClassicAlertSettings", knows::<vault::ClassicAlertSettings>),
    ("RestoreSettings", knows::<vault::RestoreSettings>),
    (
        "CrossSubscriptionRestoreSettings",
        knows::<vault::CrossSubscriptionRestoreSettings>,
    ),
    ("UpgradeDetails", knows::<vault::UpgradeDetails>),
    ("OperationResource", knows::<OperationStatus>),
    ("VaultExtendedInfo", knows::<config::VaultExtendedInfo>),
];

const OF_BACKUPS: &[(&str, Knows)] = &[
    ("AzureIaaSComputeVMContainer", knows::<VmContainer>),
    ("AzureIaaSComputeVMProtectableItem", knows::<ProtectableVm>),
    ("AzureIaaSComputeVMProtectedItem", knows::<VmItem>),
    ("AzureIaaSVMErrorInfo", knows::<JobError>),
    ("AzureIaaSVMHealthDetails", knows::<HealthDetail>),
    ("AzureIaaSVMJob", knows::<VmJob>),
    ("AzureIaaSVMJobExtendedInfo", knows::<VmJobExtendedInfo>),
    ("AzureIaaSVMJobTaskDetails", knows::<JobTask>),
    (
        "AzureIaaSVMProtectedItemExtendedInfo",
        knows::<ItemExtendedInfo>,
    ),
    ("AzureIaaSVMProtectionPolicy", knows::<VmPolicy>),
    ("AzureFileShareProtectionPolicy", knows::<FileSharePolicy>),
    ("AzureSqlProtectionPolicy", knows::<AzureSqlPolicy>),
    ("AzureVmWorkloadProtectionPolicy", knows::<WorkloadPolicy>),
    ("GenericProtectionPolicy", knows::<GenericPolicy>),
    ("MabProtectionPolicy", knows::<FilesPolicy>),
    ("Settings", knows::<Settings>),
    ("SnapshotBackupAdditionalDetails", knows::<SnapshotDetails>),
    ("SubProtectionPolicy", knows::<SubPolicy>),
    (
        "UserAssignedIdentityProperties",
        knows::<ManagedIdentityIds>,
    ),
    (
        "UserAssignedManagedIdentityDetails",
        knows::<ManagedIdentity>,
    ),
    ("VaultRetentionPolicy", knows::<VaultRetention>),
    ("BackupManagementUsage", knows::<Usage>),
    ("BackupResourceConfig", knows::<config::StorageConfig>),
    (
        "BackupResourceEncryptionConfigExtended",
        knows::<config::EncryptionConfig>,
    ),
    ("BackupResourceVaultConfig", knows::<config::VaultConfig>),
    ("DailyRetentionFormat", knows::<DaysOfMonth>),
    ("DailyRetentionSchedule", knows::<DailyRetention>),
    ("DailySchedule", knows::<DailySchedule>),
    ("Day", knows::<Day>),
    ("DiskExclusionProperties", knows::<DiskExclusion>),
    ("DiskInformation", knows::<DiskInformation>),
    ("EncryptionDetails", knows::<EncryptionDetails>),
    ("ExtendedProperties", knows::<ExtendedProperties>),
    ("HourlySchedule", knows::<HourlySchedule>),
    ("IaasVMBackupRequest", knows::<VmBackupRequest>),
    ("IaasVMRecoveryPoint", knows::<VmRecoveryPoint>),
    ("IaasVMRestoreRequest", knows::<VmRestoreRequest>),
    (
        "IdentityBasedRestoreDetails",
        knows::<IdentityBasedRestoreDetails>,
    ),
    ("IdentityInfo", knows::<IdentityInfo>),
    ("InstantRPAdditionalDetails", knows::<InstantRpDetails>),
    ("KPIResourceHealthDetails", knows::<KpiHealth>),
    ("LogSchedulePolicy", knows::<LogSchedule>),
    ("LongTermRetentionPolicy", knows::<LongTermRetention>),
    ("MonthlyRetentionSchedule", knows::<MonthlyRetention>),
    ("NameInfo", knows::<UsageName>),
    ("OperationStatus", knows::<OperationStatus>),
    ("OperationStatusJobExtendedInfo", knows::<JobOutcome>),
    ("OperationStatusJobsExtendedInfo", knows::<JobsOutcome>),
    ("RecoveryPointDiskConfiguration", knows::<DiskConfiguration>),
    ("RecoveryPointMoveReadinessInfo", knows::<MoveReadiness>),
    ("RecoveryPointProperties", knows::<RecoveryPointProperties>),
    ("RecoveryPointTierInformationV2", knows::<TierDetail>),
    (
        "ResourceGuardOperationDetail",
        knows::<config::ResourceGuardOperation>,
    ),
    (
        "ResourceGuardProxyBase",
        knows::<config::ResourceGuardProxy>,
    ),
    ("RetentionDuration", knows::<RetentionDuration>),
    ("SimpleRetentionPolicy", knows::<SimpleRetention>),
    ("SimpleSchedulePolicy", knows::<SimpleSchedule>),
    ("SimpleSchedulePolicyV2", knows::<SimpleScheduleV2>),
    (
        "TargetDiskNetworkAccessSettings",
        knows::<TargetDiskNetworkAccess>,
    ),
    ("TieringPolicy", knows::<Tiering>),
    ("WeeklyRetentionFormat", knows::<WeeksOfMonth>),
    ("WeeklyRetentionSchedule", knows::<WeeklyRetention>),
    ("WeeklySchedule", knows::<WeeklySchedule>),
    ("YearlyRetentionSchedule", knows::<YearlyRetention>),
];

const OF_BACKUP_VAULTS: &[(&str, Knows)] = &[
    ("AbsoluteDeleteOption", knows::<of_rules::DeleteAfter>),
    (
        "AdhocBasedTaggingCriteria",
        knows::<of_rules::OnDemandTagging>,
    ),
    (
        "AdhocBasedTriggerContext",
        knows::<of_rules::OnDemandTrigger>,
    ),
    ("AzureBackupParams", knows::<of_rules::BackupParams>),
    ("AzureBackupRule", knows::<of_rules::BackupRule>),
    ("AzureRetentionRule", knows::<of_rules::RetentionRule>),
    ("BackupPolicy", knows::<of_rules::PolicyRules>),
    ("BackupSchedule", knows::<of_rules::RepeatingSchedule>),
    ("BackupVault", knows::<of_rules::vault::BackupVault>),
    ("BackupVaultResource", knows::<of_rules::vault::Vault>),
    (
        "CrossRegionRestoreSettings",
        knows::<of_rules::vault::RestoreSwitch>,
    ),
    ("CustomCopyOption", knows::<of_rules::CopyAfter>),
    ("DataStoreInfoBase", knows::<of_rules::DataStore>),
    ("Day", knows::<Day>),
    ("FeatureSettings", knows::<of_rules::vault::FeatureSettings>),
    ("RetentionTag", knows::<of_rules::Tag>),
    (
        "ScheduleBasedBackupCriteria",
        knows::<of_rules::ScheduledCriteria>,
    ),
    (
        "ScheduleBasedTriggerContext",
        knows::<of_rules::ScheduledTrigger>,
    ),
    (
        "SecuritySettings",
        knows::<of_rules::vault::SecuritySettings>,
    ),
    (
        "SoftDeleteSettings",
        knows::<of_rules::vault::SoftDeleteSettings>,
    ),
    ("SourceLifeCycle", knows::<of_rules::Lifecycle>),
    ("StorageSetting", knows::<of_rules::vault::StorageSetting>),
    ("TaggingCriteria", knows::<of_rules::Tagging>),
    ("TargetCopySetting", knows::<of_rules::CopySetting>),
];

#[test]
fn every_published_field_of_vaults_is_known() {
    let part = "recoveryservices/resource-manager/Microsoft.RecoveryServices";
    check(part, "vaults.json", OF_VAULTS);
}

#[test]
fn every_published_field_of_backups_is_known() {
    let part = "recoveryservicesbackup/resource-manager/Microsoft.RecoveryServices";
    check(part, "bms.json", OF_BACKUPS);
}

#[test]
fn every_published_field_of_backup_vaults_and_their_policies_is_known() {
    let part = "dataprotection/resource-manager/Microsoft.DataProtection";
    check(part, "dataprotection.json", OF_BACKUP_VAULTS);
}

fn check(part: &str, file: &str, table: &[(&str, Knows)]) {
    let Some(folder) = folder() else { return };
    let folder = folder.join("specs/specification").join(part);
    let published = read(&folder.join("stable/2024-04-01").join(file));
    let definitions = &published["definitions"];
    let mut unknown = Vec::new();
    for (definition, knows) in table {
        let fields = fields(definitions, definition);
        assert!(!fields.is_empty(), "{definition} publishes no field");
        unknown.extend(
            fields
                .iter()
                .filter(|field| !knows(field))
                .map(|field| format!("{definition}.{field}")),
        );
    }
    assert!(unknown.is_empty(), "not known: {unknown:?}");
}

/// The fields of a definition and of all it is made of, without those that tell kinds apart.
fn fields(definitions: &Value, name: &str) -> Vec<String> {
    let definition = &definitions[name];
    assert!(definition.is_object(), "{name} is not published");
    let own = definition["properties"]
        .as_object()
        .into_iter()
        .flat_map(|properties| properties.keys());
    let apart = definition["discriminator"].as_str();
    let mut found: Vec<String> = own
        .filter(|field| Some(field.as_str()) != apart)
        .cloned()
        .collect();
    for base in definition["allOf"].as_array().into_iter().flatten() {
        let base = base["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        found.extend(fields(definitions, base));
    }
    found
}
