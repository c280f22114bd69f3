//! From a BackupPolicy to the field's own terms, to the wire, and to words.
//!
//! One way for every workload. Which of it a workload may say is held by the definitions; what is forbidden there is refused here only
//! where it has no meaning, or where the wire has no way to say it.

mod calendar;
mod keeping;
mod schedule;
mod words;

use kluis_api::{BackupPolicySpec, Tier};
use kluis_arm::dataprotection;
use kluis_arm::policy::{Generation, ProtectionPolicy, Terms, render};
use kluis_policy::{DaylightSaving, Strategy, Workload};

use crate::waiting::Waiting;
pub(crate) use words::{retention_in_words, schedule_in_words};

/// What the spec says, as the wire can say it.
///
/// # Errors
/// [`Waiting::PolicyNotExpressible`], with the field's name, where it says nothing that can be read, or names no zone.
pub fn terms(spec: &BackupPolicySpec) -> Result<Terms, Waiting> {
    let generation = match spec.tier {
        Tier::Standard => Generation::Standard,
        Tier::Enhanced => Generation::Enhanced,
    };
    let workload = workload(spec.workload);
    let frequency = schedule::frequency(&spec.schedule)?;
    let usual = (workload == Workload::VirtualMachine)
        .then(|| Terms::usual_instant_restore(generation, &frequency));
    let terms = Terms {
        workload,
        generation,
        time_zone: spec.time_zone.clone(),
        retention: keeping::retention(&spec.retention)?,
        instant_restore_days: spec
            .instant_restore
            .as_ref()
            .map(|instant| instant.keep_days)
            .or(usual),
        differential: schedule::between("differential.at", spec.differential.as_ref())?,
        incremental: schedule::between("incremental.at", spec.incremental.as_ref())?,
        log: schedule::log(spec.log.as_ref())?,
        archive: keeping::archive(spec.archive.as_ref())?,
        compression: spec.compression.unwrap_or_default(),
        frequency,
    };
    terms.schedule().map_err(|error| not_expressible(&error))?;
    Ok(terms)
}

/// What the spec says of when backups are made and how long they are kept, with what becomes of it when the clock changes.
///
/// # Errors
/// As [`terms`].
pub fn strategy(spec: &BackupPolicySpec) -> Result<Strategy, Waiting> {
    let strategy = terms(spec)?
        .strategy()
        .map_err(|error| not_expressible(&error))?;
    Ok(Strategy {
        daylight_saving: match spec.schedule.daylight_saving {
            kluis_api::DaylightSaving::Ignore => DaylightSaving::Ignore,
            kluis_api::DaylightSaving::Follow => DaylightSaving::Follow,
        },
        ..strategy
    })
}

/// The same on the wire of a Recovery Services vault.
pub(crate) fn rendered(terms: &Terms) -> Result<ProtectionPolicy, Waiting> {
    let policy = render(terms).map_err(|error| with_cause(&error))?;
    kluis_arm::policy::check_limits(&policy).map_err(|broken| not_expressible(&broken))?;
    Ok(policy)
}

/// Whether the wire can say the terms, in whichever vault they belong, and a service would take them.
///
/// # Errors
/// [`Waiting::PolicyNotExpressible`], with what the wire has no place for or the limit that is broken.
pub fn say(terms: &Terms) -> Result<(), Waiting> {
    match terms.workload {
        Workload::Disk | Workload::PostgreSql => {
            let policy = dataprotection::render(terms).map_err(|error| with_cause(&error))?;
            dataprotection::check_limits(&policy).map_err(|broken| not_expressible(&broken))
        }
        _ => rendered(terms).map(|_| ()),
    }
}

/// The workload, in the type that reckons.
fn workload(workload: kluis_api::Workload) -> Workload {
    match workload {
        kluis_api::Workload::VirtualMachine => Workload::VirtualMachine,
        kluis_api::Workload::SQLServer => Workload::SqlServer,
        kluis_api::Workload::SAPHana => Workload::SapHana,
        kluis_api::Workload::PostgreSQL => Workload::PostgreSql,
        kluis_api::Workload::FileShare => Workload::FileShare,
        kluis_api::Workload::Disk => Workload::Disk,
        kluis_api::Workload::Files => Workload::Files,
    }
}

fn unreadable(field: &str, expected: &str) -> Waiting {
    Waiting::PolicyNotExpressible {
        message: format!("{field} has to be {expected}"),
    }
}

fn not_expressible(error: &dyn std::fmt::Display) -> Waiting {
    Waiting::PolicyNotExpressible {
        message: error.to_string().trim_end_matches('.').to_owned(),
    }
}

fn with_cause(error: &dyn std::error::Error) -> Waiting {
    let cause = error
        .source()
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    not_expressible(&format!("{error}{cause}"))
}
