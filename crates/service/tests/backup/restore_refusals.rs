//! What a restore is refused for, in a table: the rule, what was asked, what the answer says.

use std::fmt::Write as _;

use expect_test::expect;
use http::Method;
use kluis_service::inventory::{Encryption, ResourceGroup};
use kluis_vault::Task;
use serde_json::{Value, json};

use super::restorable::{group, in_place, machine, network, new_machine, with_a_point};
use super::world::{ITEM, SUBSCRIPTION, VAULT, WEB_1, at, protection, restore_request};

/// A body with one property set to something else, or taken out.
fn with(mut body: Value, field: &str, value: Value) -> Value {
    body["properties"][field] = value;
    body
}

#[test]
fn every_rule_names_what_is_wrong_and_the_way_out() {
    let elsewhere = "/subscriptions/99999999-2222-3333-4444-555555555555/resourceGroups/x";
    let far = network("far-rg", "far-net");
    let new = || new_machine("web-9");
    let table: Vec<(&str, Value)> = vec![
        (
            "no recoveryType",
            with(
                restore_request("shop-restored"),
                "recoveryType",
                json!(null),
            ),
        ),
        (
            "Offline",
            with(
                restore_request("shop-restored"),
                "recoveryType",
                json!("Offline"),
            ),
        ),
        (
            "26 region",
            with(
                restore_request("shop-restored"),
                "region",
                json!("North Europe"),
            ),
        ),
        (
            "26 subscription",
            with(
                restore_request("shop-restored"),
                "targetResourceGroupId",
                json!(elsewhere),
            ),
        ),
        (
            "no group",
            with(
                restore_request("shop-restored"),
                "targetResourceGroupId",
                json!(group("nowhere")),
            ),
        ),
        (
            "zone",
            with(restore_request("shop-restored"), "zones", json!(["1", "2"])),
        ),
        (
            "LUN",
            with(
                restore_request("shop-restored"),
                "restoreDiskLunList",
                json!([7]),
            ),
        ),
        (
            "no target",
            with(new(), "targetVirtualMachineId", json!(null)),
        ),
        (
            "two groups",
            with(new(), "targetResourceGroupId", json!(group("shop-rg"))),
        ),
        ("no network", with(new(), "virtualNetworkId", json!(null))),
        (
            "subnet of another",
            with(
                new(),
                "virtualNetworkId",
                json!(network("shop-rg", "other")),
            ),
        ),
        (
            "27 network missing",
            with(
                with(new(), "virtualNetworkId", json!(network("shop-rg", "gone"))),
                "subnetId",
                json!(format!("{}/subnets/default", network("shop-rg", "gone"))),
            ),
        ),
        (
            "27 subnet missing",
            with(
                new(),
                "subnetId",
                json!(format!("{}/subnets/none", network("shop-rg", "shop-net"))),
            ),
        ),
        (
            "27 network far away",
            with(
                with(new(), "virtualNetworkId", json!(far)),
                "subnetId",
                json!(format!("{far}/subnets/default")),
            ),
        ),
        (
            "27 network elsewhere",
            with(
                new(),
                "virtualNetworkId",
                json!(format!(
                    "{elsewhere}/providers/Microsoft.Network/virtualNetworks/n"
                )),
            ),
        ),
        (
            "name taken",
            with(
                with(
                    new(),
                    "targetVirtualMachineId",
                    json!(machine("shop-rg", "Web-2")),
                ),
                "targetResourceGroupId",
                json!(null),
            ),
        ),
        (
            "name that is none",
            with(
                new(),
                "targetVirtualMachineId",
                json!(machine("shop-restored", "web 9")),
            ),
        ),
        (
            "28 another group",
            with(
                in_place(None),
                "targetResourceGroupId",
                json!(group("shop-restored")),
            ),
        ),
    ];
    let (mut world, path) = with_a_point();
    let mut said = String::new();
    for (rule, body) in &table {
        let refused = world.refused(Method::POST, &path, Some(body));
        writeln!(said, "{rule}: {refused}").unwrap();
    }
    assert!(world.movers.is_empty());
    expect![[r#"
        no recoveryType: 400 BMSUserErrorInvalidInput: 'recoveryType' is missing; it must be 'RestoreDisks', 'AlternateLocation' or 'OriginalLocation'.
        Offline: 400 UserErrorRestoreTypeNotSupported: 'recoveryType' must be 'RestoreDisks', 'AlternateLocation' or 'OriginalLocation'; it is 'Offline'.
        26 region: 400 UserErrorRestoreRegionMismatch: Restores go to the vault's region 'westeurope'; 'region' is 'North Europe'.
        26 subscription: 400 LinkedAuthorizationFailed: 'targetResourceGroupId' lies in the subscription '99999999-2222-3333-4444-555555555555'; restores stay in the vault's own, '11111111-2222-3333-4444-555555555555'.
        no group: 404 ResourceGroupNotFound: Resource group 'nowhere' could not be found; resource groups are those of the service's inventory.
        zone: 400 UserErrorInvalidZone: 'zones' must hold one zone, '1', '2' or '3', or 'NoZone' (rule 29); it holds '1', '2'.
        LUN: 400 BMSUserErrorInvalidInput: The recovery point '917128032538660' holds no disk at LUN 7.
        no target: 400 BMSUserErrorInvalidInput: 'targetVirtualMachineId' must be the id of the machine to make; it is ''.
        two groups: 400 BMSUserErrorInvalidInput: 'targetVirtualMachineId' lies in resource group 'shop-restored', 'targetResourceGroupId' names 'shop-rg'.
        no network: 400 BMSUserErrorInvalidInput: 'virtualNetworkId' must be the id of the new machine's network; it is ''.
        subnet of another: 400 BMSUserErrorInvalidInput: 'subnetId' must be a subnet of 'virtualNetworkId'; they are '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Network/virtualNetworks/shop-net/subnets/default' and '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Network/virtualNetworks/other'.
        27 network missing: 400 UserErrorVirtualNetworkNotFound: The virtual network 'gone' of resource group 'shop-rg' does not exist; a machine is restored into a network that does (rule 27).
        27 subnet missing: 400 UserErrorSubnetNotFound: The virtual network 'shop-net' has no subnet 'none' (rule 27).
        27 network far away: 400 UserErrorRestoreRegionMismatch: The virtual network 'far-net' is in region 'northeurope'; a machine is restored in the vault's region 'westeurope' (rule 27).
        27 network elsewhere: 400 LinkedAuthorizationFailed: 'virtualNetworkId' lies in the subscription '99999999-2222-3333-4444-555555555555'; restores stay in the vault's own, '11111111-2222-3333-4444-555555555555'.
        name taken: 409 UserErrorTargetVirtualMachineAlreadyExists: A virtual machine 'Web-2' is already in resource group 'shop-rg', or being restored there. Choose another name.
        name that is none: 400 UserErrorInvalidVirtualMachineName: 'web 9' can't name the new machine: letters of ASCII, digits, '-', '_' and '.', beginning with a letter or digit, not ending in '.' or '-', at most 64 bytes.
        28 another group: 400 BMSUserErrorInvalidInput: Disks that are replaced stay in the machine's resource group 'shop-rg'; 'targetResourceGroupId' names 'shop-restored'.
    "#]].assert_eq(&said);
}

/// What is said when the machine is another than the one that was backed up.
fn of_a_machine(
    change: impl Fn(&mut kluis_service::inventory::VirtualMachine),
    body: &Value,
) -> String {
    let mut world = super::restorable::with_a_network();
    change(&mut world.inventory.resource_groups[0].virtual_machines[0]);
    world.protect();
    world.backup_now();
    world.settle();
    let path = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    world.refused(Method::POST, &path, Some(body))
}

#[test]
fn an_encrypted_machine_comes_back_whole_and_beside_itself_alone() {
    let encrypt =
        |vm: &mut kluis_service::inventory::VirtualMachine| vm.encryption = Encryption::Ade;
    let some = with(
        restore_request("shop-restored"),
        "restoreDiskLunList",
        json!([0]),
    );
    expect!["400 UserErrorOperationNotSupportedForEncryptedVm: 'web-1' is encrypted: an encrypted machine is restored with all of its disks (rule 31). Restore all disks, or a new machine."]
        .assert_eq(&of_a_machine(encrypt, &some));
    expect!["400 UserErrorOperationNotSupportedForEncryptedVm: 'web-1' is encrypted: the disks of an encrypted machine can't be replaced (rule 28). Restore all disks, or a new machine."]
        .assert_eq(&of_a_machine(encrypt, &in_place(None)));
}

#[test]
fn disks_that_were_not_managed_ones_are_restored_all_of_one_kind() {
    let mut world = super::restorable::with_a_network();
    let vm = &mut world.inventory.resource_groups[0].virtual_machines[0];
    vm.managed = false;
    vm.disks[1].sku = "Premium_LRS".to_owned();
    world.protect();
    world.backup_now();
    world.settle();
    let path = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    world.settle();
    assert!(world.fact(&job, "Notes").ends_with("(rule 29)."));
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    let disks = world.get(&format!(
        "{}/providers/Microsoft.Compute/disks",
        group("shop-restored")
    ));
    for disk in disks["value"].as_array().unwrap() {
        assert_eq!(disk["sku"]["name"], "Standard_LRS", "{disk}");
    }
}

#[test]
fn a_soft_deleted_item_is_undeleted_first() {
    let (mut world, path) = with_a_point();
    world.request(Method::DELETE, ITEM, None);
    let refused = world.refused(Method::POST, &path, Some(&in_place(None)));
    assert!(
        refused.starts_with("400 UserErrorItemInSoftDeletedState"),
        "{refused}"
    );
}

#[test]
fn two_restores_of_two_machines_to_one_name_meet_in_neither() {
    let (mut world, path) = with_a_point();
    let second = ITEM.replace("web-1", "web-2");
    let vm = WEB_1.replace("web-1", "web-2");
    world.accept(
        Method::PUT,
        &second,
        Some(&protection(&vm, "DefaultPolicy")),
    );
    world.accept(
        Method::POST,
        &format!("{second}/backup"),
        Some(&super::world::backup_request()),
    );
    world.settle();
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    let point = world.get(&format!("{second}/recoveryPoints"))["value"][0]["name"].clone();
    let body = with(new_machine("WEB-9"), "sourceResourceId", json!(vm));
    let path = format!(
        "{second}/recoveryPoints/{}/restore",
        point.as_str().unwrap()
    );
    let refused = world.refused(Method::POST, &path, Some(&body));
    assert!(
        refused.starts_with("409 UserErrorTargetVirtualMachineAlreadyExists"),
        "{refused}"
    );
}

/// Each of them Azure looks up, and what is green here is to be green there.
#[test]
fn what_a_restore_names_outside_of_the_vault_has_to_be_there() {
    let (mut world, path) = with_a_point();
    world.inventory.resource_groups.push(ResourceGroup {
        location: "northeurope".to_owned(),
        name: "far-rg".to_owned(),
        ..world.inventory.resource_groups[0].clone()
    });
    world.inventory.resource_groups[1].storage_accounts[0].kind = "BlockBlobStorage".to_owned();
    let account = |group: &str, name: &str| {
        json!(format!(
            "{}/providers/Microsoft.Storage/storageAccounts/{name}",
            self::group(group)
        ))
    };
    let elsewhere = account("shop-rg", "staging")
        .as_str()
        .unwrap()
        .replace(SUBSCRIPTION, "22222222-2222-3333-4444-555555555555");
    let set = json!(format!(
        "{}/providers/Microsoft.Compute/diskEncryptionSets/ours",
        group("shop-rg")
    ));
    let identity = format!(
        "{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/vault",
        group("shop-rg")
    );
    let wrong = [
        ("storageAccountId", account("shop-rg", "stagign")),
        ("storageAccountId", account("nowhere", "staging")),
        ("storageAccountId", account("far-rg", "staging")),
        ("storageAccountId", account("shop-restored", "staging")),
        ("storageAccountId", json!(elsewhere)),
        ("diskEncryptionSetId", set.clone()),
        (
            "securedVMDetails",
            json!({"securedVMOsDiskEncryptionSetId": set}),
        ),
        ("identityInfo", json!({"isSystemAssignedIdentity": true})),
        (
            "identityInfo",
            json!({"managedIdentityResourceId": identity}),
        ),
    ];
    let mut said = String::new();
    for (field, value) in wrong {
        let mut body = restore_request("shop-restored");
        body["properties"][field] = value;
        let refused = world.refused(Method::POST, &path, Some(&body));
        said += &format!("{field}: {refused}\n");
    }
    expect![[r#"
        storageAccountId: 400 UserErrorStorageAccountNotFound: The storage account 'stagign' of resource group 'shop-rg' does not exist; a restore is staged in one that does. Correct 'storageAccountId', or list it in the inventory under storageAccounts.
        storageAccountId: 400 UserErrorStorageAccountNotFound: The storage account 'staging' of resource group 'nowhere' does not exist; a restore is staged in one that does. Correct 'storageAccountId', or list it in the inventory under storageAccounts.
        storageAccountId: 400 UserErrorRestoreRegionMismatch: The storage account 'staging' is in region 'northeurope'; a restore is staged in the vault's region 'westeurope'.
        storageAccountId: 400 UserErrorStorageAccountTypeNotSupported: The storage account 'staging' is of kind 'BlockBlobStorage', which has no page blobs; a restore is staged in one of kind 'Storage' or 'StorageV2'.
        storageAccountId: 400 LinkedAuthorizationFailed: 'storageAccountId' lies in the subscription '22222222-2222-3333-4444-555555555555'; restores stay in the vault's own, '11111111-2222-3333-4444-555555555555'.
        diskEncryptionSetId: 400 UserErrorDiskEncryptionSetNotFound: There is no disk encryption set '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/diskEncryptionSets/ours': the inventory has none, and what is restored would not be encrypted by it. Leave it out.
        securedVMDetails: 400 UserErrorDiskEncryptionSetNotFound: There is no disk encryption set '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/diskEncryptionSets/ours': the inventory has none, and what is restored would not be encrypted by it. Leave it out.
        identityInfo: 400 UserErrorVaultIdentityNotFound: The vault 'shop-weu' does not have a system-assigned identity, as which 'identityInfo' lets it write. Give it to the vault first, or leave it out.
        identityInfo: 400 UserErrorVaultIdentityNotFound: The vault 'shop-weu' does not have the identity '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/vault', as which 'identityInfo' lets it write. Give it to the vault first, or leave it out.
    "#]]
    .assert_eq(&said);
    // By another case they are the same.
    let mut body = restore_request("shop-restored");
    body["properties"]["storageAccountId"] = account("SHOP-rg", "Staging");
    world.accept(Method::POST, &path, Some(&body));
}

/// What would be asked for and silently not given.
#[test]
fn what_a_restore_asks_for_besides_is_refused_by_name_where_it_is_not_done() {
    let (mut world, path) = with_a_point();
    let account = |name: &str| {
        let group = group("shop-rg");
        json!({"targetStorageAccountId": format!("{group}/providers/Microsoft.Storage/storageAccounts/{name}")})
    };
    let access = format!(
        "{}/providers/Microsoft.Compute/diskAccesses/nope",
        group("shop-rg")
    );
    let network = |option: &str, access: &str| json!({"targetDiskNetworkAccessOption": option, "targetDiskAccessId": access});
    let wrong = [
        (
            "identityBasedRestoreDetails",
            account("nope"),
            "targetStorageAccountId",
        ),
        (
            "identityBasedRestoreDetails",
            json!({"targetStorageAccountId": "nope"}),
            "targetStorageAccountId",
        ),
        (
            "targetDiskNetworkAccessSettings",
            network("EnablePrivateAccessForAllDisks", &access),
            "targetDiskAccessId",
        ),
        (
            "targetDiskNetworkAccessSettings",
            network("EnablePrivateAccessForAllDisks", ""),
            "targetDiskNetworkAccessOption",
        ),
        (
            "targetDiskNetworkAccessSettings",
            network("SameAsOnSourceDisks", &access),
            "targetDiskAccessId",
        ),
        (
            "targetDiskNetworkAccessSettings",
            network("EnableSomeAccess", ""),
            "targetDiskNetworkAccessOption",
        ),
        (
            "extendedLocation",
            json!({"name": "losangeles", "type": "EdgeZone"}),
            "extendedLocation",
        ),
        ("extendedLocation", json!("losangeles"), "extendedLocation"),
        (
            "encryptionDetails",
            json!({"encryptionEnabled": true, "kekUrl": "https://kv.vault.azure.net/keys/k/1"}),
            "encryptionEnabled",
        ),
        (
            "encryptionDetails",
            json!({"kekUrl": "https://kv.vault.azure.net/keys/k/1"}),
            "kekUrl",
        ),
        (
            "encryptionDetails",
            json!({"secretKeyVaultId": "/x"}),
            "secretKeyVaultId",
        ),
        ("targetDomainNameId", json!("/x"), "targetDomainNameId"),
        ("affinityGroup", json!("x"), "affinityGroup"),
        (
            "originalStorageAccountOption",
            json!(true),
            "originalStorageAccountOption",
        ),
    ];
    for (field, value, name) in wrong {
        for body in [
            restore_request("shop-restored"),
            new_machine("web-9"),
            in_place(None),
        ] {
            let body = with(body, field, value.clone());
            let refused = world.refused(Method::POST, &path, Some(&body));
            assert!(refused.starts_with("400 "), "{field}: {refused}");
            assert!(refused.contains(name), "{name}: {refused}");
            let way_out = ["eave it out", "orrect '", "one of", "must be the id of"];
            assert!(
                way_out.iter().any(|word| refused.contains(word)),
                "{refused}"
            );
        }
    }
    let mut said = String::new();
    for (field, value) in [
        ("identityBasedRestoreDetails", account("nope")),
        (
            "targetDiskNetworkAccessSettings",
            network("EnablePrivateAccessForAllDisks", &access),
        ),
        (
            "extendedLocation",
            json!({"name": "losangeles", "type": "EdgeZone"}),
        ),
        ("encryptionDetails", json!({"encryptionEnabled": true})),
    ] {
        let body = with(restore_request("shop-restored"), field, value);
        let refused = world.refused(Method::POST, &path, Some(&body));
        writeln!(said, "{refused}").unwrap();
    }
    expect![[r#"
        400 UserErrorStorageAccountNotFound: The storage account 'nope' of resource group 'shop-rg' does not exist; a restore is staged in one that does. Correct 'identityBasedRestoreDetails.targetStorageAccountId', or list it in the inventory under storageAccounts.
        400 UserErrorDiskAccessNotFound: There is no disk access '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/diskAccesses/nope', which 'targetDiskNetworkAccessSettings.targetDiskAccessId' names: the inventory has none, and what is restored would not be private by it. Leave it out.
        400 BMSUserErrorNotSupported: 'extendedLocation' is {"name":"losangeles","type":"EdgeZone"}; this service restores in the vault's region alone, which has no edge zones. Leave it out.
        400 BMSUserErrorInvalidInput: 'encryptionDetails.encryptionEnabled' is true, but 'web-1' was not encrypted when the recovery point was made, and nothing is encrypted by a restore. Leave it out.
    "#]]
    .assert_eq(&said);
}

#[test]
fn what_newer_clients_say_besides_is_taken() {
    let (mut world, path) = with_a_point();
    let identity = json!({"identity": {"type": "SystemAssigned"}});
    assert!(world.request(Method::PATCH, VAULT, Some(&identity)).status < 300);
    world.settle();
    let mut body = restore_request("shop-restored");
    let staging = body["properties"]["storageAccountId"].take();
    let properties = &mut body["properties"];
    properties["objectType"] = json!("IaasVMRestoreWithRehydrationRequest");
    properties["recoveryPointRehydrationInfo"] =
        json!({"rehydrationRetentionDuration": "P7D", "rehydrationPriority": "Standard"});
    properties["identityInfo"] = json!({"isSystemAssignedIdentity": true});
    properties["identityBasedRestoreDetails"] = json!({"targetStorageAccountId": staging});
    properties["encryptionDetails"] = json!({"encryptionEnabled": false});
    properties["zones"] = json!(["2"]);
    properties["targetDiskNetworkAccessSettings"] =
        json!({"targetDiskNetworkAccessOption": "SameAsOnSourceDisks"});
    properties["skipPreOLRBackup"] = json!(true);
    let job = world.accept(Method::POST, &path, Some(&body));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.fact(&job, "Target Storage Account Name"), "staging");
    let disk = world.get(&format!(
        "{}/providers/Microsoft.Compute/disks/web-1-os",
        group("shop-restored")
    ));
    assert_eq!(disk["zones"], json!(["2"]));
}

#[test]
fn a_point_that_cleanup_is_about_to_remove_is_refused_and_one_that_is_read_stays() {
    let (mut world, _) = with_a_point();
    world.max_jobs = 1;
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 7 + 12);
    world.now = at("2026-03-10T00:00:00Z");
    world.tick();
    let removal = world.movers.keys().next().cloned().unwrap();
    assert!(matches!(world.movers[&removal].task, Task::Forget(_)));
    let points = world.get(&format!("{ITEM}/recoveryPoints"));
    let names: Vec<String> = points["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|point| point["properties"]["recoveryPointTierDetails"][0]["status"] == "Disabled")
        .map(|point| point["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(!names.is_empty());
    for body in [
        restore_request("shop-restored"),
        new_machine("web-9"),
        in_place(None),
    ] {
        let path = format!("{ITEM}/recoveryPoints/{}/restore", names[0]);
        let refused = world.refused(Method::POST, &path, Some(&body));
        assert!(
            refused.starts_with("409 UserErrorRecoveryPointBeingDeleted"),
            "{refused}"
        );
    }
    world.settle();
}
