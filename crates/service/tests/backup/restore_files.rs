//! The job of single files and folders out of a recovery point.

use std::path::Path;

use expect_test::expect;
use http::Method;
use kluis_service::inventory::Encryption;
use kluis_vault::{Event, FailureCode, Task};
use serde_json::{Value, json};

use super::restorable::with_a_point;
use super::world::{ITEM, VAULT, World, pretty};

fn path(world: &mut World) -> String {
    let point = world.newest_point();
    format!("/kluis/v1{VAULT}/{ITEM}/recoveryPoints/{point}/restoreFiles")
}

fn hosts() -> Value {
    json!({"properties": {
        "paths": ["/etc/hosts", "/srv"], "targetResourceGroup": "SHOP-restored", "name": "hosts-back",
    }})
}

#[test]
fn files_are_a_restore_like_any_other_and_its_job_says_where_they_are() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    let Task::RestoreFiles(task) = world.movers[&job].task.clone() else {
        panic!("no files")
    };
    assert_eq!(task.paths, ["/etc/hosts", "/srv"]);
    assert_eq!(task.to.to_str(), Some("/restored/shop-restored/hosts-back"));
    assert_eq!(world.job(&job)["operation"], "Restore");
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    expect![[r#"
        {
          "Job Type": "Recover files",
          "Recovery point time": "3/2/2026 9:00:00 AM",
          "Recovery point time ": "3/2/2026 9:00:00 AM",
          "Restored Bytes": "4096",
          "Restored Directories": "1",
          "Restored Files": "3",
          "Target Path": "/restored/shop-restored/hosts-back",
          "Target resource group": "shop-restored",
          "VM Name": "web-1"
        }
    "#]]
    .assert_eq(&pretty(
        &world.job(&job)["extendedInfo"]["propertyBag"].clone(),
    ));
    let taken = world.refused(Method::POST, &path, Some(&hosts()));
    assert!(
        taken.starts_with("409 UserErrorTargetFolderAlreadyExists"),
        "{taken}"
    );
}

#[test]
fn files_without_evidence_are_not_restored() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    world.hear(&job, Event::Finished);
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "NoEvidence"
    );
}

#[test]
fn a_service_that_dies_restores_the_files_once() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    world.hear(&job, Event::Started { pid: 1 });
    world.restart();
    assert!(world.movers.contains_key(&job), "it runs again");
    world.evidence(&job);
    world.restart();
    assert!(world.movers.is_empty(), "what was shown is not done again");
    assert_eq!(world.job(&job)["status"], "Completed");
}

#[test]
fn a_point_whose_files_are_being_restored_stays() {
    let (mut world, _) = with_a_point();
    world.live(24);
    let path = path(&mut world);
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    world.now = super::world::at("2026-07-01T00:00:00Z");
    world.tick();
    world.succeed(&job);
    assert_eq!(world.job(&job)["status"], "Completed");
}

#[test]
fn what_can_not_be_is_refused() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let refused = |world: &mut World, field: &str, value: Value| {
        let mut body = hosts();
        body["properties"][field] = value;
        world.refused(Method::POST, &path, Some(&body))
    };
    let mut said = vec![
        refused(&mut world, "targetResourceGroup", json!("nowhere")),
        refused(&mut world, "name", json!("../up")),
        refused(&mut world, "name", json!(".hidden")),
    ];
    world.inventory.resource_groups[0].virtual_machines[0].encryption = Encryption::Ade;
    world.live(1);
    world.backup_now();
    world.settle();
    let encrypted = self::path(&mut world);
    said.push(world.refused(Method::POST, &encrypted, Some(&hosts())));
    expect![[r#"
        [
          "404 ResourceGroupNotFound: Resource group 'nowhere' could not be found; resource groups are those of the service's inventory.",
          "400 BMSUserErrorInvalidInput: '../up' can't name a folder.",
          "400 BMSUserErrorInvalidInput: '.hidden' can't name a folder.",
          "400 UserErrorOperationNotSupportedForEncryptedVm: 'web-1' is encrypted: its files can't be read out of a recovery point (rule 30). Restore all of its disks, or a new machine."
        ]
    "#]]
    .assert_eq(&pretty(&json!(said)));
}

#[test]
fn a_mover_that_fails_says_why() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    world.fail(&job, FailureCode::NoSpace);
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "UserErrorInsufficientSpace"
    );
    assert_eq!(world.fact(&job, "Restored Files"), "");
}

#[test]
fn what_was_left_out_is_a_warning_that_is_told_once() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    let left_out = Event::LeftOut {
        count: 1_000,
        unsupported: 0,
        first: vec!["/srv/a was left out: the file system is damaged there.".to_owned(); 10],
    };
    world.hear(&job, Event::Started { pid: 1 });
    world.hear(&job, left_out.clone());
    // The mover runs again, and finds the same.
    world.exit(&job, None);
    world.hear(&job, left_out);
    world.succeed(&job);
    let ended = world.job(&job);
    assert_eq!(ended["status"], "CompletedWithWarnings");
    assert_eq!(world.fact(&job, "Files Left Out"), "1000");
    let told = ended["errorDetails"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{ended}");
    assert_eq!(told[0]["errorTitle"], "UserErrorFilesLeftOut");
    let said = told[0]["errorString"].as_str().unwrap();
    assert!(
        said.starts_with(
            "1000 files or folders that were asked for are not among the restored ones: /srv/a was"
        ),
        "{said}"
    );
    assert!(said.len() < 1_200, "{said}");
}

#[test]
fn a_restore_of_files_that_is_given_up_leaves_no_folder() {
    let (mut world, _) = with_a_point();
    let path = path(&mut world);
    let to = Path::new("/restored/shop-restored/hosts-back");
    for end in ["cancelled", "failed"] {
        let job = world.accept(Method::POST, &path, Some(&hosts()));
        world.hear(&job, Event::Started { pid: 1 });
        // The folder has its name, and nobody hears of it.
        world.work(&job);
        assert!(world.files.there.borrow().contains(to));
        if end == "cancelled" {
            let asked = world.request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
            assert_eq!(asked.status, 202, "{:?}", asked.body);
            world.exit(&job, None);
        } else {
            world.fail(&job, FailureCode::TargetDamaged);
        }
        assert!(!world.files.there.borrow().contains(to), "{end}");
    }
    let job = world.accept(Method::POST, &path, Some(&hosts()));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert!(world.files.there.borrow().contains(to));
}
