//! A restore to a new machine: its name must be free, its network must exist, its source need not.

use kluis_arm::error::code;
use kluis_arm::id::{SubnetId, VmId};

use super::super::rows::{Goal, Point, RestoreDisk, Shape};
use super::super::{discovery, refusals};
use super::wanted::{Target, Wanted};
use super::{Asked, choice, preflight, zone};
use crate::core::{Context, Refusal};
use crate::estate::{self, Attached, MadeMachine, Network};
use crate::inventory::{Os, Ties};
use crate::store::Tx;

/// The longest name that Azure gives a machine, and the longest of a Windows computer.
const LONGEST_NAME: usize = 64;
const LONGEST_WINDOWS_NAME: usize = 15;

/// The group, the disks and the machine that are to be.
pub(super) fn planned(
    wanted: &Wanted,
    asked: &Asked<'_>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<(String, Vec<RestoreDisk>, Goal), Refusal> {
    let Target::Machine { vm, subnet } = &wanted.target else {
        return Err(refusals::invalid_input(
            "'targetVirtualMachineId' is missing.",
        ));
    };
    let group = preflight::group(vm.resource_group.as_str(), ctx)?;
    let shape = shape(asked);
    untied(&asked.point.vm, &shape.ties)?;
    named(vm, asked.point)?;
    free(&group, vm.name.as_str(), ctx, tx)?;
    connected(subnet, asked, ctx)?;
    let chosen = choice::with_the_os_disk(&wanted.luns, asked.point)?;
    let chosen = choice::of_one_kind(chosen, asked);
    let name = |disk: &super::super::rows::PointDisk| match disk.lun {
        None => format!("{}-os", vm.name),
        Some(lun) => format!("{}-lun{lun}", vm.name),
    };
    let disks = choice::targets(chosen, &group, name, ctx)?;
    let made = made(&group, vm, subnet, &disks, shape, wanted, asked, ctx);
    Ok((group, disks, Goal::Machine(Box::new(made))))
}

/// What the machine was; of a point that nobody wrote it down of, what it is now.
fn shape(asked: &Asked<'_>) -> Shape {
    let then = asked.point.shape.clone();
    then.or_else(|| asked.source.map(Shape::from))
        .unwrap_or_default()
}

/// Rule 27: what Azure does not make again of a machine's backup.
fn untied(vm: &str, ties: &Ties) -> Result<(), Refusal> {
    let (code, why) = if let Some(set) = &ties.availability_set {
        (
            "UserErrorAvailabilitySetRestoreNotSupported",
            format!("was in the availability set '{set}', and none is restored into one"),
        )
    } else if let Some(plan) = &ties.plan {
        (
            "UserErrorMarketPlaceVMNotSupported",
            format!(
                "was made of the Marketplace image '{}' of '{}', which a restore can't buy again",
                plan.product, plan.publisher
            ),
        )
    } else if ties.diagnostics {
        (
            "UserErrorDiagnosticSettingsRestoreNotSupported",
            "had Azure's diagnostics extension, with which no machine is made anew".to_owned(),
        )
    } else {
        return Ok(());
    };
    Err(Refusal::bad_request(
        code,
        format!(
            "'{vm}' {why} (rule 27). Restore its disks, and make the machine of them with the template that lies beside them."
        ),
    ))
}

/// A machine's name becomes parts of names of files.
fn named(vm: &VmId, point: &Point) -> Result<(), Refusal> {
    let name = vm.name.as_str();
    let longest = if point.windows {
        LONGEST_WINDOWS_NAME
    } else {
        LONGEST_NAME
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= longest && name.chars().all(fits) && !name.ends_with(['.', '-']) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "UserErrorInvalidVirtualMachineName",
        format!(
            "'{name}' can't name the new machine: letters of ASCII, digits, '-', '_' and '.', beginning with a letter or \
             digit, not ending in '.' or '-', at most {longest} bytes."
        ),
    ))
}

fn free(group: &str, name: &str, ctx: &Context<'_>, tx: &Tx<'_>) -> Result<(), Refusal> {
    let taken = estate::vm(ctx, tx, group, name)?.is_some();
    if taken || preflight::machine_is_promised(group, name, tx)? {
        return Err(Refusal::conflict(
            code::TARGET_MACHINE_EXISTS,
            format!(
                "A virtual machine '{name}' is already in resource group '{group}', or being restored there. Choose another name."
            ),
        ));
    }
    Ok(())
}

/// The network is in the inventory, has the subnet, and is in the vault's region.
fn connected(subnet: &SubnetId, asked: &Asked<'_>, ctx: &Context<'_>) -> Result<(), Refusal> {
    let network = &subnet.network;
    let found = estate::network(
        ctx,
        network.resource_group.as_str(),
        network.name.as_str(),
        subnet.name.as_str(),
    );
    match found {
        Network::Missing => Err(Refusal::bad_request(
            "UserErrorVirtualNetworkNotFound",
            format!(
                "The virtual network '{}' of resource group '{}' does not exist; a machine is restored into a network that does (rule 27).",
                network.name, network.resource_group
            ),
        )),
        Network::WithoutSubnet => Err(Refusal::bad_request(
            "UserErrorSubnetNotFound",
            format!(
                "The virtual network '{}' has no subnet '{}' (rule 27).",
                network.name, subnet.name
            ),
        )),
        Network::Found { location }
            if !discovery::same_region(&location, &asked.vault.location) =>
        {
            Err(Refusal::bad_request(
                "UserErrorRestoreRegionMismatch",
                format!(
                    "The virtual network '{}' is in region '{location}'; a machine is restored in the vault's region '{}' (rule 27).",
                    network.name, asked.vault.location
                ),
            ))
        }
        Network::Found { .. } => Ok(()),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a machine is of all of what was found out before it"
)]
fn made(
    group: &str,
    vm: &VmId,
    subnet: &SubnetId,
    disks: &[RestoreDisk],
    shape: Shape,
    wanted: &Wanted,
    asked: &Asked<'_>,
    ctx: &Context<'_>,
) -> MadeMachine {
    let point = asked.point;
    MadeMachine {
        resource_group: group.to_owned(),
        name: vm.name.to_string(),
        location: asked.vault.location.clone(),
        os: if point.windows {
            Os::Windows
        } else {
            Os::Linux
        },
        size: point.vm_size.clone(),
        cores: shape.cores,
        memory_gib: shape.memory_gib,
        zone: zone::of(wanted, asked),
        generation: shape.generation,
        encryption: shape.encryption,
        keys: shape.keys,
        disks: disks.iter().map(attached).collect(),
        subnet_id: subnet.to_string(),
        created: ctx.now,
        source_vm_id: asked.item.vm_id.clone(),
    }
}

/// A restored disk as its machine has it.
pub(super) fn attached(disk: &RestoreDisk) -> Attached {
    Attached {
        name: disk.name.clone(),
        path: disk.path.clone(),
        lun: disk.disk.lun,
        sku: disk.disk.sku.clone(),
    }
}
