//! Movers that die and a service that is killed: the work is done once, and nothing hangs.

use std::collections::BTreeMap;

use http::Method;
use kluis_vault::{Event, FailureCode, Task};

use super::world::{ITEM, World, at, restore_request};

#[test]
fn a_mover_that_dies_is_replaced_and_the_job_stays_the_same() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 1 });
    world.exit(&job, None);
    assert_eq!(world.movers.keys().collect::<Vec<_>>(), [&job]);
    world.settle();
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
    let job = world.backup_now();
    world.work(&job);
    world.restart();
    assert!(world.movers.is_empty());
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_backup_that_was_not_saved_when_the_service_died_runs_again_as_the_same_job() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 1 });
    world.hear(&job, Event::Progress { done: 5, total: 10 });
    world.restart();
    assert_eq!(
        world.started,
        [format!("backup {job}"), format!("backup {job}")]
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
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
