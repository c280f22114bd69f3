//! Azure's rules with their numbers, each held where it says: one test a row of the table of rules.

use http::Method;
use kluis_service::inventory::{Disk, Power, VirtualMachine};
use serde_json::{Value, json};

use super::world::{ITEM, WEB_1, World, at, backup_request, protection};

/// Changes web-1 and says what its protection is answered: `accepted`, or the code and the message.
fn protecting(policy: &str, change: impl FnOnce(&mut VirtualMachine)) -> String {
    let mut world = World::new();
    let group = &mut world.inventory.resource_groups[0];
    change(&mut group.virtual_machines[0]);
    answer(&mut world, &protection(WEB_1, policy))
}

fn answer(world: &mut World, body: &Value) -> String {
    let response = world.request(Method::PUT, ITEM, Some(body));
    if response.status == 202 {
        return "accepted".to_owned();
    }
    let error = &response.body.as_ref().unwrap()["error"];
    format!(
        "{} {}",
        error["code"].as_str().unwrap(),
        error["message"].as_str().unwrap()
    )
}

fn refused(said: &str, code: &str, number: &str) {
    assert!(said.starts_with(code), "{said}");
    assert!(said.contains(number), "{said}");
}

fn more_disks(vm: &mut VirtualMachine, count: usize) {
    let first = vm.disks[1].clone();
    vm.disks.truncate(1);
    for lun in 0..u32::try_from(count - 1).unwrap() {
        vm.disks.push(Disk {
            name: format!("web-1-lun{lun}"),
            lun: Some(lun),
            ..first.clone()
        });
    }
}

fn chosen(luns: &[u32], inclusion: bool) -> Value {
    let mut body = protection(WEB_1, "DefaultPolicy");
    body["properties"]["extendedProperties"] =
        json!({"diskExclusionProperties": {"diskLunList": luns, "isInclusionList": inclusion}});
    body
}

#[test]
fn row_22_a_machine_has_up_to_32_disks_or_16_unmanaged_ones() {
    assert_eq!(
        protecting("DefaultPolicy", |vm| more_disks(vm, 32)),
        "accepted"
    );
    let said = protecting("DefaultPolicy", |vm| more_disks(vm, 33));
    refused(&said, "UserErrorDiskCountLimitExceeded", "no more than 32");
    let said = protecting("DefaultPolicy", |vm| {
        vm.managed = false;
        more_disks(vm, 17);
    });
    refused(&said, "UserErrorDiskCountLimitExceeded", "no more than 16");

    let mut world = World::new();
    more_disks(
        &mut world.inventory.resource_groups[0].virtual_machines[0],
        33,
    );
    assert_eq!(
        answer(&mut world, &chosen(&[31], false)),
        "accepted",
        "what is left out does not count"
    );
}

#[test]
fn row_23_a_disk_has_up_to_32_tb_and_a_machine_256() {
    let mut world = World::new();
    world.files.sizes.set(32 << 40);
    assert_eq!(
        answer(&mut world, &protection(WEB_1, "DefaultPolicy")),
        "accepted"
    );
    let mut world = World::new();
    world.files.sizes.set((32 << 40) + (1 << 30));
    let said = answer(&mut world, &protection(WEB_1, "DefaultPolicy"));
    refused(&said, "UserErrorDiskSizeLimitExceeded", "up to 32 TB");
    let mut world = World::new();
    world.files.sizes.set(30 << 40);
    more_disks(
        &mut world.inventory.resource_groups[0].virtual_machines[0],
        9,
    );
    let said = answer(&mut world, &protection(WEB_1, "DefaultPolicy"));
    refused(&said, "UserErrorTotalDiskSizeLimitExceeded", "up to 256 TB");
}

#[test]
fn row_24_a_machine_has_two_cores_and_a_gigabyte_at_least() {
    let said = protecting("DefaultPolicy", |vm| vm.cores = 1);
    refused(&said, "UserErrorVmSizeNotSupported", "at least 2 cores");
    let said = protecting("DefaultPolicy", |vm| vm.memory_gib = 0.5);
    refused(&said, "UserErrorVmSizeNotSupported", "1 GB");
}

#[test]
fn row_25_kinds_of_disk_go_by_the_policys_generation() {
    for (sku, standard, enhanced) in [
        ("Standard_LRS", true, true),
        ("StandardSSD_ZRS", true, true),
        ("Premium_LRS", true, true),
        ("UltraSSD_LRS", false, true),
        ("PremiumV2_LRS", false, true),
        ("Ephemeral_LRS", false, false),
    ] {
        for (policy, possible) in [("DefaultPolicy", standard), ("EnhancedPolicy", enhanced)] {
            let said = protecting(policy, |vm| vm.disks[1].sku = sku.to_owned());
            assert_eq!(said == "accepted", possible, "{sku} {policy}: {said}");
            assert!(possible || said.contains(sku), "{said}");
        }
    }
    let said = protecting("EnhancedPolicy", |vm| vm.disks[2].shared = true);
    refused(&said, "UserErrorSharedDiskNotSupported", "LUN 1");
    let mut world = World::new();
    world.inventory.resource_groups[0].virtual_machines[0].disks[2].shared = true;
    assert_eq!(answer(&mut world, &chosen(&[1], false)), "accepted");
}

#[test]
fn row_25_a_disk_with_write_accelerator_is_left_out_and_that_is_said() {
    let mut world = World::new();
    world.inventory.resource_groups[0].virtual_machines[0].disks[2].write_accelerator = true;
    world.protect();
    let job = world.backup_now();
    world.settle();
    let seen = world.job(&job);
    assert_eq!(seen["status"], "CompletedWithWarnings");
    let said = seen["errorDetails"][0]["errorString"].as_str().unwrap();
    assert!(
        said.contains("web-1-lun1") && said.contains("write accelerator"),
        "{said}"
    );
    let disks = world.get(&format!("{ITEM}/recoveryPoints"))["value"][0]["properties"]
        ["recoveryPointDiskConfiguration"]
        .clone();
    assert_eq!(disks["numberOfDisksIncludedInBackup"], 2);
    assert_eq!(disks["numberOfDisksAttachedToVm"], 3);
    assert_eq!(disks["excludedDiskList"][0]["name"], "web-1-lun1");
    // Left out by choice, it is no surprise.
    assert_eq!(answer(&mut world, &chosen(&[1], false)), "accepted");
    let job = world.backup_now();
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
}

#[test]
fn row_26_machine_and_vault_are_of_one_region_and_one_subscription() {
    let said = protecting("DefaultPolicy", |vm| {
        "northeurope".clone_into(&mut vm.location);
    });
    refused(&said, "UserErrorVmAndVaultRegionMismatch", "northeurope");
    let mut world = World::new();
    let other = WEB_1.replace("11111111-", "22222222-");
    let said = answer(&mut world, &protection(&other, "DefaultPolicy"));
    refused(
        &said,
        "UserErrorVmAndVaultSubscriptionMismatch",
        "22222222-",
    );
}

#[test]
fn disks_to_take_must_be_there() {
    let mut world = World::new();
    let said = answer(&mut world, &chosen(&[0, 7], true));
    refused(
        &said,
        "BMSUserErrorInvalidConfigureProtectionRequest",
        "LUN 7",
    );
    assert_eq!(answer(&mut world, &chosen(&[1], true)), "accepted");
    // A disk that was detached since is missed, not passed over in silence.
    let vm = &mut world.inventory.resource_groups[0].virtual_machines[0];
    vm.disks.truncate(2);
    let job = world.backup_now();
    world.settle();
    let seen = world.job(&job);
    assert_eq!(
        (&seen["status"], &seen["errorDetails"][0]["errorTitle"]),
        (
            &json!("CompletedWithWarnings"),
            &json!("UserErrorSelectedDiskNotAttached")
        )
    );
}

#[test]
fn a_machine_that_grew_beyond_a_limit_fails_its_backup_by_that_limit() {
    let mut world = World::new();
    world.protect();
    world.inventory.resource_groups[0].virtual_machines[0].cores = 1;
    let job = world.backup_now();
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "UserErrorVmSizeNotSupported"
    );
    assert_eq!(world.item()["healthStatus"], "ActionRequired");
}

#[test]
fn rows_7_and_35_on_demand_backups_are_limited_and_only_their_snapshots_can_be_cancelled() {
    let mut world = World::new();
    world.protect();
    let mut seen = Vec::new();
    for _ in 0..9 {
        let job = world.backup_now();
        world.settle();
        seen.push(world.job(&job)["status"].as_str().unwrap().to_owned());
    }
    assert!(
        seen[..3].iter().all(|status| status == "Completed"),
        "{seen:?}"
    );
    assert!(
        seen[3..]
            .iter()
            .all(|status| status == "CompletedWithWarnings"),
        "{seen:?}"
    );
    let said = world.refused(
        Method::POST,
        &format!("{ITEM}/backup"),
        Some(&backup_request()),
    );
    assert!(said.contains("no more than 9"), "{said}");
    // What the schedule runs is not counted, nor is it hindered.
    world.live(12);
    assert_eq!(world.points().len(), 10);
}

#[test]
fn row_36_a_daily_backup_over_24_hours_is_a_warning() {
    let mut world = World::new();
    world.protect();
    world.now = at("2026-03-02T20:00:00Z");
    world.tick();
    let job = world.movers.keys().next().cloned().unwrap();
    world.succeed_once(&job);
    world.now = at("2026-03-03T20:00:00Z");
    world.tick();
    assert_eq!(world.movers.len(), 1, "the next run waits");
    assert_eq!(
        world.job(&job)["extendedInfo"]["propertyBag"]["Delays"],
        "the run that is due at 3/3/2026 8:00:00 PM"
    );
    world.now = at("2026-03-03T22:00:00Z");
    world.succeed_once(&job);
    let seen = world.job(&job);
    assert_eq!(seen["status"], "CompletedWithWarnings");
    let said = seen["errorDetails"][0]["errorString"].as_str().unwrap();
    assert!(said.contains("26 h") && said.contains("24 h"), "{said}");
    let next = world.movers.keys().next().cloned().unwrap();
    assert_eq!(
        world.job(&next)["extendedInfo"]["propertyBag"]["Scheduled Time"],
        "3/3/2026 8:00:00 PM"
    );
}

#[test]
fn row_38_fifty_policy_edits_a_day_and_one_that_changes_nothing_is_none() {
    let mut world = World::new();
    world.daily_policy("mine", "20:00", "UTC", 30);
    for edit in 0..50 {
        let days = 8 + edit;
        assert_eq!(world.daily_policy("mine", "20:00", "UTC", days).status, 200);
        assert_eq!(world.daily_policy("mine", "20:00", "UTC", days).status, 200);
    }
    let response = world.daily_policy("mine", "20:00", "UTC", 90);
    assert_eq!(
        (response.status, response.header("Retry-After")),
        (429, Some("86400"))
    );
    let error = &response.body.unwrap()["error"];
    assert_eq!(error["code"], "UserErrorPolicyEditLimitReached");
    let said = error["message"].as_str().unwrap();
    assert!(
        said.contains("50 times") && said.contains("2026-03-03T09:00:00Z"),
        "{said}"
    );
    assert_eq!(world.daily_policy("mine", "20:00", "UTC", 57).status, 200);
    assert_eq!(
        world.daily_policy("other", "20:00", "UTC", 30).status,
        200,
        "making one is no edit"
    );
    world.now = at("2026-03-03T09:00:00Z");
    assert_eq!(world.daily_policy("mine", "20:00", "UTC", 90).status, 200);
}

#[test]
fn row_39_the_redundancy_is_settled_by_the_first_item() {
    let mut world = World::new();
    let change = |redundancy: &str| json!({"properties": {"storageModelType": redundancy}});
    let path = "backupstorageconfig/vaultstorageconfig";
    let free = world.request(Method::PATCH, path, Some(&change("LocallyRedundant")));
    assert!(free.status < 300, "{:?}", free.body);
    world.protect();
    let said = world.refused(Method::PATCH, path, Some(&change("GeoRedundant")));
    assert!(
        said.contains("CannotModifyStorageTypeWhenItemsAreRegistered"),
        "{said}"
    );
}

#[test]
fn rows_1_to_8_a_policys_numbers_are_held_on_write() {
    let mut world = World::new();
    let response = world.daily_policy("short", "20:00", "UTC", 6);
    assert_eq!(response.status, 400);
    let response = world.daily_policy("long", "20:00", "UTC", 10_000);
    assert_eq!(response.status, 400);
    assert!(
        response.body.unwrap().to_string().contains("9999"),
        "the number is named"
    );
    let response = world.daily_policy("odd", "20:15", "UTC", 30);
    assert_eq!(response.status, 400, "minutes are 00 or 30");
    for (days, possible) in [(0, false), (1, true), (5, true), (6, false)] {
        let time = "2026-01-01T20:00:00Z";
        let body = json!({"properties": {
            "backupManagementType": "AzureIaasVM", "instantRpRetentionRangeInDays": days,
            "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": [time]},
            "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy", "dailySchedule": {
                "retentionTimes": [time], "retentionDuration": {"count": 30, "durationType": "Days"}}},
            "timeZone": "UTC",
        }});
        let status = world
            .request(Method::PUT, "backupPolicies/instant", Some(&body))
            .status;
        assert_eq!(status == 200, possible, "{days} days of instant restore");
    }
}

#[test]
fn row_32_a_machine_that_is_off_is_crash_consistent_and_no_failure() {
    let mut world = World::new();
    world.inventory.resource_groups[0].virtual_machines[0].power = Power::Stopped;
    world.protect();
    let job = world.backup_now();
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    let points = world.get(&format!("{ITEM}/recoveryPoints"));
    assert_eq!(
        points["value"][0]["properties"]["recoveryPointType"],
        "CrashConsistent"
    );
}
