//! Policies for virtual machines, of both generations.

use std::collections::BTreeMap;

use kluis_policy::Workload;

use super::parse::{self, ParseError, error};
use super::render::{RenderError, count, enhanced, long_term, standard};
use super::{Generation, RetentionPolicy, SchedulePolicy, Terms, Tiering, archive};
use crate::zone;

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
}

impl VmPolicy {
    /// Which generation it is; Azure leaves V1 out.
    #[must_use]
    pub fn generation(&self) -> PolicyType {
        self.policy_type.clone().unwrap_or(PolicyType::V1)
    }
}

pub(super) fn parse(policy: &VmPolicy) -> Result<Terms, ParseError> {
    const SNAPSHOTS: &str = "instantRpRetentionRangeInDays";
    let run = parse::run(policy.schedule_policy.as_ref())?;
    let generation = if run.is_v2 || policy.generation() == PolicyType::V2 {
        Generation::Enhanced
    } else {
        Generation::Standard
    };
    let days = match policy.instant_rp_retention_range_in_days {
        None => Terms::usual_instant_restore(generation, &run.frequency),
        Some(days) => {
            u32::try_from(days).map_err(|_| error(SNAPSHOTS, &days, "a number of days"))?
        }
    };
    let retention = parse::long_term(policy.retention_policy.as_ref(), "retentionPolicy")?;
    let zone = parse::time_zone(policy.time_zone.as_deref(), "timeZone")?;
    Ok(Terms {
        generation,
        instant_restore_days: Some(days),
        archive: archive::parse(policy.tiering_policy.as_ref())?,
        ..Terms::new(Workload::VirtualMachine, run.frequency, zone, retention)
    })
}

pub(super) fn render(terms: &Terms) -> Result<VmPolicy, RenderError> {
    let ((schedule, at), policy_type) = match terms.generation {
        Generation::Standard => (standard(&terms.frequency)?, PolicyType::V1),
        Generation::Enhanced => (enhanced(&terms.frequency)?, PolicyType::V2),
    };
    let days = terms
        .instant_restore_days
        .unwrap_or_else(|| Terms::usual_instant_restore(terms.generation, &terms.frequency));
    Ok(VmPolicy {
        policy_type: Some(policy_type),
        schedule_policy: Some(schedule),
        retention_policy: Some(long_term(&terms.retention, at)?.into()),
        tiering_policy: Some(archive::render(terms.archive)?),
        instant_rp_retention_range_in_days: Some(count(days)?),
        time_zone: Some(zone::to_azure(&terms.time_zone)?.to_owned()),
        ..VmPolicy::default()
    })
}
