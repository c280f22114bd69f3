//! Movers that die and a service that is killed: the work is done once, and nothing hangs.

use std::collections::BTreeMap;

use http::Method;
use kluis_vault::{DiskFormat, Event, FailureCode, Task};

use super::world::{ITEM, World, at, restore_request};

#[test]
fn a_mover_that_dies_is_replaced_and_the_job_stays_the_same() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    for phase in ["snapshot", "backup"] {
        // Its patience begins anew with each phase.
        for pid in 1..=2 {
            world.hear(&job, Event::Started { pid });
            world.exit(&job, None);
            assert_eq!(world.started.last(), Some(&format!("{phase} {job}")));
        }
        world.succeed_once(&job);
    }
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_mover_that_always_dies_fails_its_job_in_the_end() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    for _ in 0..3 {
        world.exit(&job, Some(101));
    }
    let seen = world.job(&job);
    assert_eq!(seen["status"], "Failed");
    assert_eq!(seen["errorDetails"][0]["errorTitle"], "MoverCrashed");
    assert!(!world.busy());
}

#[test]
fn a_mover_that_claims_to_be_done_without_evidence_has_failed() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.hear(&job, Event::Finished);
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "NoEvidence"
    );
    assert_eq!(world.item()["protectionState"], "IRPending");
}

#[test]
fn every_failure_has_its_name_and_its_way_out() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    let titles: Vec<String> = [
        FailureCode::SourceUnreadable,
        FailureCode::SourceChanged,
        FailureCode::NoSpace,
        FailureCode::WrongPassphrase,
        FailureCode::VaultDamaged,
        FailureCode::Io,
    ]
    .into_iter()
    .map(|code| {
        let job = world.backup_now();
        world.fail(&job, code);
        let seen = world.job(&job);
        assert_eq!(seen["status"], "Failed");
        assert_eq!(
            seen["errorDetails"][0]["recommendations"][0],
            "Make it right."
        );
        seen["errorDetails"][0]["errorTitle"]
            .as_str()
            .unwrap()
            .to_owned()
    })
    .collect();
    assert_eq!(
        titles,
        [
            "UserErrorDiskUnreadable",
            "UserErrorDiskSizeChanged",
            "UserErrorInsufficientSpace",
            "UserErrorVaultKeyMismatch",
            "VaultDataDamaged",
            "InputOutputError"
        ]
    );
    assert_eq!(
        world.points().len(),
        1,
        "what was backed up before is untouched"
    );
}

#[test]
fn a_backup_that_was_saved_when_the_service_died_is_complete_and_not_done_again() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_to_the_vault();
    world.work(&job);
    world.restart();
    assert!(world.movers.is_empty());
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
}

#[test]
fn snapshots_that_were_being_taken_when_the_service_died_are_taken_again_by_the_same_job() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 1 });
    world.hear(&job, super::world::snapshotted("web-1-os", DiskFormat::Raw));
    world.restart();
    assert_eq!(world.points(), Vec::<String>::new());
    assert_eq!(
        world.started,
        [format!("snapshot {job}"), format!("snapshot {job}")]
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_transfer_that_was_not_saved_when_the_service_died_runs_again_from_the_same_snapshots() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_to_the_vault();
    let point = world.newest_point();
    world.hear(&job, Event::Started { pid: 1 });
    world.hear(&job, Event::Progress { done: 5, total: 10 });
    world.restart();
    world.restart();
    assert_eq!(
        world.started,
        [
            format!("snapshot {job}"),
            format!("backup {job}"),
            format!("backup {job}"),
            format!("backup {job}")
        ]
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.newest_point(), point);
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_service_that_died_between_the_phases_goes_on_with_the_second() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.evidence(&job);
    world.hear(&job, Event::Finished);
    world.restart();
    assert_eq!(
        world.started,
        [format!("snapshot {job}"), format!("backup {job}")]
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_transfer_that_fails_leaves_the_point_as_a_snapshot_and_the_next_run_takes_a_new_one() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_to_the_vault();
    world.fail(&job, FailureCode::NoSpace);
    let seen = world.job(&job);
    assert_eq!(seen["status"], "Failed");
    let tasks = &seen["extendedInfo"]["tasksList"];
    assert_eq!(
        (&tasks[0]["status"], &tasks[1]["status"]),
        (&"Completed".into(), &"Failed".into())
    );
    assert_eq!(
        seen["extendedInfo"]["propertyBag"]["Recovery Point Tier"],
        "InstantRP"
    );
    let said = seen["errorDetails"][0]["errorString"].as_str().unwrap();
    assert!(
        said.ends_with("it can be restored from its snapshot until 3/4/2026 9:00:00 AM UTC."),
        "{said}"
    );
    let tiers = |world: &mut World| -> Vec<String> {
        let page = world.get(&format!("{ITEM}/recoveryPoints"));
        let tiers = |point: &serde_json::Value| {
            point["properties"]["recoveryPointTierDetails"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tier| tier["type"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join("+")
        };
        page["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(tiers)
            .collect()
    };
    assert_eq!(tiers(&mut world), ["InstantRP"]);
    assert_eq!(world.item()["healthStatus"], "ActionRequired");
    world.live(12);
    assert_eq!(tiers(&mut world), ["InstantRP+HardenedRP", "InstantRP"]);
    assert_eq!(world.folders.len(), 2);
    world.live(24 * 2);
    assert_eq!(
        tiers(&mut world).last().map(String::as_str),
        Some("HardenedRP"),
        "what never reached the vault goes with its snapshot, when it is not the last copy"
    );
    assert_eq!(world.folders.len(), 2);
}

#[test]
fn the_last_copy_stays_as_a_snapshot_however_long_its_days_are_over() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_to_the_vault();
    world.fail(&job, FailureCode::VaultDamaged);
    world.inventory_without("web-1");
    world.live(24 * 40);
    assert_eq!(world.points(), ["2026-03-02T09:00:00Z"]);
    assert_eq!(world.folders.len(), 1);
}

#[test]
fn a_job_that_was_being_cancelled_when_the_service_died_is_cancelled() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
    world.restart();
    assert_eq!(world.job(&job)["status"], "Cancelled");
    assert!(!world.busy());
}

#[test]
fn a_restore_goes_on_with_the_disks_that_were_not_done() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    let path = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    world.hear(
        &job,
        Event::Restored {
            disk: "web-1-lun0".to_owned(),
            bytes: 1,
            sha256: "5ha".to_owned(),
        },
    );
    world.restart();
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
    world.hear(
        &job,
        Event::Restored {
            disk: "web-1-os".to_owned(),
            bytes: 1,
            sha256: "5ha".to_owned(),
        },
    );
    world.hear(
        &job,
        Event::Restored {
            disk: "web-1-lun1".to_owned(),
            bytes: 1,
            sha256: "5ha".to_owned(),
        },
    );
    world.restart();
    let Task::Restore(task) = world.movers[&job].task.clone() else {
        panic!("no restore")
    };
    assert!(task.disks.is_empty());
    assert_eq!(
        task.documents.len(),
        2,
        "the papers are still to be written"
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
}

#[test]
fn a_removal_that_was_under_way_when_the_service_died_is_finished() {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 7 + 12);
    world.now = at("2026-03-10T00:00:00Z");
    world.tick();
    let removal = world.movers.keys().next().cloned().unwrap();
    assert!(matches!(world.movers[&removal].task, Task::Forget(_)));
    world.work(&removal);
    assert_eq!(
        world.points().len(),
        8,
        "nobody has said yet that it is gone"
    );
    let oldest = world.get(&format!("{ITEM}/recoveryPoints"))["value"][7].clone();
    assert_eq!(
        oldest["properties"]["recoveryPointTierDetails"][0]["status"],
        "Disabled"
    );
    let path = format!(
        "{ITEM}/recoveryPoints/{}/restore",
        oldest["name"].as_str().unwrap()
    );
    let refused = world.refused(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert!(
        refused.starts_with("409 UserErrorRecoveryPointBeingDeleted"),
        "{refused}"
    );
    world.restart();
    world.settle();
    assert!(!world.busy());
    let held: usize = world.snapshots.values().map(BTreeMap::len).sum();
    assert_eq!((world.points().len(), held), (7, 7));
}

#[test]
fn late_words_of_a_dead_mover_change_nothing() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.succeed(&job);
    world.hear(
        &job,
        Event::Failed {
            code: FailureCode::Io,
            message: String::new(),
            recommendation: String::new(),
        },
    );
    assert_eq!(world.job(&job)["status"], "Completed");
    world.hear("no-such-job", Event::Finished);
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_disk_that_was_written_to_while_it_was_read_is_a_warning() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    let said = "Disk web-1-os was written to while it was read: the recovery point is no single moment of it.";
    for _ in 0..2 {
        world.hear(
            &job,
            Event::Note {
                message: said.to_owned(),
            },
        );
    }
    world.succeed(&job);
    let seen = world.job(&job);
    assert_eq!(seen["status"], "CompletedWithWarnings");
    let details = seen["errorDetails"].as_array().unwrap();
    assert_eq!(details.len(), 1, "{details:?}");
    assert_eq!(details[0]["errorString"], said);
    assert_eq!(seen["extendedInfo"]["propertyBag"]["Notes"], said);
    assert_eq!(world.points().len(), 1);
}
