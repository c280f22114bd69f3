//! Azure's limits of machines (rows 22 to 25 of the rules), from a machine that breaks one to what its ProtectedVM says: `Stalled`, with the
//! number, against the service's own core.

use crate::simulation::{Azure, Order, Simulation, manifest};
use futures::executor::block_on;
use kluis_operator::Kind;

/// A machine with these disks and this, under one of the vault's own policies: `Stalled`'s message, or `Ready`'s where it is ready.
fn said(disks: &str, facts: &str, policy: &str) -> String {
    let inventory = format!(
        "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1: {{ os: Linux, disks: [{disks}]{facts} }}
"
    );
    let mut world = Simulation::with(Azure::of(&inventory), Order::Plain, None);
    for kind in [Kind::BackupService, Kind::Vault] {
        world.objects.apply(kind, &manifest(kind));
    }
    let mut machine = manifest(Kind::ProtectedVM);
    machine["spec"]["policyRef"] = serde_json::json!({ "azureName": policy });
    let key = world.objects.apply(Kind::ProtectedVM, &machine);
    // What is refused is asked again after a while, so that it comes to rest only where it is taken.
    let _ = block_on(world.try_settle());
    let object = world.objects.peek(&key).unwrap();
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let is = |wanted: &str| {
        let of_type = conditions.iter().find(|one| one["type"] == wanted);
        of_type.filter(|one| one["status"] == "True")
    };
    let told = is("Stalled").or(is("Ready")).unwrap();
    let text = |field: &str| told[field].as_str().unwrap().to_owned();
    format!("{}: {}", text("type"), text("message"))
}

fn disks(count: usize) -> String {
    let data = (0..count - 1).map(|lun| format!(", {{ path: data-{lun}.raw, lun: {lun} }}"));
    format!("{{ path: os.raw }}{}", data.collect::<String>())
}

/// It is stalled, with the number.
fn stalled(said: &str, number: &str) {
    assert!(
        said.starts_with("Stalled: ") && said.contains(number),
        "{said}"
    );
}

#[test]
fn row_22_the_number_of_disks() {
    let fits = said(&disks(32), "", "DefaultPolicy");
    assert!(fits.starts_with("Ready: "), "{fits}");
    stalled(&said(&disks(33), "", "DefaultPolicy"), "no more than 32");
    let unmanaged = said(&disks(17), ", managed: false", "DefaultPolicy");
    stalled(&unmanaged, "no more than 16");
}

#[test]
fn row_23_the_size_of_disks() {
    let fits = said("{ path: 32-tib.raw }", "", "DefaultPolicy");
    assert!(fits.starts_with("Ready: "), "{fits}");
    let large = said("{ path: 33-tib.raw }", "", "DefaultPolicy");
    stalled(&large, "up to 32 TB");
    let nine: Vec<String> = (0..9)
        .map(|index| match index {
            0 => "{ name: os, path: a/30-tib.raw }".to_owned(),
            index => format!("{{ name: data-{index}, path: {index}/30-tib.raw, lun: {index} }}"),
        })
        .collect();
    stalled(&said(&nine.join(", "), "", "DefaultPolicy"), "up to 256 TB");
}

#[test]
fn row_24_the_size_of_the_machine() {
    let one_core = said(&disks(1), ", cores: 1", "DefaultPolicy");
    stalled(&one_core, "at least 2 cores");
    let little_memory = said(&disks(1), ", memoryGiB: 0.5", "DefaultPolicy");
    stalled(&little_memory, "1 GB");
}

#[test]
fn row_25_the_kind_of_disk() {
    let ultra = "{ path: os.raw }, { path: data.raw, lun: 0, sku: UltraSSD_LRS }";
    let enhanced = said(ultra, "", "EnhancedPolicy");
    assert!(enhanced.starts_with("Ready: "), "{enhanced}");
    stalled(&said(ultra, "", "DefaultPolicy"), "UltraSSD_LRS");
    let shared = "{ path: os.raw }, { path: data.raw, lun: 1, shared: true }";
    stalled(&said(shared, "", "EnhancedPolicy"), "LUN 1");
}
