//! Reading the inventory's file: what may be written in it, and what is wrong with it, by line.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_yaml::Spanned;

use super::identity::WrittenIdentity;
use super::machine::Machine;
use super::{Inventory, KeyVault, Lock, ResourceGroup, StorageAccount, Told, same};

/// Why an inventory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file can't be read.
    #[error("the inventory {path} can't be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
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
    /// Understands an inventory's file, `text` being what was read of it. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// When the file can't be read, and with the line of what is wrong in it. Images that don't exist are no error here:
    /// the backup of that machine says so.
    pub fn of_file(path: &Path, text: io::Result<String>) -> Result<Self, InventoryError> {
        let failed = |source| InventoryError::Read {
            path: path.to_owned(),
            source,
        };
        let text = text.map_err(failed)?;
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
            consistency: file.consistency,
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
    #[serde(default)]
    consistency: Told,
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
    storage_accounts: Option<InOrder<Option<Account>>>,
    virtual_networks: Option<InOrder<Network>>,
    key_vaults: Option<InOrder<KeyVault>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    #[serde(default)]
    subnets: Vec<String>,
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
            virtual_networks: BTreeMap::new(),
            key_vaults: BTreeMap::new(),
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
        for (name, account) in self.storage_accounts.unwrap_or_default().0 {
            named("storage account", &name, line)?;
            let kind = account.and_then(|account| account.kind);
            group.storage_accounts.push(StorageAccount {
                name,
                kind: kind.unwrap_or_else(|| "StorageV2".to_owned()),
            });
        }
        for (name, network) in self.virtual_networks.unwrap_or_default().0 {
            named("virtual network", &name, line)?;
            group.virtual_networks.insert(name, network.subnets);
        }
        for (name, vault) in self.key_vaults.unwrap_or_default().0 {
            named("key vault", &name, line)?;
            group.key_vaults.insert(name, vault);
        }
        Ok(group)
    }
}

/// Names become parts of paths, in URLs, in files and in snapshots: what would leave its place there, or be taken for a file
/// of the service's own, is no name.
pub(super) fn named(kind: &str, name: &str, line: u64) -> Result<(), (u64, String)> {
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
