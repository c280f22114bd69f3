//! Less soft delete through the operator and the service's own core: what the vault holds is listed, counted and asked for before anything
//! is sent.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::SignedDuration;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn vault(world: &Simulation) -> Value {
    let key = Key::new(Kind::Vault, "shop", "shop-weu");
    world.objects.peek(&key).unwrap()
}

fn soft_delete(world: &Simulation) -> Value {
    let vault = world.azure.get("").unwrap();
    vault["properties"]["securitySettings"]["softDeleteSettings"]["softDeleteState"].clone()
}

#[test]
fn less_of_it_waits_for_the_line_that_approves_it() {
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
    for _ in 0..3 {
        block_on(world.live(DAY));
    }
    let points = world.azure.points();
    assert!(points >= 3, "{}", world.log());

    let mut weaker = manifest(Kind::Vault);
    weaker["spec"]["softDelete"] = json!({ "state": "Disabled", "retentionDays": 14 });
    world.objects.apply(Kind::Vault, &weaker);
    block_on(world.settle());
    let approval = vault(&world)["status"]["approval"].clone();
    assert_eq!(approval["shortened"], json!(points), "{}", world.log());
    assert_eq!(soft_delete(&world), "Enabled");

    weaker["spec"]["approvedLoss"] = approval["digest"].clone();
    world.objects.apply(Kind::Vault, &weaker);
    block_on(world.settle());
    assert_eq!(soft_delete(&world), "Disabled", "{}", world.log());
    assert_eq!(vault(&world)["status"]["approval"], Value::Null);
}
