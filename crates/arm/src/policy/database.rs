//! Policies for databases in virtual machines: SQL Server and SAP HANA. A sub-policy a kind of backup.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use kluis_policy::{Between, Frequency, Log, Workload};

use super::parse::{self, ParseError, error, need};
use super::render::{RenderError, log, long_term, simple, standard};
use super::{RetentionPolicy, SchedulePolicy, Terms, Tiering, archive};
use crate::zone;

const SQL_SERVER: &str = "SQLDataBase";
const SAP_HANA: &str = "SAPHanaDatabase";

word! {
    /// What kind of backup a sub-policy is for.
    pub enum SubPolicyType {
        /// Everything.
        Full = "Full",
        /// What changed since the last full.
        Differential = "Differential",
        /// What changed since the last backup.
        Incremental = "Incremental",
        /// The transactions.
        Log = "Log",
        /// Everything, outside the chain.
        CopyOnlyFull = "CopyOnlyFull",
        /// Everything, by a snapshot of the disks.
        SnapshotFull = "SnapshotFull",
        /// Everything, by a snapshot of the disks, outside the chain.
        SnapshotCopyOnlyFull = "SnapshotCopyOnlyFull",
        /// None.
        Invalid = "Invalid",
    }
}

wire! {
    /// A policy for databases in virtual machines.
    pub struct WorkloadPolicy {
        /// `SQLDataBase` or `SAPHanaDatabase`.
        #[serde(rename = "workLoadType")] workload_type: String,
        /// The zone and compression.
        settings: Settings,
        /// One for each kind of backup.
        sub_protection_policy: Vec<SubPolicy>,
        /// Whether items that differ are brought in line.
        make_policy_consistent: bool,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }

    /// What holds for every kind of backup.
    pub struct Settings {
        /// Windows' name of the zone that every hour in the policy is of.
        time_zone: String,
        /// Whether the source compresses; the older field, of SQL Server alone.
        issqlcompression: bool,
        /// Whether the source compresses.
        is_compression: bool,
    }

    /// What holds for one kind of backup.
    pub struct SubPolicy {
        /// Which kind.
        policy_type: SubPolicyType,
        /// When.
        schedule_policy: SchedulePolicy,
        /// How long.
        retention_policy: RetentionPolicy,
        /// When points move to the archive, by tier: `ArchivedRP`.
        tiering_policy: BTreeMap<String, Tiering>,
        /// Of snapshots of SAP HANA.
        snapshot_backup_additional_details: SnapshotDetails,
    }

    /// Of snapshots of SAP HANA.
    pub struct SnapshotDetails {
        /// Days that snapshots stay.
        instant_rp_retention_range_in_days: i32,
        /// The resource group they are in.
        #[serde(rename = "instantRPDetails")] instant_rp_details: String,
        /// As whom they are taken.
        user_assigned_managed_identity_details: ManagedIdentity,
    }

    /// An identity that is given to a machine.
    pub struct ManagedIdentity {
        /// Its whole path.
        identity_arm_id: String,
        /// Its name.
        identity_name: String,
        /// Its ids.
        user_assigned_identity_properties: ManagedIdentityIds,
    }

    /// An identity's ids.
    pub struct ManagedIdentityIds {
        /// Towards others.
        client_id: String,
        /// In its directory.
        principal_id: String,
    }
}

impl SubPolicy {
    fn of(
        kind: SubPolicyType,
        schedule: impl Into<SchedulePolicy>,
        retention: impl Into<RetentionPolicy>,
    ) -> Self {
        Self {
            policy_type: Some(kind),
            schedule_policy: Some(schedule.into()),
            retention_policy: Some(retention.into()),
            ..Self::default()
        }
    }
}

/// The path of a kind's sub-policy.
pub(super) fn path(kind: &SubPolicyType) -> String {
    format!("subProtectionPolicy[{kind}]")
}

pub(super) fn parse(policy: &WorkloadPolicy) -> Result<Terms, ParseError> {
    const WORKLOADS: &str = "SQLDataBase or SAPHanaDatabase";
    let workload = match policy.workload_type.as_deref() {
        Some(name) if name.eq_ignore_ascii_case(SQL_SERVER) => Workload::SqlServer,
        Some(name) if name.eq_ignore_ascii_case(SAP_HANA) => Workload::SapHana,
        other => {
            return Err(error("workLoadType", other.unwrap_or("missing"), WORKLOADS));
        }
    };
    let settings = policy.settings.as_ref();
    let zone = settings.and_then(|settings| settings.time_zone.as_deref());
    let full = the(policy, &SubPolicyType::Full)?;
    let full = need(full, "subProtectionPolicy", "a sub-policy for fulls")?;
    let at = path(&SubPolicyType::Full);
    let run = parse::run(full.schedule_policy.as_ref()).map_err(|error| error.within(&at))?;
    let retention = parse::long_term(full.retention_policy.as_ref(), "retentionPolicy")
        .map_err(|error| error.within(&at))?;
    let archive =
        archive::parse(full.tiering_policy.as_ref()).map_err(|error| error.within(&at))?;
    for other in [
        SubPolicyType::CopyOnlyFull,
        SubPolicyType::SnapshotFull,
        SubPolicyType::SnapshotCopyOnlyFull,
    ] {
        if the(policy, &other)?.is_some() {
            return Err(error(
                path(&other),
                "there",
                "no kind but Full, Differential, Incremental and Log",
            ));
        }
    }
    Ok(Terms {
        differential: between(policy, &SubPolicyType::Differential)?,
        incremental: between(policy, &SubPolicyType::Incremental)?,
        log: logs(policy)?,
        archive,
        compression: settings.is_some_and(|settings| {
            settings.is_compression == Some(true) || settings.issqlcompression == Some(true)
        }),
        ..Terms::new(
            workload,
            run.frequency,
            parse::time_zone(zone, "settings.timeZone")?,
            retention,
        )
    })
}

/// The one sub-policy of a kind.
fn the<'a>(
    policy: &'a WorkloadPolicy,
    kind: &SubPolicyType,
) -> Result<Option<&'a SubPolicy>, ParseError> {
    let all = policy.sub_protection_policy.iter().flatten();
    let mut found = all.filter(|sub| sub.policy_type.as_ref() == Some(kind));
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(error(path(kind), "there twice", "one sub-policy of a kind")),
    }
}

fn between(policy: &WorkloadPolicy, kind: &SubPolicyType) -> Result<Option<Between>, ParseError> {
    let Some(sub) = the(policy, kind)? else {
        return Ok(None);
    };
    let at = path(kind);
    let run = parse::run(sub.schedule_policy.as_ref()).map_err(|error| error.within(&at))?;
    let keep_days =
        parse::simple(sub.retention_policy.as_ref()).map_err(|error| error.within(&at))?;
    match run.frequency {
        Frequency::Weekly { on, at } => Ok(Some(Between { on, at, keep_days })),
        Frequency::Daily { at } => Ok(Some(Between {
            on: Weekday::Monday.cycle_forward().take(7).collect(),
            at,
            keep_days,
        })),
        Frequency::Hourly { .. } | Frequency::Minutes { .. } => Err(error(
            format!("{at}.schedulePolicy.scheduleRunFrequency"),
            "Hourly",
            "Daily or Weekly",
        )),
    }
}

fn logs(policy: &WorkloadPolicy) -> Result<Option<Log>, ParseError> {
    let Some(sub) = the(policy, &SubPolicyType::Log)? else {
        return Ok(None);
    };
    let at = path(&SubPolicyType::Log);
    let every_minutes =
        parse::log(sub.schedule_policy.as_ref()).map_err(|error| error.within(&at))?;
    let keep_days =
        parse::simple(sub.retention_policy.as_ref()).map_err(|error| error.within(&at))?;
    Ok(Some(Log {
        every_minutes,
        keep_days,
    }))
}

pub(super) fn render(terms: &Terms) -> Result<WorkloadPolicy, RenderError> {
    let is_sql = terms.workload == Workload::SqlServer;
    let (schedule, at) = standard(&terms.frequency)?;
    let mut all = vec![SubPolicy {
        tiering_policy: Some(archive::render(terms.archive)?),
        ..SubPolicy::of(
            SubPolicyType::Full,
            schedule,
            long_term(&terms.retention, at)?,
        )
    }];
    let kinds = [
        (SubPolicyType::Differential, &terms.differential),
        (SubPolicyType::Incremental, &terms.incremental),
    ];
    for (kind, between) in kinds {
        if let Some(Between { on, at, keep_days }) = between {
            let (schedule, _) = standard(&Frequency::Weekly {
                on: on.clone(),
                at: *at,
            })?;
            all.push(SubPolicy::of(kind, schedule, simple(*keep_days)?));
        }
    }
    if let Some(Log {
        every_minutes,
        keep_days,
    }) = &terms.log
    {
        all.push(SubPolicy::of(
            SubPolicyType::Log,
            log(*every_minutes),
            simple(*keep_days)?,
        ));
    }
    let settings = Settings {
        time_zone: Some(zone::to_azure(&terms.time_zone)?.to_owned()),
        issqlcompression: Some(is_sql && terms.compression),
        is_compression: Some(terms.compression),
        ..Settings::default()
    };
    Ok(WorkloadPolicy {
        workload_type: Some(if is_sql { SQL_SERVER } else { SAP_HANA }.to_owned()),
        settings: Some(settings),
        sub_protection_policy: Some(all),
        ..WorkloadPolicy::default()
    })
}
