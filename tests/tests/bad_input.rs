//! What is wrong ends in a condition or an ARM error that names the cause and
//! the way out, and nothing already backed up is touched.

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use kluis_tests::disk;
use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::seconds;
use kluis_tests::world::{Estate, IDLE_VM, Sizes, VM, World, condition_of, told};
use serde_json::{Value, json};

const LIMIT: Duration = seconds(180);

/// An object like one of the examples, in their namespace.
fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": kind, "metadata": { "name": name, "namespace": "shop" }, "spec": spec })
}

/// Applies an object and waits until it says what is wrong: a condition that is
/// not True, about the present generation, whose message names all of `words`.
fn told_why(
    world: &mut World,
    kind: &str,
    name: &str,
    spec: &Value,
    condition: &str,
    words: &[&str],
) {
    let mut wanted = object(kind, name, spec);
    if kind == "BackupService" {
        wanted["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("namespace");
    }
    world.kubectl.apply(&wanted.to_string()).unwrap();
    let what = format!("{kind}/{name} to name {words:?}");
    let found = world.until_object(&what, kind, name, LIMIT, |object| {
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let Some(found) = condition_of(object, condition) else {
            return Ok(false);
        };
        let message = found["message"].as_str().unwrap_or_default().to_lowercase();
        Ok(current
            && found["status"] != "True"
            && words
                .iter()
                .all(|word| message.contains(&word.to_lowercase())))
    });
    let found = found.unwrap();
    let message = condition_of(&found, condition).unwrap()["message"]
        .as_str()
        .unwrap();
    assert!(
        message.len() > 30,
        "{kind}/{name} says too little to go on from: {}",
        told(&found)
    );
}

#[test]
fn what_only_the_world_can_tell_ends_in_a_condition() {
    let mut world = World::start("bad-input", Sizes::SMALL).unwrap();
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    world.until_protected(LIMIT).unwrap();
    world.back_up(LIMIT).unwrap();

    // References to what does not exist.
    let vault = json!({ "serviceRef": { "name": "nowhere" }, "resourceGroup": "shop-rg", "location": "westeurope" });
    told_why(
        &mut world,
        "Vault",
        "no-service",
        &vault,
        "Ready",
        &["nowhere"],
    );
    let item = |vault: &str, policy: &str, vm: &str| json!({ "vaultRef": { "name": vault }, "policyRef": { "name": policy }, "vm": { "resourceGroup": "shop-rg", "name": vm } });
    told_why(
        &mut world,
        "ProtectedVM",
        "no-vault",
        &item("no-such-vault", "daily", VM),
        "Ready",
        &["no-such-vault"],
    );
    told_why(
        &mut world,
        "ProtectedVM",
        "no-policy",
        &item("shop-weu", "no-such-policy", IDLE_VM),
        "Ready",
        &["no-such-policy"],
    );
    told_why(
        &mut world,
        "ProtectedVM",
        "no-vm",
        &item("shop-weu", "daily", "no-such-vm"),
        "Ready",
        &["no-such-vm"],
    );
    let of = |name: &str| json!({ "kind": "ProtectedVM", "name": name });
    told_why(
        &mut world,
        "BackupJob",
        "no-item",
        &json!({ "item": of("no-such-item") }),
        "Succeeded",
        &["no-such-item"],
    );
    let restore = |item: &str, from: Value, group: &str| json!({ "item": of(item), "from": from, "to": { "disks": { "resourceGroup": group } } });
    let point = json!({ "recoveryPoint": "12345678901234" });
    told_why(
        &mut world,
        "Restore",
        "no-point",
        &restore(VM, point, "shop-restored"),
        "Succeeded",
        &["12345678901234"],
    );
    told_why(
        &mut world,
        "Restore",
        "no-item",
        &restore("no-such-item", json!({ "latest": true }), "shop-restored"),
        "Succeeded",
        &["no-such-item"],
    );

    // A vault in another region than the machine.
    let north = json!({ "serviceRef": { "name": "backup" }, "resourceGroup": "shop-rg", "location": "northeurope" });
    world
        .kubectl
        .apply(&object("Vault", "north", &north).to_string())
        .unwrap();
    world
        .until_condition("Vault", "north", "Ready", "True", LIMIT)
        .unwrap();
    told_why(
        &mut world,
        "ProtectedVM",
        "far",
        &item("north", "daily", VM),
        "Ready",
        &["northeurope", "westeurope"],
    );

    // A resource group, and a namespace, that nobody consented to.
    let foreign = json!({ "serviceRef": { "name": "backup" }, "resourceGroup": "other-rg", "location": "westeurope" });
    told_why(
        &mut world,
        "Vault",
        "foreign-group",
        &foreign,
        "Ready",
        &["other-rg", "backup"],
    );
    world
        .kubectl
        .run(["create", "namespace", "stranger"])
        .unwrap();
    let mut stranger = object("Vault", "stranger", &north);
    stranger["metadata"]["namespace"] = json!("stranger");
    world
        .kubectl
        .within("stranger")
        .apply(&stranger.to_string())
        .unwrap();
    let strangers = world.kubectl.within("stranger");
    let shop = std::mem::replace(&mut world.kubectl, strangers);
    let refused = world.until_object(
        "the vault to say that its namespace may not",
        "Vault",
        "stranger",
        LIMIT,
        |object| {
            let ready = condition_of(object, "Ready");
            Ok(ready.is_some_and(|ready| {
                ready["status"] == "False"
                    && ready["message"]
                        .as_str()
                        .is_some_and(|text| text.contains("stranger"))
            }))
        },
    );
    refused.unwrap();
    world.kubectl = shop;

    // Wrong credentials, and an endpoint where nobody is.
    let backup = world
        .kubectl
        .get("backupservice", "backup")
        .unwrap()
        .unwrap();
    world.kubectl.feed(
        &["apply", "--namespace", "kluis-system", "-f", "-"],
        &json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "wrong" }, "stringData": { "clientSecret": "not-the-secret" } }).to_string(),
    ).unwrap();
    let mut wrong = backup["spec"].clone();
    wrong["credential"]["secretRef"]["name"] = json!("wrong");
    told_why(
        &mut world,
        "BackupService",
        "wrong-secret",
        &wrong,
        "Ready",
        &["credential"],
    );
    wrong["credential"]["secretRef"]["name"] = json!("no-such-secret");
    told_why(
        &mut world,
        "BackupService",
        "no-secret",
        &wrong,
        "Ready",
        &["no-such-secret", "namespace"],
    );
    let mut nobody = backup["spec"].clone();
    nobody["endpoint"] = json!("https://127.0.0.1:1");
    told_why(
        &mut world,
        "BackupService",
        "nobody-there",
        &nobody,
        "Ready",
        &["127.0.0.1:1"],
    );

    // All the while, what was backed up stays as it was.
    assert_eq!(world.points().unwrap().len(), 1);
    world.restore_and_compare(LIMIT).unwrap();
    world.restic().check().unwrap();
}

#[test]
fn a_request_that_is_wrong_gets_an_arm_error() {
    let dir = scratch("bad-requests").unwrap();
    let portal = Portal::open(
        dir.path(),
        Sizes {
            os: 16,
            os_fill: 2,
            data: 8,
            data_fill: 1,
        },
    )
    .unwrap();
    portal.protect().unwrap();
    let arm = portal.service.arm();
    let json_type = "application/json";
    let vault = portal.path("");
    let bare = vault.split('?').next().unwrap();
    let cases = [
        ("a body that is not JSON", arm.raw("PUT", &vault, Some((json_type, "{ not json".to_owned()))).unwrap(), 400),
        ("a body that is JSON and no object", arm.raw("PUT", &vault, Some((json_type, "[1]".to_owned()))).unwrap(), 400),
        ("an empty body", arm.raw("PUT", &vault, Some((json_type, String::new()))).unwrap(), 400),
        ("no api-version", arm.get(bare).unwrap(), 400),
        ("an unknown api-version", arm.get(&format!("{bare}?api-version=1999-01-01")).unwrap(), 400),
        ("an api-version that is no date", arm.get(&format!("{bare}?api-version=latest")).unwrap(), 400),
        ("no token", arm.with_token(None).get(&vault).unwrap(), 401),
        ("a made-up token", arm.with_token(Some("made.up.token")).get(&vault).unwrap(), 401),
        ("another subscription", arm.get("/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/x/providers/Microsoft.RecoveryServices/vaults/v?api-version=2026-10-01").unwrap(), 404),
        ("a vault that is not there", arm.get(&portal.service.path("resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/none")).unwrap(), 404),
        ("a virtual machine that is not there", portal.put_item("no-such-vm").unwrap(), 400),
        ("a recovery point that is not there", portal.post_restore("12345", "shop-restored").unwrap(), 404),
        ("a method that nobody serves", arm.send("DELETE", &portal.service.path("resourceGroups/shop-rg"), None).unwrap(), 405),
    ];
    for (what, answer, status) in cases {
        let error = &answer.body["error"];
        let said = error["message"].as_str().unwrap_or_default();
        assert!(
            error["code"].is_string() && said.len() > 15,
            "{what}: answered {} {}",
            answer.status,
            answer.text
        );
        // Azure is not always of one mind about 400, 404 and 405: what counts is who has to do something.
        assert_eq!(
            answer.status / 100,
            4,
            "{what}: answered {} {}",
            answer.status,
            answer.text
        );
        if matches!(status, 401) {
            assert_eq!(answer.status, status, "{what}: {}", answer.text);
        }
    }
    // A body without end is not read to its end.
    let endless = format!("{{\"location\":\"{}\"}}", "x".repeat(64 << 20));
    if let Ok(answer) = arm.raw("PUT", &vault, Some((json_type, endless))) {
        assert_eq!(answer.status, 413, "{}", answer.text);
    }
    assert_eq!(arm.get(&vault).unwrap().status, 200);
}

#[test]
fn a_damaged_image_fails_the_job_and_says_which() {
    let dir = scratch("truncated").unwrap();
    let portal = Portal::open(
        dir.path(),
        Sizes {
            os: 16,
            os_fill: 2,
            data: 8,
            data_fill: 1,
        },
    )
    .unwrap();
    portal.protect().unwrap();
    portal.back_up().unwrap();
    let data = &portal.estate.disks[1];
    let aside = data.with_extension("aside");
    disk::copy(data, &aside).unwrap();

    // Cut off in the middle of a sector.
    File::options()
        .write(true)
        .open(data)
        .unwrap()
        .set_len((4 << 20) + 100)
        .unwrap();
    let (cause, way_out) = portal.failure(&portal.begin_backup().unwrap()).unwrap();
    assert!(
        cause.contains("web-1-lun0") || cause.contains("web-1-data"),
        "{cause}"
    );
    assert!(way_out.len() > 15, "{way_out}");

    // Not there at all.
    fs::remove_file(data).unwrap();
    let (cause, _) = portal.failure(&portal.begin_backup().unwrap()).unwrap();
    assert!(
        cause.contains("web-1-lun0") || cause.contains("web-1-data"),
        "{cause}"
    );

    fs::rename(&aside, data).unwrap();
    assert_eq!(portal.points().unwrap().len(), 1);
    portal.restore_and_compare().unwrap();
    portal.back_up().unwrap();
}

#[test]
fn a_wrong_passphrase_is_said_and_opens_nothing() {
    let dir = scratch("passphrase").unwrap();
    let mut portal = Portal::open(
        dir.path(),
        Sizes {
            os: 16,
            os_fill: 2,
            data: 8,
            data_fill: 1,
        },
    )
    .unwrap();
    portal.protect().unwrap();
    portal.back_up().unwrap();
    let right = fs::read_to_string(portal.service.passphrase()).unwrap();
    let passphrase = portal.service.passphrase();
    portal.service.daemon().stop().unwrap();
    fs::write(&passphrase, "not the passphrase\n").unwrap();

    // Either the service refuses to start and says why, or its jobs do.
    let setup = portal.service.setup().clone();
    match Service::start(setup.clone()) {
        Err(why) => assert!(
            format!("{why:#}").to_lowercase().contains("passphrase"),
            "{why:#}"
        ),
        Ok(service) => {
            let wrong = Portal {
                service,
                estate: portal.estate.clone(),
            };
            let (cause, way_out) = wrong.failure(&wrong.begin_backup().unwrap()).unwrap();
            assert!(cause.to_lowercase().contains("passphrase"), "{cause}");
            assert!(way_out.to_lowercase().contains("passphrase"), "{way_out}");
        }
    }

    fs::write(&passphrase, right).unwrap();
    let portal = Portal {
        service: Service::start(setup).unwrap(),
        estate: portal.estate,
    };
    assert_eq!(portal.points().unwrap().len(), 1);
    portal.restore_and_compare().unwrap();
}

#[test]
fn an_inventory_that_is_wrong_is_refused_with_its_line() {
    let dir = scratch("bad-inventory").unwrap();
    let inventory = dir.path().join("inventory.yaml");
    fs::write(
        &inventory,
        "resourceGroups:\n  shop-rg:\n    location: westeurope\n    virtualMachine: {}\n",
    )
    .unwrap();
    let output = Command::new(kluis_tests::binary::kluis().unwrap())
        .args(["service", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path().join("service"))
        .arg("--inventory")
        .arg(&inventory)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("virtualMachine") && said.contains('4'),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let dir = scratch("taken").unwrap();
    let estate = Estate::lay_out(
        dir.path(),
        Sizes {
            os: 16,
            os_fill: 2,
            data: 8,
            data_fill: 1,
        },
    )
    .unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut setup = Setup::new(dir.path(), &estate.inventory);
    setup.listen = taken.local_addr().unwrap().to_string();
    let why = format!("{:#}", Service::start(setup).unwrap_err());
    assert!(
        why.contains(&taken.local_addr().unwrap().port().to_string()),
        "{why}"
    );
}
