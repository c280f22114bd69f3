//! Restores to each target, by the operator against the service's core: what they leave is seen through ARM, whatever the operator dies
//! of on the way; and a vault that does not allow one in place keeps the machine as it is.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

/// A machine with one recovery point, in a vault that allows restores in place or not.
fn backed_up(in_place: bool) -> Simulation {
    let mut world = Simulation::new(Order::Plain, None);
    let mut vault = manifest(Kind::Vault);
    vault["spec"]["allowInPlaceRestore"] = in_place.into();
    world.objects.apply(Kind::Vault, &vault);
    for kind in [Kind::BackupService, Kind::BackupPolicy, Kind::ProtectedVM] {
        world.objects.apply(kind, &manifest(kind));
    }
    block_on(world.settle());
    world
        .objects
        .apply(Kind::BackupJob, &manifest(Kind::BackupJob));
    block_on(world.settle());
    assert_eq!(world.azure.points(), 1, "{}", world.log());
    world
}

fn restore(world: &mut Simulation, to: &Value) -> Key {
    let mut restore = manifest(Kind::Restore);
    restore["spec"]["to"] = to.clone();
    let key = world.objects.apply(Kind::Restore, &restore);
    block_on(world.settle());
    key
}

fn status(world: &Simulation, key: &Key) -> Value {
    world.objects.peek(key).unwrap_or_default()["status"].clone()
}

fn targets() -> Vec<Value> {
    vec![
        json!({ "disks": { "resourceGroup": "shop-restored" } }),
        json!({ "disks": { "resourceGroup": "shop-restored", "luns": [0] } }),
        json!({ "disks": { "resourceGroup": "shop-restored", "osDiskOnly": true } }),
        json!({ "newVM": { "resourceGroup": "shop-restored", "name": "web-2", "virtualNetwork": "shop-net",
            "networkResourceGroup": "shop-rg", "subnet": "default" } }),
        json!({ "inPlace": {} }),
        json!({ "inPlace": { "disks": [0] } }),
    ]
}

#[test]
fn each_target_is_reached_and_seen() {
    let made: Vec<usize> = targets()
        .iter()
        .map(|to| {
            let mut world = backed_up(true);
            let key = restore(&mut world, to);
            let status = status(&world, &key);
            assert_eq!(
                status["conditions"][0]["status"],
                "True",
                "{to}: {}",
                world.log()
            );
            assert_eq!(
                status["vm"].is_string(),
                to.get("disks").is_none(),
                "{to}: {status}"
            );
            let before = &status["recoveryPointBefore"];
            assert_eq!(
                before.is_string(),
                to.get("inPlace").is_some(),
                "{to}: {status}"
            );
            status["disks"].as_array().map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(made, [2, 2, 1, 2, 2, 2]);
}

#[test]
fn an_operator_that_dies_after_any_step_restores_once() {
    for to in targets() {
        let mut calm = backed_up(true);
        let taken = calm.steps();
        restore(&mut calm, &to);
        for step in 1..=calm.steps() - taken {
            let mut world = backed_up(true);
            world.die_after(step);
            let key = restore(&mut world, &to);
            assert_eq!(world.crashes(), 1, "{to}, step {step}");
            assert_eq!(
                world.azure.jobs(),
                calm.azure.jobs(),
                "{to}, step {step}: {}",
                world.log()
            );
            assert_eq!(
                status(&world, &key)["state"],
                "Completed",
                "{to}, step {step}: {}",
                world.log()
            );
        }
    }
}

#[test]
fn in_place_only_where_the_vault_allows_it() {
    let mut world = backed_up(false);
    let key = restore(&mut world, &json!({ "inPlace": {} }));
    let status = status(&world, &key);
    assert_eq!(status["conditions"][0]["reason"], "InPlaceNotAllowed");
    let jobs = world.azure.jobs();
    assert!(
        !jobs.iter().any(|job| job.starts_with("Restore")),
        "{jobs:?}"
    );
}
