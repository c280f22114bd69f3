//! By manifests alone, on a real API server with the real service: a machine comes back as another one, as one disk, in its own place
//! and as a file; then its object goes with its data, and is declared again within the days of soft delete.

use std::fs;
use std::time::Duration;

use kluis_tests::disk;
use kluis_tests::until::{Look, every, seconds};
use kluis_tests::world::{Sizes, VAULT, VM, World, told};
use serde_json::{Value, json};

const LIMIT: Duration = seconds(180);

fn patch(world: &World, kind: &str, name: &str, spec: &Value) {
    let patch = json!({ "spec": spec }).to_string();
    world
        .kubectl
        .run(["patch", kind, name, "--type=merge", "--patch", &patch])
        .unwrap();
}

/// A restore of the newest point, to its end.
fn restored(world: &mut World, name: &str, to: &Value) -> Value {
    let restore = json!({
        "apiVersion": "kluis.dev/v1alpha1", "kind": "Restore",
        "metadata": { "name": name },
        "spec": { "item": { "kind": "ProtectedVM", "name": VM }, "from": { "latest": true }, "to": to },
    });
    world
        .kubectl
        .feed(&["create", "-f", "-"], &restore.to_string())
        .unwrap();
    world.until_succeeded("restore", name, LIMIT).unwrap()["status"].clone()
}

#[test]
fn every_way_back_and_every_stop() {
    let mut world = World::without_operator("manifests", Sizes::SMALL).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("etc")).unwrap();
    fs::write(folder.path().join("etc/shop.conf"), "open = 9..17\n").unwrap();
    disk::of_folder(&world.estate.disks[0], Sizes::SMALL.os, folder.path()).unwrap();
    world.start_operator(None).unwrap();
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    world.until_protected(LIMIT).unwrap();
    world.back_up(LIMIT).unwrap();

    let new_vm = json!({ "newVM": { "resourceGroup": "shop-restored", "name": "web-2", "virtualNetwork": "shop-net",
        "networkResourceGroup": "shop-rg", "subnet": "default" } });
    let status = restored(&mut world, "as-web-2", &new_vm);
    assert_eq!(
        status["disks"].as_array().map(Vec::len),
        Some(2),
        "{status}"
    );
    assert!(
        status["vm"].as_str().unwrap().ends_with("/web-2"),
        "{status}"
    );

    let one = json!({ "disks": { "resourceGroup": "shop-restored", "luns": [0] } });
    let status = restored(&mut world, "one-disk", &one);
    assert_eq!(
        status["disks"].as_array().map(Vec::len),
        Some(2),
        "{status}"
    );

    let files = json!({ "files": { "paths": ["/etc"], "resourceGroup": "shop-restored" } });
    let status = restored(&mut world, "files", &files);
    assert_eq!(status["files"]["count"], 1, "{status}");
    let file = world
        .estate
        .inventory
        .with_file_name("restored/shop-restored/files/etc/shop.conf");
    assert_eq!(fs::read_to_string(&file).unwrap(), "open = 9..17\n");

    // In place only where the vault allows it.
    let in_place = json!({
        "apiVersion": "kluis.dev/v1alpha1", "kind": "Restore", "metadata": { "name": "in-place" },
        "spec": { "item": { "kind": "ProtectedVM", "name": VM }, "from": { "latest": true }, "to": { "inPlace": {} } },
    });
    world
        .kubectl
        .feed(&["create", "-f", "-"], &in_place.to_string())
        .unwrap();
    let blocked = world.until_condition("restore", "in-place", "Stalled", "True", LIMIT);
    let blocked = told(&blocked.unwrap());
    assert!(blocked.contains("allowInPlaceRestore"), "{blocked}");
    patch(
        &world,
        "vault",
        VAULT,
        &json!({ "allowInPlaceRestore": true }),
    );
    world.tick().unwrap();
    let done = world.until_succeeded("restore", "in-place", LIMIT).unwrap();
    assert!(done["status"]["recoveryPointBefore"].is_string(), "{done}");

    // The object goes with its data, which can be had back for some days.
    patch(
        &world,
        "protectedvm",
        VM,
        &json!({ "deletionPolicy": "DeleteData" }),
    );
    world
        .kubectl
        .run(["delete", "protectedvm", VM, "--timeout=120s"])
        .unwrap();
    world.apply_examples().unwrap();
    let kubectl = world.kubectl.clone();
    every(
        Duration::from_millis(200),
        "the points to be back",
        LIMIT,
        || {
            let object = kubectl.get("protectedvm", VM)?.unwrap_or_default();
            let back = object["status"]["state"] == "Protected"
                && object["status"]["recoveryPoints"]["total"] == 2;
            Ok(if back {
                Look::Done(())
            } else {
                Look::NotYet(told(&object))
            })
        },
    )
    .unwrap();
}
