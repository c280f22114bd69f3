//! A machine and its disks as the inventory's file writes them.

use std::path::{Path, PathBuf};

use kluis_vault::InUse;
use serde::Deserialize;
use serde_yaml::Spanned;

use super::encryption::WrittenEncryption;
use super::file::named;
use super::ties::{Plan, Ties};
use super::{Disk, Os, Power, VirtualMachine, same, scripts};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Machine {
    #[serde(default)]
    os: Os,
    disks: Vec<Spanned<WrittenDisk>>,
    location: Option<String>,
    size: Option<String>,
    cores: Option<u32>,
    #[serde(rename = "memoryGiB")]
    memory_gib: Option<f64>,
    #[serde(default)]
    power: Power,
    zone: Option<String>,
    generation: Option<u8>,
    managed: Option<bool>,
    #[serde(default)]
    encryption: WrittenEncryption,
    availability_set: Option<String>,
    plan: Option<Plan>,
    #[serde(default)]
    diagnostics: bool,
    agent: Option<bool>,
    scripts: Option<scripts::Written>,
    in_use: Option<InUse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenDisk {
    path: PathBuf,
    name: Option<String>,
    lun: Option<u32>,
    sku: Option<String>,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    write_accelerator: bool,
    in_use: Option<InUse>,
}

impl Machine {
    /// The machine, or the line and what is wrong with it.
    pub(super) fn understood(
        self,
        group: &str,
        location: &str,
        name: String,
        line: u64,
        folder: &Path,
    ) -> Result<VirtualMachine, (u64, String)> {
        if self.disks.is_empty() {
            return Err((
                line,
                format!("the virtual machine '{name}' has no disks; the first is its OS disk"),
            ));
        }
        let mut disks: Vec<Disk> = Vec::new();
        for (place, disk) in self.disks.into_iter().enumerate() {
            let at = disk.referenced.line();
            let disk = disk
                .value
                .understood(&name, place, self.in_use, at, folder)?;
            if disks.iter().any(|other| same(&other.name, &disk.name)) {
                return Err((at, format!("'{name}' has two disks named '{}'", disk.name)));
            }
            if disk.lun.is_some() && disks.iter().any(|other| other.lun == disk.lun) {
                return Err((
                    at,
                    format!("'{name}' has two disks at the same lun; give each its own"),
                ));
            }
            disks.push(disk);
        }
        let (encryption, keys) = self.encryption.understood(group);
        Ok(VirtualMachine {
            resource_group: group.to_owned(),
            location: self.location.map_or_else(
                || location.to_owned(),
                |own| own.to_lowercase().replace(' ', ""),
            ),
            name,
            os: self.os,
            power: self.power,
            size: self.size.unwrap_or_else(|| "Standard_D2s_v5".to_owned()),
            cores: self.cores.unwrap_or(2),
            memory_gib: self.memory_gib.unwrap_or(8.0),
            zone: self.zone,
            generation: self.generation.unwrap_or(2),
            managed: self.managed.unwrap_or(true),
            encryption,
            keys,
            ties: Ties {
                availability_set: self.availability_set,
                plan: self.plan,
                diagnostics: self.diagnostics,
            },
            agent: self.agent.unwrap_or(true),
            scripts: self
                .scripts
                .map(|scripts| scripts.understood(folder))
                .transpose()
                .map_err(|message| (line, message))?,
            disks,
        })
    }
}

impl WrittenDisk {
    fn understood(
        self,
        vm: &str,
        place: usize,
        of_machine: Option<InUse>,
        line: u64,
        folder: &Path,
    ) -> Result<Disk, (u64, String)> {
        let lun = match (place, self.lun) {
            (0, Some(_)) => {
                return Err((
                    line,
                    format!("the first disk of '{vm}' is its OS disk, which has no lun"),
                ));
            }
            (0, None) => None,
            // Data disks are numbered from 0 in the order they are written.
            (place, lun) => Some(lun.unwrap_or(u32::try_from(place - 1).unwrap_or(u32::MAX))),
        };
        let name = self.name.unwrap_or_else(|| {
            lun.map_or_else(|| format!("{vm}-os"), |lun| format!("{vm}-lun{lun}"))
        });
        named("disk", &name, line)?;
        Ok(Disk {
            name,
            path: folder.join(self.path),
            lun,
            sku: self.sku.unwrap_or_else(|| "StandardSSD_LRS".to_owned()),
            shared: self.shared,
            write_accelerator: self.write_accelerator,
            in_use: self.in_use.or(of_machine).unwrap_or_default(),
        })
    }
}
