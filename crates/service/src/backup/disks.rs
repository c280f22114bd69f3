//! Which of a machine's disks a backup takes, and which machines can be backed up at all: Azure's limits.

use std::path::Path;

use super::failure::{self, Limit};
use super::rows::{DiskChoice, Fault, PointDisk};
use crate::inventory::{Disk, VirtualMachine};

/// Disks that are backed up of one machine: managed ones, and those of a machine of the old kind.
const MOST: usize = 32;
const MOST_UNMANAGED: usize = 16;
/// Sizes in bytes: of one disk, and of a machine's disks together.
const LARGEST: u64 = 32 << 40;
const LARGEST_TOGETHER: u64 = 256 << 40;
const FEWEST_CORES: u32 = 2;
const LEAST_MEMORY_GIB: f64 = 1.0;
/// Kinds of disk by the beginning of their names: those that every policy backs up, and those that only an enhanced one does.
const USUAL_KINDS: [&str; 3] = ["standard_", "standardssd_", "premium_"];
const ENHANCED_KINDS: [&str; 2] = ["ultrassd_", "premiumv2_"];

/// A machine's disks, parted by whether a backup takes them.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) taken: Vec<&'a Disk>,
    pub(super) left_out: Vec<&'a Disk>,
    /// Those that nobody chose to leave out: they can't be backed up.
    pub(super) skipped: Vec<&'a Disk>,
}

/// The disks that a choice takes. A data disk whose writes are accelerated is left out whatever was chosen, as in Azure.
pub(super) fn chosen<'a>(vm: &'a VirtualMachine, choice: Option<&DiskChoice>) -> Chosen<'a> {
    let mut parts = Chosen {
        taken: Vec::new(),
        left_out: Vec::new(),
        skipped: Vec::new(),
    };
    for disk in &vm.disks {
        let wanted = choice.is_none_or(|choice| choice.takes(disk.lun));
        let possible = disk.lun.is_none() || !disk.write_accelerator;
        if wanted && possible {
            parts.taken.push(disk);
        } else {
            parts.left_out.push(disk);
        }
        if wanted && !possible {
            parts.skipped.push(disk);
        }
    }
    parts
}

/// Whether a machine and its chosen disks are within the limits; `size` tells a disk's size in bytes where it can be told.
pub(super) fn fit(
    vm: &VirtualMachine,
    chosen: &Chosen<'_>,
    enhanced: bool,
    size: impl Fn(&Path) -> Option<u64>,
) -> Result<(), Fault> {
    let disks = &chosen.taken;
    if disks.is_empty() {
        return Err(failure::no_disks(&vm.name));
    }
    let most = if vm.managed { MOST } else { MOST_UNMANAGED };
    if disks.len() > most {
        return Err(failure::limit(&Limit::Disks {
            vm: &vm.name,
            has: disks.len(),
            most,
        }));
    }
    if vm.cores < FEWEST_CORES || vm.memory_gib < LEAST_MEMORY_GIB {
        return Err(failure::limit(&Limit::MachineSize {
            vm: &vm.name,
            cores: vm.cores,
            memory_gib: vm.memory_gib,
            fewest_cores: FEWEST_CORES,
            least_gib: LEAST_MEMORY_GIB,
        }));
    }
    let mut together = 0_u64;
    for disk in disks {
        kind(disk, enhanced)?;
        let size = size(&disk.path).unwrap_or_default();
        if size > LARGEST {
            return Err(failure::limit(&Limit::DiskSize {
                disk: &disk.name,
                has: size,
                most: LARGEST,
            }));
        }
        together = together.saturating_add(size);
    }
    if together > LARGEST_TOGETHER {
        return Err(failure::limit(&Limit::DisksTogether {
            vm: &vm.name,
            has: together,
            most: LARGEST_TOGETHER,
        }));
    }
    Ok(())
}

fn kind(disk: &Disk, enhanced: bool) -> Result<(), Fault> {
    if disk.shared {
        return Err(failure::limit(&Limit::Shared {
            disk: &disk.name,
            lun: disk.lun,
        }));
    }
    let sku = disk.sku.to_lowercase();
    let is_of = |kinds: &[&str]| kinds.iter().any(|kind| sku.starts_with(kind));
    if is_of(&USUAL_KINDS) || enhanced && is_of(&ENHANCED_KINDS) {
        return Ok(());
    }
    Err(failure::limit(&if is_of(&ENHANCED_KINDS) {
        Limit::EnhancedOnly {
            disk: &disk.name,
            sku: &disk.sku,
        }
    } else {
        Limit::Kind {
            disk: &disk.name,
            sku: &disk.sku,
        }
    }))
}

/// The LUNs that a choice wants and the machine does not have.
pub(super) fn unknown_luns(vm: &VirtualMachine, choice: &DiskChoice) -> Vec<u32> {
    let has = |lun: &u32| vm.disks.iter().any(|disk| disk.lun == Some(*lun));
    choice
        .luns
        .iter()
        .filter(|lun| choice.inclusion && !has(lun))
        .copied()
        .collect()
}

/// A disk as a recovery point remembers it.
pub(super) fn remembered(vm: &VirtualMachine, disk: &Disk) -> PointDisk {
    PointDisk {
        name: disk.name.clone(),
        lun: disk.lun,
        sku: disk.sku.clone(),
        size: None,
        os: disk.lun.is_none().then(|| vm.os.into()),
        format: kluis_vault::DiskFormat::Raw,
    }
}
