//! The settings of vaults: what is shown is done. What nothing would be done by is refused or not taken, and what was read may
//! always be sent back.

use serde_json::{Value, json};

use crate::world::{VAULT, World, code};

const BACKUP_VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.DataProtection/backupVaults/v1";

/// A text or a number in the place of what is at a pointer.
fn at(pointer: &str, value: Value) -> Value {
    let names: Vec<&str> = pointer.split('/').skip(1).collect();
    let inside = names
        .iter()
        .rev()
        .fold(value, |inside, name| json!({ *name: inside }));
    json!({ "properties": inside })
}

fn properties(world: &mut World, vault: &str) -> Value {
    world.get(vault).body.unwrap()["properties"].clone()
}

fn protect(world: &mut World) {
    let machine = "iaasvmcontainerv2;shop-rg;web-1";
    let item = format!(
        "{VAULT}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}"
    );
    let group = VAULT.split("/providers").next().unwrap();
    let body = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": format!("{group}/providers/Microsoft.Compute/virtualMachines/web-1"),
        "policyId": format!("{VAULT}/backupPolicies/DefaultPolicy"),
    }});
    let answer = world.call("PUT", &item, Some(body));
    assert_eq!(answer.status, 202, "{:?}", answer.body);
}

#[test]
fn a_setting_that_does_nothing_is_refused_by_name_with_the_way_out() {
    let mut world = World::with_vaults();
    let storage = format!("{VAULT}/backupstorageconfig/vaultstorageconfig");
    let mine = "BMSUserErrorNotSupported";
    for (vault, pointer, value, only, expected) in [
        (VAULT, "/publicNetworkAccess", "Disabled", "Enabled", mine),
        (
            VAULT,
            "/publicNetworkAccess",
            "SecuredByPerimeter",
            "Enabled",
            mine,
        ),
        (
            VAULT,
            "/redundancySettings/crossRegionRestore",
            "Enabled",
            "Disabled",
            mine,
        ),
        (
            BACKUP_VAULT,
            "/featureSettings/crossRegionRestoreSettings/state",
            "Enabled",
            "Disabled",
            "UserErrorOperationNotSupported",
        ),
    ] {
        let before = properties(&mut world, vault);
        let name = pointer.trim_start_matches('/').replace('/', ".");
        for method in ["PATCH", "PUT"] {
            let refused = world.call(method, vault, Some(at(pointer, json!(value))));
            let told = (refused.status, code(&refused));
            assert_eq!(told, (400, expected), "{method} {name}");
            let body = refused.body.unwrap().to_string();
            for word in [name.as_str(), value, only, "Leave it out"] {
                assert!(body.contains(word), "{word} in {body}");
            }
        }
        assert_eq!(properties(&mut world, vault), before, "{name}");
        // What is so anyway is taken.
        for said in [json!(only), json!(only.to_lowercase()), json!(null)] {
            let taken = world.call("PATCH", vault, Some(at(pointer, said)));
            assert_eq!(taken.status, 202, "{name}");
        }
        assert_eq!(properties(&mut world, vault), before, "{name}");
    }
    for (name, value, so) in [
        ("crossRegionRestoreFlag", json!(true), json!(false)),
        ("dedupState", json!("Enabled"), json!("Disabled")),
        ("xcoolState", json!("Enabled"), json!("Disabled")),
    ] {
        let before = world.get(&storage).body.unwrap();
        assert_eq!(before["properties"][name], so);
        for method in ["PATCH", "PUT"] {
            let refused = world.call(
                method,
                &storage,
                Some(at(&format!("/{name}"), value.clone())),
            );
            let told = (refused.status, code(&refused));
            assert_eq!(told, (400, mine), "{method} {name}");
            assert!(refused.body.unwrap().to_string().contains(name));
        }
        assert_eq!(world.get(&storage).body.unwrap(), before);
        let again = world.call("PUT", &storage, Some(before));
        assert_eq!(again.status, 200, "{:?}", again.body);
    }
}

#[test]
fn what_is_not_a_clients_to_say_and_what_is_not_known_is_not_taken() {
    let mut world = World::with_vaults();
    for vault in [VAULT, BACKUP_VAULT] {
        let before = world.get(vault).body.unwrap();
        let said = json!({
            "resourceGuardOperationRequests": ["/x"],
            "frobnicate": { "a": 1 },
            "moveDetails": { "operationId": "x" },
            "upgradeDetails": { "status": "Upgraded" },
            "securitySettings": {
                "multiUserAuthorization": "Enabled", "frob": true,
                "immutabilitySettings": { "frob": 1 },
            },
            "monitoringSettings": { "azureMonitorAlertSettings": { "frob": "Enabled" } },
            "redundancySettings": { "frob": "x" },
            "featureSettings": { "frob": "x" },
            "restoreSettings": { "frob": "x" },
            "isVaultProtectedByResourceGuard": true,
            "secureScore": "Maximum", "bcdrSecurityLevel": "Excellent", "provisioningState": "Failed",
        });
        let sent = json!({ "properties": said, "frob": 1 });
        assert_eq!(world.call("PATCH", vault, Some(sent)).status, 202);
        let after = world.get(vault).body.unwrap();
        assert_eq!(after["properties"], before["properties"], "{vault}");
        assert_eq!(
            after["properties"]["securitySettings"]["multiUserAuthorization"],
            "Disabled"
        );
        assert_eq!(after["frob"], Value::Null);
        for (pointer, value) in [
            ("/securitySettings", json!(5)),
            ("/securitySettings/softDeleteSettings", json!("On")),
            ("/monitoringSettings/azureMonitorAlertSettings", json!([])),
            (
                "/monitoringSettings/azureMonitorAlertSettings/alertsForAllJobFailures",
                json!({}),
            ),
        ] {
            let refused = world.call("PATCH", vault, Some(at(pointer, value)));
            assert_eq!(refused.status, 400, "{vault} {pointer}");
        }
        assert_eq!(
            properties(&mut world, vault),
            before["properties"],
            "{vault}"
        );
    }
    let sku = json!({ "sku": { "name": "RS0", "tier": "Standard", "frob": 1 } });
    world.call("PATCH", VAULT, Some(sku));
    let told = world.get(VAULT).body.unwrap()["sku"].clone();
    assert_eq!(told, json!({ "name": "RS0", "tier": "Standard" }));
    let stores = json!([{ "datastoreType": "VaultStore", "type": "ZoneRedundant", "frob": 1 }]);
    world.call("PATCH", BACKUP_VAULT, Some(at("/storageSettings", stores)));
    assert_eq!(
        properties(&mut world, BACKUP_VAULT)["storageSettings"],
        json!([{ "datastoreType": "VaultStore", "type": "ZoneRedundant" }])
    );
}

#[test]
fn what_is_permanent_stays() {
    let mut world = World::with_vaults();
    for (vault, pointer) in [
        (
            VAULT,
            "/restoreSettings/crossSubscriptionRestoreSettings/crossSubscriptionRestoreState",
        ),
        (
            BACKUP_VAULT,
            "/featureSettings/crossSubscriptionRestoreSettings/state",
        ),
    ] {
        let mut say = |word: &str| {
            world
                .call("PATCH", vault, Some(at(pointer, json!(word))))
                .status
        };
        assert_eq!(say("Disabled"), 202);
        assert_eq!(say("Enabled"), 202);
        assert_eq!(say("permanentlyDisabled"), 202);
        assert_eq!(say("Enabled"), 400, "{vault}");
        assert_eq!(say("Disabled"), 400, "{vault}");
        assert_eq!(say("PermanentlyDisabled"), 202);
        let told = properties(&mut world, vault);
        assert_eq!(told.pointer(pointer), Some(&json!("PermanentlyDisabled")));
    }
}

/// A vault shows no days while its soft delete is off. They are there again when it is turned on, however a client does that.
#[test]
fn the_days_of_soft_delete_outlive_its_being_off() {
    let settings = |state: &str, days: Value| {
        json!({"properties": {"securitySettings": {"softDeleteSettings": {
            "softDeleteState": state, "softDeleteRetentionPeriodInDays": days,
        }}}})
    };
    let on = |days: Value| json!({"properties": {"softDeleteFeatureState": "Enabled", "softDeleteRetentionPeriodInDays": days}});
    let config = format!("{VAULT}/backupconfig/vaultconfig");
    // Azure shows 0 of a vault that has had something in it.
    let turned_off = || {
        let mut world = World::with_vault();
        protect(&mut world);
        world.call("PATCH", VAULT, Some(settings("Enabled", json!(30))));
        world.call("PATCH", VAULT, Some(settings("Disabled", Value::Null)));
        assert_eq!(days(&mut world), 0);
        world
    };
    let mut own = turned_off().get(VAULT).body.unwrap();
    let mut world = turned_off();
    assert_eq!(world.call("PUT", VAULT, Some(own.clone())).status, 200);
    assert_eq!(days(&mut world), 0);
    world.call("PATCH", VAULT, Some(settings("Enabled", Value::Null)));
    assert_eq!(days(&mut world), 30, "its own body, then the state");

    own["properties"]["securitySettings"]["softDeleteSettings"]["softDeleteState"] =
        json!("Enabled");
    for (what, method, path, body) in [
        ("its own body, with another state", "PUT", VAULT, own),
        ("its config, with 0 days", "PUT", &config, on(json!(0))),
        (
            "its config, without days",
            "PATCH",
            &config,
            on(Value::Null),
        ),
    ] {
        let mut world = turned_off();
        let answer = world.call(method, path, Some(body));
        assert_eq!(answer.status, 200, "{what}: {:?}", answer.body);
        assert_eq!(days(&mut world), 30, "{what}");
    }
    // Nobody asks for 0 days of a soft delete that is on.
    let mut world = World::with_vault();
    let refused = world.call("PATCH", VAULT, Some(settings("Enabled", json!(0))));
    assert_eq!(refused.status, 400);
}

fn days(world: &mut World) -> Value {
    let told = properties(world, VAULT);
    told["securitySettings"]["softDeleteSettings"]["softDeleteRetentionPeriodInDays"].clone()
}
