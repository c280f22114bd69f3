//! Managed disks: those that restores made, and where each disk that exists is.

use std::path::PathBuf;

use jiff::Timestamp;
use kluis_vault::InUse;
use serde::{Deserialize, Serialize};

use crate::inventory::{Disk, Os, VirtualMachine, same};
use crate::store::Row;

/// A managed disk that exists because a restore made it. It belongs to a resource group, not to the vault it came from,
/// and outlives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredDisk {
    /// Its resource group, in the inventory's case.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The kind of disk, like `Premium_LRS`.
    pub sku: String,
    /// The system on it, when it is an OS disk.
    pub os: Option<Os>,
    /// Its zone, when it was asked for in one.
    #[serde(default)]
    pub zone: Option<String>,
    /// When it was restored.
    pub created: Timestamp,
    /// The ARM id of the machine whose disk it was.
    pub source_vm_id: String,
    /// Its file.
    pub path: PathBuf,
    /// What its mover read back, in one sum (see [`kluis_vault::Event::Restored`]), in hexadecimal.
    pub sha256: String,
}

impl Row for RestoredDisk {
    const TABLE: &'static str = "restored";

    fn key(&self) -> String {
        Self::key_of(&self.resource_group, &self.name)
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl RestoredDisk {
    pub(super) fn key_of(resource_group: &str, name: &str) -> String {
        format!("{}/{}", resource_group.to_lowercase(), name.to_lowercase())
    }
}

/// A disk as a machine has it: one that the inventory does not know, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Where it is attached; `None` for the OS disk alone.
    pub lun: Option<u32>,
    /// The kind of disk.
    pub sku: String,
}

impl From<&Disk> for Attached {
    fn from(disk: &Disk) -> Self {
        Self {
            name: disk.name.clone(),
            path: disk.path.clone(),
            lun: disk.lun,
            sku: disk.sku.clone(),
        }
    }
}

impl From<&Attached> for Disk {
    fn from(disk: &Attached) -> Self {
        Self {
            name: disk.name.clone(),
            path: disk.path.clone(),
            lun: disk.lun,
            sku: disk.sku.clone(),
            shared: false,
            write_accelerator: false,
            in_use: InUse::default(),
        }
    }
}

/// A managed disk and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Its resource group.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// The kind of disk.
    pub sku: String,
    /// The system on it, when it is an OS disk.
    pub os: Option<Os>,
    /// Its file.
    pub path: PathBuf,
    /// Whether machines share it.
    pub shared: bool,
    /// The name of the machine of the same group that has it.
    pub machine: Option<String>,
    /// What a restore knows of it, when one made it.
    pub restored: Option<RestoredDisk>,
}

impl Placed {
    /// Whether these are its names, in any case.
    #[must_use]
    pub fn is(&self, resource_group: &str, name: &str) -> bool {
        same(&self.resource_group, resource_group) && same(&self.name, name)
    }

    pub(super) fn attached(vm: &VirtualMachine, disk: &Disk, row: Option<&RestoredDisk>) -> Self {
        Self {
            resource_group: vm.resource_group.clone(),
            name: disk.name.clone(),
            location: vm.location.clone(),
            sku: disk.sku.clone(),
            os: disk.lun.is_none().then_some(vm.os),
            path: disk.path.clone(),
            shared: disk.shared,
            machine: Some(vm.name.clone()),
            restored: row.cloned(),
        }
    }

    pub(super) fn taken_out(vm: &VirtualMachine, disk: &Attached) -> Self {
        Self {
            machine: None,
            ..Self::attached(vm, &Disk::from(disk), None)
        }
    }

    pub(super) fn made(row: RestoredDisk) -> Self {
        Self {
            resource_group: row.resource_group.clone(),
            name: row.name.clone(),
            location: row.location.clone(),
            sku: row.sku.clone(),
            os: row.os,
            path: row.path.clone(),
            shared: false,
            machine: None,
            restored: Some(row),
        }
    }
}
