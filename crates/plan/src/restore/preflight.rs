//! What has to hold before a restore is asked for: found out beforehand, and said with the way out, instead of learnt from a job that
//! fails after an hour.

use kluis_arm::id::{ResourceGroupId, VmId};
use kluis_arm::region;

use super::goal::Goal;
use super::staging;
use crate::gate::Target;
use crate::vault::is_same_location;
use crate::waiting::Waiting;
use crate::world::{NetworkFact, Observed, RestoreWorld, VmFact, Want};

/// What has to be read to know.
pub(super) fn wants(world: &RestoreWorld, target: &Target<'_>, goal: &Goal<'_>) -> Vec<Want> {
    let staging = staging::want(world, target, goal);
    let vm = |id: &VmId| (!world.vms.contains_key(id)).then(|| Want::Vm(id.clone()));
    let more: Vec<Want> = match goal {
        Goal::Disks { .. } => Vec::new(),
        Goal::NewVm {
            vm: id, network, ..
        } => {
            let network = world
                .network
                .is_none()
                .then(|| Want::Network(network.clone()));
            // One and the same, when a machine that is gone comes back under its name.
            let source = (*id != target.vm).then(|| vm(&target.vm)).flatten();
            let group = world.disks.is_none().then(|| Want::Disks(id.group()));
            vm(id)
                .into_iter()
                .chain(source)
                .chain(network)
                .chain(group)
                .collect()
        }
        Goal::InPlace { vm: id, .. } => vm(id).into_iter().collect(),
        Goal::Files { .. } => {
            let files = world.files.is_none().then_some(Want::FilesExtension);
            files.into_iter().collect()
        }
    };
    staging.into_iter().chain(more).collect()
}

/// The first thing that stands in the way.
pub(super) fn check(
    world: &RestoreWorld,
    target: &Target<'_>,
    goal: &Goal<'_>,
) -> Result<(), Waiting> {
    has_zone(goal.zone(), &target.vault.region())?;
    match goal {
        Goal::Disks { group, .. } => has_group(world, group, "to.disks.resourceGroup")?,
        Goal::NewVm {
            vm,
            network,
            subnet,
            ..
        } => {
            has_group(world, &vm.group(), "to.newVM.resourceGroup")?;
            let full = format!("{}/{}", network.resource_group, network.name);
            let found = known(world.network.as_ref(), "the network")?;
            has_subnet(found, &full, subnet.as_str())?;
            if let Some(found) = found
                && !is_same_location(&found.location, &target.vault.spec.location)
            {
                return Err(Waiting::NetworkElsewhere {
                    network: full,
                    found: found.location.clone(),
                    vault: target.vault.spec.location.clone(),
                });
            }
            if known(world.vms.get(vm), "the machine's name")?.is_some() {
                return Err(Waiting::NameTaken {
                    vm: format!("{}/{}", vm.resource_group, vm.name),
                });
            }
            // Of one that is gone the service knows what it was, and has the word.
            if let Some(source) =
                known(world.vms.get(&target.vm), "the machine that was backed up")?
            {
                is_untied(source)?;
            }
        }
        Goal::InPlace { vm, luns, .. } => {
            let full = format!("{}/{}", vm.resource_group, vm.name);
            match known(world.vms.get(vm), "the machine")? {
                None => return Err(Waiting::NothingToReplace { vm: full }),
                Some(found) => is_replaceable(found, luns.unwrap_or_default(), full)?,
            }
        }
        Goal::Files { .. } => {
            if known(world.files.as_ref(), "what the service offers")?.is_none() {
                return Err(Waiting::NotOfferedByService {
                    what: "A restore of files",
                    endpoint: target.service.spec.endpoint.clone(),
                });
            }
        }
    }
    staging::account(world, target, goal).map(|_| ())
}

/// Where the disks of a group cannot be listed because there is none, there is no group.
fn has_group(
    world: &RestoreWorld,
    group: &ResourceGroupId,
    field: &'static str,
) -> Result<(), Waiting> {
    match &world.disks {
        Some(Observed::Absent) => Err(Waiting::GroupNotFound {
            group: group.name.to_string(),
            field,
        }),
        Some(Observed::Found(_) | Observed::Unknown(_)) | None => Ok(()),
    }
}

fn has_subnet(found: Option<&NetworkFact>, network: &str, subnet: &str) -> Result<(), Waiting> {
    let has = found.is_some_and(|found| {
        let mut names = found.subnets.iter();
        names.any(|own| own.eq_ignore_ascii_case(subnet))
    });
    if has {
        return Ok(());
    }
    Err(Waiting::NetworkNotFound {
        network: network.to_owned(),
        subnet: found.map(|_| subnet.to_owned()),
    })
}

/// Rule 29: the zone is that of the machine, or another that the region has.
fn has_zone(zone: Option<&str>, region: &str) -> Result<(), Waiting> {
    match zone {
        Some(zone) if !region::has_zones(region) => Err(Waiting::ZoneNotFound {
            zone: zone.to_owned(),
            region: region.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Rule 27: what Azure does not make again.
fn is_untied(source: &VmFact) -> Result<(), Waiting> {
    let ties = &source.ties;
    let why = if let Some(set) = &ties.availability_set {
        format!("it is in the availability set {set}")
    } else if let Some(product) = &ties.marketplace {
        format!("its Marketplace image, {product}, was bought")
    } else if ties.has_diagnostics {
        "Azure's diagnostics extension is in it".to_owned()
    } else {
        return Ok(());
    };
    Err(Waiting::NotRestorableAsNew {
        vm: format!("{}/{}", source.id.resource_group, source.id.name),
        why,
    })
}

/// Rule 28.
fn is_replaceable(found: &VmFact, luns: &[u32], vm: String) -> Result<(), Waiting> {
    let missing = luns
        .iter()
        .find(|lun| !found.disks.iter().any(|disk| disk.lun == Some(**lun)));
    let why = if found.disks.iter().any(|disk| disk.disk.is_none()) {
        Some("its disks are not managed ones (rule 28)".to_owned())
    } else if found.is_encrypted {
        Some("its disks are encrypted (rule 28)".to_owned())
    } else {
        missing.map(|lun| format!("it has no data disk with LUN {lun}"))
    };
    why.map_or(Ok(()), |why| Err(Waiting::NotReplaceable { vm, why }))
}

/// What was found, or that it is not there; `Err` while neither is known.
pub(super) fn known<'a, T>(
    fact: Option<&'a Observed<T>>,
    what: &str,
) -> Result<Option<&'a T>, Waiting> {
    match fact {
        Some(Observed::Found(found)) => Ok(Some(found)),
        Some(Observed::Absent) => Ok(None),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        None => Err(Waiting::StillProvisioning {
            what: what.to_owned(),
        }),
    }
}
