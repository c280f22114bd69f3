//! Backup policies of Recovery Services vaults as the wire has them, and what can be said of them without a service.
//!
//! [`render`](fn@render) and [`parse`](fn@parse) lead from and to [`Terms`], which hold the values of `kluis_policy`;
//! [`differences`](fn@differences) tells whether a policy in force has to be written; [`check_limits`] holds the limits
//! that a service enforces on a write. Reading enforces none: published examples break them. A file a workload holds its
//! types and both directions. Policies of Backup vaults are another dialect: see [`crate::dataprotection`].

pub(crate) mod archive;
mod database;
pub(crate) mod differences;
mod file_share;
mod files;
pub(crate) mod keeping;
mod limits;
pub(crate) mod parse;
pub(crate) mod render;
mod retention;
mod said;
mod schedule;
mod stored;
mod terms;
mod vm;
pub(crate) mod words;

pub use archive::{Tiering, TieringMode};
pub use database::{
    ManagedIdentity, ManagedIdentityIds, Settings, SnapshotDetails, SubPolicy, SubPolicyType,
    WorkloadPolicy,
};
pub use differences::{Difference, between, differences};
pub use file_share::{FileSharePolicy, VaultRetention};
pub use files::FilesPolicy;
pub use keeping::keeping;
pub(crate) use limits::broken;
pub use limits::{LimitBroken, check_limits};
pub use parse::{ParseError, parse, parse_vm};
pub use render::{RenderError, render};
pub use retention::*;
pub use said::canonical;
pub use schedule::*;
pub use stored::as_stored;
pub use terms::{Archive, Generation, Terms};
pub use vm::{InstantRpDetails, PolicyType, VmPolicy};

use crate::resource::Resource;

/// A policy of a vault.
pub type Policy = Resource<ProtectionPolicy>;

tagged! {
    /// What a policy is for.
    pub enum ProtectionPolicy by "backupManagementType" {
        /// Virtual machines.
        VirtualMachine(VmPolicy) = "AzureIaasVM",
        /// Shares of Azure Files.
        FileShare(FileSharePolicy) = "AzureStorage",
        /// Databases in virtual machines.
        Workload(WorkloadPolicy) = "AzureWorkload",
        /// Files of a host.
        Files(FilesPolicy) = "MAB",
        /// Azure's SQL databases, which keep their own backups: it says how long, and nothing of when.
        AzureSql(AzureSqlPolicy) = "AzureSql",
        /// Of backup servers.
        Generic(GenericPolicy) = "GenericProtectionPolicy",
    }
}

wire! {
    /// A policy for Azure's SQL databases.
    pub struct AzureSqlPolicy {
        /// How long.
        retention_policy: RetentionPolicy,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }

    /// A policy of backup servers.
    pub struct GenericPolicy {
        /// One for each kind of backup.
        sub_protection_policy: Vec<SubPolicy>,
        /// Windows' name of the zone.
        time_zone: String,
        /// Where it was made.
        fabric_name: String,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }
}

impl ProtectionPolicy {
    /// How many items it protects, as the service says.
    #[must_use]
    pub fn protected_items_count(&self) -> Option<i32> {
        match self {
            Self::VirtualMachine(policy) => policy.protected_items_count,
            Self::FileShare(policy) => policy.protected_items_count,
            Self::Workload(policy) => policy.protected_items_count,
            Self::Files(policy) => policy.protected_items_count,
            Self::AzureSql(policy) => policy.protected_items_count,
            Self::Generic(policy) => policy.protected_items_count,
            Self::Other(map) => map
                .get("protectedItemsCount")
                .and_then(|count| count.as_i64()?.try_into().ok()),
        }
    }
}
