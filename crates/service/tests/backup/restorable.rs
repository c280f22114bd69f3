//! A machine with a recovery point, a network to restore into, and the requests for each kind of restore.

use http::Method;
use serde_json::{Value, json};

use super::world::{ITEM, SUBSCRIPTION, World, restore_request};

/// `web-1` with one recovery point, and the path at which it is restored.
pub(super) fn with_a_point() -> (World, String) {
    let mut world = with_a_network();
    world.protect();
    world.backup_now();
    world.settle();
    let path = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    (world, path)
}

/// The world with a network in the machines' region and one far away.
pub(super) fn with_a_network() -> World {
    let mut world = World::new();
    let groups = &mut world.inventory.resource_groups;
    groups[0]
        .virtual_networks
        .insert("shop-net".to_owned(), vec!["default".to_owned()]);
    let mut far = groups[1].clone();
    far.name = "far-rg".to_owned();
    far.location = "northeurope".to_owned();
    far.virtual_networks
        .insert("far-net".to_owned(), vec!["default".to_owned()]);
    groups.push(far);
    world
}

pub(super) fn group(name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}")
}

pub(super) fn machine(resource_group: &str, name: &str) -> String {
    format!(
        "{}/providers/Microsoft.Compute/virtualMachines/{name}",
        group(resource_group)
    )
}

pub(super) fn network(resource_group: &str, name: &str) -> String {
    format!(
        "{}/providers/Microsoft.Network/virtualNetworks/{name}",
        group(resource_group)
    )
}

/// A new machine in `shop-restored`.
pub(super) fn new_machine(name: &str) -> Value {
    let mut body = restore_request("shop-restored");
    let properties = &mut body["properties"];
    properties["recoveryType"] = json!("AlternateLocation");
    properties["targetVirtualMachineId"] = json!(machine("shop-restored", name));
    properties["virtualNetworkId"] = json!(network("shop-rg", "shop-net"));
    properties["subnetId"] = json!(format!(
        "{}/subnets/default",
        network("shop-rg", "shop-net")
    ));
    body
}

/// The machine's own disks, at these LUNs or all.
pub(super) fn in_place(luns: Option<&[i32]>) -> Value {
    let mut body = restore_request("shop-rg");
    body["properties"]["recoveryType"] = json!("OriginalLocation");
    if let Some(luns) = luns {
        body["properties"]["restoreDiskLunList"] = json!(luns);
    }
    body
}

impl World {
    /// The names of the disks that ARM says a machine has, the OS disk first.
    pub(super) fn disks_of(&mut self, resource_group: &str, name: &str) -> Vec<String> {
        let vm = self.get(&machine(resource_group, name));
        let profile = &vm["properties"]["storageProfile"];
        let data = profile["dataDisks"].as_array().unwrap();
        std::iter::once(&profile["osDisk"])
            .chain(data)
            .map(|disk| disk["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The disks of a resource group: their names, and the machine that has each.
    pub(super) fn disks_in(&mut self, resource_group: &str) -> Vec<String> {
        let path = format!(
            "{}/providers/Microsoft.Compute/disks",
            group(resource_group)
        );
        let page = self.get(&path);
        let shown = |disk: &Value| {
            let owner = disk["managedBy"].as_str().unwrap_or("-");
            let owner = owner.rsplit('/').next().unwrap_or("-");
            format!("{} {owner}", disk["name"].as_str().unwrap())
        };
        page["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(shown)
            .collect()
    }

    /// Whether ARM has a machine.
    pub(super) fn has_machine(&mut self, resource_group: &str, name: &str) -> bool {
        let path = machine(resource_group, name);
        self.request(Method::GET, &path, None).status == 200
    }

    /// What a job says of itself by this name.
    pub(super) fn fact(&mut self, job: &str, name: &str) -> String {
        let fact = &self.job(job)["extendedInfo"]["propertyBag"][name];
        fact.as_str().unwrap_or_default().to_owned()
    }
}
