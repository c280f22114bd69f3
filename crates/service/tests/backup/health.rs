//! What is wrong with an item or a vault is said where people look, and no longer than it is so.

use http::Method;
use kluis_service::Scrub;
use kluis_vault::FailureCode;
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
