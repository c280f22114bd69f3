//! What is wrong with an item or a vault is said where people look, and no longer than it is so.

use http::Method;
use jiff::SignedDuration;
use kluis_service::{Scrub, core};
use kluis_vault::{Event, FailureCode};
use serde_json::{Value, json};

use super::world::{ITEM, VAULT, World};

fn protected() -> World {
    let mut world = World::new();
    world.protect();
    world
}

/// The titles of an item's problems, under its whole state.
fn of_item(world: &mut World) -> (Value, Vec<String>) {
    let item = world.item();
    let details = item["healthDetails"].as_array().cloned();
    let titles = details.unwrap_or_default();
    let titles = titles
        .iter()
        .map(|detail| detail["title"].as_str().unwrap().to_owned());
    (item["healthStatus"].clone(), titles.collect())
}

fn of_vault(world: &mut World) -> Value {
    let answer = world.request(Method::GET, &format!("/kluis/v1{VAULT}/health"), None);
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body.unwrap()
}

/// The value of a gauge that has one.
fn gauge(world: &mut World, name: &str) -> f64 {
    let told = world.run(|ctx, tx| Ok((core::gauges(ctx, tx)?, Vec::new())));
    let found = told.iter().find(|gauge| gauge.name == name);
    found.unwrap().values[0].1
}

#[test]
fn a_machine_that_is_not_there_is_told_before_its_next_run_fails() {
    let mut world = protected();
    let there = world.inventory.clone();
    world.inventory_without("web-1");
    assert_eq!(
        of_item(&mut world),
        (
            json!("ActionRequired"),
            vec!["UserErrorVmNotFoundV2".to_owned()]
        )
    );
    assert_eq!(world.item()["protectionStatus"], "Unhealthy");
    world.live(24);
    // The failed run says the same, once.
    assert_eq!(of_item(&mut world).1, ["UserErrorVmNotFoundV2"]);
    world.inventory = there;
    world.live(24);
    assert_eq!(
        of_item(&mut world),
        (json!("Passed"), vec!["IaasVmHealthGreenDefault".to_owned()])
    );
}

#[test]
fn an_item_that_is_no_longer_backed_up_misses_no_machine() {
    let mut world = protected();
    world.inventory_without("web-1");
    let stop = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": super::world::WEB_1,
        "protectionState": "ProtectionStopped",
    }});
    world.accept(Method::PUT, ITEM, Some(&stop));
    assert_eq!(of_item(&mut world).0, "Passed");
}

#[test]
fn a_failed_backup_is_told_with_its_code() {
    let mut world = protected();
    let job = world.backup_to_the_vault();
    world.fail(&job, FailureCode::NoSpace);
    assert_eq!(of_item(&mut world).1, ["UserErrorInsufficientSpace"]);
    let filter = "backupProtectedItems?$filter=healthState eq 'ActionRequired'";
    assert_eq!(world.get(filter)["value"].as_array().unwrap().len(), 1);
}

/// A backup that compared some of what a bitmap calls unchanged, with what else its mover says before it is done.
fn compared(world: &mut World, more: Option<Event>) {
    world.now += SignedDuration::from_hours(1);
    let job = world.backup_to_the_vault();
    let disk = "web-1-lun0".to_owned();
    let (bytes, of) = (1 << 20, 30);
    match more {
        Some(more) => world.hear(&job, more),
        None => world.hear(&job, Event::Compared { disk, bytes, of }),
    }
    world.succeed(&job);
    world.settle();
}

#[test]
fn points_that_a_lying_bitmap_was_used_for_are_told_until_they_are_gone() {
    let mut world = protected();
    let first = world.backup_to_the_vault();
    world.succeed(&first);
    world.settle();
    compared(&mut world, None);
    let leaning = world.newest_point();
    assert_eq!(of_item(&mut world).0, "Passed");
    let (disk, chunks) = ("web-1-lun0".to_owned(), 3);
    compared(&mut world, Some(Event::Diverged { disk, chunks }));
    assert_eq!(
        of_item(&mut world),
        (
            json!("ActionSuggested"),
            vec!["RecoveryPointsOlderData".to_owned()]
        )
    );
    assert_eq!(world.item()["protectionStatus"], "Healthy");
    let told = world.item()["healthDetails"][0]["message"].clone();
    let told = told.as_str().unwrap();
    assert!(
        told.starts_with("1 recovery points may") && told.contains(&leaning),
        "{told}"
    );
    assert_eq!(
        gauge(&mut world, "recovery_points_of_older_data"),
        1.0,
        "the one before it was read whole"
    );
    world.live(24 * 120);
    assert_eq!(of_item(&mut world).0, "Passed");
    assert_eq!(gauge(&mut world, "recovery_points_of_older_data"), 0.0);
}

#[test]
fn bitmaps_that_cannot_be_removed_are_told_by_the_vault_of_their_machine() {
    let mut world = World::new();
    world.scrub = Scrub::default();
    for disk in &mut world.inventory.resource_groups[0].virtual_machines[0].disks {
        disk.path.set_extension("qcow2");
        world.held.insert(disk.path.clone());
    }
    world.protect();
    world.backup_now();
    world.settle();
    assert_eq!(of_vault(&mut world)["problems"], json!([]));
    world.accept(Method::DELETE, ITEM, None);
    world.tick();
    let problem = of_vault(&mut world)["problems"][0].clone();
    assert_eq!(problem["title"], "BitmapsNotRemoved");
    assert_eq!(problem["severity"], "Warning");
    let since = problem["since"].as_str().unwrap();
    assert_eq!(since, "2026-03-02T09:00:00Z");
    let told = problem["message"].as_str().unwrap();
    for word in [
        "3 images",
        "/disks/web-1-os.qcow2",
        "'web-1'",
        "somebody holds it",
        "tried again at",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
    assert_eq!(gauge(&mut world, "bitmaps_not_removed"), 3.0);
    world.held.clear();
    world.now += SignedDuration::from_mins(2);
    world.tick();
    assert_eq!(of_vault(&mut world)["problems"], json!([]));
    assert_eq!(gauge(&mut world, "bitmaps_not_removed"), 0.0);
}

#[test]
fn the_health_of_a_vault_is_a_document_of_its_own() {
    let mut world = protected();
    let problems = of_vault(&mut world)["problems"].clone();
    let titles: Vec<_> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["title"])
        .collect();
    assert_eq!(titles, ["ScrubOff"]);
    world.scrub = Scrub::default();
    assert_eq!(of_vault(&mut world)["problems"], json!([]));
    let nowhere = VAULT.replace("shop-weu", "shop-neu");
    let answer = world.request(Method::GET, &format!("/kluis/v1{nowhere}/health"), None);
    assert_eq!(answer.status, 404);
    let answer = world.request(Method::PUT, &format!("/kluis/v1{VAULT}/health"), None);
    assert_eq!(answer.status, 405);
}

#[test]
fn a_restore_that_does_not_find_its_snapshot_has_the_vault_compared() {
    let mut world = protected();
    let first = world.backup_to_the_vault();
    world.succeed(&first);
    world.settle();
    let point = world.newest_point();
    world.now += SignedDuration::from_hours(1);
    let second = world.backup_to_the_vault();
    world.succeed(&second);
    world.settle();
    let vault = std::path::Path::new("/data/vaults/shop-rg/shop-weu");
    let kept = world.snapshots[vault].clone();
    let vault = world.snapshots.get_mut(vault).unwrap();
    vault.retain(|_, job| *job != first);
    world.files.snapshots.borrow_mut().clear();
    let path = format!("{ITEM}/recoveryPoints/{point}/restore");
    let request = super::world::restore_request("shop-restored");
    let restore = world.accept(Method::POST, &path, Some(&request));
    world.fail(&restore, FailureCode::SnapshotNotFound);
    let titles = |world: &mut World| {
        let problems = of_vault(world)["problems"].as_array().unwrap().clone();
        let title = |problem: &Value| problem["title"].as_str().unwrap().to_owned();
        problems.iter().map(title).collect::<Vec<_>>()
    };
    let told = titles(&mut world);
    assert!(
        told.contains(&"RecoveryPointsMissing".to_owned()),
        "{told:?}"
    );
    assert_eq!(of_item(&mut world).1, ["RecoveryPointsMissing"]);
    let status = world.get(&format!("{ITEM}/recoveryPoints/{point}"))["properties"]["recoveryPointTierDetails"]
        .clone();
    assert!(status.to_string().contains("Deleted"), "{status}");

    let vault = std::path::PathBuf::from("/data/vaults/shop-rg/shop-weu");
    world.snapshots.insert(vault, kept);
    world.scrub = Scrub::default();
    world.live(24 * 31);
    assert_eq!(of_item(&mut world).1, ["IaasVmHealthGreenDefault"]);
}
