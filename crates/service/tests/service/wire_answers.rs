//! Answers as Azure was recorded giving them, where they are more than a code.

use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, VAULT, World, code};

const BACKUP_VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.DataProtection/backupVaults/v1";

fn score(world: &mut World, vault: &str) -> (Value, Value) {
    let body = world.get(vault).body.unwrap();
    let said = &body["properties"];
    (
        said["secureScore"].clone(),
        said["bcdrSecurityLevel"].clone(),
    )
}

#[test]
fn what_is_not_offered_is_refused_alike_by_containers_and_items() {
    let mut world = World::with_vault();
    for (container, item) in [
        (
            "StorageContainer;storage;rg;account",
            "AzureFileShare;share",
        ),
        (
            "VMAppContainer;Compute;shop-rg;web-1",
            "SQLDataBase;mssqlserver;msdb",
        ),
        (
            "VMAppContainer;Compute;shop-rg;web-1",
            "SAPHanaDatabase;hxe;systemdb",
        ),
        ("vmappcontainer;compute;shop-rg;web-1", "saphanasystem;hxe"),
        ("SQLAGWorkLoadContainer;a;b", "SQLDataBase;sqlag;db"),
        ("Windows;host", "FileFolder;1"),
    ] {
        let container = format!("{VAULT}/backupFabrics/Azure/protectionContainers/{container}");
        let item = format!("{container}/protectedItems/{item}");
        let body = Some(json!({"properties": {}}));
        for (method, path, body) in [
            ("PUT", container.clone(), body.clone()),
            ("PUT", item.clone(), body.clone()),
            ("GET", item.clone(), None),
            ("DELETE", item.clone(), None),
            ("POST", format!("{item}/backup"), body.clone()),
            ("GET", format!("{item}/recoveryPoints"), None),
            (
                "POST",
                format!("{item}/recoveryPoints/1/restore"),
                body.clone(),
            ),
        ] {
            let answer = world.call(method, &path, body);
            let told = (answer.status, code(&answer));
            assert_eq!(told, (400, "BMSUserErrorNotSupported"), "{method} {path}");
        }
    }
}

#[test]
fn a_score_follows_from_soft_delete_and_immutability() {
    let mut world = World::with_vaults();
    let known = |score: &str, level: &str| (json!(score), json!(level));
    assert_eq!(score(&mut world, VAULT), known("None", "Poor"));
    let immutability = |state: &str| {
        let settings = json!({"immutabilitySettings": {"state": state}});
        Some(json!({"properties": {"securitySettings": settings}}))
    };
    world.call("PATCH", VAULT, immutability("Unlocked"));
    assert_eq!(score(&mut world, VAULT), known("Minimum", "Fair"));
    world.call("PATCH", VAULT, immutability("Disabled"));
    assert_eq!(score(&mut world, VAULT), known("None", "Poor"));

    assert_eq!(score(&mut world, BACKUP_VAULT), known("Minimum", "Fair"));
    for (soft_delete, immutability, score_then, level) in [
        ("Off", "Disabled", "None", "Poor"),
        ("Off", "Unlocked", "None", "Poor"),
        ("On", "Unlocked", "Minimum", "Fair"),
        ("AlwaysOn", "Disabled", "Minimum", "Fair"),
        ("AlwaysOn", "Unlocked", "Adequate", "Good"),
        ("AlwaysOn", "Locked", "Adequate", "Good"),
    ] {
        let settings = json!({
            "softDeleteSettings": {"state": soft_delete}, "immutabilitySettings": {"state": immutability},
        });
        let body = json!({"properties": {"securitySettings": settings}});
        world.call("PATCH", BACKUP_VAULT, Some(body));
        let told = score(&mut world, BACKUP_VAULT);
        assert_eq!(
            told,
            known(score_then, level),
            "{soft_delete} {immutability}"
        );
    }
    let body = world.get(BACKUP_VAULT).body.unwrap();
    assert_eq!(body["properties"]["replicatedRegions"], json!([]));
}

#[test]
fn a_word_is_answered_as_azure_spells_it_however_it_was_sent() {
    let mut world = World::with_vaults();
    let sent = json!({"properties": {
        "securitySettings": {
            "immutabilitySettings": {"state": "unlocked"},
            "softDeleteSettings": {"softDeleteState": "AlwaysOn", "enhancedSecurityState": "ALWAYSON"},
        },
        "publicNetworkAccess": "enabled",
        "redundancySettings": {"standardTierStorageRedundancy": "locallyredundant"},
    }});
    assert_eq!(world.call("PATCH", VAULT, Some(sent)).status, 202);
    let told = &world.get(VAULT).body.unwrap()["properties"];
    let security = &told["securitySettings"];
    assert_eq!(
        security["immutabilitySettings"],
        json!({"state": "Unlocked"})
    );
    let soft_delete = &security["softDeleteSettings"];
    assert_eq!(soft_delete["softDeleteState"], "AlwaysON");
    assert_eq!(soft_delete["enhancedSecurityState"], "AlwaysON");
    assert_eq!(told["publicNetworkAccess"], "Enabled");
    assert_eq!(
        told["redundancySettings"]["standardTierStorageRedundancy"],
        "LocallyRedundant"
    );
    assert_eq!(
        score(&mut world, VAULT),
        (json!("Adequate"), json!("Good")),
        "by what it means"
    );

    let sent = json!({"properties": {"securitySettings": {
        "softDeleteSettings": {"state": "alwaysON"}, "immutabilitySettings": {"state": "LOCKED"},
    }}});
    world.call("PATCH", BACKUP_VAULT, Some(sent));
    let told = world.get(BACKUP_VAULT).body.unwrap();
    let security = &told["properties"]["securitySettings"];
    assert_eq!(security["softDeleteSettings"]["state"], "AlwaysOn");
    assert_eq!(security["immutabilitySettings"]["state"], "Locked");

    let unknown = json!({"properties": {"securitySettings": {
        "softDeleteSettings": {"enhancedSecurityState": "Sometimes"},
    }}});
    let refused = world.call("PATCH", VAULT, Some(unknown));
    assert_eq!(refused.status, 400);
}

#[test]
fn what_newer_clients_read_of_a_vault_is_there_and_says_what_is_so() {
    let mut world = World::with_vault();
    let told = world.get(VAULT).body.unwrap()["properties"].clone();
    let off = |told: &Value| {
        assert_eq!(
            told["securitySettings"]["sourceScanConfiguration"],
            json!({"state": "Disabled"})
        );
        assert_eq!(
            told["regionOfChoiceSettings"],
            json!({"status": "Disabled"})
        );
    };
    off(&told);
    for (body, member) in [
        (
            json!({"securitySettings": {"sourceScanConfiguration": {"state": "Enabled"}}}),
            "sourceScanConfiguration",
        ),
        (
            json!({"regionOfChoiceSettings": {"status": "Enabled"}}),
            "regionOfChoiceSettings",
        ),
    ] {
        let refused = world.call("PATCH", VAULT, Some(json!({"properties": body})));
        let told = (refused.status, code(&refused));
        assert_eq!(told, (400, "BMSUserErrorNotSupported"), "{member}");
        let body = refused.body.unwrap().to_string();
        assert!(body.contains(member), "{body}");
    }
    // What was read may be sent back.
    let again = world.call("PATCH", VAULT, Some(json!({"properties": told})));
    assert_eq!(again.status, 202);
    off(&world.get(VAULT).body.unwrap()["properties"]);
}

#[test]
fn an_error_of_data_protection_tells_the_requests_id() {
    let mut world = World::with_vaults();
    for path in [
        format!("{BACKUP_VAULT}/backupPolicies/none"),
        format!("{BACKUP_VAULT}/backupInstances/none"),
    ] {
        let body = world.get(&path).body.unwrap();
        let info = &body["error"]["additionalInfo"][0]["info"];
        assert_eq!(
            info["properties"],
            json!({"ActivityId": "request"}),
            "{body}"
        );
        assert_eq!(info["isUserError"], false, "{body}");
    }
}

#[test]
fn times_have_seven_decimals_at_most() {
    let mut world = World::new();
    world.now = "2026-11-22T10:00:00.123456789Z".parse().unwrap();
    let body = json!({"location": "westeurope"});
    let made = world.call("PUT", VAULT, Some(body));
    let url = made.header("Azure-AsyncOperation").unwrap().to_owned();
    let path = url.strip_prefix("https://127.0.0.1:8443").unwrap();
    let status = world.get(path.split('?').next().unwrap()).body.unwrap();
    for time in ["startTime", "endTime"] {
        assert_eq!(status[time], "2026-11-22T10:00:00.1234567Z", "{status}");
    }
    world.call("DELETE", VAULT, None);
    let deleted = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/westeurope/deletedVaults"
    );
    let list = world.get(&deleted).body.unwrap();
    let text = list.to_string();
    assert!(!text.contains("123456789"), "{text}");
}
