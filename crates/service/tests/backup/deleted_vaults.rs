//! Vaults that were deleted and can be had back.

use http::Method;
use serde_json::{Value, json};

use super::world::{ITEM, SUBSCRIPTION, VAULT, WEB_1, World};

/// The first api-version that deletes softly is from the autumn of 2024; clients of today send this one.
const TODAY: &str = "api-version=2026-07-01";

fn deleted(region: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/{region}/deletedVaults"
    )
}

fn list(world: &mut World) -> Vec<Value> {
    let page = world.get(&deleted("West Europe"));
    page["value"].as_array().unwrap().clone()
}

/// A vault that holds nothing but the soft-deleted data of web-1.
fn with_deleted_data() -> World {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    world.accept(Method::DELETE, ITEM, None);
    world
}

fn delete(world: &mut World, query: &str) -> u16 {
    world
        .request(Method::DELETE, &format!("{VAULT}?{query}"), None)
        .status
}

fn undelete(world: &mut World, name: &str, group: &str) -> Value {
    let path = format!("{}/{name}/undelete", deleted("westeurope"));
    let body = json!({ "properties": { "recoveryResourceGroupId": group } });
    let answer = world.request(Method::POST, &path, Some(&body));
    if answer.status != 202 {
        return answer.body.unwrap()["error"].clone();
    }
    let url = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://localhost", "");
    assert!(url.contains("/deletedVaults/"), "{url}");
    let result = answer
        .header("Location")
        .unwrap()
        .replace("https://localhost", "");
    let ended = world.request(Method::GET, result.split('?').next().unwrap(), None);
    assert_eq!(ended.status, 204);
    world.get(url.split('?').next().unwrap())
}

#[test]
fn a_vault_is_deleted_with_its_soft_deleted_data_and_comes_back_with_them() {
    let mut world = with_deleted_data();
    let refused = world.refused(Method::DELETE, VAULT, None);
    assert!(
        refused.starts_with("400 ServiceResourceNotEmptyWithBackendMessage"),
        "an older client deletes for good, and only what is empty: {refused}"
    );
    let policies = world.get("backupPolicies");
    assert_eq!(delete(&mut world, TODAY), 202);
    assert_eq!(world.request(Method::GET, VAULT, None).status, 404);
    assert_eq!(world.get(&deleted("northeurope"))["value"], json!([]));
    let gone = list(&mut world);
    assert_eq!(gone.len(), 1);
    let name = gone[0]["name"].as_str().unwrap().to_owned();
    let said = &gone[0]["properties"];
    assert_eq!(said["vaultId"], VAULT);
    assert_eq!(said["vaultDeletionTime"], "2026-03-02T09:00:00Z");
    assert_eq!(said["purgeAt"], "2026-03-16T09:00:00Z");
    assert_eq!(
        world.get(&format!("{}/{name}", deleted("westeurope"))),
        gone[0]
    );

    // The name is free meanwhile, and the new vault has nothing of the old one.
    world.make_vault("shop-weu");
    assert_eq!(world.get("backupProtectedItems")["value"], json!([]));
    let taken = undelete(&mut world, &name, "shop-rg");
    assert_eq!(taken["code"], "ResourceAlreadyExists", "{taken}");
    assert_eq!(delete(&mut world, ""), 202);

    let elsewhere = undelete(&mut world, &name, "shop-restored");
    assert_eq!(elsewhere["code"], "BMSUserErrorInvalidInput", "{elsewhere}");
    world.live(24 * 3);
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/SHOP-rg");
    let back = undelete(&mut world, &name, &group);
    assert_eq!(back["status"], "Succeeded", "{back}");
    assert!(list(&mut world).is_empty());
    assert_eq!(
        world.get(VAULT)["properties"]["provisioningState"],
        "Succeeded"
    );
    assert_eq!(world.get("backupPolicies"), policies);
    assert_eq!(world.item()["isScheduledForDeferredDelete"], true);
    assert_eq!(world.item()["deferredDeleteTimeRemaining"], "11.00:00:00");

    let rehydrate = json!({ "properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": WEB_1,
        "protectionState": "ProtectionStopped", "isRehydrate": true, "policyId": "",
    } });
    world.accept(Method::PUT, ITEM, Some(&rehydrate));
    assert_eq!(world.points().len(), 1, "no point was lost");
    let again = world.refused(
        Method::POST,
        &format!("{}/{name}/undelete", deleted("westeurope")),
        Some(&json!({})),
    );
    assert!(again.starts_with("404 ResourceNotFound"), "{again}");
}

#[test]
fn a_deleted_vault_goes_for_good_when_its_time_is_over() {
    let mut world = with_deleted_data();
    assert_eq!(delete(&mut world, TODAY), 202);
    world.live(24 * 14 - 1);
    assert_eq!(list(&mut world).len(), 1);
    world.live(2);
    assert!(list(&mut world).is_empty());
    assert_eq!(world.next_due(), None, "nothing of it is left to be done");
}

#[test]
fn what_is_protected_keeps_its_vault_and_what_has_no_soft_delete_goes_at_once() {
    let mut world = World::new();
    world.protect();
    let refused = world.refused(Method::DELETE, &format!("{VAULT}?{TODAY}"), None);
    assert!(
        refused.starts_with("400 ServiceResourceNotEmptyWithContainerDetails"),
        "{refused}"
    );
    let off = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    world.request(Method::PUT, "backupconfig/vaultconfig", Some(&off));
    world.accept(Method::DELETE, ITEM, None);
    assert_eq!(delete(&mut world, TODAY), 202);
    assert!(list(&mut world).is_empty());
}

#[test]
fn a_vault_keeps_its_deleted_data_as_long_as_it_says() {
    let mut world = World::new();
    for days in [13, 181] {
        let body = json!({ "properties": { "softDeleteRetentionPeriodInDays": days } });
        let refused = world.refused(Method::PATCH, "backupconfig/vaultconfig", Some(&body));
        assert!(refused.contains("14 to 180"), "{refused}");
    }
    let body = json!({ "properties": { "softDeleteFeatureState": "AlwaysON", "softDeleteRetentionPeriodInDays": 180 } });
    let set = world.request(Method::PATCH, "backupconfig/vaultconfig", Some(&body));
    assert_eq!(set.status, 200);
    assert_eq!(delete(&mut world, TODAY), 202);
    assert_eq!(
        list(&mut world)[0]["properties"]["purgeAt"],
        "2026-08-29T09:00:00Z"
    );
}
