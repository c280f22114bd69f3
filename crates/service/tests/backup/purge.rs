//! What is left when a vault or an item has gone for good: nothing, in the store and beside the machines.

use http::Method;
use jiff::SignedDuration;
use kluis_vault::FailureCode;

use super::world::{ITEM, VAULT, WEB_1, World, backup_request, protection};

const TODAY: &str = "api-version=2026-07-01";

/// web-1 with a point in the vault and one that got no further than its snapshots; web-2 with one. All have their snapshots.
fn with_snapshots() -> World {
    let mut world = World::new();
    world.protect();
    let second = ITEM.replace("web-1", "web-2");
    let body = protection(&WEB_1.replace("web-1", "web-2"), "DefaultPolicy");
    world.accept(Method::PUT, &second, Some(&body));
    world.backup_now();
    world.accept(
        Method::POST,
        &format!("{second}/backup"),
        Some(&backup_request()),
    );
    world.settle();
    world.now += SignedDuration::from_mins(1);
    let stuck = world.backup_to_the_vault();
    world.fail(&stuck, FailureCode::NoSpace);
    assert_eq!(world.folders.len(), 3);
    world
}

fn delete_items(world: &mut World) {
    for vm in ["web-1", "web-2"] {
        world.accept(Method::DELETE, &ITEM.replace("web-1", vm), None);
    }
}

fn nothing_is_left(world: &mut World) {
    assert_eq!(world.folders.len(), 0, "{:?}", world.folders);
    assert_eq!(world.files.snapshots.borrow().len(), 0);
    assert_eq!(world.known_folders().len(), 0);
    let snapshots: usize = world
        .snapshots
        .values()
        .map(std::collections::BTreeMap::len)
        .sum();
    assert_eq!(snapshots, 0, "{:?}", world.snapshots);
    assert!(!world.busy());
}

#[test]
fn the_snapshots_of_a_deleted_vault_stay_as_long_as_it_can_come_back_and_go_with_it() {
    let mut world = with_snapshots();
    let folders = world.folders.clone();
    delete_items(&mut world);
    let deleted = world.request(Method::DELETE, &format!("{VAULT}?{TODAY}"), None);
    assert_eq!(deleted.status, 202);
    assert_eq!(world.known_folders(), folders, "a start would leave them");
    world.live(24 * 14 - 1);
    assert_eq!(
        world.folders, folders,
        "its days of instant restore stand still"
    );
    world.live(2);
    // The repository went as a whole, and its snapshots with it.
    world.snapshots.clear();
    nothing_is_left(&mut world);
}

#[test]
fn a_deleted_vault_that_came_back_lets_go_of_the_snapshots_whose_days_are_over() {
    let mut world = with_snapshots();
    delete_items(&mut world);
    let deleted = world.request(Method::DELETE, &format!("{VAULT}?{TODAY}"), None);
    assert_eq!(deleted.status, 202);
    world.live(24 * 3);
    let places = format!(
        "/subscriptions/{}/providers/Microsoft.RecoveryServices/locations/westeurope/deletedVaults",
        super::world::SUBSCRIPTION
    );
    let name = world.get(&places)["value"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let group = serde_json::json!({ "properties": { "recoveryResourceGroupId": "shop-rg" } });
    let back = world.request(
        Method::POST,
        &format!("{places}/{name}/undelete"),
        Some(&group),
    );
    assert_eq!(back.status, 202, "{:?}", back.body);
    world.tick();
    assert_eq!(
        world.folders.len(),
        1,
        "the point that is nowhere else keeps its snapshots"
    );
    assert_eq!(world.known_folders(), world.folders);
}

#[test]
fn the_snapshots_of_a_deleted_item_go_when_its_time_is_over() {
    let mut world = with_snapshots();
    delete_items(&mut world);
    world.live(24 * 15);
    nothing_is_left(&mut world);
    let removed = world.request(Method::DELETE, VAULT, None);
    assert_eq!(removed.status, 202, "{:?}", removed.body);
}

#[test]
fn without_soft_delete_they_go_at_once() {
    let mut world = with_snapshots();
    let off = serde_json::json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    world.request(Method::PUT, "backupconfig/vaultconfig", Some(&off));
    delete_items(&mut world);
    world.settle();
    nothing_is_left(&mut world);
    let removed = world.request(Method::DELETE, &format!("{VAULT}?{TODAY}"), None);
    assert_eq!(removed.status, 202, "{:?}", removed.body);
}

#[test]
fn a_service_that_dies_while_a_vault_is_purged_ends_it_at_the_next_start() {
    let mut world = with_snapshots();
    delete_items(&mut world);
    world.request(Method::DELETE, &format!("{VAULT}?{TODAY}"), None);
    world.live(24 * 14 - 1);
    world.restart();
    assert_eq!(world.known_folders(), world.folders);
    world.live(24);
    world.restart();
    world.snapshots.clear();
    nothing_is_left(&mut world);
}
