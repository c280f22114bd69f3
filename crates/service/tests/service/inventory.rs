//! The inventory's file: what it says, and what is wrong with it, by line.

use std::path::{Path, PathBuf};

use kluis_service::inventory::{Inventory, InventoryError};

fn wrong(text: &str) -> (u64, String) {
    Inventory::parse(text, Path::new("/etc/kluis")).unwrap_err()
}

#[test]
fn names_luns_and_paths_have_defaults() {
    let text = "
subscriptionId: 11111111-2222-3333-4444-555555555555
resourceGroups:
  rg:
    location: West Europe
    virtualMachines:
      b: { disks: [{ path: b.raw }, { path: /images/b1.qcow2 }, { path: b2.raw, lun: 7, name: data }] }
      a: { disks: [{ path: a.raw }], location: northeurope, memoryGiB: 0.5, encryption: ADE }
restored: back/
";
    let inventory = Inventory::parse(text, Path::new("/etc/kluis")).unwrap();
    let names: Vec<&str> = inventory.vms().map(|vm| vm.name.as_str()).collect();
    assert_eq!(names, ["b", "a"], "in the order of the file");
    let b = inventory.vm("RG", "B").unwrap();
    let disks: Vec<_> = b
        .disks
        .iter()
        .map(|disk| (disk.name.as_str(), disk.lun, disk.path.clone()))
        .collect();
    assert_eq!(
        disks,
        [
            ("b-os", None, PathBuf::from("/etc/kluis/b.raw")),
            ("b-lun0", Some(0), PathBuf::from("/images/b1.qcow2")),
            ("data", Some(7), PathBuf::from("/etc/kluis/b2.raw")),
        ]
    );
    assert_eq!(
        (
            b.location.as_str(),
            inventory.vm("rg", "a").unwrap().location.as_str()
        ),
        ("westeurope", "northeurope")
    );
    assert_eq!(inventory.restored, PathBuf::from("/etc/kluis/back/"));
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let (line, message) = wrong(
        "resourceGroups:\n  rg:\n    location: westeurope\n    virtualMachines:\n      a:\n        disks: [{ path: a.raw }]\n        colour: red\n",
    );
    assert_eq!(line, 7, "{message}");
    assert!(message.contains("colour"), "{message}");
}

#[test]
fn what_contradicts_itself_is_an_error_with_its_line() {
    let vm = |disks: &str| {
        format!(
            "resourceGroups:\n  rg:\n    location: westeurope\n    virtualMachines:\n      a:\n        disks:\n{disks}"
        )
    };
    for (text, line, word) in [
        (vm("          - { path: a, lun: 0 }\n"), 7, "OS disk"),
        (
            vm(
                "          - path: a\n          - { path: b, lun: 1 }\n          - { path: c, lun: 1 }\n",
            ),
            9,
            "lun",
        ),
        (
            vm("          - path: a\n          - { path: b, name: a-os }\n"),
            8,
            "two disks named",
        ),
        (
            vm("          - { path: a, name: ../x }\n"),
            7,
            "can't name a disk",
        ),
        (vm("          []\n"), 6, "no disks"),
        (
            "resourceGroups:\n  rg: { location: x }\n  RG: { location: x }\n".to_owned(),
            3,
            "twice",
        ),
        (
            "resourceGroups:\n  ..: { location: x }\n".to_owned(),
            2,
            "can't name a resource group",
        ),
        (
            "resourceGroups:\n  .removed-x: { location: x }\n".to_owned(),
            2,
            "can't name a resource group",
        ),
        (
            "resourceGroups:\n  köln: { location: x }\n".to_owned(),
            2,
            "can't name a resource group",
        ),
        (
            vm("          - { path: a, name: büro }\n"),
            7,
            "can't name a disk",
        ),
        (
            "resourceGroups: {}\nsubscriptionId: mine\n".to_owned(),
            2,
            "GUID",
        ),
        ("resourceGroups:\n  rg: [\n".to_owned(), 3, ""),
        (
            "identities:\n  - { clientId: a, secretFile: b, role: King }\n".to_owned(),
            2,
            "King",
        ),
    ] {
        let (at, message) = wrong(&text);
        assert!(message.contains(word), "{text}: {message}");
        assert!(
            at.abs_diff(line) <= 1,
            "{text}: line {at}, not {line}: {message}"
        );
    }
}

#[test]
fn the_error_names_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inventory.yaml");
    let read = |path: &Path| Inventory::of_file(path, std::fs::read_to_string(path));
    let error = read(&path).unwrap_err();
    assert!(matches!(error, InventoryError::Read { .. }), "{error}");
    std::fs::write(&path, "resourceGroups: {}\nextra: 1\n").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.contains("inventory.yaml:2:") && error.contains("extra"),
        "{error}"
    );
}

#[test]
fn what_ties_a_machine_and_where_its_keys_are() {
    use kluis_service::inventory::{Encryption, Keys, Plan};
    let text = "
resourceGroups:
  rg:
    location: westeurope
    virtualMachines:
      plain: { disks: [{ path: a.raw }] }
      tied:
        disks: [{ path: b.raw }]
        availabilitySet: web-set
        plan: { publisher: acme, product: hardened-debian, name: byol }
        diagnostics: true
      keyed: { disks: [{ path: c.raw }], encryption: { ADE: { keyVault: kv, secret: bek, key: kek } } }
      elsewhere: { disks: [{ path: d.raw }], encryption: { ADE: { resourceGroup: keys-rg, keyVault: kv, secret: bek } } }
    keyVaults: { kv: { secrets: [bek], keys: [kek] } }
";
    let inventory = Inventory::parse(text, Path::new("/etc/kluis")).unwrap();
    let vm = |name: &str| inventory.vm("rg", name).unwrap();
    assert_eq!(vm("plain").ties, Default::default());
    assert_eq!(
        (vm("plain").encryption, &vm("plain").keys),
        (Encryption::None, &None)
    );
    let ties = &vm("tied").ties;
    assert_eq!(ties.availability_set.as_deref(), Some("web-set"));
    assert!(ties.diagnostics);
    assert_eq!(
        ties.plan,
        Some(Plan {
            publisher: "acme".to_owned(),
            product: "hardened-debian".to_owned(),
            name: "byol".to_owned()
        })
    );
    let keys = |group: &str, key: Option<&str>| Keys {
        resource_group: group.to_owned(),
        key_vault: "kv".to_owned(),
        secret: "bek".to_owned(),
        key: key.map(str::to_owned),
    };
    assert_eq!(vm("keyed").encryption, Encryption::Ade);
    assert_eq!(vm("keyed").keys, Some(keys("rg", Some("kek"))));
    assert_eq!(vm("elsewhere").keys, Some(keys("keys-rg", None)));
    for (wrong_one, word) in [
        ("encryption: BitLocker", "ADE"),
        ("encryption: { ADE: { keyVault: kv } }", "secret"),
        (
            "encryption: { ADE: { keyVault: kv, secret: s, colour: red } }",
            "colour",
        ),
        ("encryption: { DES: { keyVault: kv, secret: s } }", "ADE"),
        ("encryption: {}", "ADE"),
        ("plan: { publisher: acme }", "product"),
    ] {
        let text = format!(
            "resourceGroups:\n  rg:\n    location: westeurope\n    virtualMachines:\n      a:\n        disks: [{{ path: a.raw }}]\n        {wrong_one}\n"
        );
        let (line, message) = wrong(&text);
        assert_eq!(line, 7, "{wrong_one}: {message}");
        assert!(message.contains(word), "{wrong_one}: {message}");
    }
}

#[test]
fn a_resource_group_may_be_locked_in_azures_two_ways() {
    use kluis_service::inventory::Lock;
    let text = "
resourceGroups:
  kept: { location: westeurope, lock: CanNotDelete }
  frozen: { location: westeurope, lock: ReadOnly }
  free: { location: westeurope }
";
    let inventory = Inventory::parse(text, Path::new("/etc/kluis")).unwrap();
    let lock = |name: &str| inventory.resource_group(name).unwrap().lock;
    assert_eq!(lock("kept"), Some(Lock::CanNotDelete));
    assert_eq!(lock("frozen"), Some(Lock::ReadOnly));
    assert_eq!(lock("free"), None);
    let (line, message) =
        wrong("resourceGroups:\n  rg:\n    location: westeurope\n    lock: Delete\n");
    assert_eq!(line, 4, "{message}");
    assert!(message.contains("CanNotDelete"), "{message}");
}
