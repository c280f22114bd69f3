//! The template that makes a machine of restored disks, and the description of the machine they were: as values.
//!
//! Azure leaves both in the staging account with every restore of disks. The template attaches the disks, which are in the
//! resource group it is deployed to, and asks for what only a person knows: the new machine's name and its network.

use kluis_arm::time::WireTime;
use serde_json::{Map, Value, json};

use super::super::rows::{Point, RestoreDisk};
use crate::inventory::Os;

/// The template, ready to be deployed to the resource group of the disks.
pub(super) fn template(
    disks: &[RestoreDisk],
    point: &Point,
    location: &str,
    zone: Option<&str>,
) -> Value {
    let mut parameters = Map::new();
    let mut ask = |name: &str, default: Option<&str>, what: &str| {
        let mut parameter = json!({ "type": "string", "metadata": { "description": what } });
        if let Some(default) = default {
            parameter["defaultValue"] = json!(default);
        }
        parameters.insert(name.to_owned(), parameter);
    };
    ask(
        "VirtualMachineName",
        None,
        "Name of the virtual machine to make.",
    );
    ask(
        "VirtualNetwork",
        None,
        "Name of the virtual network that it is to be in.",
    );
    ask(
        "VirtualNetworkResourceGroup",
        Some("[resourceGroup().name]"),
        "Resource group of the virtual network.",
    );
    ask("Subnet", None, "Name of the subnet.");
    ask(
        "VirtualMachineSize",
        Some(&point.vm_size),
        "Hardware size of the virtual machine.",
    );
    ask(
        "Location",
        Some(location),
        "Region of the disks, and so of the virtual machine.",
    );
    let mut os_disk = Value::Null;
    let mut data_disks = Vec::new();
    for disk in disks {
        let parameter = disk.disk.lun.map_or_else(
            || "OsDiskName".to_owned(),
            |lun| format!("DataDisk{lun}Name"),
        );
        ask(&parameter, Some(&disk.name), "Name of the restored disk.");
        let id = format!("[resourceId('Microsoft.Compute/disks', parameters('{parameter}'))]");
        match disk.disk.lun {
            None => {
                os_disk = json!({
                    "osType": os(point), "createOption": "Attach", "managedDisk": { "id": id },
                });
            }
            Some(lun) => data_disks.push(json!({
                "lun": lun, "createOption": "Attach", "managedDisk": { "id": id },
            })),
        }
    }
    let interface = "[variables('networkInterface')]";
    let mut machine = json!({
        "type": "Microsoft.Compute/virtualMachines",
        "apiVersion": "2024-07-01",
        "name": "[parameters('VirtualMachineName')]",
        "location": "[parameters('Location')]",
        "dependsOn": ["[resourceId('Microsoft.Network/networkInterfaces', variables('networkInterface'))]"],
        "properties": {
            "hardwareProfile": { "vmSize": "[parameters('VirtualMachineSize')]" },
            "storageProfile": { "osDisk": os_disk, "dataDisks": data_disks },
            "networkProfile": { "networkInterfaces": [{
                "id": "[resourceId('Microsoft.Network/networkInterfaces', variables('networkInterface'))]",
            }] },
        },
    });
    if let Some(zone) = zone {
        machine["zones"] = json!([zone]);
    }
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": parameters,
        "variables": {
            "networkInterface": "[concat(parameters('VirtualMachineName'), '-nic')]",
            "subnet": "[resourceId(parameters('VirtualNetworkResourceGroup'), 'Microsoft.Network/virtualNetworks/subnets', \
                       parameters('VirtualNetwork'), parameters('Subnet'))]",
        },
        "resources": [
            {
                "type": "Microsoft.Network/networkInterfaces",
                "apiVersion": "2024-05-01",
                "name": interface,
                "location": "[parameters('Location')]",
                "properties": { "ipConfigurations": [{
                    "name": "ipconfig",
                    "properties": {
                        "privateIPAllocationMethod": "Dynamic",
                        "subnet": { "id": "[variables('subnet')]" },
                    },
                }] },
            },
            machine,
        ],
    })
}

/// What the machine was: Azure writes the names of the properties with their path.
pub(super) fn config(
    disks: &[RestoreDisk],
    point: &Point,
    vm_id: &str,
    location: &str,
    disk_id: impl Fn(&str) -> String,
) -> Value {
    let shown = |disk: &RestoreDisk| {
        let mut value = json!({
            "name": disk.name, "createOption": "Attach", "diskSizeGB": disk.disk.size.map(|size| size.div_ceil(1 << 30)),
            "managedDisk": { "id": disk_id(&disk.name), "storageAccountType": disk.disk.sku },
        });
        match disk.disk.lun {
            None => value["osType"] = json!(os(point)),
            Some(lun) => value["lun"] = json!(lun),
        }
        value
    };
    let (os_disks, data_disks): (Vec<&RestoreDisk>, Vec<&RestoreDisk>) =
        disks.iter().partition(|disk| disk.disk.lun.is_none());
    json!({
        "id": vm_id, "name": point.vm, "type": "Microsoft.Compute/virtualMachines", "location": location,
        "properties.hardwareProfile": { "vmSize": point.vm_size },
        "properties.storageProfile": {
            "osDisk": os_disks.first().map(|disk| shown(disk)),
            "dataDisks": data_disks.into_iter().map(shown).collect::<Vec<_>>(),
        },
        "recoveryPointTime": WireTime::from(point.time).to_string(),
    })
}

fn os(point: &Point) -> String {
    let os = if point.windows {
        Os::Windows
    } else {
        Os::Linux
    };
    format!("{os:?}")
}
