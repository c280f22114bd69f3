//! Rows 27 to 31 of the table of rules: what is restored of no machine that is like this, and how machines and recovery points
//! show what they are like.

use expect_test::expect;
use http::Method;
use kluis_service::inventory::{Encryption, KeyVault, Keys, Os, Plan, VirtualMachine};
use serde_json::{Value, json};

use super::restorable::{group, in_place, machine, new_machine, with_a_network};
use super::world::{ITEM, VAULT, WEB_1, World, backup_request, protection, restore_request};

type Change = fn(&mut VirtualMachine);

/// `web-1`, changed and backed up, and the path at which its point is restored.
fn of(change: impl Fn(&mut VirtualMachine)) -> (World, String) {
    let mut world = with_a_network();
    let vaults = &mut world.inventory.resource_groups[0].key_vaults;
    let held = KeyVault {
        secrets: vec!["web-1-bek".to_owned()],
        keys: vec!["web-1-kek".to_owned()],
    };
    vaults.insert("shop-kv".to_owned(), held);
    change(&mut world.inventory.resource_groups[0].virtual_machines[0]);
    world.protect();
    world.backup_now();
    world.settle();
    let path = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    (world, path)
}

fn keyed(vm: &mut VirtualMachine) {
    vm.encryption = Encryption::Ade;
    vm.keys = Some(Keys {
        resource_group: "shop-rg".to_owned(),
        key_vault: "shop-kv".to_owned(),
        secret: "web-1-bek".to_owned(),
        key: Some("web-1-kek".to_owned()),
    });
}

fn gone(world: &mut World) {
    world.inventory.resource_groups[0]
        .virtual_machines
        .remove(0);
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body["properties"][field] = value;
    body
}

#[test]
fn row_27_what_azure_makes_no_machine_of_comes_back_as_disks() {
    let in_a_set: Change = |vm| vm.ties.availability_set = Some("web-set".to_owned());
    let bought: Change = |vm| {
        vm.ties.plan = Some(Plan {
            publisher: "acme".to_owned(),
            product: "hardened-debian".to_owned(),
            name: "byol".to_owned(),
        });
    };
    let diagnosed: Change = |vm| vm.ties.diagnostics = true;
    let mut said = String::new();
    for change in [in_a_set, bought, diagnosed] {
        let (mut world, path) = of(change);
        let while_there = world.refused(Method::POST, &path, Some(&new_machine("web-9")));
        // The point knows what the machine was.
        gone(&mut world);
        let refused = world.refused(Method::POST, &path, Some(&new_machine("web-9")));
        assert_eq!(refused, while_there);
        said.push_str(&format!("{refused}\n"));
        let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
        world.settle();
        assert_eq!(world.job(&job)["status"], "Completed");
    }
    expect![[r#"
        400 UserErrorAvailabilitySetRestoreNotSupported: 'web-1' was in the availability set 'web-set', and none is restored into one (rule 27). Restore its disks, and make the machine of them with the template that lies beside them.
        400 UserErrorMarketPlaceVMNotSupported: 'web-1' was made of the Marketplace image 'hardened-debian' of 'acme', which a restore can't buy again (rule 27). Restore its disks, and make the machine of them with the template that lies beside them.
        400 UserErrorDiagnosticSettingsRestoreNotSupported: 'web-1' had Azure's diagnostics extension, with which no machine is made anew (rule 27). Restore its disks, and make the machine of them with the template that lies beside them.
    "#]].assert_eq(&said);
}

#[test]
fn row_27_a_machine_that_was_tied_since_is_made_of_a_point_from_before() {
    let (mut world, path) = of(|_| {});
    let vm = &mut world.inventory.resource_groups[0].virtual_machines[0];
    vm.ties.availability_set = Some("web-set".to_owned());
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    assert!(world.has_machine("shop-restored", "web-9"));
    let made = world.get(&machine("shop-restored", "web-9"));
    assert!(made["properties"]["availabilitySet"].is_null(), "{made}");
}

#[test]
fn machines_show_what_they_are_as_azure_does() {
    let (mut world, _) = of(|vm| {
        keyed(vm);
        vm.ties.availability_set = Some("web-set".to_owned());
        vm.ties.diagnostics = true;
        vm.ties.plan = Some(Plan {
            publisher: "acme".to_owned(),
            product: "hardened-debian".to_owned(),
            name: "byol".to_owned(),
        });
    });
    let vm = world.get(WEB_1);
    let id = |kind: &str| format!("{}/providers/{kind}", group("shop-rg"));
    let vault = id("Microsoft.KeyVault/vaults/shop-kv");
    assert_eq!(
        vm["properties"]["availabilitySet"]["id"],
        id("Microsoft.Compute/availabilitySets/web-set")
    );
    assert_eq!(vm["plan"]["product"], "hardened-debian");
    let extension = &vm["resources"][0];
    assert_eq!(
        extension["properties"]["publisher"],
        "Microsoft.Azure.Diagnostics"
    );
    assert_eq!(extension["properties"]["type"], "LinuxDiagnostic");
    assert_eq!(
        vm["properties"]["storageProfile"]["osDisk"]["encryptionSettings"],
        json!({
            "enabled": true,
            "diskEncryptionKey": { "secretUrl": "https://shop-kv.vault.azure.net/secrets/web-1-bek", "sourceVault": { "id": vault } },
            "keyEncryptionKey": { "keyUrl": "https://shop-kv.vault.azure.net/keys/web-1-kek", "sourceVault": { "id": vault } },
        })
    );
    // A vault's keys and secrets are there to be found, and nothing of them is to be read.
    let secret = world.get(&format!("{vault}/SECRETS/Web-1-bek"));
    assert_eq!(secret["name"], "web-1-bek");
    assert!(secret["properties"]["value"].is_null());
    assert_eq!(
        world.get(&format!("{vault}/keys/web-1-kek"))["name"],
        "web-1-kek"
    );
    for absent in ["secrets/web-1-kek", "keys/none", "certificates/web-1-bek"] {
        let refused = world.refused(Method::GET, &format!("{vault}/{absent}"), None);
        assert!(refused.starts_with("404 ResourceNotFound"), "{refused}");
    }
    let vaults = world.get(&format!(
        "{}/providers/Microsoft.KeyVault/vaults",
        group("shop-rg")
    ));
    assert_eq!(vaults["value"][0]["id"], vault);
}

#[test]
fn points_tell_what_the_machine_was() {
    let (mut world, _) = of(|vm| {
        keyed(vm);
        vm.managed = false;
        vm.zone = Some("2".to_owned());
    });
    let vm = &mut world.inventory.resource_groups[0].virtual_machines[0];
    (vm.encryption, vm.keys, vm.managed, vm.zone) = (Encryption::None, None, true, None);
    let point = world.get(&format!("{ITEM}/recoveryPoints"))["value"][0]["properties"].clone();
    assert_eq!(point["isSourceVMEncrypted"], true);
    assert_eq!(point["isManagedVirtualMachine"], false);
    assert_eq!(point["zones"], json!(["2"]));
    assert_eq!(
        point["keyAndSecret"]["bekDetails"]["secretUrl"],
        "https://shop-kv.vault.azure.net/secrets/web-1-bek"
    );
    assert_eq!(
        point["keyAndSecret"]["kekDetails"]["keyUrl"],
        "https://shop-kv.vault.azure.net/keys/web-1-kek"
    );
}

/// A point says where its keys are, and clients send that along. Another key would not be used, and is refused by its name.
#[test]
fn row_31_a_restore_that_names_keys_names_those_of_its_point() {
    let (mut world, path) = of(keyed);
    let points = world.get(&format!("{ITEM}/recoveryPoints"));
    let shown = &points["value"][0]["properties"]["keyAndSecret"];
    let (kek, bek) = (&shown["kekDetails"], &shown["bekDetails"]);
    let details = json!({
        "encryptionEnabled": true,
        "kekUrl": kek["keyUrl"], "kekVaultId": kek["keyVaultId"],
        "secretKeyUrl": bek["secretUrl"], "secretKeyVaultId": bek["secretVaultId"],
    });
    let said = |details: Value| {
        with(
            restore_request("shop-restored"),
            "encryptionDetails",
            details,
        )
    };
    for (name, value) in [
        (
            "kekUrl",
            "https://other-kv.vault.azure.net/keys/web-1-kek/1",
        ),
        ("kekUrl", "https://shop-kv.vault.azure.net/keys/web-1-kek2"),
        (
            "secretKeyUrl",
            "https://shop-kv.vault.azure.net/secrets/other",
        ),
        ("kekVaultId", "/x"),
        ("secretKeyVaultId", "/x"),
    ] {
        let mut other = details.clone();
        other[name] = json!(value);
        let refused = world.refused(Method::POST, &path, Some(&said(other)));
        assert!(
            refused.starts_with("400 BMSUserErrorInvalidInput"),
            "{refused}"
        );
        let told = [format!("'encryptionDetails.{name}'"), value.to_owned()];
        assert!(told.iter().all(|told| refused.contains(told)), "{refused}");
    }
    // A version of the key is the key.
    let mut versioned = details.clone();
    versioned["kekUrl"] =
        json!("https://SHOP-kv.vault.azure.net/keys/web-1-kek/0767b348bb1a4c07baa6c4ec0055d2b3");
    for details in [details, versioned, json!({"encryptionEnabled": true})] {
        let job = world.accept(Method::POST, &path, Some(&said(details)));
        world.settle();
        assert_eq!(world.job(&job)["status"], "Completed");
    }
}

/// Azure says "partial" of every machine with a premium disk that was recorded, also where all its disks are.
#[test]
fn points_tell_of_premium_disks_and_go_on_to_when_those_are_others() {
    for (skus, told) in [
        (["Standard_LRS", "StandardSSD_ZRS"], "NormalStorage"),
        (
            ["Standard_LRS", "premium_lrs"],
            "PremiumVMOnPartialPremiumStorage",
        ),
        (
            ["Premium_LRS", "Premium_ZRS"],
            "PremiumVMOnPartialPremiumStorage",
        ),
    ] {
        let (mut world, _) = of(|vm| {
            vm.disks.truncate(2);
            for (disk, sku) in vm.disks.iter_mut().zip(skus) {
                disk.sku = sku.to_owned();
            }
        });
        for disk in &mut world.inventory.resource_groups[0].virtual_machines[0].disks {
            disk.sku = "UltraSSD_LRS".to_owned();
        }
        let list = world.get(&format!("{ITEM}/recoveryPoints"))["value"].clone();
        let path = format!("{ITEM}/recoveryPoints/{}", world.newest_point());
        let read = world.get(&path);
        for point in [&list[0], &read] {
            assert_eq!(point["properties"]["sourceVMStorageType"], told, "{skus:?}");
        }
    }
}

#[test]
fn row_28_a_machine_that_is_encrypted_now_keeps_its_disks() {
    let (mut world, path) = of(|_| {});
    keyed(&mut world.inventory.resource_groups[0].virtual_machines[0]);
    expect!["400 UserErrorOperationNotSupportedForEncryptedVm: The disks of 'web-1' are encrypted; only others can be replaced (rule 28). Restore its disks beside them."].assert_eq(&world.refused(Method::POST, &path, Some(&in_place(None))));
}

#[test]
fn row_29_what_is_restored_is_in_the_zone_that_the_machine_was_in() {
    let (mut world, path) = of(|vm| vm.zone = Some("2".to_owned()));
    gone(&mut world);
    world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    world.settle();
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    world.accept(
        Method::POST,
        &path,
        Some(&with(new_machine("web-8"), "zones", json!(["3"]))),
    );
    world.settle();
    let mut zones = |kind: &str, name: &str| {
        let id = format!(
            "{}/providers/Microsoft.Compute/{kind}/{name}",
            group("shop-restored")
        );
        world.get(&id)["zones"].clone()
    };
    assert_eq!(zones("disks", "web-1-os"), json!(["2"]));
    assert_eq!(zones("virtualMachines", "web-9"), json!(["2"]));
    assert_eq!(zones("disks", "web-9-lun0"), json!(["2"]));
    assert_eq!(zones("virtualMachines", "web-8"), json!(["3"]));
    assert_eq!(zones("disks", "web-8-lun0"), json!(["3"]));
}

#[test]
fn row_29_disks_that_are_replaced_stay_in_their_zone() {
    let (mut world, path) = of(|vm| vm.zone = Some("2".to_owned()));
    let other = with(in_place(None), "zones", json!(["3"]));
    expect!["400 UserErrorInvalidZone: 'web-1' is in zone '2', and its disks stay there; 'zones' is '3' (rule 29)."].assert_eq(&world.refused(Method::POST, &path, Some(&other)));
    world.accept(
        Method::POST,
        &path,
        Some(&with(in_place(None), "zones", json!(["2"]))),
    );
    world.settle();
    let name = world.disks_of("shop-rg", "web-1").remove(0);
    let disk = world.get(&format!(
        "{}/providers/Microsoft.Compute/disks/{name}",
        group("shop-rg")
    ));
    assert_eq!(disk["zones"], json!(["2"]));
}

#[test]
fn row_29_a_zone_that_the_region_does_not_have() {
    let mut world = with_a_network();
    world.inventory.resource_groups[0].virtual_machines[0].location = "westus".to_owned();
    let vault = VAULT.replace("shop-weu", "shop-wus");
    let body = json!({"location": "West US", "sku": {"name": "Standard"}, "properties": {}});
    assert_eq!(world.request(Method::PUT, &vault, Some(&body)).status, 201);
    let item = format!("{vault}/{ITEM}");
    world.accept(
        Method::PUT,
        &item,
        Some(
            &protection(WEB_1, "DefaultPolicy")
                .to_string()
                .replace("shop-weu", "shop-wus")
                .parse()
                .unwrap(),
        ),
    );
    world.accept(
        Method::POST,
        &format!("{item}/backup"),
        Some(&backup_request()),
    );
    world.settle();
    // The staging account is in the vault's region, too.
    world.inventory.resource_groups[0].location = "westus".to_owned();
    let points = world.get(&format!("{item}/recoveryPoints"));
    let path = format!(
        "{item}/recoveryPoints/{}/restore",
        points["value"][0]["name"].as_str().unwrap()
    );
    let disks = with(restore_request("shop-restored"), "region", json!("westus"));
    let refused = world.refused(
        Method::POST,
        &path,
        Some(&with(disks.clone(), "zones", json!(["1"]))),
    );
    expect!["400 UserErrorInvalidZone: The region 'westus' has no availability zones, and so no zone '1' (rule 29). Leave 'zones' out."].assert_eq(&refused);
    world.accept(Method::POST, &path, Some(&disks));
}

#[test]
fn row_30_files_go_by_what_the_machine_was_and_not_by_what_it_is() {
    let (mut world, _) = of(keyed);
    let point = world.newest_point();
    gone(&mut world);
    let at =
        |point: &str| format!("/kluis/v1{VAULT}/{ITEM}/recoveryPoints/{point}/files?path=/etc");
    let refused = world.refused(Method::GET, &at(&point), None);
    expect!["400 UserErrorOperationNotSupportedForEncryptedVm: 'web-1' is encrypted: its files can't be read out of a recovery point (rule 30). Restore all of its disks, or a new machine."].assert_eq(&refused);
    let (mut world, _) = of(|_| {});
    let point = world.newest_point();
    keyed(&mut world.inventory.resource_groups[0].virtual_machines[0]);
    let found = world.request(Method::GET, &at(&point), None);
    assert_eq!(found.status, 200, "{:?}", found.body);
}

#[test]
fn row_31_an_encrypted_machine_needs_its_keys_and_comes_back_whole() {
    let (mut world, path) = of(keyed);
    gone(&mut world);
    let some = with(
        restore_request("shop-restored"),
        "restoreDiskLunList",
        json!([0]),
    );
    let mut said = vec![world.refused(Method::POST, &path, Some(&some))];
    let kept = std::mem::take(&mut world.inventory.resource_groups[0].key_vaults);
    said.push(world.refused(Method::POST, &path, Some(&restore_request("shop-restored"))));
    let mut without = kept.clone();
    without.get_mut("shop-kv").unwrap().keys.clear();
    world.inventory.resource_groups[0].key_vaults = without;
    said.push(world.refused(Method::POST, &path, Some(&new_machine("web-9"))));
    let mut without = kept.clone();
    without.get_mut("shop-kv").unwrap().secrets.clear();
    world.inventory.resource_groups[0].key_vaults = without;
    said.push(world.refused(Method::POST, &path, Some(&new_machine("web-9"))));
    expect![[r#"
        400 UserErrorOperationNotSupportedForEncryptedVm: 'web-1' is encrypted: an encrypted machine is restored with all of its disks (rule 31). Restore all disks, or a new machine.
        400 UserErrorKeyVaultSecretOrKeyNotFound: 'web-1' is encrypted, and the key vault 'shop-kv' is not there: what is restored could not be read (rule 31). Put it back there first.
        400 UserErrorKeyVaultSecretOrKeyNotFound: 'web-1' is encrypted, and the key 'web-1-kek' is not in the key vault 'shop-kv': what is restored could not be read (rule 31). Put it back there first.
        400 UserErrorKeyVaultSecretOrKeyNotFound: 'web-1' is encrypted, and the secret 'web-1-bek' is not in the key vault 'shop-kv': what is restored could not be read (rule 31). Put it back there first."#]].assert_eq(&said.join("\n"));
    world.inventory.resource_groups[0].key_vaults = kept;
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    let made = world.get(&machine("shop-restored", "web-9"));
    let settings = &made["properties"]["storageProfile"]["osDisk"]["encryptionSettings"];
    assert_eq!(
        settings["diskEncryptionKey"]["sourceVault"]["id"],
        format!(
            "{}/providers/Microsoft.KeyVault/vaults/shop-kv",
            group("shop-rg")
        )
    );
}

/// As the API server asks it of `to.newVM.name`, and the operator of Windows: what one takes, the others take.
#[test]
fn a_new_machine_has_a_name_that_its_system_can_have() {
    let long = |length: usize| "a".repeat(length);
    for (system, name, fits) in [
        (Os::Windows, long(15), true),
        (Os::Windows, long(16), false),
        (Os::Linux, long(16), true),
        (Os::Linux, long(64), true),
        (Os::Linux, long(65), false),
        (Os::Linux, "9a_b.c-d_".to_owned(), true),
        (Os::Linux, "a".to_owned(), true),
        (Os::Linux, "_a".to_owned(), false),
        (Os::Linux, "a-".to_owned(), false),
        (Os::Linux, "a.".to_owned(), false),
        (Os::Linux, "w\u{e9}b".to_owned(), false),
    ] {
        let (mut world, path) = of(|vm| vm.os = system);
        let answer = world.request(Method::POST, &path, Some(&new_machine(&name)));
        let told = answer.body.unwrap_or_default();
        assert_eq!(answer.status == 202, fits, "{system:?} {name}: {told}");
        if !fits {
            let code = &told["error"]["code"];
            assert_eq!(code, "UserErrorInvalidVirtualMachineName", "{told}");
        }
    }
}
