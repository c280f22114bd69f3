//! What exists to be protected: the inventory that a person writes, as values.
//!
//! The service answers for it on the paths of Microsoft.Compute, Microsoft.Storage and Microsoft.Network that clients read.
//! It is never written: what restores make lives in the service's state.

mod encryption;
mod file;
mod identity;
mod key_vault;
mod lock;
mod machine;
mod reads;
mod render;
mod scripts;
mod ties;

use std::collections::BTreeMap;
use std::path::PathBuf;

use kluis_vault::InUse;
use serde::{Deserialize, Serialize};

use crate::core::Role;

pub use encryption::{Encryption, KeyVault, Keys};
pub use file::InventoryError;
pub(crate) use key_vault::{in_vault, missing};
pub use lock::Lock;
pub(crate) use lock::permits;
pub use reads::route;
pub use scripts::Scripts;
pub use ties::{Plan, Ties};

/// All that there is to be protected, and where restores go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inventory {
    /// The subscription, when the file gives one.
    pub subscription_id: Option<String>,
    /// What points say of their consistency.
    pub consistency: Told,
    /// The resource groups in the order of the file.
    pub resource_groups: Vec<ResourceGroup>,
    /// Where restored disks and files go: `<this>/<resource group>/<disk name>.raw`. Absolute.
    pub restored: PathBuf,
    /// Who may call; when empty there is one Owner, made at the first start.
    pub identities: Vec<Identity>,
}

/// A resource group and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceGroup {
    /// Its name, in the file's case.
    pub name: String,
    /// Azure's name of its region, like `westeurope`.
    pub location: String,
    /// What a lock on it keeps from being done in it.
    pub lock: Option<Lock>,
    /// Its machines in the order of the file.
    pub virtual_machines: Vec<VirtualMachine>,
    /// Its storage accounts in the order of the file: restores pass through one.
    pub storage_accounts: Vec<StorageAccount>,
    /// The networks by name, each with its subnets.
    pub virtual_networks: BTreeMap<String, Vec<String>>,
    /// The key vaults by name.
    pub key_vaults: BTreeMap<String, KeyVault>,
}

/// A storage account, in its resource group's region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageAccount {
    /// Its name, in the file's case.
    pub name: String,
    /// Azure's kind of it, `StorageV2` where the file gives none.
    pub kind: String,
}

/// The operating system's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Os {
    /// Linux, the default.
    #[default]
    Linux,
    /// Windows.
    Windows,
}

/// Whether the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Power {
    /// It runs, the default.
    #[default]
    Running,
    /// It is shut down.
    Stopped,
}

/// What recovery points say of their consistency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Told {
    /// What was done for it, the default.
    #[default]
    AsDone,
    /// What Azure's table says of such a machine: for those who try a client of Azure against this service.
    AsAzure,
}

/// A virtual machine with the facts that rules look at.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualMachine {
    /// The resource group's name, in the file's case.
    pub resource_group: String,
    /// Its name, in the file's case.
    pub name: String,
    /// Its region: its own, or the group's.
    pub location: String,
    /// The operating system.
    pub os: Os,
    /// Whether it runs.
    pub power: Power,
    /// The hardware size, like `Standard_D2s_v5`.
    pub size: String,
    /// Processor cores.
    pub cores: u32,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// The availability zone, if any.
    pub zone: Option<String>,
    /// The generation: 1 or 2.
    pub generation: u8,
    /// Whether its disks are managed disks.
    pub managed: bool,
    /// How its disks are encrypted inside it.
    pub encryption: Encryption,
    /// Where the keys of that are, where the file says it.
    pub keys: Option<Keys>,
    /// What keeps a restore from making another like it.
    pub ties: Ties,
    /// Whether the Azure agent answers.
    pub agent: bool,
    /// Its consistency scripts.
    pub scripts: Option<Scripts>,
    /// Its disks; the first is the OS disk.
    pub disks: Vec<Disk>,
}

/// A disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its name: given, or `<vm>-os`, `<vm>-lun<n>`.
    pub name: String,
    /// The image's file, absolute.
    pub path: PathBuf,
    /// The logical unit number; `None` for the OS disk alone.
    pub lun: Option<u32>,
    /// The kind of disk, like `Premium_LRS`.
    pub sku: String,
    /// Whether machines share it.
    pub shared: bool,
    /// Whether writes are accelerated.
    pub write_accelerator: bool,
    /// What becomes of its image when somebody else has it open for writing.
    pub in_use: InUse,
}

/// Someone who may call the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The application id.
    pub client_id: String,
    /// The file that holds its secret, absolute; `None` when it signs in by somebody else's word alone.
    pub secret_file: Option<PathBuf>,
    /// Whose word is taken for who it is.
    pub federated: Option<Federated>,
    /// What it may do.
    pub role: Role,
}

/// Tokens of another issuer that an identity may sign in with: a Kubernetes service account's, for example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federated {
    /// The `iss` of the tokens.
    pub issuer: String,
    /// Their `sub`, like `system:serviceaccount:kluis-system:kluis`.
    pub subject: String,
    /// Their `aud`.
    pub audience: String,
    /// The file with the issuer's public keys, a JSON Web Key Set; absolute. It is read at each sign-in, so that keys may be
    /// exchanged.
    pub keys_file: PathBuf,
}

impl Inventory {
    /// The regions are lower-case words without blanks, however a client writes them.
    #[must_use]
    pub fn region(text: &str) -> String {
        text.to_lowercase().replace(' ', "")
    }

    /// The resource group by its name in any case.
    #[must_use]
    pub fn resource_group(&self, name: &str) -> Option<&ResourceGroup> {
        self.resource_groups
            .iter()
            .find(|group| same(&group.name, name))
    }

    /// The machine by its names in any case.
    #[must_use]
    pub fn vm(&self, resource_group: &str, name: &str) -> Option<&VirtualMachine> {
        self.resource_group(resource_group)?
            .virtual_machines
            .iter()
            .find(|vm| same(&vm.name, name))
    }

    /// The storage account by its names in any case, and its region.
    #[must_use]
    pub fn storage_account(
        &self,
        resource_group: &str,
        name: &str,
    ) -> Option<(&StorageAccount, &str)> {
        let group = self.resource_group(resource_group)?;
        let mut accounts = group.storage_accounts.iter();
        let account = accounts.find(|account| same(&account.name, name))?;
        Some((account, &group.location))
    }

    /// All machines in the order of the file.
    pub fn vms(&self) -> impl Iterator<Item = &VirtualMachine> {
        self.resource_groups
            .iter()
            .flat_map(|group| &group.virtual_machines)
    }
}

/// Whether two names are one to ARM, which compares without case.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || !a.is_ascii() && a.to_lowercase() == b.to_lowercase()
}
