//! Points that are a snapshot and nothing else, because their transfer failed: how long they stay, why, and what is said when they go.

use expect_test::expect;
use http::Method;
use kluis_vault::FailureCode;
use serde_json::json;

use super::keeping::{cleanups, kept};
use super::world::{ITEM, WEB_1, World};

/// A machine whose backup of 9:00 on 2 March never reached the vault; its days of instant restore end on 4 March.
fn with_a_snapshot() -> World {
    let mut world = World::new();
    assert_eq!(world.daily_policy("month", "20:00", "UTC", 30).status, 200);
    world.protect_with("month");
    let job = world.backup_to_the_vault();
    assert_eq!(
        kept(&mut world),
        "2026-03-02T09:00:00Z 2026-06-12T00:00:00Z OnDemand\n",
        "on its way into the vault"
    );
    world.fail(&job, FailureCode::NoSpace);
    world
}

#[test]
fn it_says_that_it_goes_with_its_snapshot_and_a_cleanup_says_that_it_went() {
    let mut world = with_a_snapshot();
    assert_eq!(
        kept(&mut world),
        "2026-03-02T09:00:00Z 2026-03-04T09:00:00Z Snapshot\n"
    );
    world.live(12);
    assert_eq!(
        kept(&mut world),
        "2026-03-02T20:00:00Z 2026-04-01T20:00:00Z Daily\n\
         2026-03-02T09:00:00Z 2026-03-04T09:00:00Z Snapshot\n"
    );
    world.live(24 * 2);
    assert_eq!(
        kept(&mut world),
        "2026-03-04T20:00:00Z 2026-04-03T20:00:00Z Daily\n\
         2026-03-03T20:00:00Z 2026-04-02T20:00:00Z Daily\n\
         2026-03-02T20:00:00Z 2026-04-01T20:00:00Z Daily\n"
    );
    expect![[r#"
        2026-03-04T09:00:00Z Completed
          Items: shop-rg/web-1: 1, 2026-03-02T09:00:00Z (1 that never reached the vault, past the days of instant restore of their snapshots)
          Newest Recovery Point: 3/2/2026 9:00:00 AM
          Number of Recovery Points: 1
          Oldest Recovery Point: 3/2/2026 9:00:00 AM
          Reasons: 1 that never reached the vault, past the days of instant restore of their snapshots
          Remove recovery points Completed: 1 recovery point was removed, of 2026-03-02T09:00:00Z: 1 that never reached the vault, past the days of instant restore of their snapshots. By item: shop-rg/web-1: 1, 2026-03-02T09:00:00Z (1 that never reached the vault, past the days of instant restore of their snapshots).
    "#]].assert_eq(&cleanups(&mut world));
}

/// The newest stays although its days are over, and says so; it goes once a newer one is there.
#[test]
fn the_only_copy_stays_beyond_its_days() {
    let mut world = with_a_snapshot();
    let machines = &mut world.inventory.resource_groups[0].virtual_machines;
    let web_1 = machines.iter().position(|vm| vm.name == "web-1").unwrap();
    let machine = machines.remove(web_1);
    world.live(24 * 10);
    assert_eq!(
        kept(&mut world),
        "2026-03-02T09:00:00Z - NewestOfLostSource\n"
    );
    assert_eq!(cleanups(&mut world), "");
    world.inventory.resource_groups[0]
        .virtual_machines
        .push(machine);
    world.live(24);
    assert_eq!(
        kept(&mut world),
        "2026-03-12T20:00:00Z 2026-04-11T20:00:00Z Daily\n"
    );
}

/// Nothing goes while protection is stopped; but who weighs what a resumption costs has to know that it would.
#[test]
fn of_a_stopped_item_it_stays_and_says_what_it_is() {
    let mut world = with_a_snapshot();
    let body = json!({"properties": {"protectedItemType": "Microsoft.Compute/virtualMachines",
        "protectionState": "ProtectionStopped", "policyId": "", "sourceResourceId": WEB_1}});
    world.accept(Method::PUT, ITEM, Some(&body));
    world.live(24 * 10);
    assert_eq!(
        kept(&mut world),
        "2026-03-02T09:00:00Z 2026-03-04T09:00:00Z Snapshot\n"
    );
}
