//! The thinnest path through every layer: YAML to a real API server, ARM over
//! HTTPS, real bytes into a vault and back, and a second reader for each of them.

use kluis_tests::disk;
use kluis_tests::until::seconds;
use kluis_tests::world::{Sizes, VM, World, condition_of, told};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = seconds(180);

fn protected(name: &str) -> World {
    let mut world = World::start(name, Sizes::SMALL).unwrap();
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    world.until_protected(LIMIT).unwrap();
    world
}

fn vm(world: &World) -> Value {
    world.kubectl.get("protectedvm", VM).unwrap().unwrap()
}

fn status(object: &Value, condition: &str) -> String {
    let found = condition_of(object, condition)
        .unwrap_or_else(|| panic!("no condition {condition}: {}", told(object)));
    found["status"].as_str().unwrap().to_owned()
}

/// The vault holds as many snapshots as there are recovery points, and stock
/// restic finds nothing wrong with it.
fn clean(world: &World) {
    let restic = world.restic();
    restic.check().unwrap();
    assert_eq!(
        restic.snapshots().unwrap().len(),
        world.points().unwrap().len()
    );
}

#[test]
fn a_virtual_machine_is_backed_up_and_restored_byte_for_byte() {
    let mut world = protected("protect");

    // Protected is not backed up: nothing claims a recovery point yet.
    let before = vm(&world);
    assert_eq!(status(&before, "Recoverable"), "False", "{}", told(&before));
    assert_eq!(before["status"]["state"], "IRPending");
    assert_eq!(world.points().unwrap(), Vec::<Value>::new());

    let job = world.back_up(LIMIT).unwrap();
    assert_eq!(job["status"]["state"], "Completed", "{}", job["status"]);
    world
        .until_condition("protectedvm", VM, "Recoverable", "True", LIMIT)
        .unwrap();
    let after = vm(&world);
    assert_eq!(after["status"]["state"], "Protected");
    assert_eq!(after["status"]["recoveryPoints"]["total"], 1);
    assert_eq!(status(&after, "WithinRPO"), "True", "{}", told(&after));

    // Another program reads from the vault what was on the disks.
    let snapshot = world.restic().snapshots().unwrap()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for disk in &world.estate.disks {
        let name = disk.file_stem().unwrap().to_str().unwrap();
        let name = if name == "web-1-data" {
            "web-1-lun0"
        } else {
            name
        };
        let digest = world
            .restic()
            .digest(&snapshot, &format!("/{VM}/{name}.raw"))
            .unwrap();
        assert_eq!(digest, disk::digest(disk).unwrap(), "{name}");
    }
    clean(&world);

    // A second backup of a disk of which 1 % changed adds about that.
    let stored = world.restic().stored().unwrap();
    let changed = disk::change(&world.estate.disks[0], 1 << 20).unwrap();
    world.back_up(LIMIT).unwrap();
    let grown = world.restic().stored().unwrap() - stored;
    assert!(
        grown < changed * 6,
        "1 MiB of new files made the vault grow by {grown} bytes"
    );

    // A token in the spec runs one backup, and the same token never another.
    world.tick().unwrap();
    let request = json!({ "spec": { "backupRequest": "before-upgrade" } });
    world
        .kubectl
        .run([
            "patch",
            "protectedvm",
            VM,
            "--type=merge",
            "--patch",
            &request.to_string(),
        ])
        .unwrap();
    let asked = world.until_object(
        "the backup request to be echoed and done",
        "protectedvm",
        VM,
        LIMIT,
        |object| {
            Ok(object["status"]["backupRequest"] == "before-upgrade"
                && object["status"]["recoveryPoints"]["total"] == 3)
        },
    );
    asked.unwrap();
    world
        .kubectl
        .run(["annotate", "protectedvm", VM, "touched=yes"])
        .unwrap();

    // A day goes by: the policy's own run is due once.
    let answer = world.service.advance("PT24H").unwrap();
    assert_eq!(
        (answer.status, &answer.body["failed"]),
        (200, &json!(0)),
        "{}",
        answer.text
    );
    world
        .until_object(
            "the scheduled backup to be told",
            "protectedvm",
            VM,
            LIMIT,
            |object| {
                Ok(object["status"]["recoveryPoints"]["total"] == 4
                    && object["status"]["runs"]
                        .as_array()
                        .is_some_and(|runs| runs.iter().any(|run| run["trigger"] == "Scheduled")))
            },
        )
        .unwrap();
    assert_eq!(world.jobs("Backup").unwrap().len(), 4);

    assert_eq!(
        world.restore_and_compare(LIMIT).unwrap(),
        (Sizes::SMALL.os + Sizes::SMALL.data) << 20
    );
    assert_eq!(world.jobs("Restore").unwrap().len(), 1);
    clean(&world);
}

#[test]
fn what_retention_no_longer_keeps_leaves_the_vault_too() {
    let mut world = protected("retention");
    let shorter = json!({ "spec": { "retention": { "daily": { "keep": 7 } } } });
    world
        .kubectl
        .run([
            "patch",
            "backuppolicy",
            "daily",
            "--type=merge",
            "--patch",
            &shorter.to_string(),
        ])
        .unwrap();
    world
        .until_condition("backuppolicy", "daily", "Ready", "True", LIMIT)
        .unwrap();

    let answer = world.service.advance("PT288H").unwrap();
    assert_eq!(
        (answer.status, &answer.body["failed"]),
        (200, &json!(0)),
        "{}",
        answer.text
    );
    let ran = world.jobs("Backup").unwrap().len();
    assert_eq!(ran, 12, "a daily policy runs once a day");
    let kept = world.points().unwrap().len();
    assert!(
        (7..=8).contains(&kept),
        "{kept} points are kept of a policy that keeps seven days"
    );
    clean(&world);
    assert_eq!(
        world.restore_and_compare(LIMIT).unwrap(),
        (Sizes::SMALL.os + Sizes::SMALL.data) << 20
    );
}

#[test]
fn what_is_in_use_is_held_and_let_go_in_order() {
    let mut world = protected("finalizers");
    world.back_up(LIMIT).unwrap();

    world
        .kubectl
        .run([
            "delete",
            "--wait=false",
            "backupservice/backup",
            "vault/shop-weu",
            "backuppolicy/daily",
        ])
        .unwrap();
    for (kind, name) in [
        ("backupservice", "backup"),
        ("vault", "shop-weu"),
        ("backuppolicy", "daily"),
    ] {
        let held = world.until_object(
            &format!("{kind}/{name} to say who holds it"),
            kind,
            name,
            LIMIT,
            |object| {
                let ready = condition_of(object, "Ready");
                Ok(!object["metadata"]["deletionTimestamp"].is_null()
                    && ready.is_some_and(|ready| ready["status"] == "False"))
            },
        );
        let held = held.unwrap();
        let finalizers = held["metadata"]["finalizers"].as_array().unwrap();
        assert!(!finalizers.is_empty(), "{kind}");
    }

    // The item goes first, and then all that it held.
    for object in [
        "protectedvm/web-1",
        "backupjobs",
        "backuppolicy/daily",
        "vault/shop-weu",
        "backupservice/backup",
    ] {
        let all = if object.contains('/') {
            None
        } else {
            Some("--all")
        };
        let arguments = ["delete", object, "--ignore-not-found", "--timeout=120s"];
        world.kubectl.run(arguments.into_iter().chain(all)).unwrap();
    }

    // By default nothing that was backed up goes with its object: the vault
    // stays, the point stays, backups have stopped.
    assert_eq!(world.points().unwrap().len(), 1);
    let items = world
        .service
        .list(
            &world.vault_path("backupProtectedItems?$filter=backupManagementType eq 'AzureIaasVM'"),
        )
        .unwrap();
    assert_eq!(
        items[0]["properties"]["protectionState"], "ProtectionStopped",
        "{items:?}"
    );
    clean(&world);
}
