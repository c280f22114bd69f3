//! A vault and everything inside it.

use std::fmt;

use super::FABRIC;
use super::compute::{ResourceGroupId, VmId, in_group};
use super::name::{ContainerName, ItemName, Name};
use super::path::{IdError, Walk, readable};

in_group! {
    /// A Recovery Services vault.
    VaultId, "vault", "Microsoft.RecoveryServices", "vaults";
}

/// Declares the id of a thing that stands one step below another.
macro_rules! below {
    ($( $(#[$meta:meta])* $id:ident { $parent:ident: $parent_id:ident }, $kind:literal, $segment:literal, $type:literal; )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $id {
            /// What it stands below.
            pub $parent: $parent_id,
            /// Its own name.
            pub name: Name,
        }

        impl $id {
            /// The provider and the types along the path, as `type` says it on the wire.
            pub const TYPE: &'static str = $type;

            pub(super) fn take(walk: &mut Walk<'_>) -> Result<Self, IdError> {
                Ok(Self { $parent: $parent_id::take(walk)?, name: walk.name($segment)? })
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{}/", $segment, "/{}"), self.$parent, self.name)
            }
        }

        readable! { $id = $kind, }
    )*};
}

below! {
    /// A backup policy of a vault.
    PolicyId { vault: VaultId }, "backup policy", "backupPolicies", "Microsoft.RecoveryServices/vaults/backupPolicies";
    /// A job of a vault.
    JobId { vault: VaultId }, "backup job", "backupJobs", "Microsoft.RecoveryServices/vaults/backupJobs";
    /// A recovery point of a protected item.
    RecoveryPointId { item: ItemId }, "recovery point", "recoveryPoints",
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints";
}

/// A container: what a vault registers a machine or an account as.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId {
    /// The vault it is registered in.
    pub vault: VaultId,
    /// Its own name.
    pub name: ContainerName,
}

impl ContainerId {
    /// The types along the path, as `type` says it on the wire.
    pub const TYPE: &'static str =
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers";

    pub(super) fn take(walk: &mut Walk<'_>) -> Result<Self, IdError> {
        let vault = VaultId::take(walk)?;
        walk.keyword("backupFabrics")?;
        walk.keyword(FABRIC)?;
        Ok(Self {
            vault,
            name: walk.name("protectionContainers")?.into(),
        })
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/backupFabrics/{FABRIC}/protectionContainers/{}",
            self.vault, self.name
        )
    }
}

/// A protected item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId {
    /// The container it is in.
    pub container: ContainerId,
    /// Its own name.
    pub name: ItemName,
}

impl ItemId {
    /// The types along the path, as `type` says it on the wire.
    pub const TYPE: &'static str =
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems";

    /// Where a VM's item is in a vault, whether it exists or not.
    #[must_use]
    pub fn for_vm(vault: &VaultId, vm: &VmId) -> Self {
        let container = ContainerId {
            vault: vault.clone(),
            name: ContainerName::for_vm(vm),
        };
        Self {
            container,
            name: ItemName::for_vm(vm),
        }
    }

    /// The vault that protects it.
    #[must_use]
    pub fn vault(&self) -> &VaultId {
        &self.container.vault
    }

    pub(super) fn take(walk: &mut Walk<'_>) -> Result<Self, IdError> {
        Ok(Self {
            container: ContainerId::take(walk)?,
            name: walk.name("protectedItems")?.into(),
        })
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/protectedItems/{}", self.container, self.name)
    }
}

readable! { ContainerId = "protection container", ItemId = "protected item", }

impl ResourceGroupId {
    /// A vault of this group.
    #[must_use]
    pub fn vault(&self, name: Name) -> VaultId {
        VaultId {
            subscription: self.subscription.clone(),
            resource_group: self.name.clone(),
            name,
        }
    }
}

impl VaultId {
    /// A policy of this vault.
    #[must_use]
    pub fn policy(&self, name: Name) -> PolicyId {
        PolicyId {
            vault: self.clone(),
            name,
        }
    }

    /// A job of this vault.
    #[must_use]
    pub fn job(&self, name: Name) -> JobId {
        JobId {
            vault: self.clone(),
            name,
        }
    }
}

impl ItemId {
    /// A recovery point of this item.
    #[must_use]
    pub fn recovery_point(&self, name: Name) -> RecoveryPointId {
        RecoveryPointId {
            item: self.clone(),
            name,
        }
    }
}
