//! Disks of a recovery point in the place of the machine's own.

use expect_test::expect;
use http::Method;
use kluis_vault::{Event, FailureCode, Task};
use serde_json::json;

use super::restorable::{in_place, new_machine, with_a_point};
use super::world::{ITEM, World, pretty};

/// The restore, with the backup that was made before it: every mover works until the restore's own turn.
fn until_its_turn(world: &mut World, job: &str) {
    while !world.movers.contains_key(job) {
        let next = world.movers.keys().next().cloned().unwrap();
        world.succeed(&next);
    }
}

#[test]
fn the_current_disks_become_a_point_first_and_the_originals_stay() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    assert!(
        !world.movers.contains_key(&job),
        "the restore waits for the backup"
    );
    assert_eq!(world.fact(&job, "Job Type"), "Replace disks");
    assert_eq!(world.fact(&job, "Recovery Point Before"), "");
    until_its_turn(&mut world, &job);
    assert_eq!(world.points().len(), 2);
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        ["web-1-os", "web-1-lun0", "web-1-lun1"]
    );
    let before = world.fact(&job, "Recovery Point Before");
    world.get(&format!("{ITEM}/recoveryPoints/{before}"));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    let new = [
        "web-1-os-20260302-090000",
        "web-1-lun0-20260302-090000",
        "web-1-lun1-20260302-090000",
    ];
    assert_eq!(world.disks_of("shop-rg", "web-1"), new);
    let mut disks = world.disks_in("shop-rg");
    disks.retain(|line| line.contains("web-1"));
    expect![[r#"
        [
          "web-1-lun0 -",
          "web-1-lun0-20260302-090000 web-1",
          "web-1-lun1 -",
          "web-1-lun1-20260302-090000 web-1",
          "web-1-os -",
          "web-1-os-20260302-090000 web-1"
        ]
    "#]]
    .assert_eq(&pretty(&json!(disks)));
    let backup = world.backup_now();
    let images = |world: &World| match &world.movers[&backup].task {
        Task::Snapshot(task) => task.disks.iter().map(|disk| disk.path.clone()).collect(),
        Task::Backup(task) => task
            .disks
            .iter()
            .map(|disk| disk.path.clone())
            .collect::<Vec<_>>(),
        _ => panic!("no backup"),
    };
    assert_eq!(
        images(&world)[0].to_str(),
        Some("/restored/shop-rg/web-1-os-20260302-090000.raw")
    );
}

#[test]
fn one_disk_is_replaced_and_a_second_time_the_original_is_still_there() {
    let (mut world, path) = with_a_point();
    world.accept(Method::POST, &path, Some(&in_place(Some(&[1]))));
    world.settle();
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        ["web-1-os", "web-1-lun0", "web-1-lun1-20260302-090000"]
    );
    let job = world.accept(Method::POST, &path, Some(&in_place(Some(&[-1, 1]))));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    let mut disks = world.disks_in("shop-rg");
    disks.retain(|line| line.contains("web-1"));
    expect![[r#"
        [
          "web-1-lun0 web-1",
          "web-1-lun1 -",
          "web-1-lun1-20260302-090000 -",
          "web-1-lun1-20260302-090000-2 web-1",
          "web-1-os -",
          "web-1-os-20260302-090000-2 web-1"
        ]
    "#]]
    .assert_eq(&pretty(&json!(disks)));
}

#[test]
fn the_os_disk_alone_is_replaced() {
    let (mut world, path) = with_a_point();
    world.accept(Method::POST, &path, Some(&in_place(Some(&[]))));
    world.settle();
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        ["web-1-os-20260302-090000", "web-1-lun0", "web-1-lun1"]
    );
}

#[test]
fn two_at_once_are_refused() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    let refused = world.refused(Method::POST, &path, Some(&in_place(None)));
    assert!(
        refused.starts_with("409 BMSUserErrorObjectLocked"),
        "{refused}"
    );
    until_its_turn(&mut world, &job);
    let refused = world.refused(Method::POST, &path, Some(&in_place(Some(&[1]))));
    assert!(
        refused.starts_with("409 BMSUserErrorObjectLocked"),
        "{refused}"
    );
}

#[test]
fn nothing_is_touched_when_the_disks_could_not_be_backed_up_first() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    let backup = world.movers.keys().next().cloned().unwrap();
    world.fail(&backup, FailureCode::SourceUnreadable);
    assert!(world.movers.is_empty());
    let seen = world.job(&job);
    assert_eq!(seen["status"], "Failed");
    expect!["The disks of 'web-1' were not replaced: what they hold now could not be backed up first. It went wrong."]
        .assert_eq(seen["errorDetails"][0]["errorString"].as_str().unwrap());
    assert_eq!(world.points().len(), 1);
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        ["web-1-os", "web-1-lun0", "web-1-lun1"]
    );
}

#[test]
fn a_restore_that_fails_halfway_leaves_the_machine_as_it_was() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    until_its_turn(&mut world, &job);
    let before = world.files.there.borrow().clone();
    world.work(&job);
    world.hear(
        &job,
        Event::Restored {
            disk: "web-1-os".to_owned(),
            bytes: 1,
            sha256: "5ha".to_owned(),
        },
    );
    world.fail(&job, FailureCode::NoSpace);
    assert_eq!(world.job(&job)["status"], "Failed");
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        ["web-1-os", "web-1-lun0", "web-1-lun1"]
    );
    assert_eq!(*world.files.there.borrow(), before, "its files are removed");
}

#[test]
fn a_point_of_before_is_kept_by_the_policy_and_takes_no_tag_from_the_schedule() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    world.settle();
    let before = world.fact(&job, "Recovery Point Before");
    let point = world.get(&format!("{ITEM}/recoveryPoints/{before}"));
    let kept = &point["properties"]["recoveryPointProperties"];
    assert_eq!(kept["ruleName"], "Daily", "{kept}");
    assert_eq!(kept["expiryTime"], "2026-04-01T09:00:00.0000000");
}

#[test]
fn a_stopped_machine_can_be_put_back_too() {
    let (mut world, path) = with_a_point();
    let stop = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines", "protectionState": "ProtectionStopped",
        "policyId": "", "sourceResourceId": super::world::WEB_1,
    }});
    world.accept(Method::PUT, ITEM, Some(&stop));
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    world.settle();
    assert_eq!(
        world.job(&job)["status"],
        "Completed",
        "{}",
        world.job(&job)
    );
    assert_eq!(world.item()["protectionState"], "ProtectionStopped");

    // Taken up again by a policy of weeks, what the disks held before is kept for weeks and not until the next backup.
    let weeks = json!({"properties": {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Weekly",
            "scheduleRunDays": ["Sunday"], "scheduleRunTimes": ["2026-01-01T20:00:00Z"]},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy", "weeklySchedule": {
            "daysOfTheWeek": ["Sunday"], "retentionTimes": ["2026-01-01T20:00:00Z"],
            "retentionDuration": {"count": 12, "durationType": "Weeks"}}},
        "instantRpRetentionRangeInDays": 5,
        "timeZone": "UTC",
    }});
    let put = world.request(Method::PUT, "backupPolicies/weeks", Some(&weeks));
    assert_eq!(put.status, 200, "{:?}", put.body);
    let before = world.fact(&job, "Recovery Point Before");
    world.protect_with("weeks");
    world.settle();
    let point = world.get(&format!("{ITEM}/recoveryPoints/{before}"));
    let kept = &point["properties"]["recoveryPointProperties"];
    assert_eq!(kept["ruleName"], "Weekly", "{kept}");
    assert_eq!(kept["expiryTime"], "2026-05-25T09:00:00.0000000");
}

#[test]
fn a_machine_whose_image_a_person_changed_has_that_again() {
    let (mut world, path) = with_a_point();
    world.accept(Method::POST, &path, Some(&in_place(None)));
    world.settle();
    world.inventory.resource_groups[0].virtual_machines[0].disks[0].path =
        "/disks/another.raw".into();
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        [
            "web-1-os",
            "web-1-lun0-20260302-090000",
            "web-1-lun1-20260302-090000"
        ]
    );
}

#[test]
fn what_can_not_be_replaced_is_refused_with_the_way_out() {
    let refused = |change: fn(&mut World)| {
        let (mut world, path) = with_a_point();
        change(&mut world);
        world.refused(Method::POST, &path, Some(&in_place(None)))
    };
    expect!["400 UserErrorVmNotFoundV2: The virtual machine 'web-1' of resource group 'shop-rg' does not exist, and so has no disks to replace (rule 28). Restore it as a new one."]
        .assert_eq(&refused(|world| world.inventory_without("web-1")));
    expect!["400 UserErrorReplaceDisksNotSupportedForUnmanagedVm: The disks of 'web-1' are not managed disks; only those can be replaced (rule 28). Restore its disks beside them."]
        .assert_eq(&refused(|world| world.inventory.resource_groups[0].virtual_machines[0].managed = false));
    expect!["400 UserErrorDiskToReplaceNotFound: 'web-1' has no disk at LUN 1 any more that 'web-1-lun1' could replace. Leave it out by 'restoreDiskLunList'."]
        .assert_eq(&refused(|world| {
            world.inventory.resource_groups[0].virtual_machines[0].disks.pop();
        }));
    let (mut world, path) = with_a_point();
    let mut elsewhere = in_place(None);
    elsewhere["properties"]["targetResourceGroupId"] =
        new_machine("x")["properties"]["targetResourceGroupId"].clone();
    expect!["400 BMSUserErrorInvalidInput: Disks that are replaced stay in the machine's resource group 'shop-rg'; 'targetResourceGroupId' names 'shop-restored'."]
        .assert_eq(&world.refused(Method::POST, &path, Some(&elsewhere)));
}
