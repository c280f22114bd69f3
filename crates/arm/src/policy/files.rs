//! Policies for files of a host.
//!
//! Azure's agent keeps its schedule in its own console, and policies of this kind come from there; their hours are of the
//! host's clock, and no field names its zone. In Kluis the service alone keeps such files. Its policies name their zone as
//! those of every other workload do.

use kluis_policy::Workload;

use super::parse::{self, ParseError};
use super::render::{RenderError, long_term, standard};
use super::{RetentionPolicy, SchedulePolicy, Terms};
use crate::zone;

wire! {
    /// A policy for files of a host.
    pub struct FilesPolicy {
        /// When.
        schedule_policy: SchedulePolicy,
        /// How long.
        retention_policy: RetentionPolicy,
        /// Windows' name of the zone that every hour in the policy is of. Kluis's own: Azure has none.
        time_zone: String,
        /// How many items it protects; added by the service.
        protected_items_count: i32,
        /// The Resource Guard's operations this request claims.
        resource_guard_operation_requests: Vec<String>,
    }
}

pub(super) fn parse(policy: &FilesPolicy) -> Result<Terms, ParseError> {
    let run = parse::run(policy.schedule_policy.as_ref())?;
    let zone = parse::time_zone(policy.time_zone.as_deref(), "timeZone")?;
    let retention = parse::long_term(policy.retention_policy.as_ref(), "retentionPolicy")?;
    Ok(Terms::new(Workload::Files, run.frequency, zone, retention))
}

pub(super) fn render(terms: &Terms) -> Result<FilesPolicy, RenderError> {
    let (schedule, at) = standard(&terms.frequency)?;
    Ok(FilesPolicy {
        schedule_policy: Some(schedule),
        retention_policy: Some(long_term(&terms.retention, at)?.into()),
        time_zone: Some(zone::to_azure(&terms.time_zone)?.to_owned()),
        ..FilesPolicy::default()
    })
}
