//! What a backup leaves in the machine's images is removed once no backup is to come that needs it.

use std::path::PathBuf;

use http::Method;
use jiff::SignedDuration;
use kluis_service::inventory::Power;
use kluis_vault::Task;
use serde_json::json;

use super::world::{ITEM, WEB_1, World, protection};

/// A world in which web-1 has images that can have bitmaps, and one backup.
fn tracked() -> World {
    let mut world = World::new();
    for disk in &mut world.inventory.resource_groups[0].virtual_machines[0].disks {
        disk.path.set_extension("qcow2");
    }
    world.protect();
    world.backup_now();
    world.settle();
    assert_eq!(world.cleared, Vec::<PathBuf>::new(), "they are needed");
    world
}

fn images(of: &[&str]) -> Vec<PathBuf> {
    let path = |name: &&str| PathBuf::from(format!("/disks/web-1-{name}.qcow2"));
    of.iter().map(path).collect()
}

fn all() -> Vec<PathBuf> {
    let mut all = images(&["os", "lun0", "lun1"]);
    all.sort();
    all
}

fn state(world: &mut World, state: &str) {
    let body = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": WEB_1,
        "protectionState": state,
    }});
    let answer = world.request(Method::PUT, ITEM, Some(&body));
    assert_eq!(answer.status, 202, "{:?}", answer.body);
    world.tick();
}

#[test]
fn they_go_when_protection_stops_whether_or_not_its_data_are_kept() {
    let ways: [fn(&mut World); 2] = [
        |world| state(world, "ProtectionStopped"),
        |world| {
            let answer = world.request(Method::DELETE, ITEM, None);
            assert_eq!(answer.status, 202, "{:?}", answer.body);
            world.tick();
        },
    ];
    for end in ways {
        let mut world = tracked();
        end(&mut world);
        assert_eq!(world.cleared, all());
        world.tick();
        assert_eq!(world.cleared, all(), "once");
    }
}

#[test]
fn a_machine_that_is_protected_again_is_read_whole_without_a_word() {
    let mut world = tracked();
    state(&mut world, "ProtectionStopped");
    world.request(Method::PUT, ITEM, Some(&protection(WEB_1, "DefaultPolicy")));
    let job = world.backup_now();
    world.succeed_once(&job);
    let Task::Backup(task) = world.movers[&job].task.clone() else {
        panic!("no transfer")
    };
    assert!(
        task.disks.iter().all(|disk| disk.bitmap.is_none()),
        "{task:?}"
    );
    world.settle();
    assert_eq!(world.cleared, all(), "they are needed again");
}

#[test]
fn a_disk_that_is_left_out_or_taken_off_loses_its_own() {
    let mut world = tracked();
    world.inventory.resource_groups[0].virtual_machines[0]
        .disks
        .pop();
    world.backup_now();
    world.settle();
    world.tick();
    assert_eq!(world.cleared, images(&["lun1"]));

    // And all when there is no machine any more.
    world.inventory.resource_groups[0]
        .virtual_machines
        .remove(0);
    world.backup_now();
    world.settle();
    world.tick();
    assert_eq!(world.cleared.len(), 3, "{:?}", world.cleared);
}

#[test]
fn an_image_that_somebody_holds_is_tried_again_and_given_up_in_the_end() {
    let mut world = tracked();
    world.held.extend(all());
    world.inventory.resource_groups[0].virtual_machines[0].power = Power::Running;
    state(&mut world, "ProtectionStopped");
    assert_eq!(world.cleared.len(), 3);
    world.now += SignedDuration::from_secs(61);
    world.tick();
    assert_eq!(world.cleared.len(), 6);
    world.held.remove(&images(&["os"])[0]);
    for _ in 0..100 {
        world.now += SignedDuration::from_hours(24);
        world.tick();
    }
    let os = images(&["os"])[0].clone();
    let tries = |path: &PathBuf| world.cleared.iter().filter(|image| *image == path).count();
    assert_eq!((tries(&os), tries(&images(&["lun0"])[0])), (3, 36));
}
