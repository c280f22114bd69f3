//! What is below a resource group that is not there: ARM says of every request that the group is not, before it asks who would answer.

use serde_json::json;

use crate::world::{SUBSCRIPTION, VAULT, World, code};

#[test]
fn whatever_is_asked_below_a_group_that_is_not_there_is_answered_by_its_name() {
    let mut world = World::with_vaults();
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/nowhere-rg");
    let of = |provider: &str, rest: &str| format!("{group}/providers/Microsoft.{provider}/{rest}");
    let vault = of("RecoveryServices", "vaults/v1");
    let backup_vault = of("DataProtection", "backupVaults/v1");
    let item = format!(
        "{vault}/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1/protectedItems/VM;iaasvmcontainerv2;shop-rg;web-1"
    );
    let paths = [
        vault.clone(),
        format!("{vault}/backupPolicies/daily"),
        format!("{vault}/backupconfig/vaultconfig"),
        format!("{vault}/certificates/c"),
        format!("{item}/backup"),
        item,
        of("RecoveryServices", "vaults"),
        of(
            "RecoveryServices",
            "locations/westeurope/checkNameAvailability",
        ),
        backup_vault.clone(),
        format!("{backup_vault}/backupPolicies/p"),
        format!("{backup_vault}/backupInstances/i"),
        of("DataProtection", "backupVaults"),
        of("DataProtection", "resourceGuards/g"),
        of("Compute", "virtualMachines/web-1"),
        of("Compute", "disks/d"),
        of("Storage", "storageAccounts/s"),
    ];
    for path in paths {
        for method in ["GET", "PUT", "PATCH", "POST", "DELETE"] {
            let body = ["PUT", "PATCH", "POST"].contains(&method);
            let body = body.then(|| json!({ "location": "westeurope", "properties": {} }));
            let answer = world.call(method, &path, body);
            let told = (answer.status, code(&answer));
            assert_eq!(told, (404, "ResourceGroupNotFound"), "{method} {path}");
        }
    }
}

/// An inventory is edited: a vault outlives its group there, and can be read, changed and deleted.
#[test]
fn a_vault_whose_group_left_the_inventory_is_still_there() {
    let mut world = World::with_vaults();
    let backup_vault = VAULT.replace("RecoveryServices/vaults", "DataProtection/backupVaults");
    world.inventory.resource_groups.clear();
    for vault in [VAULT, &backup_vault] {
        assert_eq!(world.get(vault).status, 200, "{vault}");
        let policies = world.get(&format!("{vault}/backupPolicies"));
        assert_eq!(policies.status, 200, "{vault}");
        let deleted = world.call("DELETE", vault, None);
        assert_eq!(deleted.status, 202, "{vault}");
        let told = deleted.header("Azure-AsyncOperation").unwrap().to_owned();
        let ended = world.get(&told[told.find("/subscriptions").unwrap()..]);
        assert_eq!(ended.status, 200, "{vault}: {:?}", ended.body);
        assert_eq!(code(&world.get(vault)), "ResourceGroupNotFound", "{vault}");
    }
}
