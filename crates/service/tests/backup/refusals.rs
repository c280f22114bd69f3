//! What is refused, with its code and the way out; and what lists are filtered by.

use std::fmt::Write as _;

use expect_test::expect;
use http::Method;
use kluis_service::core::OnDemand;
use serde_json::{Value, json};

use super::world::{ITEM, VAULT, WEB_1, World, backup_request, protection, restore_request};

fn policy(change: impl FnOnce(&mut Value)) -> Value {
    let time = "2026-01-01T20:00:00Z";
    let mut body = json!({"properties": {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": [time]},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy", "dailySchedule": {
            "retentionTimes": [time], "retentionDuration": {"count": 30, "durationType": "Days"}}},
        "timeZone": "UTC",
    }});
    change(&mut body["properties"]);
    body
}

#[test]
fn bad_protection_is_refused_with_the_cause_and_the_way_out() {
    let mut world = World::new();
    world.make_vault("other");
    let far = WEB_1.replace("web-1", "far-1");
    let far_item = ITEM.replace("web-1", "far-1");
    let none = WEB_1.replace("web-1", "none");
    let mut of_other_vault = protection(WEB_1, "DefaultPolicy");
    of_other_vault["properties"]["policyId"] = json!(format!(
        "{}/backupPolicies/DefaultPolicy",
        VAULT.replace("shop-weu", "other")
    ));
    let cases = [
        (far_item, protection(&far, "DefaultPolicy")),
        (
            ITEM.replace("web-1", "none"),
            protection(&none, "DefaultPolicy"),
        ),
        (ITEM.to_owned(), protection(&far, "DefaultPolicy")),
        (ITEM.to_owned(), protection(WEB_1, "NoSuchPolicy")),
        (ITEM.to_owned(), protection(WEB_1, "HourlyLogBackup")),
        (ITEM.to_owned(), of_other_vault),
        (
            ITEM.to_owned(),
            json!({"properties": {"protectedItemType": "AzureFileShareProtectedItem"}}),
        ),
        (
            ITEM.to_owned(),
            json!({"properties": {"protectedItemType": "Microsoft.Compute/virtualMachines"}}),
        ),
        (
            ITEM.to_owned(),
            json!({"properties": {"protectedItemType": "Microsoft.Compute/virtualMachines", "protectionState": "ProtectionStopped"}}),
        ),
        (ITEM.to_owned(), json!({})),
        (
            ITEM.replace(
                "VM;iaasvmcontainerv2;shop-rg;web-1",
                "VM;iaasvmcontainerv2;shop-rg;web-2",
            ),
            protection(WEB_1, "DefaultPolicy"),
        ),
        (
            ITEM.replace("backupFabrics/Azure", "backupFabrics/Hyper-V"),
            protection(WEB_1, "DefaultPolicy"),
        ),
    ];
    let mut said = String::new();
    for (path, body) in cases {
        writeln!(said, "{}", world.refused(Method::PUT, &path, Some(&body))).unwrap();
    }
    world.protect();
    let elsewhere = format!("{}/{ITEM}", VAULT.replace("shop-weu", "other"));
    let mut body = protection(WEB_1, "DefaultPolicy");
    body["properties"]["policyId"] = json!(format!(
        "{}/backupPolicies/DefaultPolicy",
        VAULT.replace("shop-weu", "other")
    ));
    writeln!(
        said,
        "{}",
        world.refused(Method::PUT, &elsewhere, Some(&body))
    )
    .unwrap();
    let mut body = protection(WEB_1, "DefaultPolicy");
    body["properties"]["protectionState"] = json!("BackupsSuspended");
    writeln!(said, "{}", world.refused(Method::PUT, ITEM, Some(&body))).unwrap();
    let mut body = protection(WEB_1, "DefaultPolicy");
    body["properties"]["isRehydrate"] = json!(true);
    writeln!(said, "{}", world.refused(Method::PUT, ITEM, Some(&body))).unwrap();
    world.accept(Method::DELETE, ITEM, None);
    writeln!(
        said,
        "{}",
        world.refused(Method::PUT, ITEM, Some(&protection(WEB_1, "DefaultPolicy")))
    )
    .unwrap();
    writeln!(said, "{}", world.refused(Method::DELETE, ITEM, None)).unwrap();
    expect![[r#"
        400 UserErrorVmAndVaultRegionMismatch: The virtual machine 'far-1' is in region 'northeurope' and the vault 'shop-weu' in region 'westeurope'; a machine is protected by a vault of its own region (rule 26).
        400 UserErrorVmNotFoundV2: The virtual machine 'none' of resource group 'shop-rg' does not exist.
        400 BMSUserErrorInvalidConfigureProtectionRequest: The body names the machine '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/far-1', the path 'web-1' of resource group 'shop-rg'.
        404 BMSUserErrorPolicyNotFound: The vault 'shop-weu' has no policy 'NoSuchPolicy'.
        400 BMSUserErrorInvalidConfigureProtectionRequest: The policy 'HourlyLogBackup' is not one for virtual machines.
        400 BMSUserErrorInvalidConfigureProtectionRequest: The policy '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/other/backupPolicies/DefaultPolicy' is of another vault than 'shop-weu'.
        400 BMSUserErrorInvalidConfigureProtectionRequest: Items of type 'AzureFileShareProtectedItem' are not offered yet; protectedItemType must be 'Microsoft.Compute/virtualMachines'.
        400 BMSUserErrorInvalidConfigureProtectionRequest: 'policyId' must be the id of a policy of this vault; it is ''.
        404 BMSUserErrorDataSourceObjectNotFound: Item not found: the vault 'shop-weu' protects no virtual machine 'web-1', and has no data of one.
        400 InvalidRequestContent: The request content was invalid and could not be deserialized: 'missing field `properties` at line 1 column 2'.
        400 BMSUserErrorInvalidInput: 'IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1' and 'VM;iaasvmcontainerv2;shop-rg;web-2' do not name one virtual machine; the names are 'IaasVMContainer;iaasvmcontainerv2;<resource group>;<name>' and 'VM;iaasvmcontainerv2;<resource group>;<name>'.
        404 FabricNotFound: The one fabric of a vault is 'Azure'.
        400 UserErrorVmAlreadyProtectedInAnotherVault: The virtual machine 'web-1' is protected in the vault 'shop-rg/shop-weu'. Stop its protection there and delete its data first.
        400 UserErrorOperationDeniedOnImmutableItem: Not possible now: backups can only be suspended in an immutable vault; stop protection with the data retained instead.
        400 UserErrorItemNotInSoftDeletedState: Not possible now: the item is not soft-deleted.
        400 UserErrorItemInSoftDeletedState: Not possible now: the item is soft-deleted; undelete it first.
        400 UserErrorItemInSoftDeletedState: Not possible now: the item is soft-deleted; undelete it first.
    "#]].assert_eq(&said);
}

#[test]
fn bad_policies_are_refused_and_none_is_deleted_or_downgraded_in_use() {
    let mut world = World::new();
    let mut said = String::new();
    let cases = [
        policy(|p| p["backupManagementType"] = json!("AzureSql")),
        policy(|p| p["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] = json!(3)),
        policy(|p| p["schedulePolicy"]["scheduleRunTimes"] = json!(["2026-01-01T20:10:00Z"])),
        policy(|p| p["instantRpRetentionRangeInDays"] = json!(9)),
        policy(|p| p["timeZone"] = json!("Middle Earth")),
        policy(|p| p["schedulePolicy"] = json!({})),
    ];
    for body in cases {
        writeln!(
            said,
            "{}",
            world.refused(Method::PUT, "backupPolicies/bad", Some(&body))
        )
        .unwrap();
    }
    writeln!(
        said,
        "{}",
        world.refused(Method::GET, "backupPolicies/bad", None)
    )
    .unwrap();
    assert_eq!(
        world
            .request(Method::DELETE, "backupPolicies/bad", None)
            .status,
        204
    );
    world.protect_with("EnhancedPolicy");
    writeln!(
        said,
        "{}",
        world.refused(Method::DELETE, "backupPolicies/EnhancedPolicy", None)
    )
    .unwrap();
    writeln!(
        said,
        "{}",
        world.refused(
            Method::PUT,
            "backupPolicies/EnhancedPolicy",
            Some(&policy(|_| ()))
        )
    )
    .unwrap();
    writeln!(
        said,
        "{}",
        world.refused(Method::PUT, ITEM, Some(&protection(WEB_1, "DefaultPolicy")))
    )
    .unwrap();
    expect![[r#"
        400 BMSUserErrorInvalidPolicyInput: A policy of this service is not for 'AzureSql'. Its backupManagementType is 'AzureIaasVM' for virtual machines, 'AzureStorage' for file shares, 'AzureWorkload' for SQL Server and SAP HANA, or 'MAB' for the files of a host.
        400 BMSUserErrorPolicyRetentionInvalid: The policy breaks a limit: properties.retentionPolicy.dailySchedule.retentionDuration: daily points are kept for 7 to 9999 days.
        400 BMSUserErrorInvalidPolicyInput: The policy breaks a limit: properties.schedulePolicy.scheduleRunTimes: backups start on the hour or at half past.
        400 BMSUserErrorInvalidPolicyInput: The policy breaks a limit: properties.instantRpRetentionRangeInDays: snapshots stay 1 to 5 days with such a schedule and policyType.
        400 BMSUserErrorInvalidPolicyInput: The policy breaks a limit: properties.timeZone: it is "Middle Earth"; the name of a zone such as "W. Europe Standard Time" is expected.
        400 BMSUserErrorInvalidPolicyInput: The policy breaks a limit: properties.schedulePolicy.schedulePolicyType: it is ; SimpleSchedulePolicy or V2 is expected.
        404 BMSUserErrorPolicyNotFound: The vault 'shop-weu' has no policy 'bad'.
        400 BMSUserErrorPolicyObjectInUse: The policy 'EnhancedPolicy' can't be deleted while it protects one item. Give them another policy, or stop their protection, first.
        400 BMSUserErrorPolicyObjectInUse: The policy 'EnhancedPolicy' can't become a standard one (V1) while it protects one item. Give them another policy, or stop their protection, first.
        400 BMSUserErrorInvalidConfigureProtectionRequest: 'web-1' is protected by an enhanced policy (V2); it can't be given a standard one.
    "#]].assert_eq(&said);
    assert_eq!(
        world
            .request(Method::DELETE, "backupPolicies/DefaultPolicy", None)
            .status,
        200
    );
}

#[test]
fn a_stop_is_no_way_from_an_enhanced_policy_to_a_standard_one() {
    let mut world = World::new();
    world.protect_with("EnhancedPolicy");
    world.backup_now();
    world.settle();
    let mut stop = protection(WEB_1, "");
    stop["properties"]["protectionState"] = json!("ProtectionStopped");
    stop["properties"]["policyId"] = json!("");
    world.accept(Method::PUT, ITEM, Some(&stop));
    let refused = world.refused(Method::PUT, ITEM, Some(&protection(WEB_1, "DefaultPolicy")));
    assert!(
        refused.contains("'web-1' is protected by an enhanced policy (V2)"),
        "{refused}"
    );
    world.protect_with("EnhancedPolicy");
    assert_eq!(world.item()["policyName"], "EnhancedPolicy");
}

#[test]
fn a_written_policy_is_answered_as_it_is_kept() {
    let mut world = World::new();
    let body = policy(|p| {
        p["schedulePolicy"]["scheduleRunTimes"] = json!(["2026-01-01T20:00:00.000Z"]);
        p["retentionPolicy"]["dailySchedule"]["retentionTimes"] =
            json!(["2026-01-01T20:00:00.000Z"]);
        p["somethingNew"] = json!({"kept": true});
    });
    let response = world.request(Method::PUT, "backupPolicies/Mine", Some(&body));
    assert_eq!(response.status, 200);
    let written = response.body.unwrap();
    assert_eq!(
        written["properties"]["schedulePolicy"]["scheduleRunTimes"],
        json!(["2026-01-01T20:00:00Z"])
    );
    assert_eq!(written["properties"]["somethingNew"], json!({"kept": true}));
    assert_eq!(written["properties"]["protectedItemsCount"], json!(0));
    assert_eq!(world.get("backupPolicies/mine"), written);
}

#[test]
fn a_vault_takes_two_hundred_policies() {
    let mut world = World::new();
    for number in 0..197 {
        assert_eq!(
            world
                .daily_policy(&format!("policy-{number}"), "20:00", "UTC", 30)
                .status,
            200
        );
    }
    let refused = world.refused(
        Method::PUT,
        "backupPolicies/one-more",
        Some(&policy(|_| ())),
    );
    assert!(
        refused.starts_with("400 UserErrorPolicyLimitReached"),
        "{refused}"
    );
    assert_eq!(
        world.daily_policy("policy-1", "21:00", "UTC", 30).status,
        200,
        "those that exist can be changed"
    );
}

#[test]
fn bad_backups_and_restores_are_refused() {
    let mut world = World::new();
    let backup = format!("{ITEM}/backup");
    let mut said = String::new();
    let mut say = |world: &mut World, path: &str, body: &Value| {
        writeln!(said, "{}", world.refused(Method::POST, path, Some(body))).unwrap();
    };
    say(&mut world, &backup, &backup_request());
    world.protect();
    say(
        &mut world,
        &backup,
        &json!({"properties": {"objectType": "AzureWorkloadBackupRequest"}}),
    );
    say(
        &mut world,
        &backup,
        &json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2020-01-01T00:00:00Z"}}),
    );
    say(
        &mut world,
        &backup,
        &json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "tomorrow"}}),
    );
    say(
        &mut world,
        &backup,
        &json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2999-01-01T00:00:00Z"}}),
    );
    world.backup_now();
    say(&mut world, &backup, &backup_request());
    world.settle();
    let restore = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    say(
        &mut world,
        &format!("{ITEM}/recoveryPoints/4711/restore"),
        &restore_request("shop-restored"),
    );
    let with = |field: &str, value: Value| {
        let mut body = restore_request("shop-restored");
        body["properties"][field] = value;
        body
    };
    say(
        &mut world,
        &restore,
        &with("recoveryType", json!("AlternateLocation")),
    );
    say(
        &mut world,
        &restore,
        &with("recoveryType", json!("OriginalLocation")),
    );
    say(&mut world, &restore, &with("recoveryType", json!(null)));
    say(
        &mut world,
        &restore,
        &with("objectType", json!("AzureFileShareRestoreRequest")),
    );
    say(&mut world, &restore, &with("storageAccountId", json!(null)));
    say(
        &mut world,
        &restore,
        &with(
            "targetResourceGroupId",
            json!("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/nowhere"),
        ),
    );
    say(
        &mut world,
        &restore,
        &with("sourceResourceId", json!(WEB_1.replace("web-1", "web-2"))),
    );
    say(
        &mut world,
        &restore,
        &with("recoveryPointId", json!("4711")),
    );
    say(&mut world, &restore, &with("region", json!("northeurope")));
    say(
        &mut world,
        &restore,
        &with("restoreDiskLunList", json!([7])),
    );
    expect![[r#"
        404 BMSUserErrorDataSourceObjectNotFound: Item not found: the vault 'shop-weu' protects no virtual machine 'web-1', and has no data of one.
        400 BMSUserErrorInvalidInput: 'objectType' must be 'IaasVMBackupRequest' for a virtual machine; it is 'AzureWorkloadBackupRequest'.
        400 BMSUserErrorInvalidInput: 'recoveryPointExpiryTimeInUTC' must lie in the future; it is 2020-01-01T00:00:00Z and now is 2026-03-02T09:00:00Z.
        400 BMSUserErrorInvalidInput: 'recoveryPointExpiryTimeInUTC': "tomorrow" is not a moment such as 2026-01-31T22:30:00Z.
        400 BMSUserErrorInvalidInput: A recovery point is kept for 99 years at most; '2999-01-01T00:00:00Z' is later.
        409 BMSUserErrorObjectLocked: Another operation is in progress on the selected item: job 00000000-0000-0000-0000-000000000007 (Backup). Try again once it has ended.
        404 BMSUserErrorDataSourceObjectNotFound: 'web-1' has no recovery point '4711'.
        400 BMSUserErrorInvalidInput: 'targetVirtualMachineId' must be the id of the machine to make; it is ''.
        400 BMSUserErrorInvalidInput: Disks that are replaced stay in the machine's resource group 'shop-rg'; 'targetResourceGroupId' names 'shop-restored'.
        400 BMSUserErrorInvalidInput: 'recoveryType' is missing; it must be 'RestoreDisks', 'AlternateLocation' or 'OriginalLocation'.
        400 BMSUserErrorInvalidInput: 'objectType' must be 'IaasVMRestoreRequest' or 'IaasVMRestoreWithRehydrationRequest'; it is 'AzureFileShareRestoreRequest'.
        400 BMSUserErrorInvalidInput: 'storageAccountId' must be the id of the storage account to stage in; it is ''.
        404 ResourceGroupNotFound: Resource group 'nowhere' could not be found; resource groups are those of the service's inventory.
        400 BMSUserErrorInvalidInput: 'sourceResourceId' must be the machine that was backed up, 'web-1' of resource group 'shop-rg'; it is '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-2'.
        400 BMSUserErrorInvalidInput: The body asks for recovery point '4711', the path for '917128032538660'.
        400 UserErrorRestoreRegionMismatch: Restores go to the vault's region 'westeurope'; 'region' is 'northeurope'.
        400 BMSUserErrorInvalidInput: The recovery point '917128032538660' holds no disk at LUN 7.
    "#]].assert_eq(&said);
}

#[test]
fn more_than_three_backups_on_demand_warn_and_more_than_nine_are_refused() {
    let mut world = World::new();
    world.protect();
    let statuses: Vec<String> = (0..9)
        .map(|_| {
            let job = world.backup_now();
            world.settle();
            world.job(&job)["status"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(statuses[..3], ["Completed"; 3]);
    assert_eq!(statuses[3..], ["CompletedWithWarnings"; 6]);
    let refused = world.refused(
        Method::POST,
        &format!("{ITEM}/backup"),
        Some(&backup_request()),
    );
    assert!(
        refused.starts_with("400 CloudDosAbsoluteLimitReached"),
        "{refused}"
    );
    assert!(
        refused.contains("no more than 9 are taken (rule 7)"),
        "{refused}"
    );
    world.live(24);
    world.backup_now();
}

/// The numbers are the service's own to set; who is refused is told from when on there is room, and so it is.
#[test]
fn the_days_number_of_backups_on_demand_is_a_setting_and_says_until_when() {
    let mut world = World::new();
    world.on_demand = OnDemand {
        advised: 1,
        most: 2,
    };
    world.protect();
    let back_up = |world: &mut World| {
        let job = world.backup_now();
        world.settle();
        world.job(&job)
    };
    assert_eq!(back_up(&mut world)["status"], "Completed");
    world.live(5);
    let second = back_up(&mut world);
    assert_eq!(second["status"], "CompletedWithWarnings");
    let warned = second["errorDetails"][0]["errorString"].as_str().unwrap();
    assert!(
        warned.contains("no more than 1 are advised and no more than 2"),
        "{warned}"
    );
    world.live(1);
    let path = format!("{ITEM}/backup");
    let answer = world.request(Method::POST, &path, Some(&backup_request()));
    assert_eq!(answer.status, 400);
    let wait: i64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert_eq!(wait, 18 * 3600, "{:?}", answer.body);
    world.live(17);
    world.refused(Method::POST, &path, Some(&backup_request()));
    world.live(1);
    world.backup_now();
}

#[test]
fn lists_are_filtered_by_what_they_say_and_by_nothing_else() {
    let mut world = World::new();
    world.protect();
    world.live(72);
    let count = |world: &mut World, path: &str| world.get(path)["value"].as_array().unwrap().len();
    assert_eq!(count(&mut world, "backupJobs"), 4);
    assert_eq!(
        count(
            &mut world,
            "backupJobs?$filter=operation eq 'Backup' and status eq 'completed'"
        ),
        3
    );
    assert_eq!(
        count(&mut world, "backupJobs?$filter=status eq 'InProgress'"),
        0
    );
    assert_eq!(
        count(
            &mut world,
            "backupJobs?$filter=startTime eq '2026-03-03 12:00:00 AM' and endTime eq '2026-03-04 11:00:00 PM'"
        ),
        2
    );
    assert_eq!(
        count(
            &mut world,
            "backupJobs?$filter=backupManagementType eq 'AzureWorkload'"
        ),
        0
    );
    assert_eq!(
        count(
            &mut world,
            &format!(
                "{ITEM}/recoveryPoints?$filter=startDate eq '2026-03-03 12:00:00 AM' and endDate eq '2026-03-03 11:00:00 PM'"
            )
        ),
        1
    );
    assert_eq!(
        count(
            &mut world,
            "backupProtectedItems?$filter=backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'"
        ),
        1
    );
    assert_eq!(
        count(
            &mut world,
            "backupProtectedItems?$filter=itemType eq 'SQLDataBase'"
        ),
        0
    );
    assert_eq!(count(&mut world, "backupJobs?$top=2"), 2);
    let page = world.get("backupJobs?$top=2");
    let next = page["nextLink"]
        .as_str()
        .unwrap()
        .replace("https://localhost", "")
        .replace("%2D", "-")
        .replace("%2E", ".");
    assert_eq!(count(&mut world, &next), 2);
    for (path, code) in [
        (
            "backupJobs?$filter=colour eq 'red'",
            "400 BMSUserErrorInvalidInput",
        ),
        (
            "backupJobs?$filter=status is nice",
            "400 BMSUserErrorInvalidInput",
        ),
        (
            "backupJobs?$filter=startTime eq 'yesterday'",
            "400 BMSUserErrorInvalidInput",
        ),
        ("backupProtectionContainers", "400 BMSUserErrorInvalidInput"),
        ("backupJobs/4711", "404 BMSUserErrorJobNotFound"),
        ("backupNothing", "404 InvalidResourceType"),
    ] {
        let refused = world.refused(Method::GET, path, None);
        assert!(refused.starts_with(code), "{path}: {refused}");
    }
    assert!(
        world
            .refused(Method::POST, "backupPolicies", None)
            .starts_with("405")
    );
}
