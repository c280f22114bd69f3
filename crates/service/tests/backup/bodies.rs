//! The bodies of requests, as clients write them.

use serde_json::{Value, json};

use super::world::{SUBSCRIPTION, VAULT, WEB_1};

pub(super) fn protection(vm: &str, policy: &str) -> Value {
    json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": vm,
        "policyId": format!("{VAULT}/backupPolicies/{policy}"),
    }})
}

pub(super) fn backup_request() -> Value {
    json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2026-06-12T00:00:00.000Z"}})
}

pub(super) fn restore_request(group: &str) -> Value {
    json!({"properties": {
        "objectType": "IaasVMRestoreRequest",
        "recoveryType": "RestoreDisks",
        "sourceResourceId": WEB_1,
        "storageAccountId": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.Storage/storageAccounts/staging"),
        "targetResourceGroupId": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"),
        "region": "westeurope",
    }})
}
