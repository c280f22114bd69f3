//! How much a subscription, a vault and an item can hold: rows 1, 37 and 38 of the rules, each filled to its number.
//!
//! What fills them are copies of real documents, written past the requests that would make them one by one.

use http::Method;
use jiff::Timestamp;
use kluis_service::store::Row;
use kluis_service::vaults::VaultRow;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::world::{ITEM, SUBSCRIPTION, VAULT, WEB_1, World, protection};

/// An item's document, whatever is in it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct RawItem(Value);

impl Row for RawItem {
    const TABLE: &'static str = "items";

    fn key(&self) -> String {
        let of = |field: &str| self.0[field].as_str().unwrap().to_lowercase();
        format!("{}/{}/{}", self.vault(), of("resourceGroup"), of("vm"))
    }

    fn vault(&self) -> String {
        self.0["vault"].as_str().unwrap().to_owned()
    }

    fn moment(&self) -> Option<Timestamp> {
        None
    }
}

/// A point's.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct RawPoint(Value);

impl Row for RawPoint {
    const TABLE: &'static str = "points";

    fn key(&self) -> String {
        let of = |field: &str| self.0[field].as_str().unwrap();
        format!("{}/{}", of("item"), of("name"))
    }

    fn vault(&self) -> String {
        self.0["vault"].as_str().unwrap().to_owned()
    }
}

fn with_machines(count: usize) -> World {
    let mut world = World::new();
    let machines = &mut world.inventory.resource_groups[0].virtual_machines;
    let one = machines[0].clone();
    machines.extend((0..count).map(|number| {
        let mut other = one.clone();
        other.name = format!("vm-{number}");
        other
    }));
    world
}

/// As many items like web-1's, named by their number from `from` on.
fn fill(world: &mut World, from: usize, count: usize) {
    world.copy::<RawItem>("shop-rg/shop-weu/shop-rg/web-1", count, |item, number| {
        item.0["vm"] = json!(format!("old-{}", from + number));
    });
}

fn protect(world: &mut World, vm: &str) -> String {
    let item = ITEM.replace("web-1", vm);
    let body = protection(&WEB_1.replace("web-1", vm), "DefaultPolicy");
    let answer = world.request(Method::PUT, &item, Some(&body));
    match answer.status {
        202 => "accepted".to_owned(),
        status => format!("{status} {}", answer.body.unwrap()["error"]["message"]),
    }
}

#[test]
fn row_1_an_item_has_up_to_9_999_points_and_the_next_backup_fails_by_that_number() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    world.copy::<RawPoint>("shop-rg/shop-weu/", 9_997, |point, number| {
        point.0["name"] = json!(format!("{number:015}"));
        point.0["instant"] = Value::Null;
    });
    let job = world.backup_now();
    world.settle();
    assert_eq!(
        world.job(&job)["status"],
        "Completed",
        "the 9,999th is made"
    );
    let job = world.backup_now();
    world.settle();
    let seen = world.job(&job);
    assert_eq!(seen["status"], "Failed", "{seen}");
    let error = &seen["errorDetails"][0];
    assert_eq!(error["errorTitle"], "UserErrorRecoveryPointLimitReached");
    let said = error["errorString"].as_str().unwrap();
    assert!(said.contains("9999"), "{said}");
    assert_eq!(world.item()["healthStatus"], "ActionRequired");
}

#[test]
fn row_37_a_subscription_has_up_to_500_vaults() {
    let mut world = World::new();
    world.copy::<VaultRow>("shop-rg/shop-weu", 498, |vault, number| {
        vault.name = format!("vault-{number}");
    });
    world.make_vault("the-500th");
    let path = VAULT.replace("shop-weu", "one-more");
    let body = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {}});
    let said = world.refused(Method::PUT, &path, Some(&body));
    assert!(
        said.starts_with("400 SubscriptionVaultLimitExceeded") && said.contains("500 vaults"),
        "{said}"
    );
    let known = world.request(Method::PUT, VAULT, Some(&body));
    assert_eq!(known.status, 200, "those that exist can be changed");
    let list = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/vaults");
    let gone = VAULT.replace("shop-weu", "vault-17");
    assert_eq!(world.request(Method::DELETE, &gone, None).status, 202);
    assert!(world.get(&list)["value"].is_array());
    world.make_vault("one-more");
}

#[test]
fn row_38_a_vault_protects_up_to_1_000_machines() {
    let mut world = with_machines(3);
    assert_eq!(protect(&mut world, "web-1"), "accepted");
    fill(&mut world, 0, 998);
    assert_eq!(protect(&mut world, "vm-0"), "accepted", "the 1,000th");
    let said = protect(&mut world, "vm-1");
    assert!(
        said.starts_with("400") && said.contains("1000 virtual machines"),
        "{said}"
    );
    assert_eq!(
        protect(&mut world, "vm-0"),
        "accepted",
        "those that it has can be changed"
    );
    world.accept(Method::DELETE, &ITEM.replace("web-1", "vm-0"), None);
    assert_eq!(
        protect(&mut world, "vm-2"),
        "accepted",
        "one whose data wait for their end makes room for a machine"
    );
    let back = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines", "isRehydrate": true,
        "protectionState": "ProtectionStopped", "policyId": "", "sourceResourceId": WEB_1.replace("web-1", "vm-0"),
    }});
    let said = world.refused(Method::PUT, &ITEM.replace("web-1", "vm-0"), Some(&back));
    assert!(
        said.starts_with("400") && said.contains("1000 virtual machines"),
        "and has none to come back to: {said}"
    );
    world.accept(Method::DELETE, &ITEM.replace("web-1", "vm-2"), None);
    world.accept(Method::PUT, &ITEM.replace("web-1", "vm-0"), Some(&back));
}

#[test]
fn row_38_a_vault_has_up_to_2_000_items_deleted_ones_included() {
    let mut world = with_machines(3);
    assert_eq!(protect(&mut world, "web-1"), "accepted");
    world.accept(Method::DELETE, ITEM, None);
    fill(&mut world, 0, 1_998);
    assert_eq!(protect(&mut world, "vm-0"), "accepted", "the 2,000th");
    let said = protect(&mut world, "vm-1");
    assert!(
        said.starts_with("400") && said.contains("2000 items"),
        "{said}"
    );
}

#[test]
fn row_38_a_vault_has_up_to_200_policies() {
    let mut world = World::new();
    let there = world.get("backupPolicies")["value"]
        .as_array()
        .unwrap()
        .len();
    for number in there..200 {
        let made = world.daily_policy(&format!("policy-{number}"), "20:00", "UTC", 30);
        assert_eq!(made.status, 200, "{number}");
    }
    let refused = world.daily_policy("one-more", "20:00", "UTC", 30);
    assert_eq!(refused.status, 400);
    let said = refused.body.unwrap()["error"]["message"].to_string();
    assert!(said.contains("200 policies"), "{said}");
}
