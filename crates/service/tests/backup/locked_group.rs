//! Row 34 of the rules: while a machine's resource group is locked its snapshots can't be removed. Backups go on and say so,
//! until there are as many snapshots as can be.

use http::Method;
use kluis_service::inventory::Lock;
use serde_json::json;

use super::world::{ITEM, SUBSCRIPTION, VAULT, World, at, protection};

fn locked(level: Option<Lock>, world: &mut World) {
    world.inventory.resource_groups[0].lock = level;
}

/// web-1 of a group of its own, so that the vault's is free.
fn world() -> World {
    let mut world = World::new();
    let mut own = world.inventory.resource_groups[0].clone();
    "web-rg".clone_into(&mut own.name);
    for vm in &mut own.virtual_machines {
        "web-rg".clone_into(&mut vm.resource_group);
    }
    world.inventory.resource_groups.push(own);
    world.accept(
        Method::PUT,
        &item(),
        Some(&protection(&vm(), "DefaultPolicy")),
    );
    world
}

fn item() -> String {
    ITEM.replace(";shop-rg;", ";web-rg;")
}

fn vm() -> String {
    super::world::WEB_1.replace("shop-rg", "web-rg")
}

fn set(level: Option<Lock>, world: &mut World) {
    let group = world.inventory.resource_groups.last_mut().unwrap();
    group.lock = level;
}

fn last(world: &mut World) -> serde_json::Value {
    let jobs = world.get("backupJobs?$filter=operation eq 'Backup'");
    let name = jobs["value"][0]["name"].as_str().unwrap().to_owned();
    world.job(&name)
}

#[test]
fn snapshots_outlive_their_days_while_the_group_is_locked_each_backup_says_so_and_the_nineteenth_fails()
 {
    for lock in [Lock::CanNotDelete, Lock::ReadOnly] {
        let mut world = world();
        set(Some(lock), &mut world);
        world.live(24 * 2);
        assert_eq!(
            last(&mut world)["status"],
            "Completed",
            "none is overdue yet"
        );
        world.live(24 * 3);
        assert_eq!(
            world.folders.len(),
            5,
            "two days are over, and all are there"
        );
        let job = last(&mut world);
        assert_eq!(job["status"], "CompletedWithWarnings");
        let said = job["errorDetails"][0].to_string();
        assert!(
            said.contains("web-rg") && said.contains(lock.level()) && said.contains("18"),
            "{said}"
        );
        world.live(24 * 14);
        assert_eq!(world.folders.len(), 18);
        let job = last(&mut world);
        assert_eq!(job["status"], "Failed");
        assert_eq!(
            job["errorDetails"][0]["errorTitle"],
            "UserErrorRpCollectionLimitReached"
        );
        let said = job["errorDetails"][0]["errorString"].as_str().unwrap();
        assert!(said.contains("18 snapshots"), "{said}");

        set(None, &mut world);
        world.tick();
        world.live(24);
        assert_eq!(last(&mut world)["status"], "Completed");
        assert!(world.folders.len() <= 3, "{:?}", world.folders);
        assert_eq!(world.known_folders(), world.folders);
    }
}

#[test]
fn points_and_items_whose_time_is_over_stay_with_their_snapshots_until_the_lock_is_gone() {
    let mut world = world();
    world.live(24);
    set(Some(Lock::CanNotDelete), &mut world);
    let stays = world.folders.clone();
    world.accept(Method::DELETE, &item(), None);
    world.live(24 * 20);
    assert_eq!(world.folders, stays);
    assert_eq!(
        world
            .snapshots
            .values()
            .map(std::collections::BTreeMap::len)
            .sum::<usize>(),
        1
    );
    set(None, &mut world);
    world.live(24);
    assert!(world.folders.is_empty(), "{:?}", world.folders);
    assert_eq!(world.request(Method::GET, &item(), None).status, 404);
}

#[test]
fn a_removal_that_waits_for_its_turn_when_the_group_is_locked_removes_nothing() {
    let mut world = world();
    world.max_jobs = 1;
    let ask = |until: &str, world: &mut World| {
        let body = json!({"properties": {
            "objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": until,
        }});
        world.accept(Method::POST, &format!("{}/backup", item()), Some(&body));
    };
    ask("2026-03-02T23:30:00Z", &mut world);
    world.settle();
    world.live(14);
    assert_eq!(world.folders.len(), 2, "that, and one of the schedule");
    // The one mover is busy at midnight, when the removal of the first is asked for.
    ask("2026-06-12T00:00:00Z", &mut world);
    world.now = at("2026-03-03T00:00:00Z");
    world.tick();
    set(Some(Lock::CanNotDelete), &mut world);
    world.settle();
    assert!(!world.busy(), "{}", world.jobs());
    assert_eq!(world.folders.len(), 3, "{}", world.jobs());
    assert_eq!(world.known_folders(), world.folders);

    set(None, &mut world);
    world.now = at("2026-03-03T10:00:00Z");
    world.live(24);
    let points = world.get(&format!("{}/recoveryPoints", item()));
    let there = |point: &&serde_json::Value| {
        point["properties"]["recoveryPointTime"] == "2026-03-02T09:00:00Z"
    };
    assert_eq!(points["value"].as_array().unwrap().iter().find(there), None);
}

#[test]
fn a_deleted_vault_stays_while_a_lock_keeps_its_snapshots() {
    let mut world = world();
    world.live(24);
    world.accept(Method::DELETE, &item(), None);
    let away = world.request(
        Method::DELETE,
        &format!("{VAULT}?api-version=2026-07-01"),
        None,
    );
    assert_eq!(away.status, 202);
    set(Some(Lock::ReadOnly), &mut world);
    world.live(24 * 16);
    assert_eq!(world.folders.len(), 1);
    set(None, &mut world);
    world.live(24 * 2);
    assert!(world.folders.is_empty());
    assert_eq!(world.next_due(), None);
}

#[test]
fn without_soft_delete_data_that_a_lock_keeps_are_not_deleted() {
    let mut world = world();
    world.live(24);
    let off = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    world.request(Method::PUT, "backupconfig/vaultconfig", Some(&off));
    set(Some(Lock::CanNotDelete), &mut world);
    let refused = world.refused(Method::DELETE, &item(), None);
    assert!(
        refused.starts_with("409 ScopeLocked") && refused.contains("web-rg"),
        "{refused}"
    );
}

#[test]
fn what_is_in_a_locked_group_is_read_but_not_deleted_and_under_the_other_lock_not_written() {
    let mut world = World::new();
    world.protect();
    locked(Some(Lock::CanNotDelete), &mut world);
    assert_eq!(world.daily_policy("mine", "20:00", "UTC", 30).status, 200);
    for path in [VAULT, ITEM, "backupPolicies/mine"] {
        let refused = world.refused(Method::DELETE, path, None);
        assert!(
            refused.starts_with("409 ScopeLocked: The scope '")
                && refused.contains("cannot perform delete operation")
                && refused.contains("/resourceGroups/shop-rg'"),
            "{refused}"
        );
    }
    locked(Some(Lock::ReadOnly), &mut world);
    let refused = world.daily_policy("mine", "20:00", "UTC", 31);
    assert_eq!(refused.status, 409, "{:?}", refused.body);
    assert_eq!(world.get(ITEM)["properties"]["policyName"], "DefaultPolicy");
    locked(None, &mut world);
    assert_eq!(
        world
            .request(Method::DELETE, "backupPolicies/mine", None)
            .status,
        200
    );
}

#[test]
fn locks_are_listed_as_azure_lists_them() {
    let mut world = World::new();
    let all = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/locks");
    let of_one = |group: &str| {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Authorization/locks"
        )
    };
    assert_eq!(world.get(&all)["value"], json!([]));
    locked(Some(Lock::CanNotDelete), &mut world);
    let listed = world.get(&all);
    assert_eq!(
        listed["value"],
        json!([{
            "id": format!("{}/inventory", of_one("shop-rg")), "name": "inventory",
            "type": "Microsoft.Authorization/locks",
            "properties": { "level": "CanNotDelete", "notes": "The service's inventory says so." },
        }])
    );
    assert_eq!(world.get(&of_one("SHOP-rg")), listed);
    assert_eq!(world.get(&of_one("shop-restored"))["value"], json!([]));
    assert_eq!(
        world.get(&format!("{}/inventory", of_one("shop-rg"))),
        listed["value"][0]
    );
    let nowhere = world.refused(Method::GET, &of_one("nowhere"), None);
    assert!(
        nowhere.starts_with("404 ResourceGroupNotFound"),
        "{nowhere}"
    );
}
