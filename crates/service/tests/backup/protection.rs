//! From discovery to a recovery point, and the ways protection ends.

use std::collections::BTreeMap;

use expect_test::expect;
use http::Method;
use serde_json::json;

use super::world::{ITEM, VAULT, WEB_1, World, pretty, protection};

#[test]
fn a_new_vault_has_azures_three_policies() {
    let mut world = World::new();
    let page = world.get("backupPolicies");
    let names: Vec<_> = page["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].clone())
        .collect();
    assert_eq!(
        names,
        ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"]
    );
    let of_vms = world.get("backupPolicies?$filter=backupManagementType eq 'AzureIaasVM'");
    assert_eq!(of_vms["value"].as_array().unwrap().len(), 2);
    let default = world.get("backupPolicies/defaultpolicy");
    expect![[r#"
        {
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupPolicies/DefaultPolicy",
          "name": "DefaultPolicy",
          "type": "Microsoft.RecoveryServices/vaults/backupPolicies",
          "properties": {
            "backupManagementType": "AzureIaasVM",
            "instantRPDetails": {},
            "schedulePolicy": {
              "schedulePolicyType": "SimpleSchedulePolicy",
              "scheduleRunFrequency": "Daily",
              "scheduleRunTimes": [
                "2026-03-02T20:00:00Z"
              ],
              "scheduleWeeklyFrequency": 0
            },
            "retentionPolicy": {
              "retentionPolicyType": "LongTermRetentionPolicy",
              "dailySchedule": {
                "retentionTimes": [
                  "2026-03-02T20:00:00Z"
                ],
                "retentionDuration": {
                  "count": 30,
                  "durationType": "Days"
                }
              }
            },
            "instantRpRetentionRangeInDays": 2,
            "timeZone": "UTC",
            "protectedItemsCount": 0
          }
        }
    "#]].assert_eq(&pretty(&default));
}

#[test]
fn what_the_inventory_has_of_the_region_is_protectable_until_it_is_protected() {
    let mut world = World::new();
    let names = |world: &mut World| {
        let page =
            world.get("backupProtectableItems?$filter=backupManagementType+eq+%27AzureIaasVM%27");
        page["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["properties"]["friendlyName"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&mut world), ["web-1", "web-2"]);
    let refresh = world.request(Method::POST, "backupFabrics/Azure/refreshContainers", None);
    assert_eq!((refresh.status, &refresh.body), (202, &None));
    let location = refresh
        .header("Location")
        .unwrap()
        .replace("https://localhost", "");
    assert_eq!(
        world
            .request(Method::GET, location.split('?').next().unwrap(), None)
            .status,
        204
    );
    world.protect();
    assert_eq!(names(&mut world), ["web-2"]);
}

#[test]
fn a_protected_machine_reads_as_azure_tells_it() {
    let mut world = World::new();
    let job = world.protect();
    expect![[r#"
        {
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1/protectedItems/VM;iaasvmcontainerv2;shop-rg;web-1",
          "name": "VM;iaasvmcontainerv2;shop-rg;web-1",
          "type": "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
          "properties": {
            "protectedItemType": "Microsoft.Compute/virtualMachines",
            "friendlyName": "web-1",
            "virtualMachineId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1",
            "protectionStatus": "Healthy",
            "protectionState": "IRPending",
            "healthStatus": "Passed",
            "lastBackupStatus": "",
            "lastBackupTime": "2001-01-01T00:00:00Z",
            "protectedItemDataId": "141923099391790",
            "extendedProperties": {
              "linuxVmApplicationName": ""
            },
            "backupManagementType": "AzureIaasVM",
            "workloadType": "VM",
            "containerName": "iaasvmcontainerv2;shop-rg;web-1",
            "sourceResourceId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1",
            "policyId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupPolicies/DefaultPolicy",
            "policyName": "DefaultPolicy",
            "isArchiveEnabled": false,
            "softDeleteRetentionPeriod": 0,
            "vaultId": "https://localhost/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu",
            "sourceSideScanning": 0
          }
        }
    "#]].assert_eq(&pretty(&world.get(ITEM)));
    expect![[r#"
        {
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupJobs/00000000-0000-0000-0000-000000000003",
          "name": "00000000-0000-0000-0000-000000000003",
          "type": "Microsoft.RecoveryServices/vaults/backupJobs",
          "properties": {
            "jobType": "AzureIaaSVMJob",
            "entityFriendlyName": "web-1",
            "backupManagementType": "AzureIaasVM",
            "operation": "ConfigureBackup",
            "status": "Completed",
            "startTime": "2026-03-02T09:00:00Z",
            "endTime": "2026-03-02T09:00:00Z",
            "activityId": "00000000-0000-0000-0000-000000000004",
            "duration": "PT0S",
            "virtualMachineVersion": "Compute",
            "extendedInfo": {
              "tasksList": [],
              "propertyBag": {
                "Policy Name": "DefaultPolicy",
                "VM Name": "web-1"
              }
            },
            "containerName": "iaasvmcontainerv2;shop-rg;web-1"
          }
        }
    "#]].assert_eq(&pretty(&world.get(&format!("backupJobs/{job}"))));
    let containers = world.get(
        "backupProtectionContainers?$filter=backupManagementType eq 'AzureIaasVM' and friendlyName eq 'WEB-1' and status eq 'Registered'",
    );
    expect![[r#"
        {
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1",
          "name": "IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1",
          "type": "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers",
          "properties": {
            "containerType": "Microsoft.Compute/virtualMachines",
            "friendlyName": "web-1",
            "backupManagementType": "AzureIaasVM",
            "registrationStatus": "Registered",
            "healthStatus": "Healthy",
            "protectableObjectType": "Microsoft.Compute/virtualMachines",
            "virtualMachineId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1",
            "virtualMachineVersion": "Compute",
            "resourceGroup": "shop-rg"
          }
        }
    "#]].assert_eq(&pretty(&containers["value"][0]));
}

#[test]
fn a_backup_on_demand_becomes_a_recovery_point_when_the_vault_has_it() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    assert_eq!(world.started, [format!("snapshot {job}")]);
    assert_eq!(world.job(&job)["actionsInfo"], json!(["Cancellable"]));
    world.evidence(&job);
    assert_eq!(world.points(), Vec::<String>::new());
    assert_eq!(world.item()["protectionState"], "IRPending");

    world.hear(&job, kluis_vault::Event::Finished);
    let tiers = |world: &mut World| {
        let points = world.get(&format!("{ITEM}/recoveryPoints"));
        points["value"][0]["properties"]["recoveryPointTierDetails"].clone()
    };
    assert_eq!(
        tiers(&mut world),
        json!([{"type": "InstantRP", "status": "Valid"}]),
        "a point exists from the moment that its snapshots are taken"
    );
    assert_eq!(world.item()["protectionState"], "Protected");
    assert_eq!(world.started.len(), 1, "the first mover is not gone yet");
    world.exit(&job, Some(0));
    assert_eq!(
        world.started,
        [format!("snapshot {job}"), format!("backup {job}")]
    );
    world.evidence(&job);
    assert_eq!(
        tiers(&mut world),
        json!([{"type": "InstantRP", "status": "Valid"}, {"type": "HardenedRP", "status": "Valid"}])
    );
    assert_eq!(world.job(&job)["status"], "InProgress");
    world.hear(&job, kluis_vault::Event::Finished);
    world.exit(&job, Some(0));

    expect![[r#"
        {
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupJobs/00000000-0000-0000-0000-000000000007",
          "name": "00000000-0000-0000-0000-000000000007",
          "type": "Microsoft.RecoveryServices/vaults/backupJobs",
          "properties": {
            "jobType": "AzureIaaSVMJob",
            "entityFriendlyName": "web-1",
            "backupManagementType": "AzureIaasVM",
            "operation": "Backup",
            "status": "Completed",
            "startTime": "2026-03-02T09:00:00Z",
            "endTime": "2026-03-02T09:00:00Z",
            "activityId": "00000000-0000-0000-0000-000000000008",
            "duration": "PT0S",
            "actionsInfo": [
              "Cancellable"
            ],
            "virtualMachineVersion": "Compute",
            "extendedInfo": {
              "tasksList": [
                {
                  "taskId": "Take Snapshot",
                  "startTime": "2026-03-02T09:00:00Z",
                  "endTime": "2026-03-02T09:00:00Z",
                  "duration": "PT0S",
                  "status": "Completed",
                  "taskExecutionDetails": "The recovery point is file-system consistent.",
                  "taskType": "Normal"
                },
                {
                  "taskId": "Transfer data to vault",
                  "startTime": "2026-03-02T09:00:00Z",
                  "endTime": "2026-03-02T09:00:00Z",
                  "duration": "PT0S",
                  "status": "Completed",
                  "progressPercentage": 100.0,
                  "taskType": "Normal"
                }
              ],
              "propertyBag": {
                "Backup Size": "3072 MB",
                "Consistency": "file-system consistent, by: assumed",
                "Data To Transfer (in MB)": "3072",
                "Data Transferred (in MB)": "3072",
                "Recovery Point Expiry Time in UTC": "6/12/2026 12:00:00 AM",
                "Recovery Point Tier": "InstantRP, HardenedRP",
                "VM Name": "web-1"
              },
              "internalPropertyBag": {
                "IsInstantRpJob": "True"
              },
              "progressPercentage": 100.0,
              "estimatedRemainingDuration": "00:00:00"
            },
            "containerName": "iaasvmcontainerv2;shop-rg;web-1",
            "isUserTriggered": true
          }
        }
    "#]].assert_eq(&pretty(&world.get(&format!("backupJobs/{job}"))));
    let point = world.newest_point();
    expect![[r#"
        {
          "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1/protectedItems/VM;iaasvmcontainerv2;shop-rg;web-1/recoveryPoints/917128032538660",
          "name": "917128032538660",
          "type": "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints",
          "properties": {
            "objectType": "IaasVMRecoveryPoint",
            "recoveryPointType": "FileSystemConsistent",
            "recoveryPointTime": "2026-03-02T09:00:00Z",
            "recoveryPointAdditionalInfo": "",
            "sourceVMStorageType": "NormalStorage",
            "isSourceVMEncrypted": false,
            "isInstantIlrSessionActive": false,
            "recoveryPointTierDetails": [
              {
                "type": "InstantRP",
                "status": "Valid"
              },
              {
                "type": "HardenedRP",
                "status": "Valid"
              }
            ],
            "isManagedVirtualMachine": true,
            "virtualMachineSize": "Standard_D2s_v5",
            "originalStorageAccountOption": false,
            "osType": "Linux",
            "recoveryPointDiskConfiguration": {
              "numberOfDisksIncludedInBackup": 3,
              "numberOfDisksAttachedToVm": 3,
              "includedDiskList": [
                {
                  "lun": -1,
                  "name": "web-1-os"
                },
                {
                  "lun": 0,
                  "name": "web-1-lun0"
                },
                {
                  "lun": 1,
                  "name": "web-1-lun1"
                }
              ],
              "excludedDiskList": []
            },
            "recoveryPointMoveReadinessInfo": {
              "ArchivedRP": {
                "isReadyForMove": false,
                "additionalInfo": "The archive tier is not offered by this service."
              }
            },
            "securityType": "None",
            "recoveryPointProperties": {
              "expiryTime": "2026-06-12T00:00:00.0000000",
              "ruleName": "OnDemand",
              "isSoftDeleted": false
            },
            "isPrivateAccessEnabledOnAnyDisk": false,
            "createdWithPolicyType": "V1",
            "threatStatus": 0
          }
        }
    "#]].assert_eq(&pretty(&world.get(&format!("{ITEM}/recoveryPoints/{point}"))));
    let item = world.get(&format!("{ITEM}?$filter=expand eq 'extendedinfo'"));
    assert_eq!(item["properties"]["protectionState"], "Protected");
    assert_eq!(item["properties"]["lastBackupStatus"], "Completed");
    expect![[r#"
        {
          "oldestRecoveryPoint": "2026-03-02T09:00:00Z",
          "oldestRecoveryPointInVault": "2026-03-02T09:00:00Z",
          "recoveryPointCount": 1,
          "policyInconsistent": false
        }
    "#]]
    .assert_eq(&pretty(&item["properties"]["extendedInfo"]));
}

#[test]
fn the_next_backup_follows_the_newest_point() {
    let mut world = World::new();
    world.protect();
    let first = world.backup_now();
    world.settle();
    let second = world.backup_to_the_vault();
    let kluis_vault::Task::Backup(task) = world.movers[&second].task.clone() else {
        panic!("no backup")
    };
    assert_eq!(task.parent, Some(super::world::snapshot(&first)));
    assert_eq!(task.tags.len(), 1);
    assert!(task.tags[0].starts_with("rp="), "{:?}", task.tags);
    let names: Vec<_> = task.disks.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(names, ["web-1-os", "web-1-lun0", "web-1-lun1"]);
}

#[test]
fn linux_items_name_an_application_that_nobody_gave() {
    let mut world = World::new();
    world.protect();
    let told = |world: &mut World| {
        let read = world.item()["extendedProperties"].clone();
        let list = world.get("backupProtectedItems");
        assert_eq!(
            list["value"][0]["properties"]["extendedProperties"], read,
            "in the list as well"
        );
        read
    };
    let nothing = json!({"linuxVmApplicationName": ""});
    assert_eq!(told(&mut world), nothing);
    // What was read is sent back, with more.
    let mut body = protection(WEB_1, "DefaultPolicy");
    body["properties"]["extendedProperties"] = nothing.clone();
    world.accept(Method::PUT, ITEM, Some(&body));
    assert_eq!(told(&mut world), nothing);
    let chosen = json!({"diskLunList": [1], "isInclusionList": false});
    body["properties"]["extendedProperties"]["diskExclusionProperties"] = chosen.clone();
    world.accept(Method::PUT, ITEM, Some(&body));
    let both = json!({"diskExclusionProperties": chosen, "linuxVmApplicationName": ""});
    assert_eq!(told(&mut world), both);

    let windows = ITEM.replace("web-1", "web-2");
    let body = protection(&WEB_1.replace("web-1", "web-2"), "DefaultPolicy");
    world.accept(Method::PUT, &windows, Some(&body));
    let read = world.get(&windows);
    assert_eq!(read["properties"].get("extendedProperties"), None, "{read}");
}

#[test]
fn chosen_disks_are_left_out_and_the_os_disk_never_is() {
    let mut world = World::new();
    for (luns, inclusion, backed_up) in [
        (json!([1]), false, vec!["web-1-os", "web-1-lun0"]),
        (json!([1]), true, vec!["web-1-os", "web-1-lun1"]),
        (json!([]), true, vec!["web-1-os"]),
        (
            json!([]),
            false,
            vec!["web-1-os", "web-1-lun0", "web-1-lun1"],
        ),
    ] {
        let mut body = protection(WEB_1, "DefaultPolicy");
        body["properties"]["extendedProperties"] =
            json!({"diskExclusionProperties": {"diskLunList": luns, "isInclusionList": inclusion}});
        world.accept(Method::PUT, ITEM, Some(&body));
        let job = world.backup_to_the_vault();
        let kluis_vault::Task::Backup(task) = world.movers[&job].task.clone() else {
            panic!("no backup")
        };
        assert_eq!(
            task.disks
                .iter()
                .map(|disk| disk.name.as_str())
                .collect::<Vec<_>>(),
            backed_up
        );
        world.settle();
    }
}

#[test]
fn stopping_keeps_every_point_and_resuming_goes_on() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    let stop = json!({"properties": {"protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": WEB_1,
        "policyId": "", "protectionState": "ProtectionStopped"}});
    let job = world.accept(Method::PUT, ITEM, Some(&stop));
    assert_eq!(world.job(&job)["operation"], "DisableBackup");
    let item = world.item();
    assert_eq!(
        (item["protectionState"].as_str(), item["policyId"].as_str()),
        (Some("ProtectionStopped"), Some(""))
    );
    world.live(24 * 400);
    assert_eq!(world.points().len(), 1);
    assert_eq!(world.started.len(), 2, "nothing runs for a stopped item");

    world.protect();
    assert_eq!(world.item()["protectionState"], "Protected");
    world.live(24);
    assert_eq!(
        world
            .started
            .iter()
            .filter(|word| word.starts_with("backup"))
            .count(),
        2
    );
}

#[test]
fn soft_delete_keeps_the_data_for_its_days_and_gives_them_back_until_then() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    let job = world.accept(Method::DELETE, ITEM, None);
    assert_eq!(
        world.job(&job)["extendedInfo"]["propertyBag"]["Number of Recovery Points"],
        "1"
    );
    world.now += jiff::SignedDuration::from_secs(17);
    expect![[r#"
        {
          "protectedItemType": "Microsoft.Compute/virtualMachines",
          "friendlyName": "web-1",
          "virtualMachineId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1",
          "protectionStatus": "Healthy",
          "protectionState": "ProtectionStopped",
          "healthStatus": "Passed",
          "healthDetails": [
            {
              "code": 400239,
              "title": "IaasVmHealthGreenDefault",
              "message": "Backup pre-check status of this virtual machine is OK.",
              "recommendations": []
            }
          ],
          "lastBackupStatus": "Completed",
          "lastBackupTime": "2026-03-02T09:00:00Z",
          "protectedItemDataId": "141923099391790",
          "extendedProperties": {
            "linuxVmApplicationName": ""
          },
          "backupManagementType": "AzureIaasVM",
          "workloadType": "VM",
          "containerName": "iaasvmcontainerv2;shop-rg;web-1",
          "sourceResourceId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1",
          "policyId": "",
          "policyName": "",
          "lastRecoveryPoint": "2026-03-02T09:00:00Z",
          "deferredDeleteTimeInUTC": "2026-03-02T09:00:00Z",
          "isScheduledForDeferredDelete": true,
          "deferredDeleteTimeRemaining": "13.23:59:43",
          "isArchiveEnabled": false,
          "softDeleteRetentionPeriod": 14,
          "vaultId": "https://localhost/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu",
          "sourceSideScanning": 0
        }
    "#]].assert_eq(&pretty(&world.item()));
    let deleted = world
        .get("backupDeletedProtectionContainers?$filter=backupManagementType eq 'AzureIaasVM'");
    assert_eq!(
        deleted["value"][0]["properties"]["registrationStatus"],
        "SoftDeleted"
    );

    let undelete = json!({"properties": {"protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": WEB_1,
        "policyId": "", "isRehydrate": true, "protectionState": "ProtectionStopped"}});
    let job = world.accept(Method::PUT, ITEM, Some(&undelete));
    assert_eq!(world.job(&job)["operation"], "Undelete");
    assert_eq!(world.item()["isScheduledForDeferredDelete"], json!(null));
    assert_eq!(world.points().len(), 1);

    world.accept(Method::DELETE, ITEM, None);
    world.live(24 * 14 - 1);
    assert_eq!(world.points().len(), 1);
    world.live(1);
    assert_eq!(world.request(Method::GET, ITEM, None).status, 404);
    assert!(
        world.snapshots.values().all(BTreeMap::is_empty),
        "the vault lets go of the data, too"
    );
}

#[test]
fn without_soft_delete_the_data_go_at_once_and_the_item_with_them() {
    let mut world = World::new();
    let off = json!({"properties": {"enhancedSecurityState": "Enabled", "softDeleteFeatureState": "Disabled"}});
    assert_eq!(
        world
            .request(Method::PATCH, "backupconfig/vaultconfig", Some(&off))
            .status,
        200
    );
    world.protect();
    world.backup_now();
    world.settle();
    let job = world.accept(Method::DELETE, ITEM, None);
    assert_eq!(world.job(&job)["status"], "InProgress");
    assert_eq!(
        world.points().len(),
        1,
        "until the mover says that it is gone, the point is there"
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.request(Method::GET, ITEM, None).status, 404);
    assert_eq!(world.request(Method::DELETE, ITEM, None).status, 204);
    assert_eq!(world.request(Method::DELETE, VAULT, None).status, 202);
}
