//! Backup policies as the wire has them, and what can be said of them without a service.
//!
//! [`render`](fn@render) and [`parse`](fn@parse) lead from and to [`Terms`], which hold the values of `kluis_policy`;
//! [`differences`](fn@differences) tells whether a policy in force has to be written; [`check_limits`] holds the limits
//! that a service enforces on a write. Reading enforces none: published examples break them.

mod differences;
mod limits;
mod parse;
mod render;
mod retention;
mod schedule;
mod stored;
mod terms;
mod words;

pub use differences::{Difference, differences};
pub use limits::{LimitBroken, check_limits};
pub use parse::{ParseError, parse, parse_vm};
pub use render::{RenderError, render};
pub use retention::*;
pub use schedule::*;
pub use stored::as_stored;
pub use terms::{Generation, Terms};

use std::collections::BTreeMap;

use serde_json::Value;

use crate::resource::Resource;

word! {
    /// Which generation of VM policies.
    pub enum PolicyType {
        /// Standard: daily or weekly.
        V1 = "V1",
        /// Enhanced: hourly too.
        V2 = "V2",
        /// Not a generation.
        Invalid = "Invalid",
    }

    /// When recovery points move to the archive.
    pub enum TieringMode {
        /// When Azure finds it cheaper.
        TierRecommended = "TierRecommended",
        /// After some time.
        TierAfter = "TierAfter",
        /// Never.
        DoNotTier = "DoNotTier",
        /// Not a mode.
        Invalid = "Invalid",
    }
}

/// A policy of a vault.
pub type Policy = Resource<ProtectionPolicy>;

tagged! {
    /// What a policy is for.
    pub enum ProtectionPolicy by "backupManagementType" {
        /// Virtual machines.
        VirtualMachine(VmPolicy) = "AzureIaasVM",
        /// Databases in virtual machines.
        Workload(WorkloadPolicy) = "AzureWorkload",
    }
}

wire! {
    /// A policy for virtual machines.
    pub struct VmPolicy {
        /// V1 where it is absent.
        policy_type: PolicyType,
        /// How snapshots' resource groups are named.
        #[serde(rename = "instantRPDetails")] instant_rp_details: InstantRpDetails,
        /// When.
        schedule_policy: SchedulePolicy,
        /// How long.
        retention_policy: RetentionPolicy,
        /// When points move to the archive, by tier: `ArchivedRP`.
        tiering_policy: BTreeMap<String, Tiering>,
        /// Days that snapshots stay beside the VM.
        instant_rp_retention_range_in_days: i32,
        /// Windows' name of the zone that every hour in the policy is of.
        time_zone: String,
        /// V2: `OnlyCrashConsistent`, or absent.
        snapshot_consistency_type: String,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }

    /// How snapshots' resource groups are named.
    pub struct InstantRpDetails {
        /// Before the number.
        #[serde(rename = "azureBackupRGNamePrefix")] azure_backup_rg_name_prefix: String,
        /// Behind it.
        #[serde(rename = "azureBackupRGNameSuffix")] azure_backup_rg_name_suffix: String,
    }

    /// When points move to the archive.
    pub struct Tiering {
        /// When.
        tiering_mode: TieringMode,
        /// After how many.
        duration: i32,
        /// After how many of what.
        duration_type: DurationType,
    }

    /// A policy for databases in virtual machines; its sub-policies are kept as they came.
    pub struct WorkloadPolicy {
        /// `SQLDataBase` or `SAPHanaDatabase`.
        #[serde(rename = "workLoadType")] workload_type: String,
        /// The zone and compression.
        settings: Value,
        /// One for each kind of backup.
        sub_protection_policy: Vec<Value>,
        /// Whether items that differ are brought in line.
        make_policy_consistent: bool,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }
}

impl VmPolicy {
    /// Which generation it is; Azure leaves V1 out.
    #[must_use]
    pub fn generation(&self) -> PolicyType {
        self.policy_type.clone().unwrap_or(PolicyType::V1)
    }
}
