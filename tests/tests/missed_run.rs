//! A scheduled run that did not happen, with the operator and the service as they are: it is noticed before the next one is due, told once,
//! and the objective turns when it is broken, not before.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use kluis_operator::{Key, Kind};

const LOOK: SignedDuration = SignedDuration::from_mins(10);

/// Everything declared, and two nights lived through.
fn world() -> Simulation {
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
        block_on(world.live(LOOK));
    }
    block_on(world.settle());
    world
}

fn within_rpo(world: &Simulation) -> String {
    let key = Key::new(Kind::ProtectedVM, "shop", "web-1");
    let status = world.objects.peek(&key).unwrap()["status"].clone();
    let mut all = status["conditions"].as_array().unwrap().iter();
    let found = all.find(|one| one["type"] == "WithinRPO").unwrap();
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    format!("{} {}", text("status"), text("reason"))
}

fn told(world: &Simulation, reason: &str) -> usize {
    let events = world.objects.events();
    events.iter().filter(|event| event.contains(reason)).count()
}

/// The newest point's time, by the service itself.
fn newest(world: &Simulation) -> Timestamp {
    let points = world.azure.recovery_points();
    points.into_iter().map(|(_, time)| time).max().unwrap()
}

#[test]
fn a_run_that_did_not_happen_is_noticed_before_the_next_and_the_objective_turns() {
    let mut world = world();
    assert_eq!(within_rpo(&world), "True WithinObjective");
    let last = newest(&world);
    let due = last + SignedDuration::from_hours(24);

    // The service answers, and begins nothing.
    let mut noticed = None;
    while world.azure.now() < due + SignedDuration::from_hours(23) {
        block_on(world.live_without_backups(LOOK));
        let now = world.azure.now();
        let is_broken = now >= last + SignedDuration::from_hours(26);
        let says = within_rpo(&world);
        assert_eq!(says.starts_with("False"), is_broken, "{now}: {says}");
        if told(&world, "ScheduledRunMissed") > 0 {
            noticed.get_or_insert(now);
        }
    }
    let noticed = noticed.expect("nobody noticed");
    let late = noticed.duration_since(due);
    assert!(late < SignedDuration::from_hours(3), "after {late:#}");
    assert_eq!(told(&world, "ScheduledRunMissed"), 1);
    assert_eq!(told(&world, "ObjectiveMissed"), 1);

    // It makes good for it, and all is well again.
    block_on(world.live(LOOK));
    block_on(world.settle());
    assert!(newest(&world) > due);
    assert_eq!(within_rpo(&world), "True WithinObjective");
    assert_eq!(told(&world, "ScheduledRunMissed"), 1);
}
