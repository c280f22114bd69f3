//! A machine that a restore made. It outlives the vault it came from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::Attached;
use crate::core::Context;
use crate::inventory::{Disk, Encryption, Keys, Os, Power, Ties, VirtualMachine};
use crate::store::{Row, StoreError, Tx};

const PREFIX: &str = "estate/machine/";

/// A virtual machine that exists because a restore made it, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeMachine {
    /// Its resource group, in the inventory's case.
    pub resource_group: String,
    /// Its name, as the request wrote it.
    pub name: String,
    /// Its region.
    pub location: String,
    /// The operating system.
    pub os: Os,
    /// The hardware size.
    pub size: String,
    /// Processor cores.
    pub cores: u32,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// The availability zone, if any.
    pub zone: Option<String>,
    /// The generation: 1 or 2, that of its source.
    pub generation: u8,
    /// How its disks are encrypted inside it, as those of its source.
    pub encryption: Encryption,
    /// Where the keys of that are.
    #[serde(default)]
    pub keys: Option<Keys>,
    /// Its disks; the first is the OS disk.
    pub disks: Vec<Attached>,
    /// The ARM id of the subnet that it is in.
    pub subnet_id: String,
    /// When it was made.
    pub created: Timestamp,
    /// The ARM id of the machine that it is a copy of.
    pub source_vm_id: String,
}

impl Row for MadeMachine {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.resource_group, &self.name)
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl MadeMachine {
    /// The key of a machine of a resource group.
    pub(crate) fn key_of(resource_group: &str, name: &str) -> String {
        format!(
            "{PREFIX}{}/{}",
            resource_group.to_lowercase(),
            name.to_lowercase()
        )
    }

    pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(PREFIX)
    }

    /// Whether the file of its OS disk still is: without it there is no machine any more.
    pub(super) fn is_there(&self, ctx: &Context<'_>) -> bool {
        let first = self.disks.first();
        first.is_some_and(|disk| ctx.facts.exists(&disk.path))
    }

    /// The machine as the inventory would have it. Azure starts what it restores, and so it is taken to run; scripts belong
    /// to the machine they were written for.
    pub(super) fn machine(&self) -> VirtualMachine {
        VirtualMachine {
            resource_group: self.resource_group.clone(),
            name: self.name.clone(),
            location: self.location.clone(),
            os: self.os,
            power: Power::Running,
            size: self.size.clone(),
            cores: self.cores,
            memory_gib: self.memory_gib,
            zone: self.zone.clone(),
            generation: self.generation,
            managed: true,
            encryption: self.encryption,
            keys: self.keys.clone(),
            ties: Ties::default(),
            agent: true,
            scripts: None,
            disks: self.disks.iter().map(Disk::from).collect(),
        }
    }
}
