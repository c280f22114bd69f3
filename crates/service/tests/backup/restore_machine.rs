//! A recovery point restored to a new machine.

use expect_test::expect;
use http::Method;
use kluis_vault::{Event, FailureCode, Task};
use serde_json::json;

use super::restorable::{machine, new_machine, with_a_point};
use super::world::{ITEM, WEB_1, pretty, protection, restore_request};

#[test]
fn a_new_machine_is_there_once_all_of_it_is_and_can_be_read_as_azure_shows_it() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    let Task::Restore(task) = world.movers[&job].task.clone() else {
        panic!("no restore")
    };
    let targets: Vec<_> = task
        .disks
        .iter()
        .map(|disk| disk.path.to_str().unwrap())
        .collect();
    assert_eq!(
        targets,
        [
            "/restored/shop-restored/web-9-os.raw",
            "/restored/shop-restored/web-9-lun0.raw",
            "/restored/shop-restored/web-9-lun1.raw"
        ]
    );
    world.evidence(&job);
    assert!(world.has_machine("shop-restored", "web-9"));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.fact(&job, "Job Type"), "Create virtual machine");
    assert_eq!(world.fact(&job, "Target VM Name"), "web-9");
    assert_eq!(
        world.job(&job)["extendedInfo"]["internalPropertyBag"]["restoreLocationType"],
        "AlternateLocation"
    );
    expect![[r#"
        {
          "hardwareProfile": {
            "vmSize": "Standard_D2s_v5"
          },
          "networkProfile": {
            "networkInterfaces": [
              {
                "id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-restored/providers/Microsoft.Network/networkInterfaces/web-9-nic",
                "properties": {
                  "primary": true
                }
              }
            ]
          },
          "instanceView": {
            "hyperVGeneration": "V2",
            "vmAgent": {
              "statuses": [
                {
                  "code": "ProvisioningState/succeeded"
                }
              ]
            },
            "statuses": [
              {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded"
              },
              {
                "code": "PowerState/running",
                "level": "Info",
                "displayStatus": "VM running"
              }
            ]
          }
        }
    "#]]
    .assert_eq(&{
        let mut seen = world.get(&machine("shop-restored", "web-9"))["properties"].clone();
        let kept = ["hardwareProfile", "instanceView", "networkProfile"];
        seen.as_object_mut()
            .unwrap()
            .retain(|name, _| kept.contains(&name.as_str()));
        pretty(&seen)
    });
    assert_eq!(
        world.disks_in("shop-restored"),
        ["web-9-lun0 web-9", "web-9-lun1 web-9", "web-9-os web-9"]
    );
    let interface = world.get("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-restored/providers/Microsoft.Network/networkInterfaces/web-9-nic");
    assert_eq!(
        interface["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"],
        new_machine("web-9")["properties"]["subnetId"]
    );
}

#[test]
fn nothing_of_a_machine_is_there_before_all_of_it_is() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    for disk in ["web-1-os", "web-1-lun0", "web-1-lun1"] {
        world.hear(
            &job,
            Event::Restored {
                disk: disk.to_owned(),
                bytes: 1,
                sha256: "5ha".to_owned(),
            },
        );
        assert!(!world.has_machine("shop-restored", "web-9"));
        assert!(world.disks_in("shop-restored").is_empty());
    }
    world.hear(&job, Event::Finished);
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "NoEvidence",
        "its template was never written"
    );
    assert!(!world.has_machine("shop-restored", "web-9"));
}

#[test]
fn a_machine_that_is_gone_comes_back_under_its_own_name() {
    let (mut world, path) = with_a_point();
    world.inventory_without("web-1");
    assert!(!world.has_machine("shop-rg", "web-1"));
    let mut body = new_machine("web-1");
    body["properties"]["targetVirtualMachineId"] = json!(WEB_1);
    body["properties"]["targetResourceGroupId"] =
        json!("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg");
    let job = world.accept(Method::POST, &path, Some(&body));
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(
        world.disks_of("shop-rg", "web-1"),
        ["web-1-os", "web-1-lun0", "web-1-lun1"]
    );
}

#[test]
fn a_restored_machine_is_protected_backed_up_and_restored_like_any_other() {
    let (mut world, path) = with_a_point();
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    let item = ITEM.replace("shop-rg;web-1", "shop-restored;web-9");
    let vm = machine("shop-restored", "web-9");
    let protectable = world.get("backupProtectableItems");
    let names: Vec<_> = protectable["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["properties"]["friendlyName"].clone())
        .collect();
    assert_eq!(names, ["web-9", "web-2"], "by resource group and name");
    world.accept(Method::PUT, &item, Some(&protection(&vm, "DefaultPolicy")));
    let backup = world.accept(
        Method::POST,
        &format!("{item}/backup"),
        Some(&super::world::backup_request()),
    );
    world.settle();
    assert_eq!(world.job(&backup)["status"], "Completed");
    let points = world.get(&format!("{item}/recoveryPoints"));
    let point = points["value"][0]["name"].as_str().unwrap().to_owned();
    let mut body = restore_request("shop-restored");
    body["properties"]["sourceResourceId"] = json!(vm);
    body["properties"]["recoveryType"] = json!("OriginalLocation");
    let job = world.accept(
        Method::POST,
        &format!("{item}/recoveryPoints/{point}/restore"),
        Some(&body),
    );
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(
        world.disks_of("shop-restored", "web-9"),
        [
            "web-9-os-20260302-090000",
            "web-9-lun0-20260302-090000",
            "web-9-lun1-20260302-090000"
        ]
    );
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let (mut world, path) = with_a_point();
    let mut taken = new_machine("web-2");
    taken["properties"]["targetVirtualMachineId"] = json!(machine("SHOP-rg", "WEB-2"));
    taken["properties"]["targetResourceGroupId"] = json!(null);
    expect!["409 UserErrorTargetVirtualMachineAlreadyExists: A virtual machine 'WEB-2' is already in resource group 'shop-rg', or being restored there. Choose another name."]
        .assert_eq(&world.refused(Method::POST, &path, Some(&taken)));
}

#[test]
fn a_restore_that_fails_leaves_neither_machine_nor_files() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.work(&job);
    world.hear(
        &job,
        Event::Restored {
            disk: "web-1-os".to_owned(),
            bytes: 1,
            sha256: "5ha".to_owned(),
        },
    );
    world.fail(&job, FailureCode::NoSpace);
    assert_eq!(
        world.job(&job)["errorDetails"][0]["errorTitle"],
        "UserErrorInsufficientSpace"
    );
    assert!(!world.has_machine("shop-restored", "web-9"));
    assert!(
        world.files.there.borrow().is_empty(),
        "its files are removed"
    );
    let again = world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    assert_eq!(world.job(&again)["status"], "Completed");
}

#[test]
fn a_cancelled_restore_leaves_neither_machine_nor_files() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.work(&job);
    world.request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
    world.exit(&job, None);
    assert_eq!(world.job(&job)["status"], "Cancelled");
    assert!(!world.has_machine("shop-restored", "web-9"));
    assert!(
        world.files.there.borrow().is_empty(),
        "its files are removed"
    );
}

#[test]
fn a_machine_is_gone_with_the_file_of_its_os_disk() {
    let (mut world, path) = with_a_point();
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.settle();
    world.files.there.borrow_mut().clear();
    assert!(!world.has_machine("shop-restored", "web-9"));
    assert!(world.disks_in("shop-restored").is_empty());
    world.accept(Method::POST, &path, Some(&new_machine("web-9")));
}

#[test]
fn the_template_attaches_the_disks_and_can_be_read_where_the_job_says() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert_eq!(world.fact(&job, "Template Blob Uri"), "", "not written yet");
    let Task::Restore(task) = world.movers[&job].task.clone() else {
        panic!("no restore")
    };
    let template: serde_json::Value = serde_json::from_str(&task.documents[0].text).unwrap();
    assert_eq!(
        template["$schema"],
        "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    );
    let vm = &template["resources"][1];
    assert_eq!(vm["type"], "Microsoft.Compute/virtualMachines");
    for disk in std::iter::once(&vm["properties"]["storageProfile"]["osDisk"]).chain(
        vm["properties"]["storageProfile"]["dataDisks"]
            .as_array()
            .unwrap(),
    ) {
        assert_eq!(disk["createOption"], "Attach");
        let id = disk["managedDisk"]["id"].as_str().unwrap();
        let parameter = id
            .split("parameters('")
            .nth(1)
            .unwrap()
            .trim_end_matches("'))]");
        let default = &template["parameters"][parameter]["defaultValue"];
        let names = ["web-1-os", "web-1-lun0", "web-1-lun1"];
        assert!(names.contains(&default.as_str().unwrap()), "{default}");
    }
    world.settle();
    let bag = world.job(&job)["extendedInfo"]["propertyBag"].clone();
    expect![[r#"
        {
          "Config Blob Container Name": "web-1-00000000000000000000000000000010",
          "Config Blob Name": "config-web-1-00000000-0000-0000-0000-000000000010.json",
          "Config Blob Uri": "https://localhost/kluis/v1/blobs/staging/web-1-00000000000000000000000000000010/config-web-1-00000000-0000-0000-0000-000000000010.json",
          "Job Type": "Recover disks",
          "Recovery point time": "3/2/2026 9:00:00 AM",
          "Recovery point time ": "3/2/2026 9:00:00 AM",
          "Restored Bytes": "3221225472",
          "Restored Disks": "web-1-os, web-1-lun0, web-1-lun1",
          "Target Storage Account Name": "staging",
          "Target VM Name": "vmName",
          "Target resource group": "shop-restored",
          "Template Blob Uri": "https://localhost/kluis/v1/blobs/staging/web-1-00000000000000000000000000000010/azuredeploy00000000-0000-0000-0000-000000000010.json",
          "VM Name": "web-1"
        }
    "#]]
    .assert_eq(&pretty(&bag));
}
