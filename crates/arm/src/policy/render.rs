//! From the field's terms to the wire of a Recovery Services vault.

mod retention;
mod schedule;

use jiff::civil::{Date, Time, date};
use kluis_policy::Workload;

pub(crate) use retention::{dates_on_wire, weeks_on_wire};
pub(super) use retention::{long_term, simple};
pub(super) use schedule::{enhanced, log, standard};

use super::{ProtectionPolicy, Terms};
use crate::time::WireTime;
use crate::zone::ZoneError;

/// Why a policy cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The zone has no name there.
    #[error("the policy's time zone cannot be written")]
    Zone(#[from] ZoneError),
    /// A count that no policy can hold.
    #[error("{0} is too large a number for a policy; the limits are far below")]
    Count(u32),
    /// A kind of vault that does not have the workload.
    #[error("policies for {0} belong into {1}")]
    Vault(&'static str, &'static str),
    /// Something that the workload's policies have no place for.
    #[error("a policy for {workload} has no {what}")]
    NoPlace {
        /// The workload, in words.
        workload: &'static str,
        /// What there is no place for.
        what: &'static str,
    },
}

/// The date that stands before every time. It means nothing: any will do, and one that never changes makes equal
/// policies equal.
const ANY_DATE: Date = date(2024, 1, 1);

/// A policy as it is written: each retention's times are those of its schedule and none where that is hourly, and every
/// hour is on the zone's wall clock though a `Z` stands behind it. Limits are not looked at: see [`super::check_limits`].
///
/// # Errors
/// When Azure has no name for the zone, a number does not fit, or the workload's policies have no place for something.
pub fn render(terms: &Terms) -> Result<ProtectionPolicy, RenderError> {
    places(terms)?;
    match terms.workload {
        Workload::VirtualMachine => super::vm::render(terms).map(Into::into),
        Workload::FileShare => super::file_share::render(terms).map(Into::into),
        Workload::SqlServer | Workload::SapHana => super::database::render(terms).map(Into::into),
        Workload::Files => super::files::render(terms).map(Into::into),
        Workload::Disk | Workload::PostgreSql => Err(RenderError::Vault(
            terms.workload.in_words(),
            "a Backup vault, not a Recovery Services vault",
        )),
    }
}

/// What is said and would be lost is an error, not a silent loss.
pub(crate) fn places(terms: &Terms) -> Result<(), RenderError> {
    let is_database = matches!(terms.workload, Workload::SqlServer | Workload::SapHana);
    let is_vm = terms.workload == Workload::VirtualMachine;
    let has_snapshots = is_vm || terms.workload == Workload::FileShare;
    let without = [
        (
            terms.generation == super::Generation::Enhanced && !is_vm,
            "generation but the standard one",
        ),
        (
            terms.differential.is_some() && !is_database,
            "differential backups",
        ),
        (
            terms.incremental.is_some() && !is_database,
            "incremental backups",
        ),
        (terms.log.is_some() && !is_database, "log backups"),
        (terms.compression && !is_database, "compression to choose"),
        (terms.archive.is_some() && !is_database && !is_vm, "archive"),
        (
            terms.instant_restore_days.is_some() && !has_snapshots,
            "snapshots to keep for some days",
        ),
    ];
    match without.into_iter().find(|(is_said, _)| *is_said) {
        Some((_, what)) => Err(RenderError::NoPlace {
            workload: terms.workload.in_words(),
            what,
        }),
        None => Ok(()),
    }
}

pub(super) fn wall_clock(at: Time) -> WireTime {
    WireTime::wall_clock(at.on(ANY_DATE.year(), ANY_DATE.month(), ANY_DATE.day()))
}

pub(super) fn count(number: u32) -> Result<i32, RenderError> {
    i32::try_from(number).map_err(|_| RenderError::Count(number))
}
