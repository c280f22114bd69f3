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
fn a_point_is_as_consistent_as_something_made_it() {
    use kluis_service::inventory::{Power, Told};
    type Case = (
        &'static str,
        fn(&mut VirtualMachine),
        &'static str,
        &'static str,
    );
    let plain: fn(&mut VirtualMachine) = |_| {};
    let cases: [Case; 6] = [
        ("Linux", plain, "CrashConsistent", "crash consistent"),
        (
            "Windows",
            |vm| vm.os = Os::Windows,
            "CrashConsistent",
            "crash consistent",
        ),
        (
            "scripts",
            scripted,
            "AppConsistent",
            "application consistent, by: scripts",
        ),
        (
            "a script after alone",
            |vm| {
                scripted(vm);
                vm.scripts.as_mut().unwrap().pre = None;
            },
            "CrashConsistent",
            "crash consistent",
        ),
        (
            "off",
            |vm| vm.power = Power::Stopped,
            "FileSystemConsistent",
            "file-system consistent, by: off",
        ),
        (
            "off, with scripts",
            |vm| {
                scripted(vm);
                vm.power = Power::Stopped;
            },
            "FileSystemConsistent",
            "file-system consistent, by: off",
        ),
    ];
    for (case, change, kind, said) in cases {
        let mut world = World::new();
        world.inventory.consistency = Told::AsDone;
        change(&mut world.inventory.resource_groups[0].virtual_machines[0]);
        world.protect();
        let (made, job) = backed_up(&mut world);
        assert_eq!(
            (made.as_str(), &job["status"]),
            (kind, &json!("Completed")),
            "{case}"
        );
        assert_eq!(
            job["extendedInfo"]["propertyBag"]["Consistency"], said,
            "{case}"
        );
    }
}

#[test]
fn a_script_that_failed_made_nothing_consistent_unless_the_one_before_had_succeeded() {
    use kluis_service::inventory::Told;
    for (failed, kind) in [
        (Which::Pre, "CrashConsistent"),
        (Which::Post, "FileSystemConsistent"),
    ] {
        let mut world = World::new();
        world.inventory.consistency = Told::AsDone;
        scripted(&mut world.inventory.resource_groups[0].virtual_machines[0]);
        world.protect();
        let job = world.backup_now();
        world.hear(&job, Event::Started { pid: 1 });
        for which in [Which::Pre, Which::Post] {
            let outcome = if which == failed {
                ScriptOutcome::TimedOut
            } else {
                ScriptOutcome::Succeeded
            };
            world.hear(
                &job,
                Event::Script {
                    which,
                    outcome,
                    output: String::new(),
                },
            );
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
        assert_eq!(seen(&mut world, &job).0, kind);
    }
}

#[test]
fn a_disk_that_was_in_use_is_crash_consistent_even_of_a_machine_that_is_off() {
    use kluis_service::inventory::{Power, Told};
    use kluis_vault::InUse;
    let mut world = World::new();
    world.inventory.consistency = Told::AsDone;
    let vm = &mut world.inventory.resource_groups[0].virtual_machines[0];
    vm.power = Power::Stopped;
    vm.disks[1].in_use = InUse::Read;
    world.protect();
    let job = world.backup_now();
    let Task::Snapshot(task) = world.movers[&job].task.clone() else {
        panic!("no snapshot")
    };
    let words: Vec<_> = task.disks.iter().map(|disk| disk.in_use).collect();
    assert_eq!(words, [InUse::Refuse, InUse::Read, InUse::Refuse]);
    world.hear(&job, Event::Started { pid: 1 });
    for disk in ["web-1-os", "web-1-lun0", "web-1-lun1"] {
        let mut event = super::world::snapshotted(disk, kluis_vault::DiskFormat::Raw);
        if let Event::Snapshotted { in_use, .. } = &mut event {
            *in_use = disk == "web-1-lun0";
        }
        world.hear(&job, event);
    }
    world.hear(&job, Event::Finished);
    assert_eq!(seen(&mut world, &job).0, "CrashConsistent");
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
