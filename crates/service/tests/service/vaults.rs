//! Vaults: what a new one has, what may change, and when one may go.

use kluis_service::core::{Effect, Role};
use serde_json::json;

use crate::world::{VAULT, World, code};

#[test]
fn a_new_vault_has_azures_properties_and_three_policies() {
    let mut world = World::new();
    let body = json!({ "location": "West Europe", "sku": { "name": "RS0", "tier": "Standard" }, "tags": { "team": "shop" } });
    let made = world.call("PUT", VAULT, Some(body));
    assert_eq!(made.status, 201);
    let shown = made.body.unwrap();
    assert_eq!(shown["properties"]["provisioningState"], "Provisioning");
    let found = world.get(VAULT).body.unwrap();
    expect_test::expect![[r#"
        {
          "location": "westeurope",
          "name": "v1",
          "etag": "W/\"datetime'2026-11-22T10%3A00%3A00Z'\"",
          "properties": {
            "provisioningState": "Succeeded",
            "privateEndpointStateForBackup": "None",
            "privateEndpointStateForSiteRecovery": "None",
            "monitoringSettings": {
              "azureMonitorAlertSettings": {
                "alertsForAllJobFailures": "Enabled",
                "alertsForAllReplicationIssues": "Enabled",
                "alertsForAllFailoverIssues": "Enabled"
              },
              "classicAlertSettings": {
                "alertsForCriticalOperations": "Enabled",
                "emailNotificationsForSiteRecovery": "Enabled"
              }
            },
            "backupStorageVersion": "Unassigned",
            "securitySettings": {
              "immutabilitySettings": null,
              "softDeleteSettings": {
                "softDeleteRetentionPeriodInDays": 14,
                "softDeleteState": "Enabled",
                "enhancedSecurityState": "Enabled"
              },
              "multiUserAuthorization": "Disabled",
              "sourceScanConfiguration": {
                "state": "Disabled"
              }
            },
            "redundancySettings": {
              "standardTierStorageRedundancy": "GeoRedundant",
              "crossRegionRestore": "Disabled"
            },
            "secureScore": "None",
            "bcdrSecurityLevel": "Poor",
            "publicNetworkAccess": "Enabled",
            "restoreSettings": {
              "crossSubscriptionRestoreSettings": {
                "crossSubscriptionRestoreState": "Enabled"
              }
            },
            "regionOfChoiceSettings": {
              "status": "Disabled"
            }
          },
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/v1",
          "type": "Microsoft.RecoveryServices/vaults",
          "sku": {
            "name": "RS0",
            "tier": "Standard"
          },
          "tags": {
            "team": "shop"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&found).unwrap());
    let policies = world.get(&format!("{VAULT}/backupPolicies")).body.unwrap();
    let mut names: Vec<&str> = policies["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"]
    );
}

#[test]
fn a_vault_succeeds_only_once_its_repository_exists() {
    let mut world = World::new();
    let request = world.request(
        "PUT",
        &format!("{VAULT}?api-version=2024-04-01"),
        br#"{"location":"westeurope"}"#.to_vec(),
    );
    let (made, effects) = world.handle(&request);
    let operation = made
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://127.0.0.1:8443", "");
    assert!(
        operation.contains("/operationStatus/") && operation.ends_with("api-version=2024-04-01"),
        "{operation}"
    );
    let operation = operation.split('?').next().unwrap().to_owned();
    assert_eq!(world.get(&operation).body.unwrap()["status"], "InProgress");
    assert_eq!(world.get(&operation).header("Retry-After"), Some("1"));
    assert_eq!(
        code(&world.call("PUT", &format!("{VAULT}/backupPolicies/p"), Some(json!({})))),
        "ResourceNotReady"
    );
    assert_eq!(
        world.resume(),
        effects,
        "a restart asks for the repository again"
    );
    let (again, more) = world.handle(&request);
    assert_eq!(
        (again.status, more.len()),
        (201, 0),
        "the same PUT starts nothing twice"
    );
    assert_eq!(
        again.header("Azure-AsyncOperation"),
        made.header("Azure-AsyncOperation")
    );

    world.repository(&effects[0], Err("the disk is full".to_owned()));
    let failed = world.get(&operation).body.unwrap();
    assert_eq!(
        (&failed["status"], &failed["error"]["message"]),
        (&json!("Failed"), &json!("the disk is full"))
    );
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"]["provisioningState"],
        "Failed"
    );
    assert_eq!(world.resume(), []);
    let (_, retried) = world.handle(&request);
    assert!(
        matches!(retried.as_slice(), [Effect::CreateRepository { .. }]),
        "a PUT tries again"
    );
    world.repository(&retried[0], Ok(()));
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"]["provisioningState"],
        "Succeeded"
    );
}

#[test]
fn names_that_would_leave_the_data_folder_are_refused() {
    let mut world = World::new();
    let base = VAULT.trim_end_matches("v1");
    for name in [
        "..",
        "%2e%2e",
        "a%2Fb",
        "%2e%2e%2fetc",
        "a%00b",
        "1abc",
        "a",
        "a_b",
        "caf%C3%A9",
        &"x".repeat(51),
    ] {
        let refused = world.call(
            "PUT",
            &format!("{base}{name}"),
            Some(json!({ "location": "westeurope" })),
        );
        assert!(
            (400..500).contains(&refused.status),
            "{name}: {}",
            refused.status
        );
    }
    assert_eq!(
        world.get(base.trim_end_matches('/')).body.unwrap()["value"],
        json!([])
    );
}

#[test]
fn what_can_not_be_is_refused_with_the_cause() {
    let mut world = World::with_vault();
    let put = |world: &mut World, properties| {
        world.call(
            "PUT",
            VAULT,
            Some(json!({ "location": "westeurope", "properties": properties })),
        )
    };
    let soft = |state: &str, days: u32| json!({ "securitySettings": { "softDeleteSettings": { "softDeleteState": state, "softDeleteRetentionPeriodInDays": days } } });
    assert_eq!(
        code(&put(
            &mut world,
            json!({ "redundancySettings": { "standardTierStorageRedundancy": "Twice" } })
        )),
        "CloudInvalidInputError"
    );
    assert_eq!(
        code(&put(&mut world, soft("Enabled", 7))),
        "CloudInvalidInputError"
    );
    assert_eq!(put(&mut world, soft("AlwaysON", 30)).status, 200);
    assert_eq!(
        code(&put(&mut world, soft("Disabled", 30))),
        "UserErrorDisableSoftDeleteNotAllowed"
    );
    assert_eq!(
        code(&world.call("PUT", VAULT, Some(json!({ "location": "northeurope" })))),
        "InvalidResourceLocation"
    );
    for body in [
        None,
        Some(json!([])),
        Some(json!([1])),
        Some(json!("x")),
        Some(json!(null)),
    ] {
        for method in ["PUT", "PATCH"] {
            let refused = world.call(method, VAULT, body.clone());
            assert_eq!(code(&refused), "InvalidRequestContent", "{method} {body:?}");
        }
    }
    assert_eq!(
        code(&world.call("PUT", &VAULT.replace("/v1", "/v2"), Some(json!({})))),
        "LocationRequired"
    );
    let elsewhere = VAULT.replace("shop-rg", "nowhere");
    assert_eq!(
        code(&world.call("PUT", &elsewhere, Some(json!({ "location": "westeurope" })))),
        "ResourceGroupNotFound"
    );
}

#[test]
fn soft_delete_and_redundancy_are_views_of_the_vault() {
    let mut world = World::with_vault();
    let config = format!("{VAULT}/backupconfig/vaultconfig");
    let off = json!({ "properties": { "enhancedSecurityState": "Enabled", "softDeleteFeatureState": "Disabled" } });
    assert_eq!(world.call("PATCH", &config, Some(off)).status, 200);
    let shown = world.get(&config).body.unwrap()["properties"].clone();
    assert_eq!(shown["softDeleteFeatureState"], "Disabled");
    assert_eq!(shown["isSoftDeleteFeatureStateEditable"], true);
    let settings =
        world.get(VAULT).body.unwrap()["properties"]["securitySettings"]["softDeleteSettings"]
            .clone();
    assert_eq!(
        (
            &settings["softDeleteState"],
            &settings["softDeleteRetentionPeriodInDays"]
        ),
        (&json!("Disabled"), &json!(14))
    );

    let storage = format!("{VAULT}/backupstorageconfig/vaultstorageconfig");
    let local = json!({ "properties": { "storageModelType": "LocallyRedundant" } });
    let patched = world.call("PATCH", &storage, Some(local));
    assert_eq!((patched.status, &patched.body), (204, &None));
    assert_eq!(
        world.get(&storage).body.unwrap()["properties"]["storageTypeState"],
        "Unlocked"
    );
    let redundancy = json!({ "properties": { "redundancySettings": { "standardTierStorageRedundancy": "ZoneRedundant" } } });
    let patched = world.call("PATCH", VAULT, Some(redundancy));
    assert_eq!((patched.status, &patched.body), (202, &None));
    assert!(
        patched
            .header("Location")
            .unwrap()
            .contains("/operationResults/")
    );
    assert_eq!(
        world.get(&storage).body.unwrap()["properties"]["storageType"],
        "ZoneRedundant"
    );
}

#[test]
fn a_deleted_vault_is_gone_only_when_its_repository_is() {
    let mut world = World::with_vault();
    let request = world.request(
        "DELETE",
        &format!("{VAULT}?api-version=2024-04-01"),
        Vec::new(),
    );
    let (accepted, effects) = world.handle(&request);
    assert_eq!(accepted.status, 202);
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"]["provisioningState"],
        "Deleting"
    );
    assert_eq!(world.resume(), effects);
    assert_eq!(
        code(&world.call("PUT", VAULT, Some(json!({ "location": "westeurope" })))),
        "ResourceNotReady"
    );
    world.repository(&effects[0], Ok(()));
    assert_eq!(code(&world.get(VAULT)), "ResourceNotFound");
    let operation = accepted
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://127.0.0.1:8443", "");
    let status = world.get(operation.split('?').next().unwrap());
    assert_eq!(
        status.body.unwrap()["status"],
        "Succeeded",
        "the operation outlives its vault"
    );
    assert_eq!(world.call("DELETE", VAULT, None).status, 204);
}

#[test]
fn a_reader_reads() {
    let mut world = World::with_vault();
    world.role = Role::Reader;
    assert_eq!(world.get(VAULT).status, 200);
    let refused = world.call("DELETE", VAULT, None);
    assert_eq!(
        (refused.status, code(&refused)),
        (403, "AuthorizationFailed")
    );
    world.role = Role::Contributor;
    assert_eq!(world.call("DELETE", VAULT, None).status, 202);
}

#[test]
fn a_subscription_has_at_most_500_vaults_listed_page_by_page() {
    let mut world = World::new();
    let base = VAULT.trim_end_matches("/v1");
    for n in 0..500 {
        let made = world.call(
            "PUT",
            &format!("{base}/v{n:03}"),
            Some(json!({ "location": "westeurope" })),
        );
        assert_eq!(made.status, 201);
    }
    assert_eq!(
        code(&world.call("PUT", VAULT, Some(json!({ "location": "westeurope" })))),
        "SubscriptionVaultLimitExceeded"
    );
    let (mut next, mut names) = (Some(base.to_owned()), Vec::new());
    while let Some(path) = next {
        let page = world.get(&path).body.unwrap();
        names.extend(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|vault| vault["name"].as_str().unwrap().to_owned()),
        );
        next = page["nextLink"].as_str().map(|link| {
            link.replace("https://127.0.0.1:8443", "")
                .replace("api-version=2024%2D04%2D01&", "")
        });
    }
    assert_eq!(names.len(), 500);
    names.dedup();
    assert_eq!(names.len(), 500, "no vault is on two pages");
}

#[test]
fn a_name_is_asked_for_before_it_is_taken() {
    let mut world = World::with_vault();
    let path = VAULT.replace("/vaults/v1", "/locations/westeurope/checkNameAvailability");
    let ask = |world: &mut World, name: &str| {
        world
            .call("POST", &path, Some(json!({ "name": name, "type": "x" })))
            .body
            .unwrap()
    };
    assert_eq!(ask(&mut world, "v2"), json!({ "nameAvailable": true }));
    assert_eq!(ask(&mut world, "V1")["reason"], "AlreadyExists");
    assert_eq!(ask(&mut world, "-")["reason"], "Invalid");
}

#[test]
fn a_vault_that_could_not_be_moved_is_where_it_was() {
    let mut world = World::with_vault();
    let newer = |method: &str, path: &str, body: Vec<u8>, world: &mut World| {
        let request = world.request(method, &format!("{path}?api-version=2026-07-01"), body);
        world.handle(&request)
    };
    let (_, away) = newer("DELETE", VAULT, Vec::new(), &mut world);
    assert!(
        matches!(away[0], Effect::MoveRepository { back: false, .. }),
        "{away:?}"
    );
    assert_eq!(world.resume(), away, "asked for again after a restart");
    world.repository(&away[0], Err("the disk is read-only".to_owned()));
    assert_eq!(
        world.get(VAULT).body.unwrap()["properties"]["provisioningState"],
        "Succeeded"
    );

    let (_, away) = newer("DELETE", VAULT, Vec::new(), &mut world);
    world.repository(&away[0], Ok(()));
    let region = "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.RecoveryServices/locations/westeurope";
    let all = format!("{region}/deletedVaults");
    let name = world.get(&all).body.unwrap()["value"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let guid = name.strip_prefix("shop-rg_").expect("group and GUID");
    let whole = world.get(&format!("{all}/{name}")).body.unwrap();
    assert_eq!(whole["location"], "westeurope", "{whole}");
    assert_eq!(whole["id"], format!("{all}/{name}"));
    for (called, status) in [
        (guid.to_owned(), 200),
        (name.to_uppercase(), 200),
        (format!("other-rg_{guid}"), 404),
        ("shop-rg_".to_owned(), 404),
    ] {
        let told = world.get(&format!("{all}/{called}"));
        assert_eq!(told.status, status, "{called}");
    }
    let body = json!({ "properties": { "recoveryResourceGroupId": "shop-rg" } });
    let path = format!("{all}/{name}/undelete");
    let (_, back) = newer("POST", &path, body.to_string().into_bytes(), &mut world);
    assert!(
        matches!(back[0], Effect::MoveRepository { back: true, .. }),
        "{back:?}"
    );
    let (taken, _) = newer("POST", &path, body.to_string().into_bytes(), &mut world);
    assert_eq!(
        code(&taken),
        "ResourceAlreadyExists",
        "one undeletion at a time"
    );
    assert_eq!(world.resume(), back);
    world.repository(&back[0], Err("the disk is read-only".to_owned()));
    assert_eq!(code(&world.get(VAULT)), "ResourceNotFound");
    assert_eq!(
        world.get(&all).body.unwrap()["value"][0]["name"],
        name.as_str(),
        "it can be tried again"
    );
}

#[test]
fn whatever_is_asked_of_a_group_that_is_not_there_its_name_is_what_is_missing() {
    let mut world = World::new();
    let group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/nowhere";
    for below in [
        "",
        "/providers/Microsoft.RecoveryServices/vaults",
        "/providers/Microsoft.RecoveryServices/vaults/v1",
        "/providers/Microsoft.RecoveryServices/vaults/v1/backupPolicies",
        "/providers/Microsoft.RecoveryServices/vaults/v1/backupJobs/j",
        "/providers/Microsoft.DataProtection/backupVaults",
        "/providers/Microsoft.DataProtection/backupVaults/v1",
        "/providers/Microsoft.DataProtection/backupVaults/v1/backupPolicies/p",
        "/providers/Microsoft.Compute/virtualMachines",
        "/providers/Microsoft.Compute/virtualMachines/web-1",
        "/providers/Microsoft.Compute/disks/d",
        "/providers/Microsoft.Storage/storageAccounts/s",
        "/providers/Microsoft.Network/virtualNetworks/n/subnets/s",
        "/providers/Microsoft.KeyVault/vaults/k",
    ] {
        let answer = world.get(&format!("{group}{below}"));
        assert_eq!(
            (answer.status, code(&answer)),
            (404, "ResourceGroupNotFound"),
            "{below}"
        );
    }
}

#[test]
fn the_scores_and_the_days_of_soft_delete_follow_the_settings() {
    let mut world = World::with_vault();
    let properties = |world: &mut World| world.get(VAULT).body.unwrap()["properties"].clone();
    let patch = |world: &mut World, security: serde_json::Value| {
        let answer = world.call(
            "PATCH",
            VAULT,
            Some(json!({"properties": {"securitySettings": security}})),
        );
        assert_eq!(answer.status, 202, "{:?}", answer.body);
    };
    patch(
        &mut world,
        json!({"immutabilitySettings": {"state": "Unlocked"}}),
    );
    let shown = properties(&mut world);
    assert_eq!(
        (&shown["secureScore"], &shown["bcdrSecurityLevel"]),
        (&json!("Minimum"), &json!("Fair"))
    );
    patch(
        &mut world,
        json!({"softDeleteSettings": {"softDeleteState": "AlwaysON"}}),
    );
    let shown = properties(&mut world);
    assert_eq!(
        (&shown["secureScore"], &shown["bcdrSecurityLevel"]),
        (&json!("Adequate"), &json!("Good"))
    );
}
