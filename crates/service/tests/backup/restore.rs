//! Disks restored out of a recovery point.

use expect_test::expect;
use http::Method;
use kluis_vault::{FailureCode, Task};
use serde_json::json;

use super::restorable::with_a_point;
use super::world::{World, pretty, restore_request};

#[test]
fn disks_are_restored_side_by_side_into_the_resource_group_and_can_be_read_there() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&restore_request("SHOP-restored")));
    let Task::Restore(task) = world.movers[&job].task.clone() else {
        panic!("no restore")
    };
    let targets: Vec<_> = task
        .disks
        .iter()
        .map(|disk| disk.path.to_str().unwrap())
        .collect();
    assert_eq!(
        targets,
        [
            "/restored/shop-restored/web-1-os.raw",
            "/restored/shop-restored/web-1-lun0.raw",
            "/restored/shop-restored/web-1-lun1.raw"
        ]
    );
    world.hear(&job, kluis_vault::Event::Started { pid: 1 });
    world.hear(
        &job,
        kluis_vault::Event::Progress {
            done: 1 << 30,
            total: 3 << 30,
        },
    );
    expect![[r#"
        {
          "jobType": "AzureIaaSVMJob",
          "entityFriendlyName": "web-1",
          "backupManagementType": "AzureIaasVM",
          "operation": "Restore",
          "status": "InProgress",
          "startTime": "2026-03-02T09:00:00Z",
          "activityId": "00000000-0000-0000-0000-000000000011",
          "duration": "PT0S",
          "actionsInfo": [
            "Cancellable"
          ],
          "virtualMachineVersion": "Compute",
          "extendedInfo": {
            "tasksList": [
              {
                "taskId": "Transfer data from vault",
                "startTime": "2026-03-02T09:00:00Z",
                "endTime": "0001-01-01T00:00:00",
                "duration": "PT0S",
                "status": "InProgress",
                "taskType": "Normal"
              }
            ],
            "propertyBag": {
              "Data To Transfer (in MB)": "3072",
              "Data Transferred (in MB)": "1024",
              "Job Type": "Recover disks",
              "Recovery point time": "3/2/2026 9:00:00 AM",
              "Recovery point time ": "3/2/2026 9:00:00 AM",
              "Target Storage Account Name": "staging",
              "Target VM Name": "vmName",
              "Target resource group": "shop-restored",
              "VM Name": "web-1"
            },
            "internalPropertyBag": {
              "restoreLocationType": "RestoreDisks"
            },
            "progressPercentage": 33.3,
            "estimatedRemainingDuration": "00:00:00"
          },
          "containerName": "iaasvmcontainerv2;shop-rg;web-1"
        }
    "#]]
    .assert_eq(&pretty(&world.job(&job)));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    let disk = world.get(
        "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-restored/providers/Microsoft.Compute/disks/web-1-lun0",
    );
    assert_eq!(disk["properties"]["diskSizeBytes"], json!(1 << 30));
}

#[test]
fn nothing_is_written_over() {
    let (mut world, path) = with_a_point();
    world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert!(
        world
            .refused(Method::POST, &path, Some(&restore_request("shop-restored")))
            .starts_with("409 BMSUserErrorObjectLocked")
    );
    world.settle();
    // As at Azure a second restore makes disks of other names, beside the first one's and beside what somebody else put there.
    let again = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert_eq!(
        names(&world, &again),
        [
            "web-1-os-20260302-090000",
            "web-1-lun0-20260302-090000",
            "web-1-lun1-20260302-090000"
        ]
    );
    world.settle();
    let third = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert_eq!(
        names(&world, &third),
        [
            "web-1-os-20260302-090000-2",
            "web-1-lun0-20260302-090000-2",
            "web-1-lun1-20260302-090000-2"
        ]
    );
    world.settle();
    for (job, name) in [
        (&again, "web-1-os-20260302-090000"),
        (&third, "web-1-os-20260302-090000-2"),
    ] {
        assert_eq!(world.job(job)["status"], "Completed");
        let disk = format!(
            "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-restored/providers/Microsoft.Compute/disks/{name}"
        );
        assert_eq!(
            world.get(&disk)["properties"]["diskSizeBytes"],
            json!(1 << 30)
        );
    }
    world
        .files
        .there
        .borrow_mut()
        .insert("/restored/shop-rg/web-1-lun1.raw".into());
    let beside = world.accept(Method::POST, &path, Some(&restore_request("shop-rg")));
    assert_eq!(names(&world, &beside)[2], "web-1-lun1-20260302-090000");
}

/// The disks that a restore makes.
fn names(world: &World, job: &str) -> Vec<String> {
    let paths = world.movers[job].task.clone();
    let Task::Restore(task) = paths else {
        return Vec::new();
    };
    let stem = |disk: &kluis_vault::DiskTarget| {
        disk.path.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    task.disks.iter().map(stem).collect()
}

#[test]
fn a_restore_says_what_it_makes_of_what() {
    let (mut world, path) = with_a_point();
    let mut body = restore_request("shop-restored");
    body["properties"]["restoreDiskLunList"] = json!([1]);
    body["properties"]["zones"] = json!(["NoZone"]);
    let job = world.accept(Method::POST, &path, Some(&body));
    world.settle();
    let shown = world.job(&job);
    assert_eq!(shown["actionsInfo"], json!(["Cancellable"]));
    let told = &shown["extendedInfo"]["propertyBag"];
    assert_eq!(told["Target VM Name"], "vmName");
    assert_eq!(told["Restored disk(s)"], "web-1-os, web-1-lun1");
    assert_eq!(
        shown["extendedInfo"]["estimatedRemainingDuration"],
        "00:00:00"
    );
    let tasks = shown["extendedInfo"]["tasksList"].as_array().unwrap();
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        tasks[0]["taskExecutionDetails"],
        "2 disks were restored, 2048 MB."
    );
}

#[test]
fn a_chosen_list_is_restored_with_the_os_disk_although_more_would_not_fit() {
    let (mut world, path) = with_a_point();
    // How much of a disk is holes the mover knows, and nobody before it.
    let mut body = restore_request("shop-restored");
    body["properties"]["restoreDiskLunList"] = json!([1]);
    let job = world.accept(Method::POST, &path, Some(&body));
    let Task::Restore(task) = world.movers[&job].task.clone() else {
        panic!("no restore")
    };
    assert_eq!(
        task.disks
            .iter()
            .map(|disk| disk.name.as_str())
            .collect::<Vec<_>>(),
        ["web-1-os", "web-1-lun1"]
    );
    world.fail(&job, FailureCode::NoSpace);
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "UserErrorInsufficientSpace"
    );
    assert!(world.disks_in("shop-restored").is_empty());
}

#[test]
fn a_restore_that_fails_says_why_and_touches_no_point() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    world.fail(&job, FailureCode::VaultDamaged);
    let seen = world.job(&job);
    assert_eq!(seen["status"], "Failed");
    expect![[r#"
        [
          {
            "errorCode": 900009,
            "errorTitle": "VaultDataDamaged",
            "errorString": "It went wrong.",
            "recommendations": [
              "Make it right."
            ]
          }
        ]
    "#]]
    .assert_eq(&pretty(&seen["errorDetails"]));
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_point_that_is_being_restored_is_not_cleaned_up_meanwhile() {
    let (mut world, path) = with_a_point();
    world.live(24 * 5);
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    // The point on demand expires; a cleanup comes by while it is being restored.
    world.now = super::world::at("2026-07-01T00:00:00Z");
    world.tick();
    world.succeed(&job);
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    world.live(48);
    assert!(!world.points().contains(&"2026-03-02T09:00:00Z".to_owned()));
}

#[test]
fn bytes_come_from_the_snapshots_while_they_are_there_and_from_the_vault_after() {
    let (mut world, path) = with_a_point();
    let sources = |world: &World, job: &str| {
        let Task::Restore(task) = world.movers[job].task.clone() else {
            panic!("no restore")
        };
        let instant = task.disks.iter().filter(|disk| disk.instant.is_some());
        (instant.count(), task.snapshot.is_empty())
    };
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert_eq!(
        sources(&world, &job),
        (3, false),
        "the vault is the way back"
    );
    world.settle();
    // Its days are over: the snapshots go, the vault's copy stays.
    world.live(24 * 4);
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-rg")));
    assert_eq!(sources(&world, &job), (0, false));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
}
