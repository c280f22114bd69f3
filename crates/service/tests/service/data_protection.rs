//! Backup vaults and their policies, as Microsoft.DataProtection has them.

use http::Method;
use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, World, code};

const VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.DataProtection/backupVaults/bv1";

fn storage(kind: &str) -> Value {
    json!({"location": "West Europe", "properties": {"storageSettings": [{"datastoreType": "VaultStore", "type": kind}]}})
}

fn with_vault() -> World {
    let mut world = World::new();
    let made = world.call("PUT", VAULT, Some(storage("LocallyRedundant")));
    assert_eq!(made.status, 201, "{:?}", made.body);
    world
}

/// The path of a URL in a header, without its query.
fn path(answer: &kluis_service::core::Response, header: &str) -> String {
    let url = answer.header(header).unwrap();
    let path = url.strip_prefix("https://127.0.0.1:8443").unwrap();
    path.split('?').next().unwrap().to_owned()
}

/// A disk policy: every four hours, kept for seven days.
pub(crate) fn disks(every: &str, keep: &str) -> Value {
    let store = json!({"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"});
    json!({"properties": {
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.Compute/disks"],
        "policyRules": [
            {
                "name": "BackupHourly", "objectType": "AzureBackupRule",
                "backupParameters": {"backupType": "Incremental", "objectType": "AzureBackupParams"},
                "dataStore": store,
                "trigger": {
                    "objectType": "ScheduleBasedTriggerContext",
                    "schedule": {"repeatingTimeIntervals": [format!("R/2026-01-01T13:00:00+00:00/{every}")], "timeZone": "UTC"},
                    "taggingCriteria": [{"isDefault": true, "tagInfo": {"tagName": "Default"}, "taggingPriority": 99}],
                },
            },
            {
                "name": "Default", "objectType": "AzureRetentionRule", "isDefault": true,
                "lifecycles": [{"deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": keep}, "sourceDataStore": store}],
            },
        ],
    }})
}

#[test]
fn a_backup_vault_is_made_read_changed_and_deleted() {
    let mut world = World::new();
    assert_eq!(code(&world.get(VAULT)), "ResourceNotFound");
    let made = world.call("PUT", VAULT, Some(storage("LocallyRedundant")));
    assert_eq!(made.status, 201);
    let body = made.body.clone().unwrap();
    assert_eq!(body["properties"]["provisioningState"], "Provisioning");
    assert_eq!(body["location"], "westeurope");
    let status = world.get(&path(&made, "Azure-AsyncOperation"));
    assert_eq!(status.body.unwrap()["status"], "Succeeded");

    let read = world.get(
        &VAULT
            .to_uppercase()
            .replace("SUBSCRIPTIONS", "subscriptions"),
    );
    let read = read.body.unwrap();
    assert_eq!(read["name"], "bv1");
    assert_eq!(read["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        read["properties"]["securitySettings"]["softDeleteSettings"]["state"],
        "On"
    );

    let again = world.call("PUT", VAULT, Some(read.clone()));
    assert_eq!(again.status, 201);
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"],
        read["properties"]
    );

    let change = json!({"tags": {"team": "shop"}, "properties": {"securitySettings": {"softDeleteSettings": {"retentionDurationInDays": 30}}}});
    let patched = world.call("PATCH", VAULT, Some(change));
    assert_eq!(patched.status, 202);
    let result = world.get(&path(&patched, "Location"));
    assert_eq!(result.body.unwrap()["tags"], json!({"team": "shop"}));
    let read = world.get(VAULT).body.unwrap();
    let soft = &read["properties"]["securitySettings"]["softDeleteSettings"];
    assert_eq!(
        (&soft["state"], &soft["retentionDurationInDays"]),
        (&json!("On"), &json!(30))
    );

    for list in ["", "/resourceGroups/SHOP-RG"] {
        let list = format!(
            "/subscriptions/{SUBSCRIPTION}{list}/providers/Microsoft.DataProtection/backupVaults"
        );
        let page = world.get(&list).body.unwrap();
        assert_eq!(page["value"].as_array().unwrap().len(), 1, "{page}");
    }
    let vaults = world.get(&format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/vaults"
    ));
    assert_eq!(
        vaults.body.unwrap()["value"],
        json!([]),
        "it is no recovery services vault"
    );

    assert_eq!(
        world
            .call(
                "PUT",
                &format!("{VAULT}/backupPolicies/disks"),
                Some(disks("PT4H", "P7D"))
            )
            .status,
        200
    );
    let gone = world.call("DELETE", VAULT, None);
    assert_eq!(gone.status, 202);
    let followed = path(&gone, "Azure-AsyncOperation");
    assert!(
        followed.contains("/locations/westeurope/operationStatus/"),
        "{followed}"
    );
    assert_eq!(world.get(&followed).body.unwrap()["status"], "Succeeded");
    assert_eq!(world.get(&path(&gone, "Location")).status, 200);
    assert_eq!(world.get(VAULT).status, 404);
    assert_eq!(world.call("DELETE", VAULT, None).status, 204);
    // Its policies went with it.
    world.call("PUT", VAULT, Some(storage("ZoneRedundant")));
    let page = world.get(&format!("{VAULT}/backupPolicies")).body.unwrap();
    assert_eq!(page["value"], json!([]));
}

#[test]
fn a_policy_is_put_read_listed_changed_and_deleted() {
    let mut world = with_vault();
    let policy = format!("{VAULT}/backupPolicies/Disks");
    let missing = world.get(&policy);
    assert_eq!(
        (missing.status, code(&missing)),
        (404, "UserErrorGenericResourceNotFound")
    );
    let made = world.call("PUT", &policy, Some(disks("PT4H", "P7D")));
    assert_eq!(made.status, 200, "{:?}", made.body);
    let body = made.body.unwrap();
    let tag = "/properties/policyRules/0/trigger/taggingCriteria/0/tagInfo/id";
    assert_eq!(body.pointer(tag), Some(&json!("Default_")));
    assert_eq!(body["id"], policy);
    assert_eq!(world.get(&policy.to_lowercase()).body.unwrap(), body);
    // What was read is written back without a difference.
    let again = world.call(
        "PUT",
        &policy,
        Some(json!({"properties": body["properties"]})),
    );
    assert_eq!(again.body.unwrap(), body);
    let changed = world.call("PUT", &policy.to_lowercase(), Some(disks("PT12H", "P14D")));
    assert_eq!(
        changed.body.unwrap()["name"],
        "Disks",
        "the name stays as it was made"
    );
    let page = world.get(&format!("{VAULT}/backupPolicies")).body.unwrap();
    assert_eq!(page["value"].as_array().unwrap().len(), 1);
    assert_eq!(world.call("DELETE", &policy, None).status, 200);
    assert_eq!(world.call("DELETE", &policy, None).status, 204);
}

#[test]
fn what_breaks_a_limit_or_changes_its_kind_is_refused_in_the_providers_form() {
    let mut world = with_vault();
    let policy = format!("{VAULT}/backupPolicies/disks");
    let refused = world.call("PUT", &policy, Some(disks("PT3H", "P7D")));
    assert_eq!(refused.status, 400, "{:?}", refused.body);
    let error = refused.body.unwrap()["error"].clone();
    let info = &error["additionalInfo"][0];
    assert_eq!(info["type"], "UserFacingError");
    assert_eq!(info["info"]["code"], error["code"]);
    assert_eq!(info["info"]["message"], error["message"]);
    assert_eq!(
        world.get(&policy).status,
        404,
        "what was refused changed nothing"
    );

    for (body, expected) in [
        (
            json!({"location": "westeurope", "properties": {}}),
            "UserErrorInvalidInput",
        ),
        (storage("Somewhere"), "UserErrorInvalidInput"),
        (json!({"properties": {}}), "LocationRequired"),
        (json!([]), "InvalidRequestContent"),
    ] {
        let vault = VAULT.replace("bv1", "bv2");
        let refused = world.call("PUT", &vault, Some(body));
        assert_eq!(
            (refused.status, code(&refused)),
            (400, expected),
            "{:?}",
            refused.body
        );
    }
    let elsewhere = world.call(
        "PUT",
        &VAULT.replace("shop-rg", "no-rg"),
        Some(storage("ZoneRedundant")),
    );
    assert_eq!(
        (elsewhere.status, code(&elsewhere)),
        (404, "ResourceGroupNotFound")
    );
    let moved = json!({"location": "northeurope", "properties": {}});
    assert_eq!(world.call("PUT", VAULT, Some(moved)).status, 409);
}

#[test]
fn what_is_locked_stays_locked() {
    let mut world = with_vault();
    let state = |settings: &str, state: &str| json!({"properties": {"securitySettings": {settings: {"state": state}}}});
    assert_eq!(
        world
            .call(
                "PATCH",
                VAULT,
                Some(state("softDeleteSettings", "AlwaysOn"))
            )
            .status,
        202
    );
    let refused = world.call("PATCH", VAULT, Some(state("softDeleteSettings", "Off")));
    assert_eq!(code(&refused), "UserErrorDisableSoftDeleteNotAllowed");
    assert_eq!(
        world
            .call(
                "PATCH",
                VAULT,
                Some(state("immutabilitySettings", "Locked"))
            )
            .status,
        202
    );
    let refused = world.call(
        "PATCH",
        VAULT,
        Some(state("immutabilitySettings", "Disabled")),
    );
    assert_eq!(
        code(&refused),
        "UserErrorUnsupportedVaultImmutabilityStateChange"
    );
}

#[test]
fn a_name_is_free_until_it_is_taken() {
    let mut world = with_vault();
    let question = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.DataProtection/locations/westeurope/checkNameAvailability"
    );
    let mut asked = |name: &str| {
        let body = json!({"name": name, "type": "Microsoft.DataProtection/BackupVaults"});
        world
            .call(Method::POST.as_str(), &question, Some(body))
            .body
            .unwrap()
    };
    assert_eq!(asked("bv2")["nameAvailable"], true);
    assert_eq!(asked("BV1")["reason"], "AlreadyExists");
    assert_eq!(asked("../x")["reason"], "Invalid");
}

#[test]
fn a_tag_for_the_first_backup_of_a_day_goes_with_any_schedule() {
    let mut world = with_vault();
    for marker in ["FirstOfDay", "FirstOfWeek", "FirstOfMonth", "FirstOfYear"] {
        let mut body = disks("PT6H", "P7D");
        let rules = body["properties"]["policyRules"].as_array_mut().unwrap();
        rules[0]["trigger"]["taggingCriteria"].as_array_mut().unwrap().push(json!({
            "isDefault": false, "tagInfo": {"tagName": "Longer"}, "taggingPriority": 25,
            "criteria": [{"objectType": "ScheduleBasedBackupCriteria", "absoluteCriteria": [marker]}],
        }));
        let mut longer = rules[1].clone();
        longer["name"] = json!("Longer");
        longer["isDefault"] = json!(false);
        longer["lifecycles"][0]["deleteAfter"]["duration"] = json!("P12D");
        rules.push(longer);
        let path = format!("{VAULT}/backupPolicies/marked-{}", marker.to_lowercase());
        let put = world.call("PUT", &path, Some(body.clone()));
        assert_eq!(put.status, 200, "{marker}: {:?}", put.body);
        assert_eq!(
            world.get(&path).body.unwrap()["properties"],
            put.body.unwrap()["properties"]
        );
        // One whose length is none is refused as before.
        let after = "/properties/policyRules/2/lifecycles/0/deleteAfter/duration";
        *body.pointer_mut(after).unwrap() = json!("a while");
        assert_eq!(world.call("PUT", &path, Some(body)).status, 400, "{marker}");
    }
}

#[test]
fn an_empty_vault_goes_whatever_its_immutability() {
    let mut world = with_vault();
    let locked =
        json!({"properties": {"securitySettings": {"immutabilitySettings": {"state": "Locked"}}}});
    assert_eq!(world.call("PATCH", VAULT, Some(locked)).status, 202);
    let gone = world.call("DELETE", VAULT, None);
    assert_eq!(gone.status, 202);
    let followed = path(&gone, "Azure-AsyncOperation");
    let group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.DataProtection/locations/westeurope";
    assert!(followed.starts_with(group), "{followed}");
    assert_eq!(world.get(&followed).body.unwrap()["status"], "Succeeded");
    assert_eq!(world.get(&path(&gone, "Location")).status, 200);
    assert_eq!(world.get(VAULT).status, 404);
}

#[test]
fn a_change_by_put_is_followed_like_a_vaults_making() {
    let mut world = with_vault();
    let changed = world.call("PUT", VAULT, Some(storage("LocallyRedundant")));
    assert_eq!(changed.status, 201);
    assert_eq!(
        changed.body.as_ref().unwrap()["properties"]["provisioningState"],
        "Updating"
    );
    let status = world.get(&path(&changed, "Azure-AsyncOperation"));
    assert_eq!(status.body.unwrap()["status"], "Succeeded");
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"]["provisioningState"],
        "Succeeded"
    );
}

#[test]
fn the_scores_follow_soft_delete_and_immutability() {
    let mut world = with_vault();
    for (soft_delete, immutability, score, level) in [
        ("On", "Disabled", "Minimum", "Fair"),
        ("Off", "Disabled", "None", "Poor"),
        ("On", "Unlocked", "Minimum", "Fair"),
        ("AlwaysOn", "Disabled", "Minimum", "Fair"),
        ("AlwaysOn", "Unlocked", "Adequate", "Good"),
    ] {
        let settings = json!({
            "softDeleteSettings": {"state": soft_delete}, "immutabilitySettings": {"state": immutability},
        });
        let patch = json!({"properties": {"securitySettings": settings}});
        assert_eq!(
            world.call("PATCH", VAULT, Some(patch)).status,
            202,
            "{soft_delete} {immutability}"
        );
        let shown = world.get(VAULT).body.unwrap()["properties"].clone();
        assert_eq!(
            (&shown["secureScore"], &shown["bcdrSecurityLevel"]),
            (&json!(score), &json!(level))
        );
    }
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"]["replicatedRegions"],
        json!([])
    );
}
