//! The published examples of Backup vaults and their policies.

use super::{BACKUP_VAULT, BACKUP_VAULTS, KNOWN, NONE, RULES, RULES_PAGE, Served};

pub(super) const BACKUP_VAULT_EXAMPLES: &[Served] = &[
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

pub(super) const BACKUP_VAULT_EXAMPLES_NOT_SERVED: &[&str] =
    &["CheckBackupVaultsNameAvailability.json"];

pub(super) const RULES_EXAMPLES: &[Served] = &[
    (
        RULES,
        RULES,
        KNOWN,
        &["CreateOrUpdateBackupPolicy.json", "GetBackupPolicy.json"],
    ),
    (NONE, RULES_PAGE, KNOWN, &["ListBackupPolicy.json"]),
    (NONE, NONE, KNOWN, &["DeleteBackupPolicy.json"]),
];
