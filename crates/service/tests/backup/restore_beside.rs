//! Restores while a newer point is on its way to the vault: what is there can be had, and nothing is done twice.

use http::Method;
use kluis_vault::{Event, Task};

use super::restorable::{in_place, new_machine, with_a_point};
use super::world::{ITEM, World, backup_request, restore_request};

/// A backup of web-1 whose snapshots are taken and whose transfer runs, beside one that is in the vault.
fn transferring() -> (World, String, String) {
    let (mut world, older) = with_a_point();
    world.now += jiff::SignedDuration::from_hours(1);
    let transfer = world.backup_to_the_vault();
    assert!(matches!(world.movers[&transfer].task, Task::Backup(_)));
    (world, older, transfer)
}

#[test]
fn an_older_point_and_the_snapshots_of_the_new_one_can_be_restored_while_it_is_transferred() {
    let (mut world, older, transfer) = transferring();
    let restore = world.accept(
        Method::POST,
        &older,
        Some(&restore_request("shop-restored")),
    );
    assert_eq!(world.movers.len(), 2, "both run: {:?}", world.started);
    let second = world.refused(Method::POST, &older, Some(&new_machine("web-9")));
    assert!(second.contains(&restore), "one restore at a time: {second}");
    world.succeed(&restore);
    assert_eq!(world.job(&restore)["status"], "Completed");

    let newest = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    assert_ne!(newest, older);
    let instant = world.accept(Method::POST, &newest, Some(&new_machine("web-9")));
    let Task::Restore(task) = &world.movers[&instant].task else {
        panic!("{:?}", world.movers[&instant].task);
    };
    assert!(
        task.disks.iter().all(|disk| disk.instant.is_some()),
        "from the snapshots: the vault doesn't have it yet"
    );
    world.succeed(&transfer);
    assert_eq!(world.job(&transfer)["status"], "Completed");
    world.succeed(&instant);
    assert_eq!(world.job(&instant)["status"], "Completed");
}

#[test]
fn a_snapshot_that_the_vault_had_to_make_up_for_is_a_warning() {
    let (mut world, point) = with_a_point();
    let body = restore_request("shop-restored");
    let restore = world.accept(Method::POST, &point, Some(&body));
    let Task::Restore(task) = &world.movers[&restore].task else {
        panic!("{:?}", world.movers[&restore].task);
    };
    assert!(!task.snapshot.is_empty(), "what it is proved against");
    assert!(
        task.disks
            .iter()
            .all(|disk| disk.instant.is_some() && disk.size == Some(1 << 30))
    );
    let message = "The snapshot of disk web-1-os is not what it was.".to_owned();
    world.hear(
        &restore,
        Event::Note {
            message: message.clone(),
        },
    );
    world.succeed(&restore);
    let job = world.job(&restore);
    assert_eq!(job["status"], "CompletedWithWarnings");
    assert_eq!(job["errorDetails"][0]["errorString"], message);
}

#[test]
fn before_the_snapshots_are_there_and_in_place_the_item_is_held() {
    let (mut world, older, _) = transferring();
    for body in [in_place(None), in_place(Some(&[0]))] {
        let refused = world.refused(Method::POST, &older, Some(&body));
        assert!(
            refused.starts_with("409 BMSUserErrorObjectLocked"),
            "{refused}"
        );
    }
    let (mut world, older) = with_a_point();
    world.backup_now();
    let body = restore_request("shop-restored");
    let refused = world.refused(Method::POST, &older, Some(&body));
    assert!(
        refused.starts_with("409 BMSUserErrorObjectLocked"),
        "its snapshots are being taken: {refused}"
    );
}

#[test]
fn a_run_that_is_due_waits_for_both() {
    let (mut world, older, transfer) = transferring();
    let body = restore_request("shop-restored");
    let restore = world.accept(Method::POST, &older, Some(&body));
    let refused = world.refused(
        Method::POST,
        &format!("{ITEM}/backup"),
        Some(&backup_request()),
    );
    assert!(
        refused.starts_with("409 BMSUserErrorObjectLocked"),
        "{refused}"
    );
    world.now = super::world::at("2026-03-02T20:00:00Z");
    world.tick();
    world.succeed(&transfer);
    assert_eq!(world.movers.len(), 1, "the restore still reads");
    world.succeed(&restore);
    assert_eq!(world.movers.len(), 1, "now the run begins");
    world.settle();
    assert_eq!(world.points().len(), 3);
}

#[test]
fn snapshots_stay_while_a_restore_reads_them_although_their_days_end_meanwhile() {
    let (mut world, older, transfer) = transferring();
    world.succeed(&transfer);
    let restore = world.accept(
        Method::POST,
        &older,
        Some(&restore_request("shop-restored")),
    );
    let Task::Restore(task) = &world.movers[&restore].task else {
        panic!("{:?}", world.movers[&restore].task);
    };
    let read = task.disks[0].instant.clone().unwrap();
    world.now += jiff::SignedDuration::from_hours(24 * 3);
    world.tick();
    let kept: Vec<_> = world.folders.iter().collect();
    assert!(kept.len() == 1 && read.starts_with(kept[0]), "{kept:?}");
    world.succeed(&restore);
    world.settle();
    assert_eq!(world.job(&restore)["status"], "Completed");
    assert_eq!(world.known_folders(), world.folders);
}
