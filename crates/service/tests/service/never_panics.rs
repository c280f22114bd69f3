//! No request makes the core panic, whatever its path, method, query and body; and each is answered in ARM's form.

use proptest::prelude::*;
use serde_json::json;

use crate::world::{SUBSCRIPTION, VAULT, World};

fn segment() -> impl Strategy<Value = String> {
    let words = [
        "subscriptions",
        SUBSCRIPTION,
        "resourceGroups",
        "shop-rg",
        "providers",
        "Microsoft.RecoveryServices",
        "vaults",
        "v1",
        "backupFabrics",
        "Azure",
        "protectionContainers",
        "IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1",
        "protectedItems",
        "VM%3Biaasvmcontainerv2%3Bshop-rg%3Bweb-1",
        "backupPolicies",
        "DefaultPolicy",
        "backupJobs",
        "recoveryPoints",
        "backup",
        "restore",
        "cancel",
        "operationResults",
        "operationsStatus",
        "operationStatus",
        "Microsoft.Compute",
        "virtualMachines",
        "web-1",
        "disks",
        "tenants",
        "locations",
        "westeurope",
        "checkNameAvailability",
        "..",
        "%2e%2e",
        "%00",
        "%FF",
        "%",
        "refreshContainers",
        "backupProtectableItems",
        "backupProtectedItems",
        "backupstorageconfig",
        "vaultstorageconfig",
    ];
    prop_oneof![8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,12}"]
}

fn path() -> impl Strategy<Value = String> {
    let loose = proptest::collection::vec(segment(), 0..12)
        .prop_map(|segments| format!("/{}", segments.join("/")));
    let below = proptest::collection::vec(segment(), 0..8)
        .prop_map(|segments| format!("{VAULT}/{}", segments.join("/")));
    prop_oneof![1 => loose, 3 => below]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let shapes = [
        json!(null),
        json!([]),
        json!(1),
        json!("x"),
        json!({}),
        json!({ "properties": null }),
        json!({ "properties": [] }),
        json!({ "location": 5, "properties": { "redundancySettings": "x", "securitySettings": [1] }, "tags": [] }),
        json!({ "properties": { "protectedItemType": "Microsoft.Compute/virtualMachines", "policyId": "x", "sourceResourceId": "/" } }),
        json!({ "properties": { "objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "9999-99-99" } }),
        json!({ "properties": { "backupManagementType": "AzureIaasVM", "schedulePolicy": {}, "retentionPolicy": {} } }),
    ];
    let shapes: Vec<Vec<u8>> = shapes
        .iter()
        .map(|shape| shape.to_string().into_bytes())
        .collect();
    prop_oneof![3 => proptest::sample::select(shapes), 1 => proptest::collection::vec(any::<u8>(), 0..64)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_is_answered(
        method in proptest::sample::select(vec!["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"]),
        path in path(),
        query in prop_oneof![
            4 => "(&\\$filter=[a-z' %+()]{0,20}){0,1}(&\\$skiptoken=[0-9a-z]{0,20}){0,1}".prop_map(|rest| format!("api-version=2024-04-01{rest}")),
            1 => "\\PC{0,20}",
        ],
        body in body(),
    ) {
        let mut world = World::with_vault();
        let request = world.request(method, &format!("{path}?{query}"), body);
        let (response, _) = world.handle(&request);
        prop_assert!((200..600).contains(&response.status));
        prop_assert_ne!(response.status, 500, "{:?}", response.body);
        if response.status >= 400 {
            let error = &response.body.as_ref().unwrap()["error"];
            prop_assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()));
            prop_assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
    }
}
