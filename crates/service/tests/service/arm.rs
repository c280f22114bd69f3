//! What holds for every request, and what clients read around the vaults.

use kluis_service::core::{VaultKey, VaultPath};
use kluis_service::operations::{Operation, Progress, Scope};
use serde_json::json;

use crate::world::{SUBSCRIPTION, VAULT, World, code};

#[test]
fn an_api_version_is_needed_and_must_be_known() {
    let mut world = World::with_vault();
    let mut ask = |query: &str| {
        let request = world.request("GET", &format!("{VAULT}{query}"), Vec::new());
        world.handle(&request).0
    };
    assert_eq!(code(&ask("")), "MissingApiVersionParameter");
    let unknown = ask("?api-version=2012-01-01");
    assert_eq!(
        (unknown.status, code(&unknown)),
        (400, "InvalidApiVersionParameter")
    );
    assert!(
        unknown.body.unwrap()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("2026-11-01"),
        "it names the accepted ones"
    );
    for known in ["2021-11-15", "2024-04-01", "2026-11-01"] {
        assert_eq!(ask(&format!("?Api-Version={known}")).status, 200, "{known}");
    }
}

#[test]
fn paths_are_read_without_regard_to_case_or_escaping() {
    let mut world = World::with_vault();
    for path in [
        VAULT.to_uppercase(),
        VAULT.to_lowercase(),
        VAULT.replace('-', "%2D"),
        format!("/{VAULT}/"),
    ] {
        let found = world.get(&path);
        assert_eq!(
            found.body.unwrap()["id"],
            VAULT,
            "{path}: ids come back as they were made"
        );
    }
}

#[test]
fn what_is_not_there_or_not_so_is_told_apart() {
    let mut world = World::with_vault();
    let resource = |kind: &str| {
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/{kind}")
    };
    assert_eq!(
        code(&world.get(&VAULT.replace("/v1", "/none"))),
        "ResourceNotFound"
    );
    assert_eq!(
        code(&world.get(&VAULT.replace("/v1", "/none/backupPolicies"))),
        "ResourceNotFound"
    );
    assert_eq!(
        code(&world.get(&resource("Microsoft.ClassicStorage/storageAccounts/x"))),
        "ResourceNotFound"
    );
    assert_eq!(
        code(&world.get("/subscriptions/00000000-0000-0000-0000-000000000000")),
        "SubscriptionNotFound"
    );
    assert_eq!(world.get("/nowhere").status, 404);
    assert_eq!(world.call("POST", VAULT, None).status, 405);
    assert_eq!(
        world
            .call(
                "PUT",
                &resource("Microsoft.Compute/virtualMachines/web-1"),
                Some(json!({}))
            )
            .status,
        405
    );
    assert_eq!(
        code(&world.get(&format!("{VAULT}/backupOperations/none"))),
        "OperationNotFound"
    );
    let request = world.request(
        "PUT",
        &format!("{VAULT}?api-version=2024-04-01"),
        b"{not json".to_vec(),
    );
    assert_eq!(code(&world.handle(&request).0), "InvalidRequestContent");
}

#[test]
fn an_operation_is_reached_from_every_scope() {
    let mut world = World::with_vault();
    let made = world.call("PATCH", VAULT, Some(json!({ "tags": { "a": "b" } })));
    let id = made
        .header("Location")
        .unwrap()
        .split('?')
        .next()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let item = "backupFabrics/Azure/protectionContainers/c/protectedItems/i";
    for scope in [
        "operationStatus",
        "backupOperations",
        "backupFabrics/Azure/operationsStatus",
        "backupPolicies/p/operations",
    ] {
        let found = world.get(&format!("{VAULT}/{scope}/{id}"));
        assert_eq!(found.body.unwrap()["status"], "Succeeded", "{scope}");
    }
    assert_eq!(
        world
            .get(&format!("{VAULT}/{item}/operationsStatus/{id}"))
            .body
            .unwrap()["name"],
        id.as_str()
    );
    for scope in [
        "operationResults",
        "backupOperationResults",
        "backupFabrics/Azure/operationResults",
        "backupJobs/j/operationResults",
    ] {
        assert_eq!(
            world.get(&format!("{VAULT}/{scope}/{id}")).body.unwrap()["name"],
            "v1",
            "{scope}"
        );
    }
    assert_eq!(
        world
            .get(&format!("{VAULT}/{item}/operationResults/{id}"))
            .status,
        200
    );
    let other = VAULT.replace("/v1", "/v2");
    assert_eq!(
        code(&world.get(&format!("{other}/operationStatus/{id}"))),
        "OperationNotFound",
        "only from its own vault"
    );
}

#[test]
fn the_inventory_is_read_as_clients_read_azure() {
    let mut world = World::new();
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/SHOP-RG");
    let vm = world
        .get(&format!(
            "{group}/providers/microsoft.compute/virtualMachines/WEB-1?$expand=instanceView"
        ))
        .body
        .unwrap();
    assert_eq!(
        (&vm["name"], &vm["location"]),
        (&json!("web-1"), &json!("westeurope"))
    );
    let profile = &vm["properties"]["storageProfile"];
    assert_eq!(
        (&profile["osDisk"]["name"], &profile["osDisk"]["osType"]),
        (&json!("web-1-os"), &json!("Linux"))
    );
    let data = &profile["dataDisks"][0];
    assert_eq!(
        (&data["name"], &data["lun"], &data["diskSizeGB"]),
        (&json!("web-1-lun0"), &json!(0), &json!(1))
    );
    let view = world
        .get(&format!(
            "{group}/providers/Microsoft.Compute/virtualMachines/web-2/instanceView"
        ))
        .body
        .unwrap();
    assert_eq!(view["statuses"][1]["code"], "PowerState/deallocated");
    let all = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute");
    assert_eq!(
        world.get(&format!("{all}/virtualMachines")).body.unwrap()["value"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        world.get(&format!("{all}/disks")).body.unwrap()["value"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let net = world.get(&format!(
        "{group}/providers/Microsoft.Network/virtualNetworks/shop-net/subnets/default"
    ));
    assert_eq!(net.body.unwrap()["name"], "default");
    assert_eq!(
        world
            .get(&format!(
                "{group}/providers/Microsoft.Storage/storageAccounts/stagingweu"
            ))
            .status,
        200
    );
    assert_eq!(
        world.get("/tenants").body.unwrap()["value"][0]["tenantId"],
        crate::world::TENANT
    );
    assert_eq!(world.get(&group).body.unwrap()["name"], "shop-rg");
    assert_eq!(
        world.get(&format!("{all}?x=y")).body.unwrap()["registrationState"],
        "Registered"
    );
}

#[test]
fn urls_in_headers_are_ascii_and_keep_semicolons() {
    let world = World::new();
    let request = world.request("PUT", "/x?api-version=2024-04-01", Vec::new());
    let key = VaultKey::new("shop-rg", "v1");
    let operation = Operation {
        id: "op".to_owned(),
        vault: key.clone(),
        job: None,
        start: world.now,
        end: Some(world.now),
        progress: Progress::Succeeded { result: None },
    };
    let at = VaultPath {
        key,
        id: VAULT.to_owned(),
        resource_group: "shop-rg".to_owned(),
        name: "v1".to_owned(),
        rest: Vec::new(),
    };
    let accepted = operation.accepted(&request, &at, Scope::Item("c;caf\u{e9} 1", "i;x"));
    let below = "backupFabrics/Azure/protectionContainers/c;caf%C3%A9%201/protectedItems/i;x";
    let expected =
        format!("https://127.0.0.1:8443{VAULT}/{below}/operationsStatus/op?api-version=2024-04-01");
    assert_eq!(
        accepted.header("Azure-AsyncOperation"),
        Some(expected.as_str())
    );
    assert_eq!(
        accepted.header("Retry-After"),
        None,
        "it is done: nobody has to wait"
    );
}
