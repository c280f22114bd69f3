//! A vault's managed identity, as both kinds of vault have it; and the keys of customers, which none has.

use kluis_service::core::Response;
use serde_json::{Value, json};

use crate::world::{TENANT, VAULT, World, code};

const BACKUP_VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.DataProtection/backupVaults/v1";
const ONE: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one";

fn patched(world: &mut World, vault: &str, identity: &Value) -> Response {
    world.call("PATCH", vault, Some(json!({ "identity": identity })))
}

fn shown(world: &mut World, vault: &str) -> Value {
    world.get(vault).body.unwrap()["identity"].clone()
}

#[test]
fn identities_are_merged_by_their_ids_and_removed_by_null() {
    for vault in [VAULT, BACKUP_VAULT] {
        let mut world = World::with_vaults();
        let two = ONE.replace("/one", "/two");
        patched(&mut world, vault, &json!({"type": "SystemAssigned"}));
        let system = shown(&mut world, vault);
        assert_eq!(system["tenantId"], TENANT);
        patched(
            &mut world,
            vault,
            &json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {ONE: {}}}),
        );
        let first = shown(&mut world, vault);
        assert_eq!(first["type"], "SystemAssigned, UserAssigned");
        assert_eq!(
            first["principalId"], system["principalId"],
            "the ids are made up once"
        );
        for id in ["clientId", "principalId"] {
            assert!(
                first["userAssignedIdentities"][ONE][id].is_string(),
                "{first}"
            );
        }
        // Another is added, the same is named in another case: both stay as they were.
        let named = json!({two.clone(): {}, ONE.to_uppercase(): {}});
        patched(
            &mut world,
            vault,
            &json!({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": named}),
        );
        let both = shown(&mut world, vault);
        assert_eq!(both["userAssignedIdentities"].as_object().unwrap().len(), 2);
        assert_eq!(
            both["userAssignedIdentities"][ONE],
            first["userAssignedIdentities"][ONE]
        );
        patched(
            &mut world,
            vault,
            &json!({"type": "UserAssigned", "userAssignedIdentities": {ONE: null}}),
        );
        let left = shown(&mut world, vault);
        assert_eq!(
            left["userAssignedIdentities"]
                .as_object()
                .unwrap()
                .keys()
                .collect::<Vec<_>>(),
            [&two]
        );
        assert!(left.get("principalId").is_none(), "{left}");
        let last = patched(
            &mut world,
            vault,
            &json!({"userAssignedIdentities": {two: null}}),
        );
        assert_eq!(code(&last), "MissingIdentityIds");
        patched(&mut world, vault, &json!({"type": "None"}));
        assert_eq!(shown(&mut world, vault), json!({"type": "None"}));
        for wrong in [
            json!({"type": "Somebody"}),
            json!({"type": 3}),
            json!("None"),
            json!({"type": "None, UserAssigned"}),
        ] {
            assert_eq!(
                code(&patched(&mut world, vault, &wrong)),
                "InvalidIdentityValues"
            );
        }
    }
}

#[test]
fn a_recovery_services_vault_is_answered_at_once_where_only_its_own_identity_changes() {
    let mut world = World::with_vaults();
    for kind in ["SystemAssigned", "None"] {
        let answer = patched(&mut world, VAULT, &json!({ "type": kind }));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.unwrap()["identity"]["type"], kind);
    }
    let users = json!({"type": "UserAssigned", "userAssignedIdentities": {ONE: {}}});
    assert_eq!(patched(&mut world, VAULT, &users).status, 202);
}

#[test]
fn a_key_that_would_do_nothing_is_refused_wherever_it_can_be_named() {
    let key = json!({"keyUri": "https://kv.vault.azure.net/keys/k/1"});
    let config = format!("{VAULT}/backupEncryptionConfigs/backupResourceEncryptionConfig");
    let of_a_vault = [
        json!({"keyVaultProperties": key}),
        json!({"kekIdentity": {"useSystemAssignedIdentity": true}}),
        json!({"infrastructureEncryption": "Enabled"}),
    ];
    let of_a_backup_vault = [
        json!({"state": "Enabled"}),
        json!({"keyVaultProperties": key}),
        json!({"kekIdentity": {"identityType": "SystemAssigned"}}),
        json!({"infrastructureEncryption": "Enabled"}),
    ];
    let of_a_config = [
        json!({"encryptionAtRestType": "CustomerManaged"}),
        key.clone(),
        json!({"infrastructureEncryptionState": "Enabled"}),
        json!({"userAssignedIdentity": ONE}),
    ];
    let mut world = World::with_vaults();
    for method in ["PUT", "PATCH"] {
        for encryption in &of_a_vault {
            let body = json!({"location": "westeurope", "properties": {"encryption": encryption}});
            assert_eq!(
                code(&world.call(method, VAULT, Some(body))),
                "BMSUserErrorNotSupported",
                "{encryption}"
            );
        }
        for settings in &of_a_backup_vault {
            let security = json!({"securitySettings": {"encryptionSettings": settings}});
            let body = json!({"location": "westeurope", "properties": security});
            assert_eq!(
                code(&world.call(method, BACKUP_VAULT, Some(body))),
                "BMSUserErrorNotSupported",
                "{settings}"
            );
        }
    }
    for said in &of_a_config {
        let body = json!({ "properties": said });
        assert_eq!(
            code(&world.call("PUT", &config, Some(body))),
            "BMSUserErrorNotSupported",
            "{said}"
        );
    }
    let read = world.get(&config).body.unwrap();
    assert_eq!(read["properties"]["useSystemAssignedIdentity"], true);
    assert_eq!(world.call("PUT", &config, Some(read)).status, 200);
    for vault in [VAULT, BACKUP_VAULT] {
        let body = world.get(vault).body.unwrap();
        assert!(
            world.call("PUT", vault, Some(body)).status < 300,
            "what is read may be written back"
        );
    }
}
