//! Resource ids: the paths by which Resource Manager names things.
//!
//! Paths are compared without regard to case and written in one canonical form; `;` arrives escaped or not. A name can
//! never be a path of its own: what would leave its place (a separator, `..`, a control character) does not parse, since
//! names become folders elsewhere.

mod compute;
mod name;
mod path;
mod rule;
mod vault;

pub use compute::{DiskId, ResourceGroupId, StorageAccountId, SubnetId, VirtualNetworkId, VmId};
pub use name::{ContainerName, ItemName, Name, NameError};
pub use path::{IdError, encode, segments};
pub use rule::is_policy_name;
pub use vault::{ContainerId, ItemId, JobId, PolicyId, RecoveryPointId, VaultId};

/// The one fabric there is for what lives in Azure.
pub const FABRIC: &str = "Azure";
