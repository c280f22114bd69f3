//! Restores to each target, by the operator against the service's core: what they leave is seen through ARM, whatever the operator dies
//! of on the way; and a vault that does not allow one in place keeps the machine as it is.

use crate::simulation::{Azure, Order, Simulation, manifest};
use futures::executor::block_on;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

/// A machine with one recovery point, in a vault that allows restores in place or not.
fn backed_up(in_place: bool) -> Simulation {
    let mut world = Simulation::new(Order::Plain, None);
    world
        .objects
        .apply(Kind::ProtectedVM, &manifest(Kind::ProtectedVM));
    make_and_back_up(&mut world, in_place);
    world
}

/// What the machine needs besides, and its first recovery point.
fn make_and_back_up(world: &mut Simulation, in_place: bool) {
    let mut vault = manifest(Kind::Vault);
    vault["spec"]["allowInPlaceRestore"] = in_place.into();
    world.objects.apply(Kind::Vault, &vault);
    for kind in [Kind::BackupService, Kind::BackupPolicy] {
        world.objects.apply(kind, &manifest(kind));
    }
    block_on(world.settle());
    world
        .objects
        .apply(Kind::BackupJob, &manifest(Kind::BackupJob));
    block_on(world.settle());
    assert_eq!(world.azure.points(), 1, "{}", world.log());
}

fn restore(world: &mut Simulation, to: &Value) -> Key {
    let mut restore = manifest(Kind::Restore);
    restore["spec"]["to"] = to.clone();
    let key = world.objects.apply(Kind::Restore, &restore);
    block_on(world.settle());
    key
}

fn status(world: &Simulation, key: &Key) -> Value {
    world.objects.peek(key).unwrap_or_default()["status"].clone()
}

fn targets() -> Vec<Value> {
    vec![
        json!({ "disks": { "resourceGroup": "shop-restored" } }),
        json!({ "disks": { "resourceGroup": "shop-restored", "luns": [0] } }),
        json!({ "disks": { "resourceGroup": "shop-restored", "osDiskOnly": true } }),
        json!({ "newVM": { "resourceGroup": "shop-restored", "name": "web-2", "virtualNetwork": "shop-net",
            "networkResourceGroup": "shop-rg", "subnet": "default" } }),
        json!({ "inPlace": {} }),
        json!({ "inPlace": { "disks": [0] } }),
        json!({ "inPlace": { "osDiskOnly": true } }),
    ]
}

#[test]
fn each_target_is_reached_and_seen() {
    let made: Vec<usize> = targets()
        .iter()
        .map(|to| {
            let mut world = backed_up(true);
            let key = restore(&mut world, to);
            let status = status(&world, &key);
            assert_eq!(
                status["conditions"][0]["status"],
                "True",
                "{to}: {}",
                world.log()
            );
            assert_eq!(
                status["vm"].is_string(),
                to.get("disks").is_none(),
                "{to}: {status}"
            );
            assert_eq!(
                status["template"].is_string(),
                to.get("inPlace").is_none(),
                "{to}: {status}"
            );
            let before = &status["recoveryPointBefore"];
            assert_eq!(
                before.is_string(),
                to.get("inPlace").is_some(),
                "{to}: {status}"
            );
            status["disks"].as_array().map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(made, [2, 2, 1, 2, 2, 2, 2]);
}

#[test]
fn an_operator_that_dies_after_any_step_restores_once() {
    for to in targets() {
        let mut calm = backed_up(true);
        let taken = calm.steps();
        restore(&mut calm, &to);
        for step in 1..=calm.steps() - taken {
            let mut world = backed_up(true);
            world.die_after(step);
            let key = restore(&mut world, &to);
            assert_eq!(world.crashes(), 1, "{to}, step {step}");
            assert_eq!(
                world.azure.jobs(),
                calm.azure.jobs(),
                "{to}, step {step}: {}",
                world.log()
            );
            assert_eq!(
                status(&world, &key)["state"],
                "Completed",
                "{to}, step {step}: {}",
                world.log()
            );
        }
    }
}

#[test]
fn in_place_only_where_the_vault_allows_it() {
    let mut world = backed_up(false);
    let key = restore(&mut world, &json!({ "inPlace": {} }));
    let status = status(&world, &key);
    assert_eq!(status["conditions"][0]["reason"], "InPlaceNotAllowed");
    let jobs = world.azure.jobs();
    assert!(
        !jobs.iter().any(|job| job.starts_with("Restore")),
        "{jobs:?}"
    );
}

const TIED: &str = "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1:
        disks: [{ path: web-1-os.raw }, { path: web-1-data.raw, lun: 0 }]
        FACT
    storageAccounts: { stagingweu: {} }
    virtualNetworks: { shop-net: { subnets: [default] } }
    keyVaults: { shop-kv: { secrets: [bek] } }
  shop-restored: { location: westeurope }
";

/// A machine of which the inventory says this besides, with one recovery point.
fn with_a_fact(fact: &str) -> Simulation {
    let mut world = Simulation::with(Azure::of(&TIED.replace("FACT", fact)), Order::Plain, None);
    world
        .objects
        .apply(Kind::ProtectedVM, &manifest(Kind::ProtectedVM));
    make_and_back_up(&mut world, true);
    world
}

/// From a word in the inventory to the condition of a Restore: each rule by its number, and nothing is called.
#[test]
fn what_the_inventory_says_of_a_machine_stands_in_the_way_of_its_restores() {
    let new_vm = targets().remove(3);
    let (in_place, disks) = (json!({ "inPlace": {} }), targets().remove(0));
    let encrypted = "encryption: { ADE: { keyVault: shop-kv, secret: bek } }";
    let lost = "encryption: { ADE: { keyVault: shop-kv, secret: bek, key: kek } }";
    let files = json!({ "files": { "paths": ["/etc"], "resourceGroup": "shop-restored" } });
    for (fact, to, reason, rule) in [
        (
            "availabilitySet: web-set",
            &new_vm,
            "NotRestorableAsNew",
            "(rule 27)",
        ),
        (
            "plan: { publisher: a, product: b, name: c }",
            &new_vm,
            "NotRestorableAsNew",
            "(rule 27)",
        ),
        (
            "diagnostics: true",
            &new_vm,
            "NotRestorableAsNew",
            "(rule 27)",
        ),
        ("encryption: ADE", &in_place, "Encrypted", "(rule 28)"),
        (encrypted, &in_place, "Encrypted", "(rule 28)"),
        ("managed: false", &in_place, "NotReplaceable", "(rule 28)"),
        (encrypted, &files, "Encrypted", "(rule 30)"),
        (encrypted, &targets()[1], "Encrypted", "(rule 31)"),
        (lost, &disks, "KeyNotFound", "(rule 31)"),
    ] {
        let mut world = with_a_fact(fact);
        let jobs = world.azure.jobs();
        let key = restore(&mut world, to);
        let said = status(&world, &key)["conditions"][0].clone();
        assert_eq!(said["reason"], reason, "{fact}: {to}: {said}");
        assert!(said["message"].as_str().unwrap().contains(rule), "{said}");
        assert_eq!(world.azure.jobs(), jobs, "{fact}");
    }
    for (fact, to) in [
        (encrypted, &disks),
        (encrypted, &new_vm),
        ("diagnostics: true", &disks),
    ] {
        let mut world = with_a_fact(fact);
        let key = restore(&mut world, to);
        assert_eq!(
            status(&world, &key)["state"],
            "Completed",
            "{fact}: {}",
            world.log()
        );
    }
}

/// A disk that the backup leaves out stays as it is while the others are replaced; that is a success, with the way back.
#[test]
fn in_place_of_chosen_disks() {
    let mut world = Simulation::new(Order::Plain, None);
    let mut vm = manifest(Kind::ProtectedVM);
    vm["spec"]["disks"] = json!({ "exclude": [0] });
    world.objects.apply(Kind::ProtectedVM, &vm);
    make_and_back_up(&mut world, true);
    let key = restore(&mut world, &json!({ "inPlace": {} }));
    let status = status(&world, &key);
    assert_eq!(status["conditions"][0]["status"], "True", "{status}");
    assert!(status["recoveryPointBefore"].is_string(), "{status}");
    assert_eq!(
        status["disks"].as_array().map_or(0, Vec::len),
        2,
        "{status}"
    );
}

/// Two restores into one group, one beside the other: each lists its own disks.
#[test]
fn two_restores_into_one_group_at_one_time() {
    let mut world = backed_up(true);
    let one = |name: &str, to: Value| {
        let mut restore = manifest(Kind::Restore);
        restore["metadata"]["name"] = name.into();
        restore["spec"]["to"] = to;
        restore
    };
    let os = json!({ "disks": { "resourceGroup": "shop-restored", "osDiskOnly": true } });
    let new_vm = targets().remove(3);
    let disks = world.objects.apply(Kind::Restore, &one("disks", os));
    let machine = world.objects.apply(Kind::Restore, &one("machine", new_vm));
    block_on(world.settle());
    let names = |key: &Key| {
        let disks = status(&world, key)["disks"].clone();
        let disks: Vec<String> = serde_json::from_value(disks).unwrap();
        disks
            .iter()
            .map(|disk| disk.rsplit('/').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&disks), ["web-1-os"], "{}", world.log());
    assert_eq!(
        names(&machine),
        ["web-2-os", "web-2-lun0"],
        "{}",
        world.log()
    );
}

/// Another zone than the machine's, by the manifest; without one, the machine's.
#[test]
fn what_is_restored_is_in_a_zone() {
    for (zone, found) in [(None, "1"), (Some("3"), "3")] {
        let mut world = with_a_fact("zone: \"1\"");
        for mut to in [targets().remove(0), targets().remove(3)] {
            let kind = to.as_object().unwrap().keys().next().unwrap().clone();
            if let Some(zone) = zone {
                to[&kind]["zone"] = zone.into();
            }
            let mut object = manifest(Kind::Restore);
            object["metadata"]["name"] = kind.to_lowercase().into();
            object["spec"]["to"] = to;
            let key = world.objects.apply(Kind::Restore, &object);
            block_on(world.settle());
            let status = status(&world, &key);
            assert_eq!(status["state"], "Completed", "{}", world.log());
            for disk in status["disks"].as_array().unwrap() {
                let disk = world.azure.read(disk.as_str().unwrap());
                assert_eq!(disk["zones"], json!([found]), "{disk}");
            }
        }
    }
}
