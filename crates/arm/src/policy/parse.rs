//! From the wire to the field's terms.

mod retention;
mod schedule;

pub(crate) use retention::{dates_of, weeks_of};
pub(super) use retention::{long_term, simple};
pub(crate) use schedule::weekdays;
pub(super) use schedule::{log, run};

use super::{ProtectionPolicy, Terms, VmPolicy};
use crate::zone;
use kluis_policy::zones;

/// Why a policy cannot be put in the field's terms. Others may well understand it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy's {field} is {found}; {expected} is expected")]
pub struct ParseError {
    /// The path below `properties`.
    pub field: String,
    /// What stands there.
    pub found: String,
    /// What could.
    pub expected: &'static str,
}

impl ParseError {
    /// The same, its path below another.
    pub(crate) fn within(self, path: &str) -> Self {
        Self {
            field: format!("{path}.{}", self.field),
            ..self
        }
    }
}

pub(crate) fn error(
    field: impl Into<String>,
    found: &(impl ToString + ?Sized),
    expected: &'static str,
) -> ParseError {
    ParseError {
        field: field.into(),
        found: found.to_string(),
        expected,
    }
}

pub(crate) fn need<'a, T>(
    value: Option<&'a T>,
    field: &str,
    expected: &'static str,
) -> Result<&'a T, ParseError> {
    value.ok_or_else(|| error(field, "missing", expected))
}

/// Reads a policy. Limits are not looked at: see [`super::check_limits`]. Without a zone it is in UTC, and without days
/// for a virtual machine's snapshots it has the usual ones.
///
/// # Errors
/// When it is for something unknown, or says what the field's terms cannot.
pub fn parse(policy: &ProtectionPolicy) -> Result<Terms, ParseError> {
    match policy {
        ProtectionPolicy::VirtualMachine(policy) => parse_vm(policy),
        ProtectionPolicy::FileShare(policy) => super::file_share::parse(policy),
        ProtectionPolicy::Workload(policy) => super::database::parse(policy),
        ProtectionPolicy::Files(policy) => super::files::parse(policy),
        other => Err(error(
            "backupManagementType",
            other.tag(),
            "AzureIaasVM, AzureStorage, AzureWorkload or MAB",
        )),
    }
}

/// As [`parse`], when it is known to be for virtual machines.
///
/// # Errors
/// When it says what the field's terms cannot.
pub fn parse_vm(policy: &VmPolicy) -> Result<Terms, ParseError> {
    super::vm::parse(policy)
}

/// The IANA name of the zone; UTC where there is none.
pub(crate) fn time_zone(name: Option<&str>, field: &str) -> Result<String, ParseError> {
    let Some(name) = name else {
        return Ok("UTC".to_owned());
    };
    match zone::to_iana(name) {
        Ok(iana) => Ok(iana.to_owned()),
        Err(_) if zones::get(name).is_ok() => Ok(name.to_owned()),
        Err(_) => Err(error(
            field,
            &format!("{name:?}"),
            "the name of a zone such as \"W. Europe Standard Time\"",
        )),
    }
}
