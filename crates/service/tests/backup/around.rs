//! What clients ask besides items, points and jobs: intents, validations, summaries, exports, containers.

use http::Method;
use serde_json::{Value, json};

use super::world::{ITEM, SUBSCRIPTION, VAULT, WEB_1, World, protection, restore_request};

const CONTAINER: &str =
    "backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1";

fn ask(world: &mut World, question: &str, body: &Value) -> Value {
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/westeurope/{question}"
    );
    let answer = world.request(Method::POST, &path, Some(body));
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body.unwrap()
}

fn intent(policy: &str) -> Value {
    json!({ "properties": {
        "protectionIntentItemType": "AzureResourceItem",
        "sourceResourceId": WEB_1,
        "policyId": format!("{VAULT}/backupPolicies/{policy}"),
    } })
}

#[test]
fn an_intent_protects_its_machine_by_the_rules_of_the_item() {
    let mut world = World::new();
    let path = "backupFabrics/Azure/backupProtectionIntent/vm;iaasvmcontainerv2;shop-rg;web-1";
    let refused = world.refused(Method::PUT, path, Some(&intent("none")));
    assert!(
        refused.starts_with("404 BMSUserErrorPolicyNotFound"),
        "{refused}"
    );
    assert_eq!(world.get("backupProtectionIntents")["value"], json!([]));

    let made = world.request(Method::PUT, path, Some(&intent("DefaultPolicy")));
    assert_eq!(made.status, 200, "{:?}", made.body);
    let made = made.body.unwrap();
    assert_eq!(made["properties"]["protectionState"], "Protected");
    assert_eq!(world.item()["protectionState"], "IRPending");
    assert_eq!(
        world.get(
            &path
                .to_uppercase()
                .replace("BACKUPFABRICS/AZURE", "backupFabrics/Azure")
        )["name"],
        made["name"]
    );
    assert_eq!(world.get("backupProtectionIntents")["value"][0], made);
    let other = "backupFabrics/Azure/backupProtectionIntent/vm;iaasvmcontainerv2;shop-rg;web-2";
    let refused = world.refused(Method::PUT, other, Some(&intent("DefaultPolicy")));
    assert!(
        refused.starts_with("400 BMSUserErrorInvalidInput"),
        "{refused}"
    );

    assert_eq!(world.request(Method::DELETE, path, None).status, 204);
    let gone = world.refused(Method::GET, path, None);
    assert!(
        gone.starts_with("404 BMSUserErrorProtectionIntentNotFound"),
        "{gone}"
    );
    assert_eq!(
        world.item()["protectionState"],
        "IRPending",
        "the machine stays protected"
    );
}

#[test]
fn prevalidation_says_what_protecting_would_say_and_changes_nothing() {
    let mut world = World::new();
    let body = |vm: &str| json!({ "resourceType": "VM", "resourceId": vm, "vaultId": VAULT, "properties": "" });
    let question = "backupPreValidateProtection";
    let found = ask(&mut world, question, &body(WEB_1));
    assert_eq!(found["status"], "Succeeded", "{found}");
    assert_eq!(world.get("backupProtectedItems")["value"], json!([]));
    assert_eq!(world.get("backupJobs")["value"], json!([]));
    for (vm, code) in [
        ("ghost", "UserErrorVmNotFoundV2"),
        ("far-1", "UserErrorVmAndVaultRegionMismatch"),
    ] {
        let found = ask(&mut world, question, &body(&WEB_1.replace("web-1", vm)));
        assert_eq!(
            (&found["status"], &found["errorCode"]),
            (&json!("Failed"), &json!(code))
        );
    }
    world.protect();
    let found = ask(&mut world, question, &body(WEB_1));
    assert_eq!(found["errorCode"], "VirtualMachineAlreadyProtected");
    world.make_vault("other");
    let mut elsewhere = body(WEB_1);
    elsewhere["vaultId"] = json!(VAULT.replace("shop-weu", "other"));
    let found = ask(&mut world, question, &elsewhere);
    assert_eq!(
        found["errorCode"],
        "UserErrorVmAlreadyProtectedInAnotherVault"
    );
}

#[test]
fn features_are_told_by_their_kind() {
    let mut world = World::new();
    let question = "backupValidateFeatures";
    let body = json!({ "featureType": "AzureVMResourceBackup", "vmSize": "Standard_D2s_v5", "vmSku": "Premium" });
    assert_eq!(
        ask(&mut world, question, &body)["supportStatus"],
        "Supported"
    );
    let body = json!({ "featureType": "AzureBackupGoals" });
    assert_eq!(
        ask(&mut world, question, &body)["supportStatus"],
        "NotSupported"
    );
}

#[test]
fn validating_a_restore_says_what_the_restore_would_say_and_restores_nothing() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    let point = format!("{VAULT}/{ITEM}/recoveryPoints/{}", world.newest_point());
    let body = |group: &str| {
        json!({ "id": point, "properties": {
        "objectType": "ValidateIaasVMRestoreOperationRequest",
        "restoreRequest": restore_request(group)["properties"],
    } })
    };
    let jobs = world.jobs();
    let fine = world.request(
        Method::POST,
        "backupValidateOperation",
        Some(&body("shop-restored")),
    );
    assert_eq!(fine.status, 200);
    assert_eq!(
        fine.body.unwrap()["validateOperationResponse"]["validationResults"],
        json!([])
    );
    assert_eq!(world.jobs(), jobs, "nothing was begun");
    assert!(world.movers.is_empty());

    let wrong = body("nowhere");
    let begun = world.request(Method::POST, "backupTriggerValidateOperation", Some(&wrong));
    assert_eq!(begun.status, 202);
    let at = |name: &str| {
        let url = begun.header(name).unwrap().replace("https://localhost", "");
        url.split('?').next().unwrap().to_owned()
    };
    let (status, result) = (
        world.get(&at("Azure-AsyncOperation")),
        world.get(&at("Location")),
    );
    let told = &result["validateOperationResponse"]["validationResults"][0];
    assert_eq!(told["code"], "ResourceGroupNotFound");
    assert_eq!(
        status["properties"]["objectType"],
        "OperationStatusValidateOperationExtendedInfo"
    );
    assert_eq!(
        status["properties"]["validateOperationResponse"],
        result["validateOperationResponse"]
    );
}

#[test]
fn jobs_are_exported_as_a_list() {
    let mut world = World::new();
    let configured = world.protect();
    let backup = world.backup_now();
    world.settle();
    let exported = |world: &mut World, filter: &str| {
        let begun = world.request(
            Method::POST,
            &format!("backupJobsExport?$filter={filter}"),
            None,
        );
        assert_eq!(begun.status, 202);
        let url = begun
            .header("Location")
            .unwrap()
            .replace("https://localhost", "");
        assert!(url.contains("/backupJobs/operationResults/"), "{url}");
        world.get(url.split('?').next().unwrap())["operation"].clone()
    };
    let all = exported(&mut world, "");
    assert_eq!(all["objectType"], "OperationResultInfo");
    assert_eq!(all["jobList"], json!([backup, configured]));
    let one = exported(&mut world, "operation eq 'Backup'");
    assert_eq!(one["jobList"], json!([backup]));
}

#[test]
fn counts_are_summed_up_by_kind() {
    let mut world = World::new();
    world.protect();
    for kind in [
        "BackupProtectedItemCountSummary",
        "BackupProtectionContainerCountSummary",
    ] {
        let page = world.get(&format!("backupUsageSummaries?$filter=type eq '{kind}'"));
        assert_eq!(page["value"][0]["currentValue"], 1, "{kind}");
        assert_eq!(page["value"][0]["name"]["value"], "AzureIaasVM", "{kind}");
    }
    let refused = world.refused(
        Method::GET,
        "backupUsageSummaries?$filter=type eq 'Other'",
        None,
    );
    assert!(refused.starts_with("400 "), "{refused}");
}

#[test]
fn a_container_is_unregistered_once_its_item_is_gone() {
    let mut world = World::new();
    world.protect();
    let refused = world.refused(Method::DELETE, CONTAINER, None);
    assert!(
        refused.starts_with("400 BMSUserErrorContainerHasDatasources"),
        "{refused}"
    );
    assert_eq!(world.get(&format!("{CONTAINER}/items"))["value"], json!([]));
    let moved = world.request(
        Method::POST,
        &format!("{ITEM}/recoveryPointsRecommendedForMove"),
        None,
    );
    assert_eq!(moved.body.unwrap()["value"], json!([]));
    let off = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    assert_eq!(
        world
            .request(Method::PUT, "backupconfig/vaultconfig", Some(&off))
            .status,
        200
    );
    world.accept(Method::DELETE, ITEM, None);
    assert_eq!(world.request(Method::DELETE, CONTAINER, None).status, 204);
    let gone = world.refused(Method::GET, &format!("{CONTAINER}/items"), None);
    assert!(
        gone.starts_with("404 BMSUserErrorContainerObjectNotFound"),
        "{gone}"
    );
}

#[test]
fn what_is_kept_for_agents_is_given_back_and_a_customers_key_is_refused() {
    let mut world = World::new();
    let info = "extendedInformation/vaultExtendedInfo";
    let none = world.refused(Method::GET, info, None);
    assert!(
        none.starts_with("404 ResourceExtendedInfoNotFound"),
        "{none}"
    );
    let body = |key: &str| json!({ "properties": { key: "J09wzS27fnJ+Wjot7xO5wA==" } });
    assert_eq!(
        world
            .request(Method::PUT, info, Some(&body("integrityKey")))
            .status,
        200
    );
    world.request(Method::PATCH, info, Some(&body("algorithm")));
    let kept = world.get(info)["properties"].clone();
    assert_eq!(kept["integrityKey"], kept["algorithm"]);
    world.request(Method::PUT, info, Some(&body("algorithm")));
    assert_eq!(
        world.get(info)["properties"],
        body("algorithm")["properties"]
    );

    let encryption = "backupEncryptionConfigs/backupResourceEncryptionConfig";
    let read = world.get(encryption);
    assert_eq!(
        world
            .request(Method::PUT, encryption, Some(&read))
            .body
            .unwrap(),
        read
    );
    let own = json!({ "properties": { "encryptionAtRestType": "CustomerManaged", "keyUri": "https://keys/k/1" } });
    let refused = world.refused(Method::PUT, encryption, Some(&own));
    assert!(
        refused.starts_with("400 BMSUserErrorNotSupported"),
        "{refused}"
    );
}

#[test]
fn redundancy_changes_until_the_first_item_and_not_after() {
    let mut world = World::new();
    let config = "backupstorageconfig/vaultstorageconfig";
    let body = |kind: &str| json!({ "properties": { "storageModelType": kind } });
    assert_eq!(
        world
            .request(Method::PATCH, config, Some(&body("ZoneRedundant")))
            .status,
        204
    );
    assert_eq!(
        world.get(config)["properties"]["storageTypeState"],
        "Unlocked"
    );
    world.request(Method::PUT, ITEM, Some(&protection(WEB_1, "DefaultPolicy")));
    for method in [Method::PUT, Method::PATCH] {
        let refused = world.refused(method, config, Some(&body("LocallyRedundant")));
        assert!(
            refused.starts_with("400 CannotModifyStorageTypeWhenItemsAreRegistered"),
            "{refused}"
        );
    }
    let kept = world.get(config)["properties"].clone();
    assert_eq!(
        (&kept["storageType"], &kept["storageTypeState"]),
        (&json!("ZoneRedundant"), &json!("Locked"))
    );
    let same = world.request(Method::PUT, config, Some(&body("ZoneRedundant")));
    assert_eq!(same.status, 200, "what is so already is no change");
}
