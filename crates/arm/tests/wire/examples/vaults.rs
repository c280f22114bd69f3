//! The published examples of Recovery Services vaults.

use super::{EXTENDED, KNOWN, NONE, OPERATION, Served, USAGES, VAULT, VAULTS};

pub(super) const VAULT_EXAMPLES: &[Served] = &[
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

pub(super) const VAULT_EXAMPLES_NOT_SERVED: &[&str] = &[
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
