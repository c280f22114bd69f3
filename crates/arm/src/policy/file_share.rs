//! Policies for shares of Azure Files.
//!
//! Such a policy keeps snapshots in the storage account alone (`retentionPolicy`), or snapshots for some days and the
//! tiers in the vault (`vaultRetentionPolicy`): a policy has one of the two.

use kluis_policy::Workload;

use super::parse::{self, ParseError, error, need};
use super::render::{RenderError, count, long_term, standard};
use super::{RetentionPolicy, SchedulePolicy, Terms};
use crate::zone;

/// What the wire calls such shares.
pub(super) const WORKLOAD_TYPE: &str = "AzureFileShare";

wire! {
    /// A policy for shares of Azure Files.
    pub struct FileSharePolicy {
        /// `AzureFileShare`; some answers leave it out.
        #[serde(rename = "workLoadType")] workload_type: String,
        /// When: daily or hourly.
        schedule_policy: SchedulePolicy,
        /// How long snapshots stay, where they are all there is.
        retention_policy: RetentionPolicy,
        /// How long snapshots stay, and how long points in the vault.
        vault_retention_policy: VaultRetention,
        /// Windows' name of the zone that every hour in the policy is of.
        time_zone: String,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }

    /// How long snapshots stay, and how long points in the vault.
    pub struct VaultRetention {
        /// Of points in the vault.
        vault_retention: RetentionPolicy,
        /// Of snapshots.
        snapshot_retention_in_days: i32,
    }
}

pub(super) fn parse(policy: &FileSharePolicy) -> Result<Terms, ParseError> {
    const DAYS: &str = "vaultRetentionPolicy.snapshotRetentionInDays";
    const EXPECTED: &str = "a number of days";
    if let Some(other) = policy.workload_type.as_ref()
        && !other.eq_ignore_ascii_case(WORKLOAD_TYPE)
    {
        return Err(error("workLoadType", other, WORKLOAD_TYPE));
    }
    let run = parse::run(policy.schedule_policy.as_ref())?;
    let zone = parse::time_zone(policy.time_zone.as_deref(), "timeZone")?;
    let (retention, snapshots) = match &policy.vault_retention_policy {
        None => {
            let retention = parse::long_term(policy.retention_policy.as_ref(), "retentionPolicy")?;
            (retention, None)
        }
        Some(_) if policy.retention_policy.is_some() => {
            return Err(error(
                "vaultRetentionPolicy",
                "there beside retentionPolicy",
                "one of the two",
            ));
        }
        Some(vaulted) => {
            let days = *need(vaulted.snapshot_retention_in_days.as_ref(), DAYS, EXPECTED)?;
            let days = u32::try_from(days).map_err(|_| error(DAYS, &days, EXPECTED))?;
            let retention = parse::long_term(
                vaulted.vault_retention.as_ref(),
                "vaultRetentionPolicy.vaultRetention",
            )?;
            (retention, Some(days))
        }
    };
    Ok(Terms {
        instant_restore_days: snapshots,
        ..Terms::new(Workload::FileShare, run.frequency, zone, retention)
    })
}

pub(super) fn render(terms: &Terms) -> Result<FileSharePolicy, RenderError> {
    let (schedule, at) = standard(&terms.frequency)?;
    let retention = RetentionPolicy::from(long_term(&terms.retention, at)?);
    let (snapshots, vaulted) = match terms.instant_restore_days {
        None => (Some(retention), None),
        Some(days) => {
            let vaulted = VaultRetention {
                vault_retention: Some(retention),
                snapshot_retention_in_days: Some(count(days)?),
                ..VaultRetention::default()
            };
            (None, Some(vaulted))
        }
    };
    Ok(FileSharePolicy {
        workload_type: Some(WORKLOAD_TYPE.to_owned()),
        schedule_policy: Some(schedule),
        retention_policy: snapshots,
        vault_retention_policy: vaulted,
        time_zone: Some(zone::to_azure(&terms.time_zone)?.to_owned()),
        ..FileSharePolicy::default()
    })
}
