//! How consistent a recovery point is: by the machine's system, its agent, its scripts and its policy.

use std::path::PathBuf;

use http::Method;
use kluis_service::inventory::{Os, Scripts, VirtualMachine};
use kluis_vault::{Event, ScriptOutcome, Task, Which};
use serde_json::{Value, json};

use super::world::{ITEM, World};

fn world(change: impl FnOnce(&mut VirtualMachine)) -> World {
    let mut world = World::new();
    change(&mut world.inventory.resource_groups[0].virtual_machines[0]);
    world.protect();
    world
}

fn scripted(vm: &mut VirtualMachine) {
    vm.scripts = Some(Scripts {
        pre: Some(PathBuf::from("/scripts/pre.sh")),
        post: Some(PathBuf::from("/scripts/post.sh")),
        timeout_seconds: 60,
    });
}

/// The type of the point that a backup makes, and the job.
fn backed_up(world: &mut World) -> (String, Value) {
    let job = world.backup_now();
    world.settle();
    seen(world, &job)
}

fn seen(world: &mut World, job: &str) -> (String, Value) {
    let points = world.get(&format!("{ITEM}/recoveryPoints"));
    let kind = points["value"][0]["properties"]["recoveryPointType"]
        .as_str()
        .unwrap()
        .to_owned();
    (kind, world.job(job))
}

#[test]
fn a_machine_that_runs_is_as_consistent_as_its_system_can_be() {
    let cases: [(Os, bool, &str, &str); 4] = [
        (Os::Linux, true, "FileSystemConsistent", "Completed"),
        (Os::Windows, true, "AppConsistent", "Completed"),
        (
            Os::Windows,
            false,
            "FileSystemConsistent",
            "CompletedWithWarnings",
        ),
        (Os::Linux, false, "CrashConsistent", "CompletedWithWarnings"),
    ];
    for (os, agent, kind, status) in cases {
        let mut world = world(|vm| (vm.os, vm.agent) = (os, agent));
        let (made, job) = backed_up(&mut world);
        assert_eq!((made.as_str(), &job["status"]), (kind, &json!(status)));
        if !agent {
            assert_eq!(
                job["errorDetails"][0]["errorTitle"],
                "UserErrorGuestAgentStatusUnavailable"
            );
        }
    }
}

#[test]
fn scripts_that_succeed_make_linux_consistent_for_its_applications() {
    let mut world = world(scripted);
    let job = world.backup_now();
    let Task::Snapshot(task) = world.movers[&job].task.clone() else {
        panic!("no snapshot")
    };
    let scripts = task.scripts.unwrap();
    assert_eq!(
        (scripts.pre, scripts.timeout_seconds),
        (Some(PathBuf::from("/scripts/pre.sh")), 60)
    );
    world.settle();
    let (made, job) = seen(&mut world, &job);
    assert_eq!(made, "AppConsistent");
    assert_eq!(job["status"], "Completed");
    assert_eq!(
        job["extendedInfo"]["propertyBag"]["Pre-script"],
        "succeeded"
    );
    assert_eq!(
        job["extendedInfo"]["tasksList"][0]["taskExecutionDetails"],
        "The recovery point is application consistent."
    );
}

#[test]
fn a_script_that_fails_or_hangs_falls_back_and_is_told_of() {
    let ends = [
        (ScriptOutcome::Failed { code: Some(3) }, "exit code 3"),
        (ScriptOutcome::TimedOut, "did not end in time"),
        (
            ScriptOutcome::NotStarted {
                why: "no such file".to_owned(),
            },
            "no such file",
        ),
    ];
    for (which, other) in [(Which::Pre, Which::Post), (Which::Post, Which::Pre)] {
        for (outcome, said) in &ends {
            let mut world = world(scripted);
            let job = world.backup_now();
            world.hear(&job, Event::Started { pid: 1 });
            for (which, outcome, output) in [
                (which, outcome.clone(), "disk busy"),
                (other, ScriptOutcome::Succeeded, ""),
            ] {
                let event = Event::Script {
                    which,
                    outcome,
                    output: output.to_owned(),
                };
                world.hear(&job, event);
            }
            for disk in ["web-1-os", "web-1-lun0", "web-1-lun1"] {
                world.hear(
                    &job,
                    super::world::snapshotted(disk, kluis_vault::DiskFormat::Raw),
                );
            }
            world.hear(&job, Event::Finished);
            world.exit(&job, Some(0));
            world.settle();
            let (made, job) = seen(&mut world, &job);
            assert_eq!(made, "FileSystemConsistent");
            assert_eq!(job["status"], "CompletedWithWarnings");
            let told = job["errorDetails"][0]["errorString"].as_str().unwrap();
            assert!(told.contains(said) && told.contains("disk busy"), "{told}");
            assert!(
                !job["errorDetails"][0]["recommendations"][0]
                    .as_str()
                    .unwrap()
                    .is_empty()
            );
        }
    }
}

#[test]
fn a_script_that_nobody_heard_of_makes_nothing_consistent() {
    let mut world = world(scripted);
    let job = world.backup_now();
    for disk in ["web-1-os", "web-1-lun0", "web-1-lun1"] {
        world.hear(
            &job,
            super::world::snapshotted(disk, kluis_vault::DiskFormat::Raw),
        );
    }
    world.hear(&job, Event::Finished);
    assert_eq!(seen(&mut world, &job).0, "FileSystemConsistent");
}

#[test]
fn a_disk_that_is_written_to_while_it_is_copied_is_crash_consistent_whatever_else_went_well() {
    for touched_disk in ["web-1-os", "web-1-lun1"] {
        let mut world = world(scripted);
        let job = world.backup_now();
        world.hear(&job, Event::Started { pid: 1 });
        for which in [Which::Pre, Which::Post] {
            let event = Event::Script {
                which,
                outcome: ScriptOutcome::Succeeded,
                output: String::new(),
            };
            world.hear(&job, event);
        }
        for disk in ["web-1-os", "web-1-lun0", "web-1-lun1"] {
            let mut event = super::world::snapshotted(disk, kluis_vault::DiskFormat::Raw);
            if let Event::Snapshotted { touched, .. } = &mut event {
                *touched = disk == touched_disk;
            }
            world.hear(&job, event);
        }
        world.hear(&job, Event::Finished);
        world.exit(&job, Some(0));
        world.settle();
        let (made, job) = seen(&mut world, &job);
        assert_eq!(made, "CrashConsistent");
        assert_eq!(
            job["extendedInfo"]["tasksList"][0]["taskExecutionDetails"],
            "The recovery point is crash consistent."
        );
    }
}

#[test]
fn a_machine_that_may_still_be_held_up_after_a_killed_snapshot_is_told_of() {
    let mut world = world(scripted);
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 1 });
    let released = Event::Released {
        outcome: ScriptOutcome::TimedOut,
        output: "no database".to_owned(),
    };
    world.hear(&job, released.clone());
    world.exit(&job, None);
    // The next run of the job finds the mark, too; said once, and its snapshots go well.
    world.hear(&job, released);
    world.succeed(&job);
    let (_, job) = seen(&mut world, &job);
    assert_eq!(job["status"], "CompletedWithWarnings");
    let details = job["errorDetails"].as_array().unwrap();
    assert_eq!(details.len(), 1, "{details:?}");
    assert_eq!(details[0]["errorTitle"], "UserErrorMachineMayBeHeldUp");
    let told = details[0]["errorString"].as_str().unwrap();
    assert!(
        told.contains("no database") && told.contains("did not end in time"),
        "{told}"
    );
}

#[test]
fn a_job_that_is_cancelled_keeps_that_its_machine_may_still_be_held_up() {
    let mut world = world(scripted);
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 1 });
    world.request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
    let released = Event::Released {
        outcome: ScriptOutcome::Failed { code: Some(3) },
        output: String::new(),
    };
    world.hear(&job, released);
    world.exit(&job, None);
    let job = world.job(&job);
    assert_eq!(job["status"], "Cancelled");
    assert_eq!(
        job["errorDetails"][0]["errorTitle"],
        "UserErrorMachineMayBeHeldUp"
    );
}

#[test]
fn an_enhanced_policy_may_ask_for_crash_consistency_alone() {
    let mut world = World::new();
    scripted(&mut world.inventory.resource_groups[0].virtual_machines[0]);
    let mut policy = world.get("backupPolicies/EnhancedPolicy");
    policy["properties"]["snapshotConsistencyType"] = json!("OnlyCrashConsistent");
    let made = world.request(
        Method::PUT,
        "backupPolicies/crash",
        Some(&json!({"properties": policy["properties"]})),
    );
    assert_eq!(made.status, 200, "{:?}", made.body);
    world.protect_with("crash");
    let job = world.backup_now();
    let Task::Snapshot(task) = world.movers[&job].task.clone() else {
        panic!("no snapshot")
    };
    assert_eq!(task.scripts, None);
    world.settle();
    let (made, job) = seen(&mut world, &job);
    assert_eq!(
        (made.as_str(), &job["status"]),
        ("CrashConsistent", &json!("Completed"))
    );
}
