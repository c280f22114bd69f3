//! Reading the inventory's file: what may be written in it, and what is wrong with it, by line.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_yaml::Spanned;

use super::identity::WrittenIdentity;
use super::{
    Disk, Encryption, Inventory, Lock, Os, Power, ResourceGroup, VirtualMachine, same, scripts,
};

/// Why an inventory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file can't be read.
    #[error("the inventory {path} can't be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML, or says something that means nothing here.
    #[error("{path}:{line}: {message}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 0 when it is not known.
        line: u64,
        /// What is wrong, and what may stand there.
        message: String,
    },
}

impl Inventory {
    /// Reads an inventory's file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// When the file can't be read, and with the line of what is wrong in it. Images that don't exist are no error here:
    /// the backup of that machine says so.
    pub fn read(path: &Path) -> Result<Self, InventoryError> {
        let failed = |source| InventoryError::Read {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let absolute = std::path::absolute(path).map_err(failed)?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, folder).map_err(|(line, message)| InventoryError::Wrong {
            path: path.to_owned(),
            line,
            message,
        })
    }

    /// Reads an inventory's text; relative paths begin at `folder`.
    ///
    /// # Errors
    /// The line (0: not known) of what is wrong, and a sentence about it.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, (u64, String)> {
        let file: File = serde_yaml::from_str(text).map_err(|error| {
            let line = error.location().map_or(0, |location| location.line());
            (line, error.without_snippet().to_string())
        })?;
        let mut inventory = Self {
            subscription_id: None,
            resource_groups: Vec::new(),
            restored: folder.join(file.restored.as_deref().unwrap_or(Path::new("restored"))),
            identities: Vec::new(),
        };
        if let Some(id) = file.subscription_id {
            let line = id.referenced.line();
            let guid = uuid::Uuid::parse_str(id.value.trim());
            let guid =
                guid.map_err(|_| (line, format!("subscriptionId '{}' is not a GUID", id.value)))?;
            inventory.subscription_id = Some(guid.to_string());
        }
        for (name, group) in file.resource_groups.unwrap_or_default().0 {
            if inventory.resource_group(&name).is_some() {
                return Err((
                    group.referenced.line(),
                    format!("the resource group '{name}' is there twice; case makes no difference"),
                ));
            }
            inventory.resource_groups.push(group.value.understood(
                name,
                group.referenced.line(),
                folder,
            )?);
        }
        for identity in file.identities {
            inventory.identities.push(identity.checked(folder)?);
        }
        Ok(inventory)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    subscription_id: Option<Spanned<String>>,
    resource_groups: Option<InOrder<Spanned<Group>>>,
    restored: Option<PathBuf>,
    #[serde(default)]
    identities: Vec<WrittenIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Group {
    location: String,
    lock: Option<Lock>,
    virtual_machines: Option<InOrder<Spanned<Machine>>>,
    storage_accounts: Option<InOrder<Option<Nothing>>>,
    virtual_networks: Option<InOrder<Network>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    #[serde(default)]
    subnets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Machine {
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
    encryption: Encryption,
    agent: Option<bool>,
    scripts: Option<scripts::Written>,
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
}

impl Group {
    fn understood(
        self,
        name: String,
        line: u64,
        folder: &Path,
    ) -> Result<ResourceGroup, (u64, String)> {
        let location = self.location.to_lowercase().replace(' ', "");
        named("resource group", &name, line)?;
        let mut group = ResourceGroup {
            name,
            location,
            lock: self.lock,
            virtual_machines: Vec::new(),
            storage_accounts: Vec::new(),
            virtual_networks: std::collections::BTreeMap::new(),
        };
        for (name, vm) in self.virtual_machines.unwrap_or_default().0 {
            let line = vm.referenced.line();
            if group
                .virtual_machines
                .iter()
                .any(|other| same(&other.name, &name))
            {
                return Err((
                    line,
                    format!(
                        "the virtual machine '{name}' is there twice; case makes no difference"
                    ),
                ));
            }
            named("virtual machine", &name, line)?;
            group.virtual_machines.push(vm.value.understood(
                &group.name,
                &group.location,
                name,
                line,
                folder,
            )?);
        }
        for (name, _) in self.storage_accounts.unwrap_or_default().0 {
            named("storage account", &name, line)?;
            group.storage_accounts.push(name);
        }
        for (name, network) in self.virtual_networks.unwrap_or_default().0 {
            named("virtual network", &name, line)?;
            group.virtual_networks.insert(name, network.subnets);
        }
        Ok(group)
    }
}

impl Machine {
    fn understood(
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
            let disk = disk.value.understood(&name, place, at, folder)?;
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
            encryption: self.encryption,
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
        })
    }
}

/// Names become parts of paths, in URLs, in files and in snapshots: what would leave its place there, or be taken for a file
/// of the service's own, is no name.
fn named(kind: &str, name: &str, line: u64) -> Result<(), (u64, String)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    if !name.is_empty()
        && name.len() <= 90
        && name.chars().all(fits)
        && !name.starts_with('.')
        && !name.ends_with('.')
    {
        return Ok(());
    }
    Err((
        line,
        format!(
            "'{name}' can't name a {kind}: letters of ASCII, digits, '-', '_', '.' and brackets, at most 90 bytes, no dot at either end"
        ),
    ))
}

/// A mapping in the order it is written, which is the order of lists in answers.
struct InOrder<T>(Vec<(String, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(InOrder(pairs))
            }
        }

        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}
