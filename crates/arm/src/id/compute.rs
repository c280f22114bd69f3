//! What lies outside vaults: resource groups, and the resources that backups read from and restores write to.

use std::fmt;

use super::name::Name;
use super::path::{IdError, Walk, readable};

/// `/subscriptions/{}/resourceGroups/{}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceGroupId {
    /// The subscription, a GUID.
    pub subscription: Name,
    /// The group's own name.
    pub name: Name,
}

impl ResourceGroupId {
    pub(super) fn take(walk: &mut Walk<'_>) -> Result<Self, IdError> {
        Ok(Self {
            subscription: walk.name("subscriptions")?,
            name: walk.name("resourceGroups")?,
        })
    }
}

impl fmt::Display for ResourceGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription, self.name
        )
    }
}

readable! { ResourceGroupId = "resource group", }

/// Declares the id of a resource that stands directly in a resource group.
macro_rules! in_group {
    ($( $(#[$meta:meta])* $id:ident, $kind:literal, $provider:literal, $type:literal; )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $id {
            /// The subscription, a GUID.
            pub subscription: Name,
            /// The resource group's name.
            pub resource_group: Name,
            /// The resource's own name.
            pub name: Name,
        }

        impl $id {
            /// The provider and the type, as `type` says it on the wire.
            pub const TYPE: &'static str = concat!($provider, "/", $type);

            /// The resource group it stands in.
            #[must_use]
            pub fn group(&self) -> ResourceGroupId {
                ResourceGroupId { subscription: self.subscription.clone(), name: self.resource_group.clone() }
            }

            pub(super) fn take(walk: &mut Walk<'_>) -> Result<Self, IdError> {
                let subscription = walk.name("subscriptions")?;
                let resource_group = walk.name("resourceGroups")?;
                walk.keyword("providers")?;
                walk.keyword($provider)?;
                Ok(Self { subscription, resource_group, name: walk.name($type)? })
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self { subscription, resource_group, name } = self;
                write!(f, "/subscriptions/{subscription}/resourceGroups/{resource_group}")?;
                write!(f, concat!("/providers/", $provider, "/", $type, "/{}"), name)
            }
        }

        readable! { $id = $kind, }
    )*};
}

pub(super) use in_group;

in_group! {
    /// A virtual machine.
    VmId, "virtual machine", "Microsoft.Compute", "virtualMachines";
    /// A managed disk.
    DiskId, "managed disk", "Microsoft.Compute", "disks";
    /// A storage account, as restores stage in.
    StorageAccountId, "storage account", "Microsoft.Storage", "storageAccounts";
    /// A virtual network.
    VirtualNetworkId, "virtual network", "Microsoft.Network", "virtualNetworks";
}

/// `…/providers/Microsoft.Network/virtualNetworks/{}/subnets/{}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubnetId {
    /// The network it is a part of.
    pub network: VirtualNetworkId,
    /// The subnet's own name.
    pub name: Name,
}

impl SubnetId {
    pub(super) fn take(walk: &mut Walk<'_>) -> Result<Self, IdError> {
        Ok(Self {
            network: VirtualNetworkId::take(walk)?,
            name: walk.name("subnets")?,
        })
    }
}

impl fmt::Display for SubnetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/subnets/{}", self.network, self.name)
    }
}

readable! { SubnetId = "subnet", }
