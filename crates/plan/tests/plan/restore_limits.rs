//! What Azure restores of no machine, or of none like this (rules 27 to 31): said beforehand, with the rule and the way out.

use expect_test::expect;
use kluis_api::{ConditionStatus, ConditionType};
use kluis_arm::recovery_point::{DiskConfiguration, DiskInformation};
use kluis_plan::{Kind, VmTies};
use serde_json::json;

use crate::cluster::Cluster;
use crate::restores::{FILES, IN_PLACE, NEW_VM, ONE_DISK, refused, restoring, status};

const DISKS: &str = "disks: { resourceGroup: shop-restored }";
const VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.KeyVault/vaults/shop-kv";

fn tied(ties: VmTies) -> Cluster {
    let mut cluster = restoring(NEW_VM);
    cluster.azure.vms[0].ties = ties;
    cluster
}

/// A machine that was encrypted, whose points say where its secret and its key are.
fn encrypted(to: &str) -> Cluster {
    let mut cluster = restoring(to);
    cluster.azure.keys = Some(json!({
        "bekDetails": { "secretUrl": "https://shop-kv.vault.azure.net/secrets/web-1-bek/0123", "secretVaultId": VAULT },
        "kekDetails": { "keyUrl": "https://shop-kv.vault.azure.net/keys/web-1-kek", "keyVaultId": VAULT },
    }));
    cluster.azure.in_key_vaults = vec![
        format!("{VAULT}/secrets/web-1-bek"),
        format!("{VAULT}/keys/web-1-kek"),
    ];
    cluster
}

#[test]
fn rule_27_no_machine_is_made_into_an_availability_set() {
    let cluster = tied(VmTies {
        availability_set: Some("web-set".to_owned()),
        ..VmTies::default()
    });
    refused(
        cluster,
        &expect![
            "stalled: NotRestorableAsNew: No machine can be made like shop-rg/web-1: it is in the availability set web-set (rule 27). Restore its disks with to.disks, and make the machine of them with the template that lies beside them."
        ],
    );
}

#[test]
fn rule_27_no_machine_is_made_of_an_image_that_was_bought() {
    let cluster = tied(VmTies {
        marketplace: Some("hardened-debian".to_owned()),
        ..VmTies::default()
    });
    refused(
        cluster,
        &expect![
            "stalled: NotRestorableAsNew: No machine can be made like shop-rg/web-1: its Marketplace image, hardened-debian, was bought (rule 27). Restore its disks with to.disks, and make the machine of them with the template that lies beside them."
        ],
    );
}

#[test]
fn rule_27_no_machine_is_made_with_the_diagnostics_extension() {
    let cluster = tied(VmTies {
        has_diagnostics: true,
        ..VmTies::default()
    });
    refused(
        cluster,
        &expect![
            "stalled: NotRestorableAsNew: No machine can be made like shop-rg/web-1: Azure's diagnostics extension is in it (rule 27). Restore its disks with to.disks, and make the machine of them with the template that lies beside them."
        ],
    );
}

#[test]
fn rule_27_is_about_new_machines_alone() {
    for to in [DISKS, IN_PLACE] {
        let mut cluster = restoring(to);
        cluster.azure.vms[0].ties.has_diagnostics = true;
        cluster.converge(&[Kind::Restore]);
        assert_eq!(
            status(&cluster).conditions[0].status,
            ConditionStatus::True,
            "{to}"
        );
    }
}

#[test]
fn rule_28_nothing_encrypted_is_replaced() {
    refused(
        encrypted(IN_PLACE),
        &expect![
            "stalled: Encrypted: shop-rg/web-1 was encrypted when the recovery point was made: its disks cannot be replaced (rule 28). Restore all of its disks with to.disks, or a new machine."
        ],
    );
}

#[test]
fn rule_30_no_files_of_an_encrypted_machine() {
    refused(
        encrypted(FILES),
        &expect![
            "stalled: Encrypted: shop-rg/web-1 was encrypted when the recovery point was made: its files cannot be read out of a recovery point (rule 30). Restore all of its disks with to.disks, or a new machine."
        ],
    );
}

#[test]
fn rule_31_an_encrypted_machine_comes_back_whole() {
    refused(
        encrypted(ONE_DISK),
        &expect![
            "stalled: Encrypted: shop-rg/web-1 was encrypted when the recovery point was made: it comes back with all of its disks (rule 31). Restore all of its disks with to.disks, or a new machine."
        ],
    );
    for to in [DISKS, NEW_VM] {
        let mut cluster = encrypted(to);
        cluster.converge(&[Kind::Restore]);
        assert_eq!(
            status(&cluster).conditions[0].status,
            ConditionStatus::True,
            "{to}"
        );
    }
}

#[test]
fn rule_31_the_secret_is_in_its_key_vault() {
    let mut cluster = encrypted(DISKS);
    cluster.azure.in_key_vaults.remove(0);
    refused(
        cluster,
        &expect![
            "stalled: KeyNotFound: shop-rg/web-1 was encrypted when the recovery point was made, and what opens its disks is not there: /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.KeyVault/vaults/shop-kv/secrets/web-1-bek (rule 31). Put it back there before the machine is restored."
        ],
    );
}

#[test]
fn rule_31_the_key_is_in_its_key_vault_and_is_looked_for_again() {
    let mut cluster = encrypted(NEW_VM);
    let key = cluster.azure.in_key_vaults.pop().unwrap();
    cluster.converge(&[Kind::Restore]);
    assert_eq!(status(&cluster).conditions[0].reason, "KeyNotFound");
    let stalled = |cluster: &Cluster| {
        let mut conditions = status(cluster).conditions.clone().into_iter();
        conditions
            .any(|one| one.type_ == ConditionType::Stalled && one.status == ConditionStatus::True)
    };
    assert!(stalled(&cluster), "{}", cluster.log);
    cluster.azure.in_key_vaults.push(key);
    cluster.converge(&[Kind::Restore]);
    assert_eq!(
        status(&cluster).conditions[0].status,
        ConditionStatus::True,
        "{}",
        cluster.log
    );
}

/// What the service says of its keys is put into a request only where it can be an id.
#[test]
fn what_is_no_id_of_a_key_vault_is_not_asked_for() {
    let mut cluster = encrypted(DISKS);
    cluster.azure.keys = Some(json!({
        "bekDetails": { "secretUrl": "https://shop-kv.vault.azure.net/secrets/../../x", "secretVaultId": "/subscriptions/../x" },
        "kekDetails": { "keyUrl": 7 },
    }));
    cluster.azure.in_key_vaults.clear();
    cluster.converge(&[Kind::Restore]);
    assert_eq!(
        status(&cluster).conditions[0].status,
        ConditionStatus::True,
        "{}",
        cluster.log
    );
}

/// A disk that the backup left out stays as it was, and that is no failure of the restore.
#[test]
fn in_place_of_a_machine_with_a_disk_that_the_point_does_not_hold() {
    let mut cluster = restoring(IN_PLACE);
    let held = |lun| DiskInformation {
        lun: Some(lun),
        ..DiskInformation::default()
    };
    cluster.azure.held = Some(DiskConfiguration {
        included_disk_list: Some(vec![held(-1)]),
        excluded_disk_list: Some(vec![held(0)]),
        ..DiskConfiguration::default()
    });
    cluster.converge(&[Kind::Restore]);
    let status = status(&cluster);
    assert_eq!(
        status.conditions[0].status,
        ConditionStatus::True,
        "{}",
        cluster.log
    );
    assert!(status.recovery_point_before.is_some());
    let kept = |disk: &String| disk.ends_with("/web-1-lun0");
    assert_eq!(status.disks.iter().filter(|disk| kept(disk)).count(), 1);
}

/// No storage account: the message names the field of the target that was chosen.
#[test]
fn the_staging_account_is_named_where_this_target_has_it() {
    for (to, field) in [
        (DISKS, "to.disks.stagingAccount"),
        (NEW_VM, "to.newVM.stagingAccount"),
        (IN_PLACE, "to.inPlace.stagingAccount"),
    ] {
        let mut cluster = restoring(to);
        cluster.azure.accounts.clear();
        cluster.converge(&[Kind::Restore]);
        let said = &status(&cluster).conditions[0];
        assert_eq!(said.reason, "StagingAccountNotFound", "{to}");
        assert!(said.message.contains(field), "{}", said.message);
    }
}

#[test]
fn the_os_disk_alone_is_put_back() {
    let mut cluster = restoring("inPlace: { osDiskOnly: true }");
    cluster.converge(&[Kind::Restore]);
    let status = status(&cluster);
    assert_eq!(
        status.conditions[0].status,
        ConditionStatus::True,
        "{}",
        cluster.log
    );
    let kept: Vec<bool> = status
        .disks
        .iter()
        .map(|disk| disk.ends_with("/web-1-lun0"))
        .collect();
    assert_eq!(kept, [false, true], "{:?}", status.disks);
}

/// Where Azure names no disks, as many have to be there as the point holds of what was asked for.
#[test]
fn one_disk_of_two_is_no_success() {
    let mut cluster = restoring(DISKS);
    let held = |lun| DiskInformation {
        lun: Some(lun),
        ..DiskInformation::default()
    };
    // The stand-in for Azure makes one disk, whatever was asked for.
    cluster.azure.held = Some(DiskConfiguration {
        included_disk_list: Some(vec![held(-1), held(0)]),
        ..DiskConfiguration::default()
    });
    for _ in 0..400 {
        cluster.reconcile(Kind::Restore);
        cluster.azure.tick(crate::cluster::PERIOD);
    }
    assert_eq!(status(&cluster).conditions[0].reason, "EvidenceMissing");
}

#[test]
fn rule_29_a_zone_that_the_region_has() {
    let disks = "disks: { resourceGroup: shop-restored, zone: \"3\" }";
    let machine = NEW_VM.replace("newVM: {", "newVM: { zone: \"3\",");
    for to in [disks, &machine] {
        let mut cluster = restoring(to);
        cluster.converge(&[Kind::Restore]);
        assert_eq!(
            status(&cluster).conditions[0].status,
            ConditionStatus::True,
            "{}",
            cluster.log
        );
    }
    let mut cluster = restoring(disks);
    cluster.edit_vault(|vault| vault.spec.location = "ukwest".to_owned());
    refused(
        cluster,
        &expect![
            "stalled: ZoneNotFound: ukwest has no availability zones, and so no zone 3 (rule 29): leave zone out of spec.to."
        ],
    );
}

/// Into disks, through the account that is named.
fn through(account: &str) -> Cluster {
    restoring(&format!(
        "disks: {{ resourceGroup: shop-restored, stagingAccount: {{ resourceGroup: shop-rg, name: {account} }} }}"
    ))
}

#[test]
fn a_staging_account_that_is_named_has_to_be_there() {
    refused(
        through("stagingwue"),
        &expect![
            "stalled: StagingAccountNotFound: There is no storage account shop-rg/stagingwue for the restore to pass through: correct to.disks.stagingAccount, or create it."
        ],
    );
    let mut cluster = through("stagingweu");
    cluster.converge(&[Kind::Restore]);
    assert_eq!(status(&cluster).conditions[0].status, ConditionStatus::True);
}

#[test]
fn a_staging_account_is_in_the_vault_s_region() {
    let mut cluster = through("stagingweu");
    cluster.azure.accounts[0].location = "North Europe".to_owned();
    refused(
        cluster,
        &expect![
            "stalled: StagingAccountNotUsable: The storage account shop-rg/stagingweu is in North Europe and the vault in westeurope; a restore passes through one in the vault's region: name one there in to.disks.stagingAccount, or leave it out."
        ],
    );
}

#[test]
fn a_staging_account_has_page_blobs() {
    let mut cluster = through("stagingweu");
    cluster.azure.accounts[0].kind = Some("BlockBlobStorage".to_owned());
    refused(
        cluster,
        &expect![
            "stalled: StagingAccountNotUsable: The storage account shop-rg/stagingweu is of kind BlockBlobStorage, which has no page blobs to stage disks in: name one of kind StorageV2 in to.disks.stagingAccount, or leave it out."
        ],
    );
    // Where none is named, none of these is chosen.
    let mut cluster = restoring(DISKS);
    cluster.azure.accounts[0].kind = Some("FileStorage".to_owned());
    refused(
        cluster,
        &expect![
            "stalled: StagingAccountNotFound: A restore passes through a storage account in the vault's region, and the subscription has none in westeurope: create one, or name one in to.disks.stagingAccount."
        ],
    );
}

#[test]
fn the_resource_group_that_a_restore_goes_to_has_to_be_there() {
    for (to, group) in [(DISKS, "shop-restored"), (NEW_VM, "shop-restored")] {
        let mut cluster = restoring(to);
        cluster.azure.missing_group = Some(group.to_owned());
        cluster.converge(&[Kind::Restore]);
        let ready = &status(&cluster).conditions[0];
        assert_eq!(
            ready.reason, "ResourceGroupNotFound",
            "{to}: {}",
            ready.message
        );
    }
}

/// As the service asks it: fifteen characters of Windows, sixty-four of anything else.
#[test]
fn a_new_machine_with_windows_has_a_name_of_fifteen_characters_at_most() {
    let (fits, longer) = ("abcdefghijklmno", "abcdefghijklmnop");
    for (system, name, is_taken) in [
        (Some("Windows"), fits, true),
        (Some("windows"), longer, false),
        (Some("Linux"), longer, true),
        (None, longer, true),
    ] {
        let mut cluster = restoring(&NEW_VM.replace("web-2", name));
        cluster.azure.os_type = system.map(str::to_owned);
        cluster.converge(&[Kind::Restore]);
        let jobs = cluster.azure.jobs.len();
        assert_eq!(jobs == 2, is_taken, "{system:?} {name}:\n{}", cluster.log);
        if !is_taken {
            let first = &status(&cluster).conditions[0];
            assert_eq!(first.reason, "InvalidName", "{}", first.message);
            let says = "has 16 characters, and a machine with Windows has at most 15";
            assert!(first.message.contains(says), "{}", first.message);
        }
    }
}
