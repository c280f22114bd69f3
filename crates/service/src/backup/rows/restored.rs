//! A disk that a restore made. It belongs to a resource group, not to the vault it came from, and outlives it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::inventory::Os;
use crate::store::Row;

/// A managed disk that exists because a restore made it.
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
    #[serde(with = "os_form")]
    pub os: Option<Os>,
    /// When it was restored.
    pub created: Timestamp,
    /// The ARM id of the machine whose disk it was.
    pub source_vm_id: String,
    /// Its file.
    pub path: PathBuf,
    /// The SHA-256 of its bytes as they were read back, in hexadecimal.
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
    /// The key of a disk of a resource group.
    pub(crate) fn key_of(resource_group: &str, name: &str) -> String {
        format!("{}/{}", resource_group.to_lowercase(), name.to_lowercase())
    }
}

/// [`Os`] is read from the inventory and never written there; here it is.
mod os_form {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::point::DiskOs;
    use crate::inventory::Os;

    #[expect(
        clippy::ref_option,
        reason = "serde's `with` hands over a reference to the field"
    )]
    pub(super) fn serialize<S: Serializer>(
        os: &Option<Os>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        os.map(DiskOs::from).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Os>, D::Error> {
        Ok(Option::<DiskOs>::deserialize(deserializer)?.map(Os::from))
    }
}
