//! What lies outside vaults, read off its JSON: machines, disks, storage accounts, networks. Only the few fields that plans look at.

use kluis_arm::id::VmId;
use kluis_client::{ArmRequest, Failure};
use kluis_plan::{DiskFact, NetworkFact, StorageAccountFact, VmDisk, VmFact, VmTies};
use serde_json::Value;

/// A virtual machine.
///
/// # Errors
/// When it has no location, or has a disk whose id cannot be read: left out, it would look absent.
pub(super) fn vm(request: &ArmRequest, body: &Value, id: &VmId) -> Result<VmFact, Failure> {
    let storage = &body["properties"]["storageProfile"];
    let os = std::iter::once(&storage["osDisk"]).filter(|disk| disk.is_object());
    let data = storage["dataDisks"].as_array().into_iter().flatten();
    let disk = |disk: &Value, lun| {
        let managed = disk["managedDisk"]["id"].as_str();
        let managed = managed.map(str::parse).transpose();
        let managed = managed.map_err(|_| unreadable(request, "a disk of it has no id"))?;
        Ok(VmDisk { lun, disk: managed })
    };
    let os = os.map(|one| disk(one, None));
    let data = data.map(|one| {
        let lun = one["lun"].as_u64().and_then(|lun| u32::try_from(lun).ok());
        disk(one, lun)
    });
    Ok(VmFact {
        id: id.clone(),
        location: text(request, body, "location")?,
        disks: os.chain(data).collect::<Result<_, Failure>>()?,
        is_encrypted: storage["osDisk"]["encryptionSettings"]["enabled"] == true,
        ties: ties(body),
    })
}

/// What keeps a restore from making another like it. Boot diagnostics, which most machines have, are none of it: what Azure does not
/// restore to a new machine is the diagnostics extension.
fn ties(body: &Value) -> VmTies {
    let set = body["properties"]["availabilitySet"]["id"].as_str();
    let mut extensions = body["resources"].as_array().into_iter().flatten();
    let is_diagnostics = |extension: &Value| {
        let publisher = extension["properties"]["publisher"].as_str();
        publisher.is_some_and(|publisher| publisher.eq_ignore_ascii_case(DIAGNOSTICS))
    };
    VmTies {
        availability_set: set.and_then(|id| id.rsplit('/').next()).map(str::to_owned),
        marketplace: body["plan"]["product"].as_str().map(str::to_owned),
        has_diagnostics: extensions.any(is_diagnostics),
    }
}

/// Who publishes `IaaSDiagnostics` and `LinuxDiagnostic`.
const DIAGNOSTICS: &str = "Microsoft.Azure.Diagnostics";

/// A virtual network.
///
/// # Errors
/// When it has no location.
pub(super) fn network(request: &ArmRequest, body: &Value) -> Result<NetworkFact, Failure> {
    let subnets = body["properties"]["subnets"].as_array();
    let names = subnets.into_iter().flatten().map(|subnet| &subnet["name"]);
    Ok(NetworkFact {
        location: text(request, body, "location")?,
        subnets: names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    })
}

/// A storage account; None when it is not of a form that ours have.
pub(super) fn account(body: &Value) -> Option<StorageAccountFact> {
    Some(StorageAccountFact {
        id: body["id"].as_str()?.parse().ok()?,
        kind: body["kind"].as_str().map(str::to_owned),
        location: body["location"].as_str()?.to_owned(),
    })
}

/// A managed disk; None when it is not of a form that ours have.
pub(super) fn disk(body: &Value) -> Option<DiskFact> {
    let properties = &body["properties"];
    let gib = || properties["diskSizeGB"].as_u64().map(|gib| gib << 30);
    Some(DiskFact {
        id: body["id"].as_str()?.parse().ok()?,
        created: properties["timeCreated"]
            .as_str()
            .and_then(|at| at.parse().ok()),
        size_bytes: properties["diskSizeBytes"].as_u64().or_else(gib),
    })
}

fn text(request: &ArmRequest, body: &Value, field: &str) -> Result<String, Failure> {
    let found = body[field].as_str().map(str::to_owned);
    found.ok_or_else(|| unreadable(request, &format!("there is no {field} in it")))
}

fn unreadable(request: &ArmRequest, problem: &str) -> Failure {
    Failure::Unreadable {
        operation: request.to_string(),
        problem: problem.to_owned(),
    }
}
