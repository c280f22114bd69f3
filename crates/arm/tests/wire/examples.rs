//! Every published example of an operation that is served reads and writes back the same. A file that is in neither
//! table fails the test until it is placed in one.

use kluis_arm::backup::TriggerBackup;
use kluis_arm::config::{
    EncryptionConfigResource, ResourceGuardProxyResource, StorageConfigResource,
    VaultConfigResource, VaultExtendedInfoResource,
};
use kluis_arm::container::Container;
use kluis_arm::dataprotection;
use kluis_arm::item::Item;
use kluis_arm::job::Job;
use kluis_arm::operation::OperationStatus;
use kluis_arm::policy::Policy;
use kluis_arm::protectable::Protectable;
use kluis_arm::recovery_point::RecoveryPoint;
use kluis_arm::resource::Page;
use kluis_arm::restore::TriggerRestore;
use kluis_arm::usage::Usage;
use kluis_arm::vault::Vault;
use serde_json::Value;

use crate::published::{Shape, files, folder, read, shape, without_nulls};

/// No body.
const NONE: Option<Shape> = None;
const VAULT: Option<Shape> = Some(shape::<Vault>);
const VAULTS: Option<Shape> = Some(shape::<Page<Vault>>);
const USAGES: Option<Shape> = Some(shape::<Page<Usage>>);
const OPERATION: Option<Shape> = Some(shape::<OperationStatus>);
const EXTENDED: Option<Shape> = Some(shape::<VaultExtendedInfoResource>);
const POLICY: Option<Shape> = Some(shape::<Policy>);
const POLICIES: Option<Shape> = Some(shape::<Page<Policy>>);
const RULES: Option<Shape> = Some(shape::<dataprotection::Policy>);
const RULES_PAGE: Option<Shape> = Some(shape::<Page<dataprotection::Policy>>);
const BACKUP_VAULT: Option<Shape> = Some(shape::<dataprotection::vault::Vault>);
const BACKUP_VAULTS: Option<Shape> = Some(shape::<Page<dataprotection::vault::Vault>>);
const ITEM: Option<Shape> = Some(shape::<Item>);
const ITEMS: Option<Shape> = Some(shape::<Page<Item>>);
const CONTAINER: Option<Shape> = Some(shape::<Container>);
const CONTAINERS: Option<Shape> = Some(shape::<Page<Container>>);
const PROTECTABLES: Option<Shape> = Some(shape::<Page<Protectable>>);
const POINT: Option<Shape> = Some(shape::<RecoveryPoint>);
const POINTS: Option<Shape> = Some(shape::<Page<RecoveryPoint>>);
const BACKUP: Option<Shape> = Some(shape::<TriggerBackup>);
const RESTORE: Option<Shape> = Some(shape::<TriggerRestore>);
const JOB: Option<Shape> = Some(shape::<Job>);
const JOBS: Option<Shape> = Some(shape::<Page<Job>>);
const STORAGE_CONFIG: Option<Shape> = Some(shape::<StorageConfigResource>);
const VAULT_CONFIG: Option<Shape> = Some(shape::<VaultConfigResource>);
const ENCRYPTION: Option<Shape> = Some(shape::<EncryptionConfigResource>);
const GUARD: Option<Shape> = Some(shape::<ResourceGuardProxyResource>);
const GUARDS: Option<Shape> = Some(shape::<Page<ResourceGuardProxyResource>>);

/// Of examples of other workloads and of classic VMs: what is not known is kept, and nothing more is asked.
const KEPT: bool = false;
/// Of virtual machines' examples: every kind of thing in it is known.
const KNOWN: bool = true;

/// The request and the answer of some files, and whether the kinds in them have to be known.
type Served = (Option<Shape>, Option<Shape>, bool, &'static [&'static str]);

const VAULT_EXAMPLES: &[Served] = &[
    (NONE, NONE, KNOWN, &["DeleteVault.json"]),
    (
        NONE,
        VAULT,
        KNOWN,
        &["GETVault.json", "GetOperationResult.json"],
    ),
    (NONE, EXTENDED, KNOWN, &["GETVaultExtendedInfo.json"]),
    (NONE, OPERATION, KNOWN, &["GetOperationStatus.json"]),
    (
        NONE,
        VAULTS,
        KNOWN,
        &["ListBySubscriptionIds.json", "ListResources.json"],
    ),
    (NONE, USAGES, KNOWN, &["ListUsages.json"]),
    (
        VAULT,
        VAULT,
        KNOWN,
        &[
            "PATCHVault.json",
            "PATCHVault_WithCMK.json",
            "PATCHVault_WithCMK3.json",
            "PATCHVault_WithMonitoringSettings.json",
            "PATCHVault_WithRedundancySettings.json",
            "PATCHVault_WithUserAssignedIdentity.json",
            "PUTVault.json",
            "PUTVault_ResourceGuardEnabled.json",
            "PUTVault_WithCMK.json",
            "PUTVault_WithMonitoringSettings.json",
            "PUTVault_WithRedundancySettings.json",
            "PUTVault_WithUserAssignedIdentity.json",
            "PatchVault_WithCMK2.json",
        ],
    ),
    (EXTENDED, EXTENDED, KNOWN, &["UpdateVaultExtendedInfo.json"]),
];

const VAULT_EXAMPLES_NOT_SERVED: &[&str] = &[
    "Capabilities.json",
    "CheckNameAvailability_Available.json",
    "CheckNameAvailability_NotAvailable.json",
    "DeleteRegisteredIdentities.json",
    "GetPrivateLinkResources.json",
    "ListOperations.json",
    "ListPrivateLinkResources.json",
    "ListReplicationUsages.json",
    "PUTVaultCred.json",
];

const BACKUP_EXAMPLES: &[Served] = &[
    (
        NONE,
        POLICIES,
        KNOWN,
        &[
            "AzureIaasVm/BackupPolicies_List.json",
            "AzureIaasVm/V2Policy/v2-List-Policies.json",
            "AzureWorkload/BackupPolicies_List.json",
        ],
    ),
    (
        NONE,
        PROTECTABLES,
        KEPT,
        &["AzureIaasVm/BackupProtectableItems_List.json"],
    ),
    (
        NONE,
        ITEMS,
        KEPT,
        &["AzureIaasVm/BackupProtectedItems_List.json"],
    ),
    (
        NONE,
        ITEM,
        KEPT,
        &["AzureIaasVm/ClassicCompute_ProtectedItem_Get.json"],
    ),
    (
        NONE,
        ITEM,
        KNOWN,
        &[
            "AzureIaasVm/Compute_ProtectedItem_Get.json",
            "AzureIaasVm/ProtectedItemOperationResults.json",
        ],
    ),
    (
        ITEM,
        ITEM,
        KNOWN,
        &[
            "AzureIaasVm/ConfigureProtection.json",
            "AzureIaasVm/StopProtection.json",
        ],
    ),
    (
        NONE,
        OPERATION,
        KNOWN,
        &[
            "AzureIaasVm/ProtectedItemOperationStatus.json",
            "AzureIaasVm/ProtectionPolicyOperationStatuses_Get.json",
            "Common/ProtectedItem_Delete_OperationStatus.json",
        ],
    ),
    (
        POLICY,
        POLICY,
        KNOWN,
        &[
            "AzureIaasVm/ProtectionPolicies_CreateOrUpdate_Complex.json",
            "AzureIaasVm/ProtectionPolicies_CreateOrUpdate_Simple.json",
            "AzureIaasVm/V2Policy/IaaS_v2_daily.json",
            "AzureIaasVm/V2Policy/IaaS_v2_hourly.json",
            "AzureWorkload/ProtectionPolicies_CreateOrUpdate_Complex.json",
        ],
    ),
    (
        NONE,
        NONE,
        KNOWN,
        &[
            "AzureIaasVm/ProtectionPolicies_Delete.json",
            "AzureWorkload/ProtectionContainers_Unregister.json",
            "Common/CancelJobOperationResult.json",
            "Common/ProtectedItem_Delete.json",
            "Common/ProtectedItem_Delete_OperationResult.json",
            "Common/RefreshContainers.json",
            "Common/RefreshContainers_OperationResults.json",
            "Common/TriggerCancelJob.json",
        ],
    ),
    (
        NONE,
        POLICY,
        KNOWN,
        &[
            "AzureIaasVm/ProtectionPolicies_Get.json",
            "AzureIaasVm/ProtectionPolicyOperationResults_Get.json",
            "AzureIaasVm/V2Policy/v2-Get-Policy.json",
        ],
    ),
    (NONE, POINT, KNOWN, &["AzureIaasVm/RecoveryPoints_Get.json"]),
    (
        NONE,
        POINTS,
        KNOWN,
        &["AzureIaasVm/RecoveryPoints_List.json"],
    ),
    (
        RESTORE,
        NONE,
        KNOWN,
        &[
            "AzureIaasVm/TriggerRestore_ALR_IaasVMRestoreRequest.json",
            "AzureIaasVm/TriggerRestore_ALR_IaasVMRestoreRequest_IdentityBasedRestoreDetails.json",
            "AzureIaasVm/TriggerRestore_ALR_IaasVMRestoreWithRehydrationRequest.json",
            "AzureIaasVm/TriggerRestore_ResourceGuardEnabled.json",
            "AzureIaasVm/TriggerRestore_RestoreDisks_IaasVMRestoreRequest.json",
            "AzureIaasVm/TriggerRestore_RestoreDisks_IaasVMRestoreRequest_IdentityBasedRestoreDetails.json",
            "AzureIaasVm/TriggerRestore_RestoreDisks_IaasVMRestoreWithRehydrationRequest.json",
        ],
    ),
    (
        NONE,
        CONTAINER,
        KEPT,
        &[
            "AzureStorage/ProtectionContainers_Inquire_Result.json",
            "AzureWorkload/ProtectionContainers_Get.json",
        ],
    ),
    (
        NONE,
        CONTAINERS,
        KEPT,
        &[
            "AzureStorage/ProtectionContainers_List.json",
            "AzureStorage/SoftDeletedContainers_List.json",
        ],
    ),
    (
        CONTAINER,
        CONTAINER,
        KEPT,
        &["AzureStorage/ProtectionContainers_Register.json"],
    ),
    (
        POLICY,
        POLICY,
        KNOWN,
        &[
            "AzureStorage/ProtectionPolicies_CreateOrUpdate_Daily.json",
            "AzureStorage/ProtectionPolicies_CreateOrUpdate_Hardened.json",
            "AzureStorage/ProtectionPolicies_CreateOrUpdate_Hourly.json",
        ],
    ),
    (
        NONE,
        ENCRYPTION,
        KNOWN,
        &["BackupResourceEncryptionConfig_Get.json"],
    ),
    (
        ENCRYPTION,
        NONE,
        KNOWN,
        &["BackupResourceEncryptionConfig_Put.json"],
    ),
    (
        NONE,
        USAGES,
        KNOWN,
        &[
            "Common/BackupProtectedItem_UsageSummary_Get.json",
            "Common/BackupProtectionContainers_UsageSummary_Get.json",
        ],
    ),
    (
        NONE,
        VAULT_CONFIG,
        KNOWN,
        &["Common/BackupResourceVaultConfigs_Get.json"],
    ),
    (
        VAULT_CONFIG,
        VAULT_CONFIG,
        KNOWN,
        &[
            "Common/BackupResourceVaultConfigs_Patch.json",
            "Common/BackupResourceVaultConfigs_Put.json",
        ],
    ),
    (
        NONE,
        STORAGE_CONFIG,
        KNOWN,
        &["Common/BackupStorageConfig_Get.json"],
    ),
    (
        STORAGE_CONFIG,
        NONE,
        KNOWN,
        &["Common/BackupStorageConfig_Patch.json"],
    ),
    (
        STORAGE_CONFIG,
        STORAGE_CONFIG,
        KNOWN,
        &["Common/BackupStorageConfig_Put.json"],
    ),
    (NONE, JOB, KNOWN, &["Common/GetJobDetails.json"]),
    (
        NONE,
        JOBS,
        KNOWN,
        &[
            "Common/ListJobs.json",
            "Common/ListJobsWithAllSupportedFilters.json",
            "Common/ListJobsWithStartTimeAndEndTimeFilters.json",
        ],
    ),
    (BACKUP, NONE, KNOWN, &["Common/TriggerBackup_Post.json"]),
    (
        NONE,
        GUARD,
        KNOWN,
        &["ResourceGuardProxyCRUD/GetResourceGuardProxy.json"],
    ),
    (
        NONE,
        GUARDS,
        KNOWN,
        &["ResourceGuardProxyCRUD/ListResourceGuardProxy.json"],
    ),
];

const BACKUP_VAULT_EXAMPLES: &[Served] = &[
    (NONE, NONE, KNOWN, &["DeleteBackupVault.json"]),
    (
        NONE,
        BACKUP_VAULT,
        KNOWN,
        &[
            "GetBackupVault.json",
            "GetBackupVaultWithCMK.json",
            "GetBackupVaultWithMSI.json",
            "GetOperationResultPatch.json",
        ],
    ),
    (
        NONE,
        BACKUP_VAULTS,
        KNOWN,
        &[
            "GetBackupVaultsInResourceGroup.json",
            "GetBackupVaultsInSubscription.json",
        ],
    ),
    (
        BACKUP_VAULT,
        BACKUP_VAULT,
        KNOWN,
        &[
            "PatchBackupVault.json",
            "PatchBackupVaultWithCMK.json",
            "PutBackupVault.json",
            "PutBackupVaultWithCMK.json",
            "PutBackupVaultWithMSI.json",
        ],
    ),
];

const BACKUP_VAULT_EXAMPLES_NOT_SERVED: &[&str] = &["CheckBackupVaultsNameAvailability.json"];

const RULES_EXAMPLES: &[Served] = &[
    (
        RULES,
        RULES,
        KNOWN,
        &["CreateOrUpdateBackupPolicy.json", "GetBackupPolicy.json"],
    ),
    (NONE, RULES_PAGE, KNOWN, &["ListBackupPolicy.json"]),
    (NONE, NONE, KNOWN, &["DeleteBackupPolicy.json"]),
];

const BACKUP_EXAMPLES_NOT_SERVED: &[&str] = &[
    "AzureIaasVm/BackupFeature_Validate.json",
    "AzureIaasVm/GetBackupStatus.json",
    "AzureIaasVm/ProtectionIntent_CreateOrUpdate.json",
    "AzureIaasVm/ProtectionIntent_Validate.json",
    "AzureIaasVm/Provision_Ilr.json",
    "AzureIaasVm/RecoveryPointsRecommendedForMove_List.json",
    "AzureIaasVm/Revoke_Ilr.json",
    "AzureIaasVm/TriggerValidateOperation_RestoreDisk.json",
    "AzureIaasVm/ValidateOperationResults.json",
    "AzureIaasVm/ValidateOperationStatus.json",
    "AzureIaasVm/ValidateOperation_RestoreDisk.json",
    "AzureIaasVm/ValidateOperation_RestoreDisk_IdentityBasedRestoreDetails.json",
    "AzureStorage/ProtectableContainers_List.json",
    "AzureStorage/ProtectionContainers_Inquire.json",
    "AzureWorkload/BackupProtectionIntent_Delete.json",
    "AzureWorkload/BackupProtectionIntent_Get.json",
    "AzureWorkload/BackupProtectionIntent_List.json",
    "AzureWorkload/BackupWorkloadItems_List.json",
    "BackupDataMove/BackupDataMoveOperationStatus_Get.json",
    "BackupDataMove/PrepareDataMoveOperationResult_Get.json",
    "BackupDataMove/PrepareDataMove_Post.json",
    "BackupDataMove/TriggerDataMove_Post.json",
    "Common/BackupSecurityPin_Get.json",
    "Common/ExportJobsOperationResult.json",
    "Common/TriggerExportJobs.json",
    "Dpm/BackupEngines_Get.json",
    "Dpm/BackupEngines_List.json",
    "ListOperations.json",
    "PrivateEndpointConnection/DeletePrivateEndpointConnection.json",
    "PrivateEndpointConnection/GetPrivateEndpointConnection.json",
    "PrivateEndpointConnection/GetPrivateEndpointConnectionOperationStatus.json",
    "PrivateEndpointConnection/PutPrivateEndpointConnection.json",
    "ResourceGuardProxyCRUD/DeleteResourceGuardProxy.json",
    "ResourceGuardProxyCRUD/PutResourceGuardProxy.json",
    "ResourceGuardProxyCRUD/UnlockDeleteResourceGuardProxy.json",
    "TieringCost/FetchTieringCostForPolicy.json",
    "TieringCost/FetchTieringCostForProtectedItem.json",
    "TieringCost/FetchTieringCostForRehydrate.json",
    "TieringCost/FetchTieringCostForVault.json",
    "TieringCost/GetTieringCostOperationResult.json",
    "TieringCost/GetTieringCostOperationStatus.json",
    "TriggerRecoveryPointMove_Post.json",
];

#[test]
fn vaults_examples_read_and_write_back_the_same() {
    check(
        "recoveryservices",
        VAULT_EXAMPLES,
        VAULT_EXAMPLES_NOT_SERVED,
    );
}

#[test]
fn backups_examples_read_and_write_back_the_same() {
    check(
        "recoveryservicesbackup",
        BACKUP_EXAMPLES,
        BACKUP_EXAMPLES_NOT_SERVED,
    );
}

#[test]
fn backup_vaults_examples_of_vaults_and_policies_read_and_write_back_the_same() {
    check_in(
        "dataprotection/resource-manager/Microsoft.DataProtection",
        "VaultCRUD",
        BACKUP_VAULT_EXAMPLES,
        BACKUP_VAULT_EXAMPLES_NOT_SERVED,
    );
    check_in(
        "dataprotection/resource-manager/Microsoft.DataProtection",
        "PolicyCRUD",
        RULES_EXAMPLES,
        &[],
    );
}

fn check(part: &str, served: &[Served], not_served: &[&str]) {
    let part = format!("{part}/resource-manager/Microsoft.RecoveryServices");
    check_in(&part, "", served, not_served);
}

fn check_in(part: &str, below: &str, served: &[Served], not_served: &[&str]) {
    let Some(folder) = folder() else { return };
    let folder = folder
        .join("specs/specification")
        .join(part)
        .join("stable/2024-04-01/examples")
        .join(below);
    let present = files(&folder, ".json");
    let files = served.iter().flat_map(|(request, answer, known, files)| {
        files
            .iter()
            .map(move |file| (*file, *request, *answer, *known))
    });
    let placed = files.clone().map(|(file, ..)| file);
    let mut placed: Vec<&str> = placed.chain(not_served.iter().copied()).collect();
    placed.sort_unstable();
    assert_eq!(
        present, placed,
        "every published example is placed in one table, and only those are"
    );

    let mut wrong = Vec::new();
    let mut bodies = 0;
    for (file, request, answer, must_be_known) in files {
        let example = read(&folder.join(file));
        let parameters = example["parameters"].as_object().unwrap().values();
        let requests = parameters
            .filter(|value| value.is_object())
            .map(|body| ("request", body, request));
        let answers = example["responses"].as_object().unwrap().values();
        let answers = answers.map(|response| ("answer", &response["body"], answer));
        for (side, body, shape) in requests
            .chain(answers)
            .filter(|(_, body, _)| !body.is_null())
        {
            bodies += 1;
            if let Err(reason) = same(body, shape, must_be_known) {
                wrong.push(format!("{file}, {side}: {reason}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        bodies >= placed.len() / 2,
        "only {bodies} bodies were found in {} examples",
        placed.len()
    );
}

/// Whether a body reads and writes back the same, all of its kinds known where they have to be.
pub(crate) fn same(body: &Value, shape: Option<Shape>, must_be_known: bool) -> Result<(), String> {
    let Some(shape) = shape else {
        return Err(format!(
            "a body, where the table says there is none: {body}"
        ));
    };
    let reread = shape(body)?;
    if without_nulls(&reread.body) != without_nulls(body) {
        return Err(format!(
            "changed\n  from {}\n  to   {}",
            without_nulls(body),
            without_nulls(&reread.body)
        ));
    }
    if must_be_known && !reread.known {
        return Err("a kind in it is not known".to_owned());
    }
    Ok(())
}
