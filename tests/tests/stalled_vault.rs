//! A vault that waits for a person stops neither backups nor restores, with the operator and the service as they are.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::SignedDuration;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

fn status(world: &Simulation, kind: Kind, name: &str) -> Value {
    let key = Key::new(kind, "shop", name);
    world.objects.peek(&key).unwrap()["status"].clone()
}

fn says(world: &Simulation, kind: Kind, name: &str, wanted: &str) -> String {
    let status = status(world, kind, name);
    let mut all = status["conditions"].as_array().unwrap().iter();
    let found = all.find(|condition| condition["type"] == wanted).unwrap();
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    format!("{} {}", text("status"), text("reason"))
}

#[test]
fn a_vault_that_waits_for_approval_is_backed_up_to_and_restored_from() {
    let mut world = Simulation::new(Order::Plain, None);
    for kind in [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
    ] {
        world.objects.apply(kind, &manifest(kind));
    }
    block_on(world.settle());
    while world.azure.points() < 2 {
        block_on(world.live(AN_HOUR));
    }
    block_on(world.settle());
    let mut vault = manifest(Kind::Vault);
    vault["spec"]["softDelete"] = json!({ "state": "Disabled", "retentionDays": 14 });
    world.objects.apply(Kind::Vault, &vault);
    block_on(world.settle());
    let waits = "False ApprovalRequired";
    assert_eq!(says(&world, Kind::Vault, "shop-weu", "Ready"), waits);

    for kind in [Kind::BackupJob, Kind::Restore] {
        world.objects.apply(kind, &manifest(kind));
    }
    block_on(world.settle());
    for (kind, name) in [(Kind::BackupJob, "now"), (Kind::Restore, "back")] {
        assert_eq!(says(&world, kind, name, "Succeeded"), "True Completed");
    }
    let points = world.azure.points();
    for _ in 0..48 {
        block_on(world.live(AN_HOUR));
        let within = says(&world, Kind::ProtectedVM, "web-1", "WithinRPO");
        assert_eq!(within, "True WithinObjective");
    }
    block_on(world.settle());
    assert_eq!(world.azure.points(), points + 2);
    let item = status(&world, Kind::ProtectedVM, "web-1");
    assert_eq!(item["recoveryPoints"]["total"], world.azure.points());
    let ready = says(&world, Kind::ProtectedVM, "web-1", "Ready");
    assert_eq!(ready, "True Protected");
    assert_eq!(says(&world, Kind::Vault, "shop-weu", "Ready"), waits);
}
